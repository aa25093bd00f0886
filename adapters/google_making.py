"""Calls for embeddings and pictures, as Google's models take them: several where one is not enough.

texts, a picture ─► Plan ─► embedContent, batchEmbedContents, generateContent, predict ─► the words of OpenAI's API
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Raw, Struct

from gateway import ir
from gateway.adapters.making import Whole
from gateway.dialects.gemini.making import Embedded, Step, read_drawn, shape_losses, write_assisted, write_drawings
from gateway.dialects.openai_embeddings import Texts, Vector, of_length_one, write_vectors
from gateway.dialects.openai_images import read_wanted, write_picture_events, write_pictures
from gateway.errors import UpstreamMalformed
from gateway.ir.estimate import estimate_text
from gateway.upstream import Call, Edit

__all__ = ["Plan", "all_vectors", "carry_out", "counted", "plan_drawing", "tell_vectors", "words_of"]

_AT_ONCE: Final = 16


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be called for one request, and how all the answers are read; `read` takes the Unix time, too."""

    steps: Sequence[Step]
    read: Callable[[Sequence[bytes], float], Whole]
    losses: tuple[ir.Loss, ...] = ()
    native: Raw | None = None
    edits: tuple[Edit, ...] = ()

    @property
    def body(self) -> dict[str, object]:
        """Give the body of the first call."""
        return self.steps[0].body


async def carry_out(plan: Plan, ask: Callable[[Step], Awaitable[bytes]], answers: dict[int, bytes]) -> list[bytes]:
    """Make the calls of a plan whose `answers` are not there yet; raise what the first one that fails raises."""
    some = asyncio.Semaphore(_AT_ONCE)

    async def one(place: int, step: Step) -> None:
        async with some:
            answers[place] = await ask(step)

    try:
        async with asyncio.TaskGroup() as group:
            for place, step in enumerate(plan.steps):
                if place not in answers:
                    group.create_task(one(place, step))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [answers[place] for place in range(len(plan.steps))]


def words_of(call: Call) -> bytes:
    """Give the caller's own words."""
    assert call.request.native is not None, "a call of this kind is the caller's own words"
    return bytes(call.request.native.body)


# embeddings


def all_vectors(embedded: Sequence[Embedded], wanted: int) -> list[Vector]:
    """Give the vectors of all the calls; raise UpstreamMalformed where one is missing."""
    vectors = [vector for one in embedded for vector in one.vectors]
    if len(vectors) != wanted:
        raise UpstreamMalformed(f"the upstream returned {len(vectors)} vectors for {wanted} texts")
    return vectors


def counted(embedded: Sequence[Embedded]) -> int | None:
    """Add up the tokens; None where a call has not counted them."""
    counts = [one.usage.input for one in embedded if one.usage is not None]
    return sum(counts) if len(counts) == len(embedded) else None


def tell_vectors(texts: Texts, model: str, embedded: Sequence[Embedded]) -> Whole:
    """Write the answer for an OpenAI caller."""
    vectors = all_vectors(embedded, len(texts.texts))
    if texts.dimensions is not None:
        vectors = [of_length_one(vector) for vector in vectors]
    known = counted(embedded)
    tokens = sum(map(estimate_text, texts.texts)) if known is None else known
    body = write_vectors(model, vectors, tokens, base64=texts.base64)
    return Whole(body, ir.Usage(input=tokens, estimated=known is None))


# pictures


def plan_drawing(call: Call, *, assisted: bool = False) -> Plan:
    """Plan a call for pictures, `assisted` by Code Assist; raise InvalidRequest."""
    model, wanted = call.request.model, read_wanted(words_of(call))
    steps = write_assisted(wanted) if assisted else write_drawings(wanted, model)

    def read(answers: Sequence[bytes], now: float) -> Whole:
        drawn = [read_drawn(answer, step.verb) for answer, step in zip(answers, steps, strict=True)]
        pictures = [picture for one in drawn for picture in one.pictures]
        usage = _sum([one.usage for one in drawn])
        write = write_picture_events if wanted.stream else write_pictures
        return Whole(write(pictures, int(now), usage), usage, events=wanted.stream)

    return Plan(steps=steps, read=read, losses=wanted.losses + shape_losses(wanted, model))


def _sum(counts: Sequence[ir.Usage | None]) -> ir.Usage | None:
    """Add what was counted; None when one of them was not."""
    known = [one for one in counts if one is not None]
    if len(known) < len(counts):
        return None
    return ir.Usage(
        input=sum(one.input for one in known),
        output=sum(one.output for one in known),
        reasoning=sum(one.reasoning for one in known),
    )

"""T3: what a dialect's writer streams, the reader of an upstream that speaks the dialect takes for the same events.

The pieces in which words come are not the same, nor where one text ends and the next begins; all else is, as far as
the dialect has room for it.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode
from msgspec.structs import replace

from gateway import ir
from gateway.dialects import Answering
from gateway.routes import DialectName
from tests.strategies import reads, words

from .examples import EXAMPLES
from .reading import flat, fold, read, read_whole
from .writing import CODECS, write, write_whole


@dataclass(frozen=True)
class Room:
    """What a dialect has room for: kinds of blocks, whose signatures, and reasons to finish."""

    family: ir.Family
    kinds: tuple[ir.BlockKind, ...]
    signed: tuple[ir.BlockKind, ...]
    finishes: tuple[ir.FinishReason, ...] = ("stop", "length", "content_filter")


Block = tuple[Any, ...]

SPOKEN: Final = ("text", "thinking", "tool_call")
ROOM: Final[dict[DialectName, Room]] = {
    "openai-chat": Room("gemini", SPOKEN, ("tool_call",)),
    "openai-responses": Room("openai", SPOKEN, ("thinking",)),
    "anthropic": Room(
        "claude",
        SPOKEN,
        ("thinking",),
        ("stop", "length", "content_filter", "stop_sequence", "context_window", "pause"),
    ),
    "gemini": Room("gemini", (*SPOKEN, "media"), (*SPOKEN, "media")),
}
SEALS: Final = st.sampled_from(["RWtC", "RWtCQUJD"])
WORDS: Final = st.lists(words(1), min_size=1, max_size=3)
ARGUMENTS: Final = st.dictionaries(words(), st.none() | st.integers(-9, 9) | words(), max_size=2)
PIECES: Final[dict[ir.BlockKind, st.SearchStrategy[Any]]] = {
    "text": WORDS,
    "thinking": WORDS,
    "tool_call": ARGUMENTS.map(json.dumps).flatmap(reads).map(lambda cuts: ["".join(cut) for cut in cuts]),
    "media": st.binary(min_size=1, max_size=6).map(lambda data: [b64encode(data).decode()]),
}
INNER: Final[dict[ir.BlockKind, Any]] = {
    "text": ir.TextDelta,
    "thinking": ir.ThinkingDelta,
    "tool_call": ir.ArgumentsDelta,
    "media": lambda data: ir.MediaChunk(media_type="image/png", data=data),
}
UNCOUNTED: Final[dict[DialectName, Any]] = {"anthropic": {"reasoning": 0}}  # Messages does not count thoughts
COUNTS: Final = st.builds(
    ir.Usage,
    input=st.integers(50, 99),
    output=st.integers(50, 99),
    cache_read=st.integers(0, 30),
    reasoning=st.integers(0, 50),
)
TO: Final = Answering(
    request=ir.Request(
        model="m",
        turns=(),
        reasoning=ir.Reasoning(mode="auto", visible=True),
        include_usage=True,
        thread=ir.Thread(store=False),  # then thoughts go out sealed
    ),
    model="m",
    id="0f" * 12,
    created=1_700_000_000,
    request_id="req_1",
    estimate=lambda: 5,
)


@pytest.mark.parametrize("dialect", ROOM)
@EXAMPLES
@given(data=st.data())
def test_t3_what_is_streamed_is_read_as_the_same_events(dialect: DialectName, data: st.DataObject) -> None:
    events = data.draw(answers(ROOM[dialect]))
    written = write(CODECS[dialect], [events], TO)
    assert said(flat(read(dialect, [written])), dialect) == said(events, dialect)


@pytest.mark.parametrize("dialect", ROOM)
@EXAMPLES
@given(data=st.data())
def test_t3_what_is_written_whole_is_read_as_the_same_events(dialect: DialectName, data: st.DataObject) -> None:
    events = data.draw(answers(ROOM[dialect]))
    written = write_whole(CODECS[dialect], [events], TO)
    assert said(read_whole(dialect, written), dialect) == said(events, dialect)


@st.composite
def answers(draw: st.DrawFn, room: Room) -> list[ir.Event]:
    """Draw an answer that a dialect has room for; two texts in a row are one to those who read a stream."""
    kinds = [kind for kind, _ in groupby(draw(st.lists(st.sampled_from(room.kinds), max_size=5)))]
    blocks = [draw(block(room, kind)) for kind in kinds]
    said = [event for number, one in enumerate(blocks) for event in numbered(one, number)]
    calls = any(one[0].kind == "tool_call" for one in blocks)
    reason = draw(st.sampled_from(("tool_calls",) if calls else room.finishes))
    return [ir.Started(id="r1"), *said, ir.UsageReported(draw(COUNTS)), ir.Finished(reason=reason)]


@st.composite
def block(draw: st.DrawFn, room: Room, kind: ir.BlockKind) -> Block:
    """Draw one block; upstreams sign a call before its arguments, and all else at its end."""
    begun = ir.BlockStarted(kind=kind, name="f" if kind == "tool_call" else "")
    inner = [INNER[kind](piece) for piece in draw(PIECES[kind])]
    if kind in room.signed and draw(st.booleans()):
        signature = ir.SignatureDelta(ir.Signature(room.family, draw(SEALS), "f" if kind == "tool_call" else "t"))
        inner = [signature, *inner] if kind == "tool_call" else [*inner, signature]
    return begun, *inner, ir.BlockEnded()


def numbered(one: Block, number: int) -> Block:
    """Give a call an id of its own."""
    begun, *inner = one
    return (replace(begun, id=f"call_{number}"), *inner) if begun.kind == "tool_call" else one


def said(events: Sequence[ir.Event], dialect: DialectName) -> Any:
    """Tell what an answer says."""
    reply = fold(events)
    assert isinstance(reply, ir.Reply)
    calls = [part for part in reply.parts if isinstance(part, ir.ToolCall)]
    signatures = [opened(part.signature) for part in reply.parts if part.signature is not None]
    return {
        "thoughts": "".join(part.text for part in reply.parts if isinstance(part, ir.Thinking)),
        "text": "".join(part.text for part in reply.parts if isinstance(part, ir.Text)),
        "calls": [(call.id, call.name, decode(call.arguments)) for call in calls],
        "media": [(part.media_type, part.data) for part in reply.parts if isinstance(part, ir.Media)],
        "signatures": [value for value in signatures if value != ""],  # Anthropic's callers hear that there is none
        "finish": reply.finish.reason,
        "usage": replace(reply.usage, total=None, **UNCOUNTED.get(dialect, {})),
    }


def opened(signature: ir.Signature) -> str | None:
    """Give a signature's value, out of the envelope in which callers have it; Gemini's wants base64."""
    value = signature.value
    if not ir.is_sealed(value) and b64decode(value).startswith(b"gw1."):
        value = b64decode(value).decode()
    found = ir.unseal(value)
    return found.value if found is not None else None

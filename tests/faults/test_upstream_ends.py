"""Rows 5 and 13 of docs/faults.md: answers that do not close, end twice, go on, count late, or skip numbers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.automata import Heard
from tests.conformance.openai_api import ENDS
from tests.faults.server import EVENTS, Call, Fault
from tests.faults.site import (
    CHATS,
    CLAUDES,
    DIALECTS,
    GOOGLES,
    KINDS,
    Answer,
    At,
    Site,
    data_of,
    is_same,
    other_and_same,
    until,
)
from tests.faults.wires import place_of, spoilt, told, written

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
Frames = list[bytes]
Spoil = Callable[[Frames], Frames]
SAID = "one two three"
LATE_S = 0.4  # three times that is longer than one wait for more
USAGE = {"prompt_tokens": 70, "completion_tokens": 7, "total_tokens": 77}


# what each wire sends


def chunk(frame: bytes) -> Json:
    """Read a chunk of Google's, out of its envelope."""
    whole = told(frame)
    inner: Json = whole.get("response", whole)
    return inner


def with_chunk(frame: bytes, inner: Json) -> bytes:
    whole = told(frame)
    return written(frame, {**whole, "response": inner} if "response" in whole else inner)


def candidate(frame: bytes, text: str, index: int = 0, **more: Any) -> bytes:
    content = {"role": "model", "parts": [{"text": text}]}
    return with_chunk(frame, {"candidates": [{"content": content, "index": index, **more}]})


def counted(frame: bytes) -> bytes:
    usage = {"promptTokenCount": 70, "candidatesTokenCount": 7, "totalTokenCount": 77}
    return with_chunk(frame, {"usageMetadata": usage})


def delta(frame: bytes, index: int = 0, **more: Any) -> bytes:
    return written(frame, {**told(frame), "choices": [{"index": index, "delta": {}, "finish_reason": None, **more}]})


def block_delta(frame: bytes) -> bytes:
    return written(frame, {**told(frame), "delta": {"type": "text_delta", "text": " late"}})


def ended(frame: bytes) -> bytes:
    return written(frame, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}})


def inserted(said: Frames, at: int, *more: bytes) -> Frames:
    return [*said[:at], *more, *said[at:]]


def after(word: bytes) -> Callable[[Frames], int]:
    return lambda said: place_of(said, word) + 1


FINISH, STOP, DELTA, COMPLETED = b'"finish_reason":"stop"', b'"end_turn"', b"text_delta", b"event: response.completed"
# what is spoilt ─► in each wire
DOUBLED: dict[tuple[str, ...], Spoil] = {
    GOOGLES: lambda said: [*said, candidate(said[-1], "", finishReason="STOP")],
    CHATS: lambda said: inserted(said, after(FINISH)(said), said[place_of(said, FINISH)]),
    CLAUDES: lambda said: inserted(said, after(STOP)(said), said[place_of(said, STOP)], said[-1]),
    ("openai-responses",): lambda said: [*said, said[-1]],
}
LATE_WORDS: dict[tuple[str, ...], Spoil] = {
    GOOGLES: lambda said: [*said, candidate(said[-1], " late")],
    CHATS: lambda said: inserted(
        said, after(FINISH)(said), delta(said[place_of(said, FINISH)], delta={"content": " late"})
    ),
    CLAUDES: lambda said: inserted(said, after(STOP)(said), block_delta(said[place_of(said, DELTA)])),
    ("openai-responses",): lambda said: [*said, said[place_of(said, b"output_text.delta")]],
}
LATE_USAGE: dict[tuple[str, ...], Spoil] = {
    GOOGLES: lambda said: [*said, counted(said[-1])],
    CHATS: lambda said: [*said[:-2], written(said[-2], told(said[-2]) | {"usage": USAGE}), said[-1]],
    CLAUDES: lambda said: inserted(said, after(STOP)(said), ended(said[place_of(said, STOP)])),
}
JUMPING: dict[tuple[str, ...], Spoil] = {
    GOOGLES: lambda said: inserted(
        said, 1, candidate(said[0], "other", 1), candidate(said[0], "", 7, finishReason="STOP")
    ),
    CHATS: lambda said: [re.sub(rb'("tool_calls":\[\{"index":)1', rb"\g<1>5", one) for one in said],
    CLAUDES: lambda said: [one.replace(b'"index": 1', b'"index": 7') for one in said],
    ("openai-responses",): lambda said: [one.replace(b'"output_index":1', b'"output_index":7') for one in said],
}
NO_JSON: dict[tuple[str, ...], Spoil] = {
    wires: lambda said: [one.replace(rb"\"a\"", b"a") for one in said]
    for wires in (CHATS, CLAUDES, ("openai-responses",))
}


def of(table: dict[tuple[str, ...], Spoil]) -> list[str]:
    return [kind for kind in KINDS if any(kind in kinds for kinds in table)]


def spoil(table: dict[tuple[str, ...], Spoil], at: At) -> None:
    at.server.always = spoilt(next(one for kinds, one in table.items() if at.kind in kinds))


NOT_PASSED = (b'"object":"",', b'"vertex_event"')


def passed(at: At, answer: Answer) -> bool:
    """Tell whether a caller of the upstream's dialect has what came, event for event, under its own name of the model.

    What Azure's filter says before the answer is not one of it, and Vertex AI's own event none that callers know.
    """
    came = [one for one in data_of(at.calls[-1].said) if not any(mark in one for mark in NOT_PASSED)]
    inner = [value(one, envelope=at.kind.startswith("v1internal")) for one in came]
    return [value(one) for one in data_of(answer.body)] == inner


def value(data: bytes, *, envelope: bool = False) -> Any:
    if data == b"[DONE]":
        return data
    read = json.loads(re.sub(rb'"(model|modelVersion)": ?"[^"]*"', rb'"\1":"m"', data))
    return read["response"] if envelope else read


async def hear(at: At, dialect: str, *asked: str, **wish: Any) -> Heard | None:
    """Ask; give what is heard where the answer is translated, and see that all of it came where it passes."""
    answer = await at.answer(dialect, *asked, **wish)
    renamed = at.kind == "v1internal-claude" and "tools" in wish  # Claude's schemas of tools are written anew
    if renamed or not is_same(at.kind, dialect):
        return at.heard(dialect, answer)
    assert passed(at, answer)
    return None


# 5, behind the end of the answer


async def silence(call: Call) -> None:
    await call.until_left()


async def comments(call: Call) -> None:
    leaving = asyncio.ensure_future(call.until_left())
    while not leaving.done():
        await call.say(b": still here\n\n")
        await asyncio.wait([leaving], timeout=LATE_S / 4)


async def late_words_and_usage(call: Call) -> None:
    last = (await call.frames())[-1]
    for more in (candidate(last, " and"), candidate(last, " late"), counted(last)):
        await asyncio.sleep(LATE_S)
        await call.say(more)
    await call.until_left()


def staying_open(then: Callable[[Call], Awaitable[None]]) -> Fault:
    """Say all of the answer, and this, without an end of the body."""

    async def fault(call: Call) -> None:
        await call.begin(EVENTS)
        await call.say(*await call.frames())
        await then(call)

    return fault


@pytest.mark.parametrize("then", [silence, comments])
@pytest.mark.parametrize("kind", GOOGLES)
async def test_row_05_a_body_that_stays_open_behind_a_finish_reason_loses_nothing(
    site: Site, kind: str, then: Callable[[Call], Awaitable[None]]
) -> None:
    at = site.at(kind)
    at.server.always = staying_open(then)

    async def ask(dialect: str, *, stream: bool = True) -> None:
        answer = await at.answer(dialect, stream=stream)
        heard = at.heard(dialect, answer)
        assert (heard.text, heard.finish, heard.error) == (SAID, ENDS[dialect][0], None)
        line = await site.line(answer)
        assert (line["end"], line["output_tokens"] > 0) == ("done", True)

    await asyncio.gather(*map(ask, DIALECTS), ask(other_and_same(kind)[0], stream=False))
    await until(lambda: site.open_responses == 0 and all(call.gone.is_set() for call in at.calls))
    assert len(at.calls) == len(DIALECTS) + 1


# what each dialect says of an overloaded upstream within a stream
OVERLOADED = {"openai-chat": "overloaded", "openai-responses": "high demand", "anthropic": "overloaded_error"}
OVERLOADED |= {"gemini": "UNAVAILABLE"}


async def broken_off(call: Call) -> None:
    """Say the beginning, then the error as Google does: a document, no event."""
    refusal = {"error": {"code": 503, "message": "high demand", "status": "UNAVAILABLE"}}
    await call.begin(EVENTS)
    await call.say((await call.frames())[0], json.dumps(refusal, indent=2).encode())
    await call.end()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", GOOGLES)
async def test_row_05_an_error_that_is_no_event_is_told_as_what_it_is(site: Site, kind: str, dialect: str) -> None:
    at = site.at(kind)
    at.server.always = broken_off
    *_, last = data_of((await at.answer(dialect)).body)
    assert b'"high demand"' in last
    assert OVERLOADED[dialect].encode() in last


@pytest.mark.parametrize("kind", GOOGLES)
async def test_row_05_what_comes_in_time_behind_a_finish_reason_is_heard(site: Site, kind: str) -> None:
    at = site.at(kind)
    at.server.always = staying_open(late_words_and_usage)

    async def ask(dialect: str) -> None:
        answer = await at.answer(dialect)
        if is_same(kind, dialect):
            assert b" late" in answer.body
        else:
            assert at.heard(dialect, answer).text == f"{SAID} and late"
        line = await site.line(answer)
        assert (line["end"], line["output_tokens"]) == ("done", 7)

    await asyncio.gather(*map(ask, DIALECTS))


# 13


TWO_CALLS = '!tool f {"a": 1}\n!tool g {"a": 2}'


@pytest.mark.parametrize("kind", of(DOUBLED))
async def test_row_13_an_end_that_comes_twice_is_one(site: Site, kind: str) -> None:
    at = site.at(kind)
    spoil(DOUBLED, at)
    for dialect in DIALECTS:
        if heard := await hear(at, dialect):
            assert (heard.text, heard.finish, heard.error) == (SAID, ENDS[dialect][0], None)


@pytest.mark.parametrize("kind", of(LATE_WORDS))
async def test_row_13_words_after_the_end_do_not_end_it_twice(site: Site, kind: str) -> None:
    at = site.at(kind)
    spoil(LATE_WORDS, at)
    said = SAID if kind == "openai-responses" else f"{SAID} late"  # its end holds the whole answer
    for dialect in DIALECTS:
        if heard := await hear(at, dialect):
            assert (heard.text, heard.finish, heard.error) == (said, ENDS[dialect][0], None)


@pytest.mark.parametrize("kind", of(LATE_USAGE))
async def test_row_13_usage_after_the_end_counts(site: Site, kind: str) -> None:
    at = site.at(kind)
    spoil(LATE_USAGE, at)
    for dialect in DIALECTS:
        answer = await at.answer(dialect)
        assert passed(at, answer) if is_same(kind, dialect) else at.heard(dialect, answer).text == SAID
        assert (await site.line(answer))["output_tokens"] == 7


@pytest.mark.parametrize("kind", of(JUMPING))
async def test_row_13_numbers_that_jump_mix_nothing_up(site: Site, kind: str) -> None:
    at = site.at(kind)
    spoil(JUMPING, at)
    for dialect in DIALECTS:
        if heard := await hear(at, dialect, TWO_CALLS, tools=["f", "g"]):
            assert [(one.name, one.arguments) for one in heard.calls] == [("f", {"a": 1}), ("g", {"a": 2})]
            assert (heard.text, heard.finish, heard.error) == ("", ENDS[dialect][1], None)


@pytest.mark.parametrize("kind", of(NO_JSON))
async def test_row_13_arguments_that_are_no_json_are_no_clean_end(site: Site, kind: str) -> None:
    at = site.at(kind)
    spoil(NO_JSON, at)
    for dialect in DIALECTS:
        if heard := await hear(at, dialect, '!tool f {"a": 1}', tools=["f"]):
            assert (heard.finish, bool(heard.error)) == (None, True)

"""Rows 4 to 6 of docs/faults.md: an upstream that breaks off within its answer, or drips."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from tests.automata import Heard
from tests.conformance.openai_api import ENDS
from tests.faults.server import EVENTS, Call, Fault
from tests.faults.site import CHATS, CLAUDES, DIALECTS, GOOGLES, KINDS, PAIRS, Answer, At, Site, running, until
from tests.faults.wires import before, cut, say_first, saying

pytestmark = pytest.mark.anyio

TRIES = 60  # an early one does where the machine is idle
END_S = 0.1
IDLE_S = 0.7
BEAT_S = 0.2
DRIP_S = 0.02
LATE_S = 0.1
PAIR = pytest.mark.parametrize(("kind", "dialect"), PAIRS)
KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Run a gateway that would try again, if it could."""
    folder = tmp_path_factory.mktemp("site")
    async with running(folder, timeouts={"idle": IDLE_S, "keepalive": BEAT_S}, retry={"attempts": 3}) as one:
        yield one


# 4 and 5: it breaks off


async def reset(call: Call) -> None:
    call.reset()


async def half_closed(call: Call) -> None:
    call.half_close()
    await call.until_left()


async def ended_within_an_event(call: Call) -> None:
    """Say the first words and, once the caller has one, half of the next event; then end the body in due form."""
    await call.say(cut(await say_first(call)))
    await call.end()


async def broken(at: At, dialect: str, fault: Fault) -> tuple[Answer, Heard]:
    """Ask, and let the fault strike once the first words is here."""
    at.server.forget()
    at.server.always = fault

    def takes(said: bytes) -> None:
        if b"one" in said:
            at.calls[-1].heard.set()

    answer = await at.answer(dialect, takes=takes)
    return answer, at.heard(dialect, answer)


def is_an_error_after_the_first_word(heard: Heard) -> bool:
    return (heard.text.strip(), heard.finish, bool(heard.error)) == ("one two", None, True)


@PAIR
async def test_row_04_a_reset_within_a_chunk_ends_in_an_error(site: Site, kind: str, dialect: str) -> None:
    at, delays = site.at(kind), list[float]()
    for _ in range(TRIES):
        answer, heard = await broken(at, dialect, saying(reset))
        assert is_an_error_after_the_first_word(heard)
        assert len(at.calls) == 1
        delays.append(answer.ended - at.calls[0].broke)
        if min(delays) <= END_S:
            break
    assert min(delays) <= END_S
    await until(lambda: site.open_responses == 0)


@PAIR
async def test_row_05_an_end_without_a_finish_is_broken_and_counted(site: Site, kind: str, dialect: str) -> None:
    at, delays = site.at(kind), list[float]()
    for _ in range(TRIES):
        answer, heard = await broken(at, dialect, saying(half_closed))
        assert is_an_error_after_the_first_word(heard)
        assert len(at.calls) == 1
        await until(at.calls[0].gone.is_set)
        delays.append(max(answer.ended, at.calls[0].left) - at.calls[0].broke)
        line = await site.line(answer)
        assert (line["end"], line["error"]) == ("error", "StreamBroken")
        assert line["output_tokens"] > 0
        told = await told_of_the_question(at.calls[0])
        assert line["input_tokens"] == told or (told is None and line["input_tokens"] > 0)
        if min(delays) <= END_S:
            break
    assert min(delays) <= END_S


@PAIR
async def test_row_05_a_body_that_ends_within_an_event_is_broken_too(site: Site, kind: str, dialect: str) -> None:
    """For HTTP nothing is wrong; proxies end a body so where their own upstream was lost."""
    at = site.at(kind)
    answer, heard = await broken(at, dialect, ended_within_an_event)
    assert is_an_error_after_the_first_word(heard)
    line = await site.line(answer)
    assert (line["end"], line["error"]) == ("error", "StreamBroken")


async def told_of_the_question(call: Call) -> int | None:
    """Give the tokens of the question where the first words of the answer come with them; OpenAI's come at its end."""
    found = re.findall(rb'"(?:promptTokenCount|input_tokens)": ?(\d+)', b"".join(before(await call.frames(), b"three")))
    return int(found[-1]) if found else None


# 5, behind the end of the answer


def behind_the_end(more: bytes) -> Fault:
    """Say all of the answer, and this, and close without an end of the body."""

    async def fault(call: Call) -> None:
        await call.begin(EVENTS)
        await call.say(*await call.frames(), *([more] if more else []))
        await half_closed(call)

    return fault


@pytest.mark.parametrize("kind", GOOGLES)
async def test_row_05_a_break_behind_a_finish_reason_loses_nothing(site: Site, kind: str) -> None:
    at = site.at(kind)
    at.server.always = behind_the_end(b"")
    for dialect in DIALECTS:
        answer = await at.answer(dialect)
        heard = at.heard(dialect, answer)
        assert (heard.text, heard.finish, heard.error) == ("one two three", ENDS[dialect][0], None)
        line = await site.line(answer)
        assert (line["end"], line["output_tokens"] > 0) == ("done", True)
    assert len(at.calls) == len(DIALECTS)
    await until(lambda: site.open_responses == 0)


@pytest.mark.parametrize("kind", GOOGLES)
async def test_row_05_a_break_within_what_follows_a_finish_reason_is_an_error(site: Site, kind: str) -> None:
    at = site.at(kind)
    at.server.always = behind_the_end(b'data: {"candidates": [{"content": {"parts": [{"text": "more')
    for dialect in DIALECTS:
        assert (await site.line(await at.answer(dialect)))["end"] == "error"


# 6: it drips


async def drip(call: Call) -> None:
    """Send the first words, then the next event byte by byte, as far as the gateway takes it."""
    event = cut(await say_first(call)) + b"x" * 1000
    leaving = asyncio.ensure_future(call.until_left())
    for byte in event:
        await asyncio.wait([leaving], timeout=DRIP_S)
        if leaving.done():
            return
        await call.say(bytes([byte]))


@KIND
async def test_row_06_a_drip_counts_as_silence_and_the_caller_hears_a_heartbeat(site: Site, kind: str) -> None:
    at = site.at(kind)
    at.server.always = drip
    waits, beats = dict[str, float](), dict.fromkeys(BEATS, math.inf)

    def takes(said: bytes) -> None:
        if b"one" in said:
            for call in at.calls:
                call.heard.set()

    async def ask(dialect: str) -> None:
        answer = await at.answer(dialect, takes=takes)
        heard = at.heard(dialect, answer)
        assert is_an_error_after_the_first_word(heard)
        assert heard.error is not None
        assert "timeouts.idle" in heard.error["message"]
        word = next(when for when, data in answer.pieces if b"one" in data)
        waits[dialect] = min(answer.ended - word, waits.get(dialect, math.inf))
        assert answer.ended - answer.began >= IDLE_S  # what came late to this test says nothing of how early it was
        if dialect in BEATS:
            beats[dialect] = min(beats[dialect], *gaps(answer, word))

    for _ in range(TRIES):
        at.server.calls.clear()
        await asyncio.gather(*map(ask, DIALECTS))
        if max(waits.values()) <= IDLE_S + LATE_S and max(beats.values()) <= BEAT_S + LATE_S:
            break
    assert max(waits.values()) <= IDLE_S + LATE_S
    assert max(beats.values()) <= BEAT_S + LATE_S
    assert len(at.calls) == len(DIALECTS)


BEATS = {"openai-chat": b": keep-alive\n\n", "openai-responses": b": keep-alive\n\n", "anthropic": b"event: ping\n"}


def gaps(answer: Answer, since: float) -> list[float]:
    """Give the times between the first words and the heartbeats, of which there are two in an idle machine's time."""
    marks = BEATS.values()
    came = [when for when, data in answer.pieces if when > since and any(data.startswith(mark) for mark in marks)]
    assert all(when - answer.began >= BEAT_S * number for number, when in enumerate(came, 1))
    return [later - earlier for earlier, later in pairwise([since, *came])] if len(came) >= 2 else [math.inf]


# between two events, as servers give signs of life while their model thinks
PING, COMMENT = b'event: ping\ndata: {"type": "ping"}\n\n', b": OPENROUTER PROCESSING\n\n"
SIGNS = [(kind, sign) for kind in CLAUDES for sign in (PING, COMMENT)] + [(kind, COMMENT) for kind in CHATS]


@pytest.mark.parametrize(("kind", "sign"), SIGNS)
async def test_row_06_a_sign_of_life_is_no_silence(site: Site, kind: str, sign: bytes) -> None:
    """Claude thinks for minutes with nothing but pings (frontman-ai/frontman#731); routers send comments."""
    at = site.at(kind)

    async def alive(call: Call) -> None:
        frames = await call.frames()
        said = before(frames, b"three")
        await call.begin(EVENTS)
        await call.say(*said)
        for _ in range(4):
            await asyncio.sleep(IDLE_S / 2)
            await call.say(sign)
        await call.say(*frames[len(said) :])
        await call.end()

    at.server.always = alive
    heard = dict[str, str]()

    async def ask(dialect: str) -> None:
        heard[dialect] = at.heard(dialect, await at.answer(dialect)).text

    for _ in range(TRIES // 10):
        await asyncio.gather(*map(ask, DIALECTS))
        if set(heard.values()) == {"one two three"}:
            break
    assert heard == dict.fromkeys(DIALECTS, "one two three")

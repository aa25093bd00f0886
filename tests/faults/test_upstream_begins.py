"""Rows 2 and 3 of docs/faults.md: an upstream that says nothing, or breaks before its first event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conformance.openai_api import ENDS
from tests.faults.server import EVENTS, Call, Fault
from tests.faults.site import KINDS, TWO_KEYS, Site, other_and_same, running, until

pytestmark = pytest.mark.anyio

TRIES = 60  # an early one does where the machine is idle
FIRST_BYTE_S = 0.6
OFF_S = 0.1
DRIP_S = 0.02
KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Run a gateway that waits for a moment only, and tries twice."""
    folder = tmp_path_factory.mktemp("site")
    more: Any = {"timeouts": {"first_byte": FIRST_BYTE_S}, "retry": {"attempts": 2}}
    async with running(folder, tables=TWO_KEYS, **more) as one:
        yield one


@pytest.fixture(scope="module")
async def patient_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Run one that waits as long as usual."""
    async with running(tmp_path_factory.mktemp("patient"), tables=TWO_KEYS, retry={"attempts": 2}) as one:
        yield one


async def silent(call: Call) -> None:
    await call.until_left()


async def silent_after_the_headers(call: Call) -> None:
    await call.begin(EVENTS)
    await call.until_left()


async def dripping(call: Call) -> None:
    """Send nothing but comments and the bytes of an event that never ends."""
    await call.begin(EVENTS)
    leaving = asyncio.ensure_future(call.until_left())
    for byte in b": hm\n\n: hm\n\ndata: " + b"x" * 1000:
        await asyncio.wait([leaving], timeout=DRIP_S)
        if leaving.done():
            return
        await call.say(bytes([byte]))


@KIND
@pytest.mark.parametrize("fault", [silent, silent_after_the_headers, dripping])
async def test_row_02_silence_ends_at_first_byte_and_is_retried(site: Site, kind: str, fault: Fault) -> None:
    at, dialect = site.at(kind), other_and_same(kind)[-1 if fault is silent else 0]
    await at.hear(dialect)  # who has no token yet spends the time on one
    lasted = 0.0
    for _ in range(TRIES):
        at.server.forget()
        at.server.plan.append(fault)
        answer = await at.answer(dialect)
        heard, calls = at.heard(dialect, answer), len(at.calls)
        if not calls:  # the time was over before it was asked
            continue
        await until(at.calls[0].gone.is_set)
        lasted = at.calls[0].left - answer.began
        if calls == 2 and lasted <= FIRST_BYTE_S + OFF_S:
            break
    assert (heard.text, heard.finish, calls) == ("one two three", ENDS[dialect][0], 2)
    assert FIRST_BYTE_S <= lasted <= FIRST_BYTE_S + OFF_S


async def reset(call: Call) -> None:
    call.reset()


async def reset_after_the_headers(call: Call) -> None:
    await call.begin(EVENTS)
    call.reset()


async def reset_after_a_comment(call: Call) -> None:
    await call.begin(EVENTS)
    await call.say(b": hm\n\n")
    call.reset()


async def reset_within_the_first_event(call: Call) -> None:
    frames = await call.frames()
    await call.begin(EVENTS)
    await call.say(frames[0][:-5])
    call.reset()


RESETS = (reset, reset_after_the_headers, reset_after_a_comment, reset_within_the_first_event)


@KIND
@pytest.mark.parametrize("fault", RESETS)
async def test_row_03_a_reset_before_the_first_event_is_retried(patient_site: Site, kind: str, fault: Fault) -> None:
    at = patient_site.at(kind)
    for dialect in other_and_same(kind):
        for stream in (True, False):
            at.server.forget()
            at.server.plan.append(fault)
            answer = await at.answer(dialect, stream=stream)
            heard = at.heard(dialect, answer)
            assert (answer.status, heard.text, heard.finish) == (200, "one two three", ENDS[dialect][0])
            assert len(at.calls) == 2

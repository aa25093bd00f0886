"""Row 26 of docs/faults.md: the guard of tests/stalls.py sees what holds the event loop, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest

from tests.cpu import work
from tests.scripted import Play, Scripted, app_of, say
from tests.serving import serve
from tests.stalls import GUARD, Stalls

pytestmark = pytest.mark.anyio

LIMIT_S = 0.1  # other steps of the gateway take far less


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    seen = Stalls(LIMIT_S)
    end = seen.install()
    with GUARD.paused():
        yield seen
    end()


async def holds() -> None:
    work(LIMIT_S * 2)


async def holds_in_parts() -> None:
    for _ in range(4):
        work(LIMIT_S / 2)
        await asyncio.sleep(0)


async def waits() -> None:
    time.sleep(LIMIT_S * 2)  # noqa: ASYNC251 - as a process does that has to wait for the processor


async def asked(does: Callable[[], Awaitable[None]]) -> None:
    """Ask a gateway whose upstream does this in the gateway's own step."""
    first, *rest = say("Hello")
    play: Play = [first, does, *rest]
    body = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    async with serve(app_of(Scripted(play))) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        assert (await http.post("/v1/chat/completions", json=body)).status_code == 200


async def test_a_step_of_the_gateway_that_takes_long_is_seen(stalls: Stalls) -> None:
    await asked(holds)
    (found,) = stalls.found
    assert found.endswith("ms in a step of RequestResponseCycle.run_asgi")


@pytest.mark.parametrize("does", [holds_in_parts, waits])
async def test_one_that_shares_the_loop_or_the_machine_is_not(
    stalls: Stalls, does: Callable[[], Awaitable[None]]
) -> None:
    await asked(does)
    assert stalls.found == []


async def test_what_a_test_does_itself_is_not(stalls: Stalls) -> None:
    await asyncio.sleep(0)
    work(LIMIT_S * 2)
    await asyncio.sleep(0)
    assert stalls.found == []


async def test_collecting_garbage_is_not(stalls: Stalls) -> None:
    async def collects() -> None:
        end = time.thread_time() + LIMIT_S * 2
        while time.thread_time() < end:
            gc.collect()

    await asked(collects)
    assert stalls.found == []

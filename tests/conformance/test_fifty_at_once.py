"""Fifty callers at once, many of whom leave: afterwards nothing is held anywhere."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.adapters.v1internal import V1Internal
from tests.automata import STREAMS, WHOLES
from tests.conformance.served import CLAUDE, EACH_DIALECT, GEMINI_3, Served, settings, standing, turns
from tests.fakes.v1internal import FakeV1Internal
from tests.patience import patient

pytestmark = pytest.mark.anyio

CALLERS = 50
SAID = [
    "!say one two three four five six seven eight nine ten\n!pace 5",
    "!say one two three four five six seven eight nine ten\n!pace 5\n!bytes 7",
    "!think hm\n!say one two three\n!slow 0.05",
    "!fixture 24_error_midstream\n!pace 5",
    "!fixture 28_empty_text_stop",
    "!say one two three four\n!drop 1",
    "!say one two three four\n!pace 20\n!stall 0.1",
    "!error 400_invalid_argument_schema",
    "!error 500_internal 1\n!say at last",
]


async def visit(served: Served, dice: random.Random, ended: list[bool]) -> None:
    """Ask for something; stay to the end, or leave at some moment before."""
    dialect, stream = dice.choice(list(EACH_DIALECT)), dice.random() < 0.7
    path = EACH_DIALECT[dialect]
    body = {"model": dice.choice([GEMINI_3, CLAUDE]), "max_tokens": 500, "stream": stream}
    body[turns(path)] = [{"role": "user", "content": dice.choice(SAID)}]
    patience_s = dice.choice([0.005, 0.02, 0.05, 0.1, 20, 20])
    # a connection of its own: what is left half-way is closed, not pooled
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        with anyio.move_on_after(patience_s):
            response = await http.post(path, json=body)
            streamed = response.headers["content-type"].startswith("text/event-stream")
            (STREAMS if streamed else WHOLES)[dialect](response.content)
            ended.append(True)


async def until(reached: Callable[[], bool]) -> None:
    """Wait for what no event tells."""
    with anyio.fail_after(patient(3)):
        while not reached():  # noqa: ASYNC110 - sockets and tasks tell nobody
            await anyio.sleep(0.005)


def running(before: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Give the tasks that began since, but for those of the idle connections that the gateway keeps to the fake."""
    since = asyncio.all_tasks() - before
    return {task for task in since if "RequestHandler.start" not in repr(task.get_coro())}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_held_after_fifty_callers(fake_v1internal: FakeV1Internal, tmp_path: Path, seed: int) -> None:
    pool = {"pool": {"refresh_tokens": ["rt-1", "rt-2", "rt-3"]}, "models": [GEMINI_3, CLAUDE]}
    ended: list[bool] = []
    config = settings(fake_v1internal, tmp_path, google=pool, log={"level": "error"}, retry={"attempts": 2})
    async with standing(fake_v1internal, config) as served:
        await served.post("/v1/chat/completions", "hi")  # the pools of connections and threads are warm now
        await served.http.aclose()
        upstream = served.gateway.adapters["google"]
        assert isinstance(upstream, V1Internal)
        assert served.gateway.transport is not None
        before = asyncio.all_tasks()
        dice = random.Random(seed)
        async with anyio.create_task_group() as tasks:
            for _ in range(CALLERS):
                tasks.start_soon(visit, served, random.Random(dice.random()), ended)
        await until(lambda: served.gateway.relay.open_requests == 0)
        await fake_v1internal.wait_idle()
        assert upstream.leases == 0
        assert served.gateway.transport.open_responses == 0
        await until(lambda: not running(before))
    await until(lambda: fake_v1internal.open_connections == 0)
    assert 0 < len(ended) < CALLERS

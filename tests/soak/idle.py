"""Streams that say nothing: held for the time of a soak, and dropped at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack

import httpx

from tests.soak.asks import Ask
from tests.soak.books import SILENT
from tests.soak.callers import DEADLINE_S, Seen
from tests.soak.noted import Found, Options
from tests.soak.site import KEYS, MODELS, Site

__all__ = ["hold_all"]

OPENING = 50  # of them at once


async def hold_all(running: Site, options: Options, found: Found, watch: Coroutine[object, object, None]) -> None:
    """Hold streams that say little, and drop them at the end."""
    gate, opened = asyncio.Semaphore(OPENING), asyncio.Semaphore(0)
    url = running.gateways["a"].url
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=None) as client, asyncio.TaskGroup() as tasks:
        held = [
            tasks.create_task(_hold(client, one, found, gate, opened), name=one.name)
            for one in (_idle_ask(options, place) for place in range(options.idle_streams))
        ]
        for _ in held:
            await asyncio.wait_for(opened.acquire(), DEADLINE_S)
        watches = tasks.create_task(watch)
        await asyncio.sleep(options.seconds)
        found.left += [f"{task.get_name()} ended before it was dropped" for task in held if task.done()]
        for task in (*held, watches):
            task.cancel()


def _idle_ask(options: Options, place: int) -> Ask:
    upstream, dialect = list(MODELS)[place % 4], ("chat", "responses", "anthropic", "gemini")[place // 4 % 4]
    name = f"{upstream}-a-{90_000_000 + place:08}"
    text = f"{name}\n!say {'idle word ' * 100}\n{SILENT.decode()}"
    return Ask(name, dialect, stream=True, feature="words", text=text, manner="reads", key=next(iter(KEYS)))


async def _hold(
    client: httpx.AsyncClient, one: Ask, found: Found, gate: asyncio.Semaphore, opened: asyncio.Semaphore
) -> None:
    seen = Seen(one.name, time.time(), left=True)
    found.seen.append(seen)
    try:
        async with AsyncExitStack() as stack:
            async with gate:
                held = client.stream("POST", one.path, content=one.body(), headers=one.headers)
                answer = await stack.enter_async_context(held)
                seen.status = answer.status_code
                pieces = answer.aiter_raw()
                await anext(pieces)
            opened.release()
            async for _ in pieces:
                pass
    finally:
        seen.ended = time.time()

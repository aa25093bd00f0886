"""A request and a chunk take no more instructions than they did: what a benchmark would show, without a clock.

Where a change makes one cheaper its limit comes down; where it has to go up, the commit's message says what for.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.types import ASGIApp, Message

from bench.asked import Asked
from bench.asking import WIRES, Said
from bench.configs import GATEWAY, UPSTREAMS
from bench.pairs import PAIRS, Pair
from bench.replies import STREAMS, WHOLES
from bench.script import WHOLE, Script
from gateway.app import create_app
from gateway.config import load
from tests.guard.counting import Scripted, ask, instructions

KEY = "sk-guard-0123456789abcdef"
TIMES = 60  # what the loop does besides may fall into one of them; a slow machine has more of it in each


class Limit(NamedTuple):
    """How many instructions a small whole answer may take, and each chunk of a stream."""

    whole: int
    chunk: int


LIMITS = {
    "chat-v1internal": Limit(10860, 875),
    "chat-gemini": Limit(10465, 875),
    "anthropic-gemini": Limit(10100, 850),
    "responses-chat": Limit(14870, 1070),
    "chat-anthropic": Limit(12295, 910),
    "anthropic-anthropic": Limit(10997, 985),
    "chat-chat": Limit(10835, 1093),
}
BELOW = 0.85  # of a limit: less than that, and it guards nothing
OTHERS = 1.25  # versions of Python after 3.11 cut the same code into other instructions


class Site(NamedTuple):
    """A gateway of one pair, and what stands in its upstream's place."""

    app: ASGIApp
    pair: Pair
    upstream: Scripted

    async def take(self, script: Script, *, stream: bool) -> int:
        """Count the instructions of one answer, the least of some."""
        path, body = WIRES[self.pair.caller](self.pair.model, Said(script.prompt), stream)
        data = json.dumps(body).encode()
        asked = Asked(self.pair.upstream, script, stream, counted=True)
        self.upstream.type = "text/event-stream" if stream else "application/json"
        self.upstream.pieces = (
            STREAMS[self.pair.upstream](asked) if stream else [json.dumps(WHOLES[self.pair.upstream](asked)).encode()]
        )

        async def act() -> None:
            status, answer = await ask(self.app, path, data, KEY)
            assert status == 200, answer
            assert script.pieces[-1].strip().encode() in answer

        await act()
        await act()
        return min([await instructions(act) for _ in range(TIMES)])


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted()
    monkeypatch.setattr("gateway.app.Transport", lambda **_: made)
    return made


@asynccontextmanager
async def site(folder: Path, pair: Pair, upstream: Scripted) -> AsyncGenerator[Site]:
    file = folder / "gateway.toml"
    values = {"key": KEY, "model": pair.model, "upstream": "http://127.0.0.1:9"}
    file.write_text((GATEWAY + UPSTREAMS[pair.upstream]).format(**values))
    async with living(create_app(load(file, environ={"GATEWAY_LOG__LEVEL": "error"}))) as app:
        yield Site(app, pair, upstream)


@asynccontextmanager
async def living(app: ASGIApp) -> AsyncGenerator[ASGIApp]:
    """Go through the lifespan of an app."""
    over = asyncio.Event()
    heard = asyncio.Queue[str]()
    incoming = iter(["lifespan.startup"])

    async def receive() -> Message:
        for type_ in incoming:
            return {"type": type_}
        await over.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        heard.put_nowait(message["type"])

    life = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    assert await heard.get() == "lifespan.startup.complete"
    try:
        yield app
    finally:
        over.set()
        await life


def allowed(limit: int) -> Callable[[int], bool]:
    highest = limit if sys.version_info[:2] == (3, 11) else limit * OTHERS
    return lambda count: BELOW * limit <= count <= highest


@pytest.mark.parametrize("name", PAIRS)
async def test_a_small_request_takes_no_more_than_it_did(name: str, tmp_path: Path, upstream: Scripted) -> None:
    async with site(tmp_path, PAIRS[name], upstream) as at:
        count = await at.take(WHOLE, stream=False)
    assert allowed(LIMITS[name].whole)(count), f"{count} instructions a request; the limit is {LIMITS[name].whole}"


@pytest.mark.parametrize("name", PAIRS)
async def test_a_chunk_takes_no_more_than_it_did(name: str, tmp_path: Path, upstream: Scripted) -> None:
    async with site(tmp_path, PAIRS[name], upstream) as at:
        few, many = [await at.take(Script("burst", chunks), stream=True) for chunks in (20, 120)]
    count = (many - few) // 100
    assert allowed(LIMITS[name].chunk)(count), f"{count} instructions a chunk; the limit is {LIMITS[name].chunk}"

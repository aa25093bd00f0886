"""A server whose connections the tests hold, and what they send over them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import uvicorn
from starlette.types import Receive, Scope, Send

from gateway.connection import Connection, connections
from tests.faults.callers import Caller, calling
from tests.patience import patient
from tests.serving import Serving

__all__ = [
    "BEHIND",
    "GET",
    "HALF",
    "PIECE",
    "SHORT_S",
    "STATUSES",
    "WAITS",
    "answered",
    "only",
    "serving",
    "until_open",
    "until_read",
]


SHORT_S = 0.3
NEVER_S = 600.0
PIECE = b"x" * 65536
GET = b"GET /%b HTTP/1.1\r\nhost: localhost\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nx-slow: "


class Inner:
    """An app whose paths are what it does; `left`: a caller has gone, `rest`: the second half may be said."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.left = asyncio.Event()
        self.rest = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        if scope["path"] == "/slow":
            await asyncio.sleep(SHORT_S * 3)
        if scope["path"] == "/waits":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
            return
        if scope["path"] in ("/body", "/endless"):
            while (message := await receive())["type"] == "http.request" and message["more_body"]:
                pass
        endless = scope["path"] == "/endless"
        headers = [(b"content-length", b"4")] if scope["path"] == "/whole" else []
        status = 401 if scope["path"] == "/early" else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["path"] == "/halves":
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            await self.rest.wait()
        leaving = asyncio.ensure_future(receive()) if endless else None
        while leaving is not None and not leaving.done():
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            await asyncio.sleep(0)
        if endless:
            self.left.set()
            return
        await send({"type": "http.response.body", "body": b"said"})


@asynccontextmanager
async def serving(
    *, most: int = 100, head_s: float = NEVER_S, unread_s: float = NEVER_S, ends: bool = False
) -> AsyncIterator[tuple[str, Serving, Inner]]:
    """Serve it with these limits."""
    kind = type("Short", (connections(most),), {"head_s": head_s, "unread_s": unread_s, "ends": ends})
    inner = Inner()
    config = uvicorn.Config(inner, port=0, http=kind, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = Serving(config)
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.002)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", server, inner
    finally:
        server.leave()
        await running


def only(server: Serving) -> Connection:
    (one,) = server.server_state.connections
    return cast(Connection, one)


async def until_open(server: Serving, count: int) -> None:
    async with asyncio.timeout(patient(30)):
        while len(server.server_state.connections) != count:  # noqa: ASYNC110 - sockets tell nobody
            await asyncio.sleep(0.002)


async def until_read(url: str) -> None:
    """Wait for an answer to another connection: by then what was sent before has been read."""
    async with calling(url) as other:
        other.say(GET % b"")
        await other.until(b"said")


STATUSES = re.compile(rb"HTTP/1\.1 (\d+) ")


WAITS, BEHIND = GET % b"waits", GET % b"behind"


async def answered(one: Caller, count: int) -> None:
    async with asyncio.timeout(patient(30)):
        while one.got.count(b"said") < count:
            one.got += await one.reader.read(65536)

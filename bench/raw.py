"""A floor below the floor: the same bare ASGI app, over a client of raw asyncio and httptools in aiohttp's place.

It forwards and looks at nothing. It is no HTTP client: one request at a time on a connection, no time-outs, no limits,
and what breaks a connection breaks the answer. `BENCH_UPSTREAM` is the base URL of the upstream.
"""

import asyncio
import os
from typing import cast
from urllib.parse import urlsplit

import httptools

from bench.passthrough import Message, Receive, Send, read_body

__all__ = ["RawPassThrough", "app"]

KEPT = (b"content-type", b"content-length")


class Call(asyncio.Protocol):
    """One kept-alive connection to upstream: what has come of an answer, and who waits for more."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiter: asyncio.Future[None] | None = None
        self.lost = False
        self.reset()

    def reset(self) -> None:
        """Begin another answer."""
        self.parser = httptools.HttpResponseParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.begun = self.done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # create_connection gives stream transports; the base class only knows BaseTransport
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)
        self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.wake()

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in KEPT:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.begun = True

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        self.done = True

    async def more(self) -> None:
        """Wait for the next read."""
        if self.lost:
            raise ConnectionError("upstream has gone")
        self.waiter = self.loop.create_future()
        await self.waiter

    def taken(self) -> bytes:
        """Return what has come since."""
        body = b"".join(self.parts)
        self.parts.clear()
        return body


class RawPassThrough:
    """Forwards the path, query and body of every POST, on a connection that is free."""

    def __init__(self, upstream: str) -> None:
        address = urlsplit(upstream)
        self.host, self.port = address.hostname or "", address.port or 80
        self.free: list[Call] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.forward(scope, await read_body(receive), send)
        elif scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    async def call(self) -> Call:
        """Take a connection."""
        while self.free:
            call = self.free.pop()
            if not call.lost:
                call.reset()
                return call
        _, call = await asyncio.get_running_loop().create_connection(Call, self.host, self.port)
        return call

    async def forward(self, scope: Message, body: bytes, send: Send) -> None:
        call = await self.call()
        head = (
            f"POST {scope['path']}?{scope['query_string'].decode()} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\n"
            f"content-type: application/json\r\nauthorization: Bearer bench\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        call.transport.write(head.encode() + body)
        while not call.begun:
            await call.more()
        status = call.parser.get_status_code()
        await send({"type": "http.response.start", "status": status, "headers": call.headers})
        while not call.done:
            if call.parts:
                await send({"type": "http.response.body", "body": call.taken(), "more_body": True})
            else:
                await call.more()
        await send({"type": "http.response.body", "body": call.taken()})
        self.free.append(call)


app = RawPassThrough(os.environ.get("BENCH_UPSTREAM", "http://127.0.0.1:9000"))

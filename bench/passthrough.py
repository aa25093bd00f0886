"""The floor: a bare ASGI app that forwards a request with aiohttp and streams the bytes back unchanged.

No framework, no parsing, no time-outs, no checks. `BENCH_UPSTREAM` is the base URL of the upstream.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
from yarl import URL

__all__ = ["Message", "PassThrough", "Receive", "Send", "app", "read_body"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class PassThrough:
    """Forwards the path, query and body of every POST; its client lives from lifespan start to its end."""

    session: aiohttp.ClientSession

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.forward(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.live(receive, send)

    async def live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"content-type": "application/json", "authorization": "Bearer bench"},
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.session.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def forward(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        url = URL(f"{self.upstream}{scope['path']}?{scope['query_string'].decode()}", encoded=True)
        async with self.session.post(url, data=body, allow_redirects=False) as answer:
            headers = [(b"content-type", answer.headers["content-type"].encode())]
            if answer.content_length is not None:
                headers.append((b"content-length", b"%d" % answer.content_length))
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            while chunk := await answer.content.readany():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


app = PassThrough(os.environ.get("BENCH_UPSTREAM", "http://127.0.0.1:9000"))

"""A scripted upstream over a real socket: each call gets the next reply, and what was asked is kept."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import msgspec
from aiohttp import web

__all__ = ["FakeUpstream", "Received", "Reply"]

_LARGEST: Final = 64 * 2**20
_EVENTS: Final = "text/event-stream"


@dataclass(frozen=True)
class Reply:
    """An answer; its pieces go out one by one. `cut`: the connection breaks behind them.

    `held`: what follows the first piece waits until this is set.
    """

    pieces: Sequence[bytes] = (b"{}",)
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: bool = False
    held: asyncio.Event | None = None

    @classmethod
    def json(cls, value: object, status: int = 200) -> Self:
        """Answer with JSON."""
        return cls((msgspec.json.encode(value),), status)

    @classmethod
    def events(cls, *events: object, cut: bool = False, held: asyncio.Event | None = None) -> Self:
        """Answer with a stream, each event as JSON; a text goes out as it is."""
        texts = [one.encode() if isinstance(one, str) else msgspec.json.encode(one) for one in events]
        return cls([b"data: %b\n\n" % text for text in texts], content_type=_EVENTS, cut=cut, held=held)


@dataclass(frozen=True)
class Received:
    """What was asked. The names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body."""
        return msgspec.json.decode(self.body)


class FakeUpstream:
    """A server on a free port of this machine, from `async with` to its end.

    `requests`: what was asked. A call that no reply is left for gets 500.
    """

    def __init__(self, *replies: Reply) -> None:
        self.requests: list[Received] = []
        self.url = ""
        self._replies = deque(replies)
        self._runner: web.AppRunner | None = None

    def push(self, *replies: Reply) -> None:
        """Answer the next calls."""
        self._replies.extend(replies)

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Received(request.method, request.path_qs, headers, await request.read()))
        if not self._replies:
            return web.json_response({"error": {"message": "the script of this fake is over"}}, status=500)
        reply = self._replies.popleft()
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        response.content_type = reply.content_type
        await response.prepare(request)
        for place, piece in enumerate(reply.pieces):
            if place and reply.held is not None:
                await reply.held.wait()
            await response.write(piece)
        if reply.cut and request.transport is not None:
            request.transport.abort()
        return response

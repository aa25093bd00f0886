"""A scripted upstream over a real socket: each call gets the next reply, and what was asked is kept."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
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

    Calls get the replies in their order, then what `answer` makes of each, else 500. `requests`: what was asked.
    `url`: where it is.
    """

    def __init__(self, *replies: Reply, answer: Callable[[Received], Reply] | None = None) -> None:
        self.requests: list[Received] = []
        self.url = ""
        self._replies = deque(replies)
        self._make = answer or _over
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
        received = Received(request.method, request.path_qs, headers, await request.read())
        self.requests.append(received)
        reply = self._replies.popleft() if self._replies else self._make(received)
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


def _over(_: Received) -> Reply:
    return Reply.json({"error": {"message": "the script of this fake is over"}}, 500)

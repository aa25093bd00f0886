"""An upstream that says exactly what it is told to, byte for byte, and keeps what it hears; and a gateway before it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gateway.app import Gateway, create_app
from tests.serving import serve

__all__ = ["PATHS", "UPSTREAMS", "Heard", "Passed", "Raw", "digest", "passing"]

Json = dict[str, Any]

PATHS: Final = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
}
UPSTREAMS: Final[dict[str, Json]] = {
    "openai-chat": {"type": "openai", "models": ["m", "gpt-5", "other"]},
    "openai-responses": {"type": "openai", "api": "responses", "models": ["m", "other"]},
    "anthropic": {"type": "anthropic", "models": ["m", "other"]},
}
_BASES: Final = {"openai": "/v1", "anthropic": ""}


@dataclass
class Heard:
    """One call."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Raw:
    """ASGI app. `answers`: of the next calls, the last one again and again; a float in the pieces is a pause."""

    answers: list[tuple[int, str, Sequence[bytes | float | Exception]]] = field(default_factory=list)
    calls: list[Heard] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def says(self, *pieces: bytes | float | Exception, status: int = 200, kind: str = "text/event-stream") -> None:
        """Say this next."""
        self.answers.append((status, kind, pieces))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        self.calls.append(Heard(scope["method"], scope["path"], headers, body))
        if scope["method"] == "GET":
            await _send(send, 404, "application/json", [b"{}"])
            return
        status, kind, pieces = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        leaving = asyncio.ensure_future(receive())
        try:
            await _send(send, status, kind, pieces, leaving)
        finally:
            if leaving.done():
                self.left.set()
            leaving.cancel()

    @property
    def asked(self) -> list[Heard]:
        """The calls but for those of the model list."""
        return [call for call in self.calls if call.method == "POST"]

    @property
    def sent(self) -> Json:
        """The last body, parsed."""
        body: Json = json.loads(self.asked[-1].body)
        return body


async def _send(
    send: Send,
    status: int,
    kind: str,
    pieces: Sequence[bytes | float | Exception],
    leaving: asyncio.Future[Any] | None = None,
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        if isinstance(piece, float):
            await asyncio.wait([leaving] if leaving else [], timeout=piece)
        else:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


@dataclass
class Passed:
    """A gateway before it; `dialect` is what both ends speak."""

    dialect: str
    raw: Raw
    http: httpx.AsyncClient
    gateway: Gateway
    url: str

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        """Post these bytes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            PATHS[self.dialect], content=body, headers={"content-type": "application/json", **named}
        )


@asynccontextmanager
async def passing(dialect: str, folder: Path, *, table: Json | None = None, **over: Any) -> AsyncIterator[Passed]:
    """Run a gateway whose one upstream speaks this dialect."""
    raw = Raw()
    async with serve(raw) as below:
        known = UPSTREAMS[dialect]
        own = known | {"base_url": below + _BASES[known["type"]], "api_key": ["key-1"]} | (table or {})
        config: Json = {
            "server": {"data_dir": str(folder)},
            "log": {"level": "error", "format": "json"},
            "retry": {"attempts": 1},
            **over,
        }
        config["upstream"] = {"up": own, **over.get("upstream", {})}
        app: Starlette = create_app(config)
        async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
            yield Passed(dialect, raw, http, app.state.gateway, url)


def digest(data: bytes) -> str:
    """Give the SHA-256."""
    return hashlib.sha256(data).hexdigest()

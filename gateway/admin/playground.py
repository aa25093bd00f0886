"""The playground: a prompt through any dialect, and the raw events of both sides as they arrive.

GET /admin/playground     the page
POST /admin/playground    the page with all that was said, or for programs one line of JSON for each event, at once

The request goes the way of any other, from the outermost layer on, as the key `admin`.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.admin.hearing import Event, Hearing
from gateway.admin.inside import Inside
from gateway.admin.places import Place, reading
from gateway.admin.visit import Visit
from gateway.admin.writing import Writing
from gateway.config import secrets_of
from gateway.context import Principal, attach
from gateway.errors import GatewayError, InvalidRequest
from gateway.redact import Hider
from gateway.routes import DIALECTS, PATHS
from gateway.services import Services

__all__ = ["OPERATOR", "Playground"]

_PATH: Final = "/admin/playground"
_FORM_BYTES: Final = 1024 * 1024
_MAX_TOKENS: Final = 1024  # Anthropic's dialect demands a number
_LINES: Final = "application/x-ndjson"
OPERATOR: Final = Principal(name="admin", id="admin")
_encode: Final = msgspec.json.Encoder().encode


class _Ask(Struct, frozen=True):
    """A request as a client would send it."""

    path: str
    query: str
    body: bytes


class Playground:
    """The page of one app."""

    def __init__(self, services: Services, inside: Inside, writing: Writing) -> None:
        self._services = services
        self._inside = inside
        self._writing = writing
        self._hide = Hider(secrets_of(services.loaded.config))

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        if path != _PATH:
            return None
        return Place({**reading(self._show), "POST": self._play}, form_bytes=_FORM_BYTES)

    async def _show(self, visit: Visit) -> Response:
        return await self._page(visit)

    async def _play(self, visit: Visit) -> Response:
        try:
            ask = _ask(visit.form)
        except GatewayError as error:
            if not visit.html:
                raise
            return await self._page(visit, error=error)
        hearing = Hearing(self._services.clock, self._hide)
        if not visit.html:
            return _Told(self._run(visit.scope, ask, hearing, visit.receive), hearing)
        await self._run(visit.scope, ask, hearing, visit.receive)
        return await self._page(visit, hearing.events)

    async def _run(self, scope: Scope, ask: _Ask, hearing: Hearing, receive: Receive) -> None:
        """Send it through the app; its end, also that by the browser's leaving, is the end of the hearing."""
        inner = _scope(scope, ask)
        asked: list[Message] = [{"type": "http.request", "body": ask.body, "more_body": False}]

        async def give() -> Message:
            return asked.pop() if asked else await receive()

        context, send = attach(inner, hearing.send, self._services.clock)
        context.principal, context.by_operator = OPERATOR, True
        hearing.asks("POST", f"{ask.path}{ask.query and '?'}{ask.query}", ask.body)
        try:
            with hearing.listening(context), suppress(GatewayError):  # one that broke the answer off
                await self._inside.app(inner, give, send)
        finally:
            hearing.end(context)

    async def _page(
        self, visit: Visit, events: list[Event] | None = None, error: GatewayError | None = None
    ) -> Response:
        listing = list(self._services.resolver.listing())
        values: dict[str, object] = {
            "dialects": DIALECTS,
            "models": listing,
            "asked": {
                "dialect": visit.form.get("dialect", DIALECTS[0]),
                "model": visit.form.get("model", "") or visit.query.get("model", "") or next(iter(listing), ""),
                "prompt": visit.form.get("prompt", ""),
                "stream": bool(visit.form.get("stream", "" if visit.form else "on")),
            },
            "events": events,
        }
        return await self._writing.page(visit, "playground", values, error)


class _Told(Response):
    """Events as they come, a line each."""

    def __init__(self, run: Coroutine[Any, Any, None], hearing: Hearing) -> None:
        super().__init__(media_type=_LINES, headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._run = run
        self._hearing = hearing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run)
            async for event in self._hearing.arriving():
                with suppress(OSError):  # the browser has gone; the run ends by that
                    await send({"type": "http.response.body", "body": _encode(event) + b"\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _ask(form: Mapping[str, str]) -> _Ask:
    """Write the request; raise InvalidRequest for what is missing."""
    dialect, model, prompt = form.get("dialect", ""), form.get("model", "").strip(), form.get("prompt", "")
    if dialect not in DIALECTS:
        raise InvalidRequest(f"dialect: must be one of {', '.join(DIALECTS)}", param="dialect")
    if not model or not prompt.strip():
        raise InvalidRequest("give a model and a prompt", param="prompt" if model else "model")
    stream = bool(form.get("stream"))
    method = "streamGenerateContent" if stream else "generateContent"
    path = PATHS[dialect].format(model=quote(model, safe="/"), method=method)
    if dialect == "gemini":
        contents = {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
        return _Ask(path, "alt=sse" if stream else "", _encode(contents))
    said = [{"role": "user", "content": prompt}]
    if dialect == "anthropic":
        fields = {"model": model, "max_tokens": _MAX_TOKENS, "messages": said, "stream": stream}
        return _Ask(path, "", _encode(fields))
    if dialect == "openai-responses":
        return _Ask(path, "", _encode({"model": model, "input": prompt, "stream": stream, "store": False}))
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    return _Ask(path, "", _encode({"model": model, "messages": said, "stream": stream, **usage}))


def _scope(outer: Scope, ask: _Ask) -> Scope:
    """Make the scope of a request to this app, which comes from where the operator is."""
    root: str = outer.get("root_path", "")
    return {
        "type": "http",
        "asgi": outer.get("asgi", {"version": "3.0"}),
        "http_version": "1.1",
        "method": "POST",
        "scheme": outer.get("scheme", "http"),
        "path": root + unquote(ask.path),
        "raw_path": (quote(root) + ask.path).encode(),
        "query_string": ask.query.encode(),
        "root_path": root,
        "headers": [
            (b"host", dict(outer["headers"]).get(b"host", b"localhost")),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(ask.body)).encode()),
            (b"user-agent", b"gateway-playground"),
        ],
        "client": outer.get("client"),
        "server": outer.get("server"),
        "state": {},
    }

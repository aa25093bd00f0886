"""Bound and decode the request body: plain, gzip or deflate; longer than the limit is 413, anything else 415."""

import zlib
from typing import ClassVar, Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.context import RequestContext, attach
from gateway.errors import BodyTooLarge, GatewayError, InvalidRequest, UnsupportedMediaType
from gateway.refusal import refuse
from gateway.services import Services

__all__ = ["BodyLimit"]

_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}  # zlib's wbits; 47 tells zlib from gzip by itself
_PLAIN = (b"", b"identity")


class BodyLimit:
    """ASGI middleware; `limit` in bytes, counted after decompression."""

    provides: ClassVar[frozenset[str]] = frozenset({"bounded_body"})
    requires: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, app: ASGIApp, limit: int = 32 * 1024 * 1024) -> None:
        self.app = app
        self.limit = limit

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read server.max_body."""
        return cls(app, services.loaded.config.server.max_body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        try:
            body = _Body(context, receive, self.limit)
            if b"content-encoding" in context.headers:  # what is inside sees a plain body
                gone = (b"content-encoding", b"content-length")
                scope["headers"] = [header for header in scope["headers"] if header[0] not in gone]
                del context.headers[b"content-encoding"]
            await self.app(scope, body.receive, send)
        except _Refused as refused:
            if context.status is not None:
                raise
            await refuse(context, send, refused.error)
        except (BodyTooLarge, UnsupportedMediaType) as error:
            await refuse(context, send, error)


class _Refused(Exception):
    """Carries a refusal out of `receive` through whatever stands inside."""

    def __init__(self, error: GatewayError) -> None:
        super().__init__(error.message)
        self.error = error


class _Body:
    """One request's body."""

    def __init__(self, context: RequestContext, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0
        encoding = context.headers.get(b"content-encoding", b"").strip().lower()
        if encoding not in _PLAIN and encoding not in _WINDOWS:
            raise UnsupportedMediaType("the body's content-encoding must be gzip, deflate or none")
        self._inflate = zlib.decompressobj(_WINDOWS[encoding]) if encoding in _WINDOWS else None
        length = context.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            raise self._too_large()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        piece: bytes = message.get("body", b"")
        if self._inflate is not None:
            piece = self._inflated(piece, last=not message.get("more_body", False))
            message = {**message, "body": piece}
        self._seen += len(piece)
        if self._seen > self._limit:
            raise _Refused(self._too_large())
        return message

    def _inflated(self, piece: bytes, *, last: bool) -> bytes:
        assert self._inflate is not None
        try:
            plain = self._inflate.decompress(piece, self._limit - self._seen + 1)
        except zlib.error:
            raise _Refused(InvalidRequest("the body is not what its content-encoding says")) from None
        if last and not self._inflate.eof and self._seen + len(plain) <= self._limit:
            raise _Refused(InvalidRequest("the compressed body is cut short"))
        return plain

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is longer than {self._limit} bytes (server.max_body)")

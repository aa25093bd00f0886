"""Bound and decode the request body: plain, gzip or deflate; longer than the limit is 413, anything else 415."""

import zlib
from typing import ClassVar, Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.context import RequestContext, attach, has_body
from gateway.errors import BodyTooLarge, GatewayError, InvalidRequest, UnsupportedMediaType
from gateway.refusal import refuse
from gateway.services import Services

__all__ = ["BodyLimit"]

_BROKEN = "the body does not match its content-encoding"
_HEAD_BYTES = 1024
_MOST_MEMBERS = 1000  # of gzip: each costs as much as some kilobytes
# zlib's wbits; 47 tells zlib from gzip by itself, 0 is for what is plain
_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47, b"identity": 0, b"": 0}
# how zlib and gzip begin; RFC 9110 means the former by deflate, some clients send neither
_HEADS = (zlib.DEFLATED, 0x1F & 0x0F)


class BodyLimit:
    """ASGI middleware; `limit` in bytes, counted after decompression; `setting`: where an operator changes it."""

    provides: ClassVar[frozenset[str]] = frozenset({"bounded_body"})
    requires: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, app: ASGIApp, limit: int = 32 * 1024 * 1024, setting: str = "") -> None:
        self.app = app
        self.limit = limit
        self._too_large = f"the body is longer than {limit} bytes" + (f" ({setting})" if setting else "")

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read server.max_body."""
        return cls(app, services.loaded.config.server.max_body, "server.max_body")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        context.rest = receive if has_body(context.headers) else None
        try:
            body = _Body(context, receive, self.limit, self._too_large)
        except GatewayError as error:
            await refuse(context, send, error)
            return
        if b"content-encoding" in context.headers:  # what is inside sees a plain body
            gone = (b"content-encoding", b"content-length")
            scope["headers"] = [header for header in scope["headers"] if header[0] not in gone]
            del context.headers[b"content-encoding"]
        try:
            await self.app(scope, body.receive, send if body.is_known else body.guard(send))
        except _Refused:
            if context.status is not None:
                raise
        if body.refused is not None and context.status is None:
            await refuse(context, send, body.refused)
        context.rest = None


class _Refused(Exception):
    """Ends what reads the body."""


class _Body:
    """One request's body. `is_known`: its length was said, and fits. `refused`: why it was not handed on."""

    def __init__(self, context: RequestContext, receive: Receive, limit: int, too_large: str) -> None:
        self.refused: GatewayError | None = None
        self._context = context
        self._receive = receive
        self._limit = limit
        self._too_large = too_large
        self._seen = 0
        encoding = context.headers.get(b"content-encoding")
        self._wbits = wbits = _wbits(encoding) if encoding else 0
        self._inflate = zlib.decompressobj(wbits) if wbits else None
        self._sent = 0  # compressed
        self._members = 1
        length = context.headers.get(b"content-length", b"")
        said = length.isdigit()
        if said and int(length) > limit:
            raise BodyTooLarge(too_large)
        self.is_known = said and self._inflate is None

    def guard(self, send: Send) -> Send:
        """Keep back what an app makes of the refusal by itself, as FastAPI does; ours says more."""

        async def guarded(message: Message) -> None:
            if self.refused is None or self._context.status is not None:
                await send(message)

        return guarded

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        piece: bytes = message.get("body", b"")
        last = not message.get("more_body", False)
        if last:
            self._context.rest = None
        if self._inflate is not None:
            piece = self._inflated(piece, last=last)
            message = {**message, "body": piece}
        self._seen += len(piece)
        if self._seen > self._limit:
            raise self._refuse(BodyTooLarge(self._too_large))
        return message

    def _inflated(self, piece: bytes, *, last: bool) -> bytes:
        """Inflate a piece; gzip allows several members, one after the other."""
        assert self._inflate is not None
        if piece and not self._sent and self._wbits == _WINDOWS[b"deflate"] and piece[0] & 0x0F not in _HEADS:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._sent += len(piece)
        if self._sent > self._limit + self._limit // 100 + _HEAD_BYTES:  # what holds nothing is none the less read
            raise self._refuse(BodyTooLarge(self._too_large))
        plain, left = b"", self._limit - self._seen + 1
        try:
            while piece and len(plain) < left:
                if self._inflate.eof:
                    self._inflate = self._next_member()
                plain += self._inflate.decompress(piece, left - len(plain))
                piece = self._inflate.unused_data
        except zlib.error:
            raise self._refuse(InvalidRequest(_BROKEN)) from None
        if last and not self._inflate.eof and len(plain) < left:
            raise self._refuse(InvalidRequest("the compressed body is truncated"))
        return plain

    def _next_member(self) -> "zlib._Decompress":
        self._members += 1
        if self._wbits != _WINDOWS[b"gzip"] or self._members > _MOST_MEMBERS:
            raise self._refuse(InvalidRequest(_BROKEN))
        return zlib.decompressobj(self._wbits)

    def _refuse(self, error: GatewayError) -> _Refused:
        self.refused = error
        return _Refused()


def _wbits(encoding: bytes) -> int:
    """Give zlib's wbits for a content-encoding, 0 for a plain one."""
    wbits = _WINDOWS.get(encoding.strip().lower())
    if wbits is None:
        raise UnsupportedMediaType("the body's content-encoding must be gzip, deflate or none")
    return wbits

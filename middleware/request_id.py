"""Give each request an id: the caller's own when it is a plain word, else a new one; sent back in two headers."""

import re
from typing import ClassVar

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.context import attach

__all__ = ["RequestId"]

_PLAIN = re.compile(rb"[A-Za-z0-9_.-]{1,128}")


class RequestId:
    """ASGI middleware; reads `x-request-id`, answers with `x-request-id` and `request-id`."""

    provides: ClassVar[frozenset[str]] = frozenset({"request_id"})
    requires: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        given = context.headers.get(b"x-request-id")
        if given and _PLAIN.fullmatch(given):
            context.request_id = given.decode()
        value = context.request_id.encode()
        # Anthropic's SDK reads only request-id, OpenAI's only x-request-id
        if (b"request-id", value) not in context.reply_headers:  # an app around this one may have said so
            context.reply_headers += ((b"x-request-id", value), (b"request-id", value))
        await self.app(scope, receive, send)

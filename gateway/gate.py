"""The gate that closes when the gateway shuts down: what is open goes on, new work is refused in the caller's dialect.

It stands inside the middlewares that name, log and count requests, so that what it refuses has an id and a line, too.
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.context import attach, has_body
from gateway.errors import Draining
from gateway.refusal import refuse
from gateway.services import Services

__all__ = ["Gate"]

_RETRY_AFTER_S: Final = 5


class Gate:
    """ASGI app."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if not self._services.draining:
            await self._app(scope, receive, send)
            return
        context, send = attach(scope, send)
        context.admitted = False  # which it is from the start where nobody needs a key
        context.rest = receive if has_body(context.headers) else None
        await refuse(context, send, Draining("the gateway is shutting down; try again", retry_after=_RETRY_AFTER_S))

"""Write one structured line for each request: who, what, where it went, how it ended. No secret, no prompt.

Where [log] bodies asks for it, a second line has what was said.
"""

from typing import Any, ClassVar, Self

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock, System
from gateway.context import RequestContext, attach, route_path
from gateway.logs import Entries
from gateway.middleware.bodies import Bodies, Ear
from gateway.services import Services

__all__ = ["AccessLog"]


class AccessLog:
    """ASGI middleware; `logger` takes `info("request", **fields)`. Durations in milliseconds.

    `bodies`: None = never.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"access_log"})
    requires: ClassVar[frozenset[str]] = frozenset({"request_id?"})

    def __init__(
        self,
        app: ASGIApp,
        logger: FilteringBoundLogger | None = None,
        clock: Clock | None = None,
        bodies: Bodies | None = None,
    ) -> None:
        self.app = app
        self._bodies = bodies
        self._logger: FilteringBoundLogger | Entries = logger or structlog.get_logger("gateway.access")
        self._clock = clock or System()

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Take the app's logger and clock, and read log.bodies."""
        return cls(app, services.logger, services.clock, Bodies.configured(services))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send, self._clock)
        method, path, peer = scope["method"], route_path(scope), (scope.get("client") or ("",))[0]
        ear = None
        if self._bodies is not None:
            ear = Ear(scope, context, receive, send, self._clock)
            receive, send = ear.receive, ear.send
        try:
            await self.app(scope, receive, send)
        finally:
            fields = _fields(method, path, peer, context, self._clock.monotonic())
            if isinstance(self._logger, Entries):
                fields["event"] = "request"
                self._logger.enter(fields)
            else:
                self._logger.info("request", **fields)
            if self._bodies is not None and ear is not None:
                await self._bodies.log(ear, context)


def _fields(method: str, path: str, peer: str, context: RequestContext, now: float) -> dict[str, Any]:
    route, started = context.route, context.started
    fields: dict[str, Any] = {
        "method": method,
        "path": path,
        "client": peer,
        "request_id": context.request_id,
        "key": context.principal.name,
        "dialect": None if route.foreign else route.dialect,
        "status": context.status,
        "end": context.end or ("done" if context.status else "error"),
        "ms": _ms(now - started),
    }
    if context.requested_model:
        fields["model"] = context.requested_model[:200]
    upstream = context.called()
    if upstream:
        fields["upstream"] = upstream
        fields["attempts"] = context.attempts
    if context.first_byte is not None:
        fields["first_byte_ms"] = _ms(context.first_byte - started)
    usage = context.usage
    if usage is not None:
        fields["input_tokens"] = usage.input
        fields["cached_tokens"] = usage.cache_read
        fields["output_tokens"] = usage.output
    if context.losses:
        fields["losses"] = len(context.losses)
    if context.error is not None:
        fields["error"] = type(context.error).__name__
        fields["message"] = context.error.message[:300]
    return fields


def _ms(seconds: float) -> float:
    return round(seconds * 10_000) / 10  # a fifth of what rounding to a digit costs

"""Follow a request across the gateway: its caller's trace goes on to the upstreams, with our spans if we have any."""

from collections.abc import Mapping
from contextvars import Token
from typing import TYPE_CHECKING

from starlette.types import Scope

from gateway.context import RequestContext
from gateway.trace_context import CARRIER, Carrier, received

if TYPE_CHECKING:
    from gateway.telemetry import Telemetry

__all__ = ["Tracing"]


class Tracing:
    """`telemetry`: makes spans and sends them; None: what a caller says of its trace is passed on as it came.

    `types`: of the upstreams, by name.
    """

    def __init__(self, telemetry: "Telemetry | None", types: Mapping[str, str]) -> None:
        self._telemetry = telemetry
        self._types = types

    def begin(self, scope: Scope, context: RequestContext) -> Token[Carrier | None] | None:
        """Follow a request from here; None = there is nothing to follow."""
        given = received(scope["headers"]) if b"traceparent" in context.headers else {}
        if self._telemetry is not None:
            context.trace = self._telemetry.follow(scope, context, given, self._types)
        if context.trace is not None:
            return CARRIER.set(context.trace.carrier)
        return CARRIER.set(Carrier(given)) if given else None

    def end(self, token: Token[Carrier | None], context: RequestContext) -> None:
        """Follow it no more."""
        CARRIER.reset(token)
        if context.trace is not None:
            context.trace.ends()

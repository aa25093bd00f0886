"""The layer that every request passes first: its context, and errors that nobody else wrote."""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admin import Administration
from gateway.context import RequestContext, attach, route_path
from gateway.errors import GatewayError, InternalError
from gateway.middleware.cors import Cors
from gateway.middleware.request_id import RequestId
from gateway.proxies import Proxies
from gateway.recorder import Recorder
from gateway.refusal import refuse
from gateway.tap import TAP, tap_of
from gateway.trace_context import CARRIER

if TYPE_CHECKING:
    from gateway.app import Gateway

__all__ = ["Outermost"]

_CLIENT_CLOSED: Final = 499  # nginx's; servers drop it


async def _apart(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request without what another one has set: a connection that it had read on has a copy of its context."""
    tap, carrier = TAP.set(tap_of(scope.get("state", {}).get("gateway"))), CARRIER.set(None)
    try:
        await app(scope, receive, send)
    finally:
        CARRIER.reset(carrier)
        TAP.reset(tap)


async def _has_left(receive: Receive) -> bool:
    """Tell whether the server says by now that the caller has left; what it has of the body is dropped."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            while (await receive())["type"] == "http.request":
                pass
            return True
    return False


class Outermost:
    """The layer that every request passes first: the context, and errors nobody else wrote."""

    def __init__(self, own: Mapping[str, ASGIApp], gateway: "Gateway") -> None:
        self._own = own
        self._gateway = gateway
        config = gateway.loaded.config
        self._is_open = "auth" not in config.pipeline.order
        self._proxies = Proxies(config.server.trusted_proxies)
        recordings = config.record.dir and gateway.loaded.resolve(config.record.dir)
        self._pipeline = (
            Recorder(gateway.pipeline, recordings, gateway.loaded, gateway.clock, gateway.logger)
            if recordings
            else gateway.pipeline
        )
        self._cors = Cors.configured(self._serve, gateway.services) if config.cors.origins else None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one ASGI connection."""
        app: ASGIApp = self._serve
        if self._cors is not None and not self._own_app(route_path(scope)):  # which are for no page of another origin
            app = self._cors
        if TAP.get() is None and CARRIER.get() is None:
            return app(scope, receive, send)
        return _apart(app, scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and answer every error in the caller's dialect."""
        outside = send
        context, send = attach(scope, send, self._gateway.clock)
        scope = self._proxies.seen_through(scope, context.headers)
        own = self._own_app(route_path(scope))
        services, counted = self._gateway.services, own is None
        services.under_way += counted
        followed = self._gateway.tracing.begin(scope, context) if counted else None
        ledger = services.ledger if counted else None
        if ledger is not None:
            context.on_last += (partial(ledger.refuse, context),)
        try:
            context.admitted = self._is_open
            await (own or self._pipeline)(scope, receive, send)
            if context.status is None:
                await self._tell_outside(context, receive, outside)
        except GatewayError as error:
            if context.status is not None:
                raise
            await refuse(context, send, error)
        except Exception:  # the outermost layer: a defect becomes a 500 in the caller's dialect
            self._gateway.logger.exception("defect", request_id=context.request_id)
            if context.status is not None:
                raise
            await refuse(context, send, InternalError.of_defect())
        finally:
            services.under_way -= counted
            if ledger is not None:
                ledger.refuse(context)
            context.on_last = ()  # who has heard nothing, for the caller has left, holds the context
            if followed is not None:
                self._gateway.tracing.end(followed, context)

    async def _tell_outside(self, context: RequestContext, receive: Receive, send: Send) -> None:
        """Say to the host that the caller has left: Starlette's BaseHTTPMiddleware fails without an answer.

        Raise InternalError where the caller is still there.
        """
        if context.end != "client_closed" and not await _has_left(receive):
            reason = "a middleware has returned without an answer"
            self._gateway.logger.error("defect", request_id=context.request_id, reason=reason)
            raise InternalError.of_defect()
        await send({"type": "http.response.start", "status": _CLIENT_CLOSED, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _own_app(self, path: str) -> ASGIApp | None:
        """Give the operators' endpoint of this path, if it is one."""
        if Administration.owns(path):
            return RequestId(self._gateway.administration)
        return self._own.get(path)

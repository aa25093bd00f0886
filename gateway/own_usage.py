"""GET /usage: what a key may use, what is left of it, and what it has used. A key sees its own only.

{"name", "limits": {NAME: number}, "left": {NAME: number}, "reset_at": {NAME: when all of it is free, null = now},
 "usage": {"today": {…}, "this_month": {…}}}

Days and months are those of UTC. `left` and `reset_at` are null where nothing counts, `usage` where nothing is kept, or
the ledger cannot be read now.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Final

from msgspec.structs import asdict
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.config import write_limits
from gateway.context import Principal, attach
from gateway.errors import GatewayError, MethodNotAllowed, StoreUnavailable
from gateway.middleware.auth import Auth
from gateway.plans import Left
from gateway.refusal import refuse
from gateway.services import Services

__all__ = ["OwnUsage"]

_METHODS: Final = ("GET", "HEAD")
_HEADERS: Final = {"cache-control": "no-store"}


class OwnUsage:
    """ASGI app. `guard`: knows the keys."""

    def __init__(self, services: Services, guard: Auth) -> None:
        self._services = services
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        context, send = attach(scope, send)
        try:
            await self._guard.demand(scope, context, None)
            if scope["method"] not in _METHODS:
                message = f"/usage takes GET, not {scope['method']}"
                raise MethodNotAllowed(message, headers={"allow": ", ".join(_METHODS)})
            response = await self._answer(context.principal)
        except GatewayError as error:
            await refuse(context, send, error)
            return
        await response(scope, receive, send)

    async def _answer(self, principal: Principal) -> Response:
        limiter, defaults = self._services.limiter, self._services.loaded.config.limits
        left = await limiter.left(principal, defaults) if limiter is not None else None
        said = {
            "name": principal.name,
            "limits": {**write_limits(defaults), **write_limits(principal.limits)},
            "left": None if left is None else {one.name: _whole(one) for one in left},
            "reset_at": None if left is None else {one.name: _reset(one) for one in left},
            "usage": await self._used(principal),
        }
        return JSONResponse(said, headers=_HEADERS)

    async def _used(self, principal: Principal) -> Mapping[str, object] | None:
        ledger = self._services.ledger
        if ledger is None:
            return None
        now = datetime.fromtimestamp(self._services.clock.time(), UTC)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        used: dict[str, object] = {}
        for name, since in (("today", today), ("this_month", today.replace(day=1))):
            try:
                report = await ledger.report("key", since.timestamp(), None, key_id=principal.id)
            except StoreUnavailable:  # it has told the operator
                return None
            used[name] = {field: value for field, value in asdict(report.total).items() if field != "name"}
        return used


def _whole(left: Left) -> float:
    """Only money has fractions."""
    return left.left if left.name.startswith("usd") else int(left.left)


def _reset(left: Left) -> str | None:
    """Write the first whole second by which it is free; the moment itself may be a rounding beyond it."""
    if left.reset_at is None:
        return None
    return f"{datetime.fromtimestamp(ceil(round(left.reset_at, 3)), UTC):%Y-%m-%dT%H:%M:%SZ}"

"""Bound requests and concurrent answers for each key; over a limit is 429 with `retry-after`.

A request counts once, at admission. Model lists and token counts do not count.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import ClassVar, Final, Self

from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerSecond,
)
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.config import Limit
from gateway.context import Principal, RequestContext, attach
from gateway.errors import RateLimited
from gateway.refusal import refuse
from gateway.services import Services
from gateway.store.counters import LazyMemory

__all__ = ["RateLimit"]

_ITEMS: Final[Mapping[str, type[RateLimitItem]]] = {
    "second": RateLimitItemPerSecond,
    "minute": RateLimitItemPerMinute,
    "hour": RateLimitItemPerHour,
    "day": RateLimitItemPerDay,
}
_MONTH_S = 32 * 86_400
_CONCURRENT_RETRY_S = 1


class RateLimit:
    """ASGI middleware. `limits`: for every caller; a principal's own take the place of those on the same thing."""

    provides: ClassVar[frozenset[str]] = frozenset({"rate_limit"})
    requires: ClassVar[frozenset[str]] = frozenset({"principal"})

    def __init__(self, app: ASGIApp, limits: tuple[Limit, ...] = ()) -> None:
        self.app = app
        self._defaults = limits
        self._storage = LazyMemory()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._open: dict[str, int] = {}

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read [limits]."""
        return cls(app, services.loaded.config.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        limits = self._limits(context.principal)
        if not limits or not _counts(context):
            await self.app(scope, receive, send)
            return
        refusal = await self._admit(context.principal, limits)
        if refusal is not None:
            await refuse(context, send, refusal)
            return
        who = context.principal.id
        self._open[who] = self._open.get(who, 0) + 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    @property
    def open_requests(self) -> Mapping[str, int]:
        """How many answers each caller has open."""
        return self._open

    def _limits(self, principal: Principal) -> tuple[Limit, ...]:
        if not principal.limits:
            return self._defaults
        own = {(limit.resource, limit.window) for limit in principal.limits}
        rest = (limit for limit in self._defaults if (limit.resource, limit.window) not in own)
        return (*principal.limits, *rest)

    async def _admit(self, principal: Principal, limits: tuple[Limit, ...]) -> RateLimited | None:
        """Count the request against each limit, or against none when one refuses it."""
        who = principal.id
        windows = [limit for limit in limits if limit.resource == "requests"]
        for limit in limits:
            if limit.resource == "concurrent" and self._open.get(who, 0) >= limit.amount:
                return _over(f"{int(limit.amount)} at once", _CONCURRENT_RETRY_S)
        for limit in windows[:-1]:
            if not await self._fits(who, limit):
                return await self._exceeded(who, limit)
        for limit in reversed(windows):  # the first of these has not been tested: its hit does that
            if not await self._hit(who, limit):
                return await self._exceeded(who, limit)
        return None

    async def _fits(self, who: str, limit: Limit) -> bool:
        """Tell whether one more request has room."""
        if limit.window == "month":
            return await self._storage.get(_month_key(who)) < limit.amount
        return limit.amount >= 1 and await self._limiter.test(_item(limit), who)

    async def _hit(self, who: str, limit: Limit) -> bool:
        """Count one more request if it has room."""
        if limit.window != "month":
            return limit.amount >= 1 and await self._storage.acquire_sliding_window_entry(*_entry(limit, who))
        fits = await self._fits(who, limit)
        if fits:
            await self._storage.incr(_month_key(who), _MONTH_S)
        return fits

    async def _exceeded(self, who: str, limit: Limit) -> RateLimited:
        return _over(f"{int(limit.amount)} requests a {limit.window}", await self._wait(who, limit))

    async def _wait(self, who: str, limit: Limit) -> float:
        """Seconds until one more request fits."""
        if limit.window == "month":
            return _until_next_month()
        if limit.amount < 1:
            return float(_item(limit).get_expiry())
        stats = await self._limiter.get_window_stats(_item(limit), who)
        return max(stats.reset_time - time.time(), 1.0)


def _counts(context: RequestContext) -> bool:
    return context.route.operation in ("chat", "native", "none")


@cache
def _item(limit: Limit) -> RateLimitItem:
    assert limit.window is not None
    return _ITEMS[limit.window](max(1, int(limit.amount)))


@lru_cache(maxsize=4096)
def _entry(limit: Limit, who: str) -> tuple[str, int, int]:
    """Give key, amount and seconds of a window as the library's limiter hands them to the storage."""
    item = _item(limit)
    return item.key_for(who), item.amount, item.get_expiry()


def _over(what: str, wait: float) -> RateLimited:
    return RateLimited(f"this key may make {what}; wait and try again", retry_after=wait)


def _month_key(who: str) -> str:
    return f"{who}/{datetime.now(UTC):%Y-%m}"


def _until_next_month() -> float:
    now = datetime.now(UTC)
    first = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    return (first - now).total_seconds()

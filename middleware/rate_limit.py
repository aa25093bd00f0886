"""Bound requests and concurrent answers for each key; over a limit is 429 with `retry-after`.

A request counts once, at admission. Model lists and token counts do not count. Every answer that counts says what is
left of the tightest limit on requests, in the headers of its dialect.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import ClassVar, Final, Self

from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerSecond,
)
from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.clock import Clock, System
from gateway.config import Limit, parse_limits
from gateway.context import RequestContext, attach
from gateway.errors import RateLimited
from gateway.middleware.rate_headers import Window, rate_headers
from gateway.refusal import refuse
from gateway.routes import MAKING, Operation
from gateway.services import Services
from gateway.store.counters import LazyMemory

__all__ = ["RateLimit"]

_ITEMS: Final[Mapping[str | None, type[RateLimitItem]]] = {
    "second": RateLimitItemPerSecond,
    "minute": RateLimitItemPerMinute,
    "hour": RateLimitItemPerHour,
    "day": RateLimitItemPerDay,
}
_COUNTED: Final[frozenset[Operation]] = frozenset[Operation]({"chat", "native", "none"}) | MAKING
_DAY_S = 86_400
_MONTH_S = 32 * _DAY_S
_CONCURRENT_RETRY_S = 1


class _Rule(Struct, frozen=True):
    """A limit on one caller's requests. `key`: of its counter; `seconds`: of its window, 0 for the calendar month."""

    what: str
    key: str
    amount: int
    seconds: int


class _Plan(Struct, frozen=True):
    """All limits of one caller. `at_once`: how many answers may be open."""

    at_once: int | None
    rules: tuple[_Rule, ...]


class RateLimit:
    """ASGI middleware. `limits`: for every caller; a principal's own take the place of those on the same thing.

    They are written as in gateway.toml: `{"requests_per_minute": 60, "concurrent": 4}`.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"rate_limit"})
    requires: ClassVar[frozenset[str]] = frozenset({"principal"})

    def __init__(
        self, app: ASGIApp, limits: Mapping[str, float] | tuple[Limit, ...] = (), clock: Clock | None = None
    ) -> None:
        self.app = app
        self._defaults = limits if isinstance(limits, tuple) else parse_limits(limits)
        self._plan = lru_cache(maxsize=4096)(partial(_plan, self._defaults))
        self._clock = clock or System()
        self._storage = LazyMemory(self._clock.time)
        self._open: dict[str, int] = {}

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read [limits]."""
        return cls(app, services.loaded.config.limits, services.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        who, own = context.principal.id, context.principal.limits
        if not (own or self._defaults) or context.route.operation not in _COUNTED:
            await self.app(scope, receive, send)
            return
        refusal = self._admit(context, who, self._plan(who, own))
        if refusal is not None:
            await refuse(context, send, refusal)
            return
        answers = self._open
        answers[who] = answers.get(who, 0) + 1
        try:
            await self.app(scope, receive, send)
        finally:
            left = answers.pop(who) - 1
            if left:
                answers[who] = left

    @property
    def open_requests(self) -> Mapping[str, int]:
        """How many answers each caller has open."""
        return self._open

    def _admit(self, context: RequestContext, who: str, plan: _Plan) -> RateLimited | None:
        """Count the request against each limit, or against none when one refuses it."""
        now = self._clock.time()
        windows = [self._window(rule, now) for rule in plan.rules]
        tightest = min(windows, key=_room) if len(windows) > 1 else windows[0] if windows else None
        refusal = None
        if tightest is not None and not tightest.left:
            refusal = _over(tightest.what, tightest.wait)
        elif plan.at_once is not None and self._open.get(who, 0) >= plan.at_once:
            refusal = _over(f"{plan.at_once} at once", _CONCURRENT_RETRY_S)
        else:
            for rule, window in zip(plan.rules, windows, strict=True):
                self._hit(rule, window, now)
                window.current += 1
        if tightest is not None:
            context.reply_headers += rate_headers(context.route.dialect, tightest, now)
        return refusal

    def _window(self, rule: _Rule, now: float) -> Window:
        seconds = rule.seconds
        if not seconds:
            month, end = _month(int(now // _DAY_S))
            return Window(rule.what, rule.amount, 0, self._storage.count(rule.key + month, now), end - now, 0)
        hits = self._storage.windows(rule.key, seconds, now)
        return Window(rule.what, rule.amount, hits.previous, hits.current, seconds - now % seconds, seconds, hits)

    def _hit(self, rule: _Rule, window: Window, now: float) -> None:
        if window.counted is not None:
            window.counted.current += 1
        else:
            self._storage.add(rule.key + _month(int(now // _DAY_S))[0], _MONTH_S, now)


def _room(window: Window) -> tuple[int, float]:
    return window.left, -window.wait


def _plan(defaults: tuple[Limit, ...], who: str, own: tuple[Limit, ...]) -> _Plan:
    """Sort what holds for a caller; of two limits on the same thing its own."""
    limits = {(limit.resource, limit.window): limit for limit in (*defaults, *own)}
    at_once = limits.get(("concurrent", None))
    rules = tuple(_rule(who, limit) for (resource, _), limit in limits.items() if resource == "requests")
    return _Plan(None if at_once is None else int(at_once.amount), rules)


def _rule(who: str, limit: Limit) -> _Rule:
    amount = int(limit.amount)
    what = f"{amount} requests {'an' if limit.window == 'hour' else 'a'} {limit.window}"
    if limit.window == "month":
        return _Rule(what, f"{who}/", amount, 0)
    item = _ITEMS[limit.window](max(1, amount))
    return _Rule(what, item.key_for(who), amount, item.get_expiry())


def _over(what: str, wait: float) -> RateLimited:
    return RateLimited(f"this key may make {what}; wait and try again", retry_after=max(wait, 1.0))


@lru_cache(maxsize=8)
def _month(day: int) -> tuple[str, float]:
    """Name the month of a day since 1970, and give its end in Unix seconds."""
    date = datetime.fromtimestamp(day * _DAY_S, UTC)
    end = (date.replace(day=28) + timedelta(days=4)).replace(day=1)
    return f"{date:%Y-%m}", end.timestamp()

"""Bound what each key may use: requests, open answers, tokens and money; over a limit is 429 with `retry-after`.

A request counts once, at admission. Model lists and token counts do not count. Tokens and money are reserved before an
upstream is called, and settled when the answer ends, however it ends. Every answer that counts says what is left of the
tightest limit on requests and on tokens, in the headers of its dialect.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import ClassVar, Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import ir
from gateway.clock import Clock, System
from gateway.config import Limit, parse_limits
from gateway.context import RequestContext, attach
from gateway.costs import Costs
from gateway.errors import GatewayError
from gateway.limiter import Hold, Limiter
from gateway.middleware.rate_headers import rate_headers
from gateway.plans import Plan, plan_of, refusal_of, tightest
from gateway.refusal import refuse
from gateway.routes import COUNTED
from gateway.services import Services

__all__ = ["RateLimit"]


class RateLimit:
    """ASGI middleware. `limits`: for every caller; a principal's own take the place of those on the same thing.

    They are written as in gateway.toml: `{"requests_per_minute": 60, "concurrent": 4}`. `limiter`: what counts;
    `costs`: what tokens and requests amount to.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"rate_limit"})
    requires: ClassVar[frozenset[str]] = frozenset({"principal"})

    def __init__(
        self,
        app: ASGIApp,
        limits: Mapping[str, float] | tuple[Limit, ...] = (),
        clock: Clock | None = None,
        *,
        limiter: Limiter | None = None,
        costs: Costs | None = None,
    ) -> None:
        self.app = app
        self._defaults = limits if isinstance(limits, tuple) else parse_limits(limits)
        self._plan = lru_cache(maxsize=4096)(self._made)
        self._clock = clock or System()
        self._limiter = limiter or Limiter(self._clock)
        self._costs = costs or Costs()

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read [limits], and take the app's prices."""
        config = services.loaded.config
        costs = Costs(services.prices, services.logger, output=config.defaults.max_tokens)
        return cls(app, config.limits, services.clock, limiter=services.limiter, costs=costs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        who, own = context.principal.id, context.principal.limits
        if not (own or self._defaults) or context.route.operation not in COUNTED:
            await self.app(scope, receive, send)
            return
        plan = self._plan(who, own)
        limiter = self._limiter
        if plan.lasting and not limiter.knows(plan):
            await limiter.recall.read(plan, self._ago_s(context))
        try:
            together = limiter.together is not None
            seen, hold = await limiter.admit_shared(plan, self._ago_s(context)) if together else limiter.admit(plan)
        except GatewayError as error:
            await refuse(context, send, error)
            return
        windows = seen.windows
        if windows:
            window = tightest(windows) if len(windows) > 1 else windows[0]
            context.reply_headers += rate_headers(context.route.dialect, "requests", window, self._clock.time())
        if hold is None:
            name, refusal = refusal_of(plan, seen)
            limiter.refused(name)
            await refuse(context, send, refusal)
            return
        if not (plan.amounts or hold.id):
            end = partial(limiter.end, hold, ())
            context.on_last += (end,)  # who then asks again at once is let in
            try:
                await self.app(scope, receive, send)
            finally:
                end()
            return
        request = _Limited(limiter, self._costs, self._clock, context, hold, send)
        if plan.amounts:
            context.reserve = request.reserve
        if not hold.id:
            context.on_last += (request.end,)
        try:
            await self.app(scope, receive, request.send if hold.id else send)
        finally:
            request.end()
            context.reserve = None  # it holds the context

    @property
    def open_requests(self) -> Mapping[str, int]:
        """How many answers each caller has open."""
        return self._limiter.open_requests

    def _ago_s(self, context: RequestContext) -> float:
        return self._clock.monotonic() - context.started

    def _made(self, who: str, own: tuple[Limit, ...]) -> Plan:
        return plan_of(who, (*self._defaults, *own))


class _Limited:
    """One request that was let in."""

    def __init__(
        self, limiter: Limiter, costs: Costs, clock: Clock, context: RequestContext, hold: Hold, send: Send
    ) -> None:
        self._limiter = limiter
        self._costs = costs
        self._clock = clock
        self._context = context
        self._hold = hold
        self._send = send
        self._expected = ir.Usage()

    async def send(self, message: Message) -> None:
        """Send on; before the last byte goes out, what was held is given back."""
        if message["type"] == "http.response.body" and not message.get("more_body"):
            ending = self._limiter.end(self._hold, self._used())
            if ending is not None:
                await asyncio.shield(ending)
        await self._send(message)

    def end(self) -> None:
        """Give back what was held."""
        if not self._hold.ended:
            self._limiter.end(self._hold, self._used())

    async def reserve(self, context: RequestContext) -> None:
        """Take what the request may use; raise RateLimited where that is more than what is left."""
        plan = self._hold.plan
        self._expected = expected = self._costs.expected(context)
        tokens = expected.input + expected.output
        money = self._costs.at_most(context, expected) if plan.pays else 0
        needs = [money if rule.is_money else tokens for rule in plan.amounts]
        seen = await self._limiter.reserve(self._hold, needs)
        counted = [window for window in seen.windows if not window.rule.is_money]
        if counted:
            now = self._clock.time()
            context.reply_headers += rate_headers(context.route.dialect, "tokens", tightest(counted), now)
        if not seen.admitted:
            name, refusal = refusal_of(plan, seen, needs)
            self._limiter.refused(name)
            raise refusal

    def _used(self) -> list[int]:
        plan = self._hold.plan
        used = self._costs.used(self._context, self._expected) if plan.amounts else None
        if used is None:
            return [0] * len(plan.amounts)
        tokens, money = used.input + used.output, self._costs.of(self._context, used) if plan.pays else 0
        return [money if rule.is_money else tokens for rule in plan.amounts]

"""Count requests for Prometheus: how many, how long, how many tokens, what was lost, what was tried again.

A request is counted when it has ended, by a few additions to cells of memory. Labels are names of the configuration and
of models that upstreams have: what a refused caller writes makes no series.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.clock import Clock, System
from gateway.context import RequestContext, attach, reason_of, route_path
from gateway.costs import cost_of
from gateway.histogram import BOUNDS_S, VALUES, observe
from gateway.middleware.auth import Auth, Key
from gateway.middleware.families import STALL_S
from gateway.middleware.places import Places, Series
from gateway.middleware.scrape import Scrape
from gateway.prices import Prices
from gateway.services import Services
from gateway.store.tally import Tally
from gateway.upstream import Adapter

__all__ = ["Metrics"]

_STALLED: Final = slice(BOUNDS_S.index(STALL_S) + 1, VALUES - 1)
_NO_SILENCES: Final = (0.0,) * VALUES


class Metrics:
    """ASGI middleware.

    `path`: where a GET from this machine, or with one of `keys`, is answered with the numbers; "" = nowhere. `folder`:
    where the workers of one app add them up. `tally`: to count into, in its place; `adapters`: the upstreams by name;
    `prices`: what their tokens cost.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"metrics"})
    requires: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        app: ASGIApp,
        path: str = "/metrics",
        keys: Mapping[str, Key] | Mapping[str, str] | Sequence[str] = (),
        folder: str | Path | None = None,
        clock: Clock | None = None,
        *,
        tally: Tally | None = None,
        adapters: Mapping[str, Adapter] | None = None,
        prices: Prices | None = None,
    ) -> None:
        self.app = app
        self._path = path
        self._clock = clock or System()
        self._tally = tally or Tally(None if folder is None else Path(folder), "own")
        self._places = Places(self._tally, adapters or {})
        self._scrape = Scrape(self._tally, Auth(app, keys), right="chat")  # the one that a plain key has
        self._prices = prices or Prices({})
        self._on_stream = (self._stream,)
        self._on_answer = (self._answer,)

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Count into the app's tally; the app answers at metrics.path by itself, whatever the order is."""
        services.counts = True
        return cls(
            app, "", clock=services.clock, tally=services.tally, adapters=services.adapters, prices=services.prices
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not self._tally.is_open:
            self._open()
        if self._path and route_path(scope) == self._path:
            await self._scrape(scope, receive, send)
            return
        context, send = attach(scope, send, self._clock)
        context.on_stream += self._on_stream
        context.on_answer += self._on_answer
        context.silences = list(_NO_SILENCES)
        values, now = self._tally.values, self._places.now()
        values[now.under_way] += 1
        values[now.waiting] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._ended(context)
            self._count(context)

    def _open(self) -> None:
        problem = self._tally.open()
        if problem:
            structlog.get_logger("gateway.metrics").warning("metrics are not shared with other workers", reason=problem)

    def _stream(self) -> None:
        self._tally.values[self._places.now().streams] += 1

    def _answer(self) -> None:
        self._tally.values[self._places.now().waiting] -= 1

    def _ended(self, context: RequestContext) -> None:
        values, now = self._tally.values, self._places.now()
        values[now.under_way] -= 1
        if context.on_answer:  # nobody has called it
            context.begins()
        if context.streams:
            values[now.streams] -= 1

    def _count(self, context: RequestContext) -> None:
        seconds = self._clock.monotonic() - context.started
        values, series = self._tally.values, self._places.series(context)
        values[series.requests] += 1
        values[series.ends] += 1
        observe(values, seconds, series.seconds)
        if context.upstream:
            if context.first_byte is not None:
                observe(values, context.first_byte - context.started, series.first_byte)
            self._count_answer(context, series)
        for loss in context.losses:
            values[self._places.place("losses", series.dialect, series.upstream, loss.severity)] += 1
        for upstream, reason in context.retries:
            values[self._places.place("retries", upstream, reason)] += 1
        if context.error is not None:
            values[self._places.place("errors", series.dialect, series.upstream, reason_of(context.error))] += 1

    def _count_answer(self, context: RequestContext, series: Series) -> None:
        values, usage = self._tally.values, context.usage
        if usage is not None:
            read, cached, written, output, reasoning = series.tokens
            values[read] += usage.input
            values[output] += usage.output
            if usage.cache_read:
                values[cached] += usage.cache_read
            if usage.cache_write:
                values[written] += usage.cache_write
            if usage.reasoning:
                values[reasoning] += usage.reasoning
            usd = cost_of(context, self._prices)
            if usd is not None:
                values[self._places.place("cost_usd", series.upstream, series.model)] += usd
        if context.finish:
            values[self._places.place("finish_reasons", series.upstream, series.model, context.finish)] += 1
        if context.fell_silent:
            values[self._places.place("stalls", series.upstream, series.model, "given_up")] += 1
        if context.silences is not None and any(context.silences):
            self._count_silences(context.silences, series)

    def _count_silences(self, silences: Sequence[float], series: Series) -> None:
        values = self._tally.values
        for place, value in enumerate(silences, series.gaps):
            if value:
                values[place] += value
        if stalls := sum(silences[_STALLED]):
            values[self._places.place("stalls", series.upstream, series.model, "resumed")] += stalls

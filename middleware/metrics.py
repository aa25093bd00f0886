"""Count requests for Prometheus: how many, how long, how many tokens, what was lost, what was tried again.

A request is counted when it has ended, by a few additions to cells of memory. Labels are names of the configuration and
of models that upstreams have: what a refused caller writes makes no series.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import ClassVar, Final, Self

import msgspec
import structlog
from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.clock import Clock, System
from gateway.context import RequestContext, attach, route_path
from gateway.middleware.auth import Auth, Key
from gateway.middleware.families import BOUNDS_S, TOKENS, VALUES, Name
from gateway.middleware.scrape import Scrape
from gateway.services import Services
from gateway.store.tally import Tally
from gateway.upstream import Adapter

__all__ = ["OTHER", "Metrics"]

OTHER: Final = "other"  # stands for models that no list has, once there are too many of them
_UNLISTED: Final = 100
_LEFT: Final = 499  # nginx's status for a caller that left before there was one
_GONE: Final = ("client_closed", "cancelled")
_SUM: Final = len(BOUNDS_S) + 1
_OPEN: Final = "open_streams"
_tokens: Final = attrgetter("input", "cache_read", "cache_write", "output", "reasoning")  # in the order of TOKENS


class Metrics:
    """ASGI middleware.

    `path`: where a GET from this machine, or with one of `keys`, is answered with the numbers; "" = nowhere. `folder`:
    where the workers of one app add them up. `tally`: to count into, in its place; `adapters`: the upstreams by name.
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
    ) -> None:
        self.app = app
        self._path = path
        self._clock = clock or System()
        self._tally = tally or Tally(None if folder is None else Path(folder), "own")
        self._adapters = adapters or {}
        self._scrape = Scrape(self._tally, Auth(app, keys), right="chat")  # the one that a plain key has
        self._unlisted: set[tuple[str, str]] = set()

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Count into the app's tally; the app answers at metrics.path by itself, whatever the order is."""
        services.counts = True
        return cls(app, "", clock=services.clock, tally=services.tally, adapters=services.adapters)

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
        context.on_stream += (self._streams,)
        try:
            await self.app(scope, receive, send)
        finally:
            self._count(context)

    def _open(self) -> None:
        problem = self._tally.open()
        if problem:
            structlog.get_logger("gateway.metrics").warning("metrics are not shared with other workers", reason=problem)

    def _streams(self) -> None:
        self._tally.values[self._place(_OPEN, live=True)] += 1

    def _count(self, context: RequestContext) -> None:
        seconds = self._clock.monotonic() - context.started
        values, series = self._tally.values, self._series(context)
        values[series.requests] += 1
        values[series.ends] += 1
        _observe(values, series.seconds, seconds)
        if context.streams:
            values[self._place(_OPEN, live=True)] -= 1
        if context.upstream:
            if context.first_byte is not None:
                _observe(values, series.first_byte, context.first_byte - context.started)
            if context.usage is not None:
                for place, tokens in zip(series.tokens, _tokens(context.usage), strict=True):
                    if tokens:
                        values[place] += tokens
        for loss in context.losses:
            values[self._place("losses", series.dialect, series.upstream, loss.severity)] += 1
        for upstream, reason in context.retries:
            values[self._place("retries", upstream, reason)] += 1

    # places

    def _series(self, context: RequestContext) -> "_Series":
        dialect = "" if context.route.foreign else context.route.dialect
        status = context.status or (_LEFT if context.end in _GONE else 500)
        end = context.end or ("done" if context.status else "error")
        known = self._tally.known
        upstream, model = context.upstream, ""
        if not upstream and context.tried is not None:  # it was asked in vain
            upstream, model = context.tried.adapter.name, context.tried.model
        key = dialect, upstream, model, status, end
        found: _Series | None = known.get(key)
        if found is None:
            upstream, _, named = (upstream, "", model) if model else upstream.partition("/")
            label = self._label(upstream, named, served=not model and status < 400)
            found = self._new(dialect, upstream, label, str(status), end)
            if label == named:  # else it may get a name of its own later
                known[key] = found
        return found

    def _new(self, dialect: str, upstream: str, model: str, status: str, end: str) -> "_Series":
        place = self._place
        return _Series(
            dialect=dialect,
            upstream=upstream,
            requests=place("requests", dialect, upstream, model, status),
            ends=place("request_ends", dialect, upstream, end),
            seconds=place("request_seconds", upstream, model, count=VALUES),
            first_byte=place("first_byte_seconds", upstream, model, count=VALUES) if upstream else 0,
            tokens=tuple(place("tokens", kind, upstream, model) for kind in TOKENS) if upstream else (),
        )

    def _label(self, upstream: str, model: str, *, served: bool) -> str:
        """Say how a model is called here: those that no list has by their names only when they have served, and few."""
        adapter = self._adapters.get(upstream)
        listed = not model or (adapter is not None and model in adapter.models())
        if listed or (upstream, model) in self._unlisted:
            return model
        if not served or len(self._unlisted) >= _UNLISTED or not self._tally.has_room:
            return OTHER
        self._unlisted.add((upstream, model))
        return model

    def _place(self, name: Name, *labels: str, count: int = 1, live: bool = False) -> int:
        known = self._tally.known
        key = name, *labels
        found: int | None = known.get(key)
        if found is None:
            found = known[key] = self._tally.place(msgspec.json.encode(key), count, live=live)
        return found


class _Series(Struct, frozen=True, kw_only=True):
    """Where one kind of request is counted."""

    dialect: str
    upstream: str
    requests: int
    ends: int
    seconds: int
    first_byte: int
    tokens: tuple[int, ...]


def _observe(values: "memoryview[float]", place: int, seconds: float) -> None:
    values[place + bisect_left(BOUNDS_S, seconds)] += 1
    values[place + _SUM] += seconds

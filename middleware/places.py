"""Where requests are counted: which cells of the tally, under which labels."""

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

from gateway.context import RequestContext
from gateway.histogram import VALUES
from gateway.middleware.families import TOKENS, Name
from gateway.store.tally import Tally
from gateway.upstream import Adapter

__all__ = ["OTHER", "Now", "Places", "Series"]

OTHER: Final = "other"  # stands for models that no list has, once there are too many of them
_UNLISTED: Final = 100
_LONGEST: Final = 200
_LEFT: Final = 499  # nginx's status for a caller that left before there was one
_GONE: Final = ("client_closed", "cancelled")


class _Place(Protocol):
    def __call__(self, name: Name, /, *labels: str, count: int = 1, live: bool = False) -> int: ...


class Places:
    """The cells of one middleware. `adapters`: the upstreams by name; `place`: gives one by its metric and labels."""

    def __init__(self, tally: Tally, adapters: Mapping[str, Adapter]) -> None:
        self.place: _Place = tally.at
        self._tally = tally
        self._adapters = adapters
        self._unlisted: set[tuple[str, str]] = set()

    def series(self, context: RequestContext) -> "Series":
        """Tell what a request that has ended belongs to."""
        dialect = "" if context.route.foreign else context.route.dialect
        status = context.status or (_LEFT if context.end in _GONE else 500)
        end = context.end or ("done" if context.status else "error")
        known, served = self._tally.known, bool(context.upstream)  # else it was asked in vain
        upstream, model = context.answerer
        key = dialect, upstream, model, status, end, served
        found: Series | None = known.get(key)
        if found is None:
            label = self._label(upstream, model, served=served and status < 400)
            found = self._new(dialect, upstream, label, str(status), end)
            if label == model:  # else it may get a name of its own later
                known[key] = found
        return found

    def _new(self, dialect: str, upstream: str, model: str, status: str, end: str) -> "Series":
        place = self.place
        return Series(
            dialect=dialect,
            upstream=upstream,
            model=model,
            requests=place("requests", dialect, upstream, model, status),
            ends=place("request_ends", dialect, upstream, end),
            seconds=place("request_seconds", upstream, model, count=VALUES),
            first_byte=place("first_byte_seconds", upstream, model, count=VALUES) if upstream else 0,
            gaps=place("chunk_gap_seconds", upstream, model, count=VALUES) if upstream else 0,
            tokens=tuple(place("tokens", kind, upstream, model) for kind in TOKENS) if upstream else (),
        )

    def _label(self, upstream: str, model: str, *, served: bool) -> str:
        """Say how a model is called here: those that no list has by their names only when they have served, and few.

        Others that are new have theirs as long as there is room, which what they all have in common needs, too.
        """
        if not model or (upstream, model) in self._unlisted or self._tally.holds("request_seconds", upstream, model):
            return model
        adapter = self._adapters.get(upstream)
        listed = adapter is not None and model in adapter.models()
        is_name = len(model) <= _LONGEST and model.isprintable()  # Prometheus reads no page with a NUL in it
        if not self._tally.has_room or not (listed or (served and is_name and len(self._unlisted) < _UNLISTED)):
            return OTHER
        if not listed:
            self._unlisted.add((upstream, model))
        return model

    def now(self) -> "Now":
        """Give those of what there is at the moment."""
        known = self._tally.known
        found: Now | None = known.get(Now)
        if found is None:
            place = self.place
            found = known[Now] = Now(
                under_way=place("requests_under_way", live=True),
                waiting=place("requests_waiting", live=True),
                streams=place("open_streams", live=True),
            )
        return found


class Now(Struct, frozen=True, kw_only=True):
    """Where is counted what there is at the moment."""

    under_way: int
    waiting: int
    streams: int


class Series(Struct, frozen=True, kw_only=True):
    """Where one kind of request is counted."""

    dialect: str
    upstream: str
    model: str
    requests: int
    ends: int
    seconds: int
    first_byte: int
    gaps: int
    tokens: tuple[int, ...]

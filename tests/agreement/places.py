"""The places that tell of requests, each read into the names by which the books say what it must tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from .books import GAUGES, REPORTS, Books, Said, Sums, billionths
from .site import Site

__all__ = ["PLACES", "Place", "differences", "different", "under_way"]

# of each family, the labels that the books know
_COUNTED: Final[Mapping[str, tuple[str, ...]]] = {
    "requests_total": ("dialect", "upstream", "model", "status"),
    "request_ends_total": ("dialect", "upstream", "end"),
    "errors_total": ("dialect", "upstream"),
    "tokens_total": ("kind", "upstream", "model"),
    "cost_usd_total": ("upstream", "model"),
    "limit_refusals_total": ("limit",),
    "retries_total": ("upstream",),
}
_KINDS: Final = ("input", "cached", "output")
_PREFIX: Final = "gateway_"
_KNOWN: Final = tuple(_PREFIX + name for name in (*_COUNTED, *GAUGES))


@dataclass(frozen=True)
class Place:
    """One of them. `must`: what it has to tell; `tells`: what it does."""

    name: str
    must: Callable[[Books], Said]
    tells: Callable[[Site, Books], Awaitable[Said]]


async def differences(site: Site, books: Books) -> list[str]:
    """Say what is told otherwise than it should be, after the last request of the books."""
    return [one for place in PLACES for one in different(place.name, place.must(books), await place.tells(site, books))]


def different(place: str, must: Said, tells: Said) -> list[str]:
    """Say what a place tells otherwise."""
    return [
        f"{place}: {name} is {tells.get(name)}, not {must.get(name)}"
        for name in {**must, **tells}
        if must.get(name) != tells.get(name)
    ]


async def under_way(site: Site) -> Said:
    """Read what is told of requests that have not ended."""
    rows = {row["id"]: (row["key"], row["dialect"], row["upstream"]) for row in await site.live()}
    return {**rows, **{name: value for name, _, value in _samples(await site.metrics()) if name in GAUGES and value}}


async def _log(site: Site, books: Books) -> Said:
    line = await site.line(books.ended[-1].id)
    return {name: line.get(name) for name in books.line()}


async def _heard(_: Site, books: Books) -> Said:
    return {books.ended[-1].id: books.ended[-1].heard}


async def _room(_: Site, books: Books) -> Said:
    one = books.ended[-1]
    return {} if one.room is None else {one.id: one.room}


async def _ledger(site: Site, _: Books) -> Said:
    said: dict[Hashable, Any] = {}
    for by in REPORTS:
        report = await site.ledger(by)
        said |= {(by, row["name"] or ""): Sums.told(row) for row in report["rows"]}
        said[by, "all"] = Sums.told(report["total"])
    return said


async def _own(site: Site, books: Books) -> Said:
    must = books.own()
    if not must:
        return {}
    told = await site.own(books.keys[books.ended[-1].key].secret)
    left = {
        ("left", name): billionths(amount) if name.startswith("usd") else amount
        for name, amount in told["left"].items()
        if ("left", name) in must
    }
    return {**{name: Sums.told(row) for name, row in told["usage"].items()}, **left}


async def _metrics(site: Site, _: Books) -> Said:
    counts: Counter[Hashable] = Counter()
    for name, labels, value in _samples(await site.metrics()):
        if name in _COUNTED and labels.get("kind", "input") in _KINDS:
            found = (name, *(labels[label] for label in _COUNTED[name]))
            counts[found] += billionths(value) if "usd" in name else int(value)
    return {name: count for name, count in counts.items() if count}


async def _nothing(site: Site, _: Books) -> Said:
    return await under_way(site)


def _samples(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Read those that the books know: the histograms are most of a page, and take long."""
    known = [line for line in page.splitlines(keepends=True) if line.startswith(_KNOWN)]
    for family in text_string_to_metric_families("".join(known)):
        for sample in family.samples:
            yield sample.name.removeprefix(_PREFIX), sample.labels, sample.value


PLACES: Final = (
    Place("the access log", Books.line, _log),
    Place("the answer", Books.heard, _heard),
    Place("its headers", Books.room, _room),
    Place("the ledger", Books.ledger, _ledger),
    Place("/usage", Books.own, _own),
    Place("the metrics", Books.metrics, _metrics),
    Place("what is under way", lambda _: {}, _nothing),
)

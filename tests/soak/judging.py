"""What a soak must not find. Each check is pure: it reads what was noted, and gives a line for each thing found wrong.

The ledger and the books of the upstreams meet by the name of each request. A row that is `done` has the tokens that an
upstream has told for it; a row that is not may have an estimate. Two upstream calls for one request are retries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from tests.soak.books import Booked
from tests.soak.callers import Seen
from tests.soak.memory import Slope

__all__ = [
    "KILL_S",
    "MOST_BLOCKS",
    "MOST_MB_PER_HOUR",
    "SPARE_FDS",
    "Row",
    "held",
    "hung",
    "leaked",
    "ledger",
    "slopes",
]

KILL_S = 5.0  # a broken connection is a kill's when it breaks this long after
LEFT_S = 5.0  # so long a busy worker may take to learn that a caller has left; who kills it before has killed the row
MOST_MB_PER_HOUR = 1.0
MOST_BLOCKS = 10_000  # of 500,000; in half an hour a worker answers some 7,000 requests
SPARE_FDS = 2
ENDED = ("done", "error", "client_closed", "cancelled")


class Row(Struct):
    """What the ledger knows of a request."""

    asked: str
    end: str
    status: int
    input: int
    output: int
    estimated: bool


def hung(seen: Iterable[Seen], kills: Collection[float]) -> Iterator[str]:
    """Find requests that did not end in time, and answers that broke though nobody was killed."""
    for one in seen:
        if one.hung:
            yield f"{one.name} hung: no end within {one.ended - one.began:.0f} s, status {one.status}"
        if one.broken and not _killed(one, kills):
            yield f"{one.name} broke without a kill: {one.broken}"


def ledger(
    rows: Sequence[Row], seen: Sequence[Seen], calls: Iterable[Booked], kills: Collection[float]
) -> Iterator[str]:
    """Compare the rows with what callers have seen and with the books of the upstreams."""
    known, books = {one.name: one for one in seen}, _by_name(calls)
    yield from (f"a row without a name: {row}" for row in rows if not row.asked and (row.end == "done" or row.input))
    rows = [row for row in rows if row.asked]  # who leaves before his words are read has asked for no model
    times = Counter(row.asked for row in rows)
    yield from (f"{name} has {count} rows" for name, count in times.items() if count > 1)
    by_name = {row.asked: row for row in rows}
    yield from (f"{name} has a row, and nobody asked for it" for name in by_name.keys() - known.keys())
    yield from (f"{name} was answered by an upstream, and has no row" for name in books.keys() - by_name.keys())
    for one in seen:
        row = by_name.get(one.name)
        if row is not None:
            yield from _unequal(row, one, books.get(one.name, ()), kills)
        elif one.status == 200:
            yield f"{one.name} was answered, and has no row"


def _unequal(row: Row, seen: Seen, calls: Sequence[Booked], kills: Collection[float]) -> Iterator[str]:
    told = {call.tokens for call in calls if call.tokens is not None}
    if row.end == "killed" and not _killed(seen, kills):
        yield f"{row.asked} is killed, and no worker was"
    if row.end not in ("killed", *ENDED):
        yield f"{row.asked} ended as {row.end!r}"
    if seen.whole and row.end != "done":
        yield f"{row.asked} came whole, and its row says {row.end}"
    if row.end == "done" and not told and not row.estimated:  # it ended behind its finish reason, before its usage
        yield f"{row.asked} has {row.input}+{row.output} tokens, of which no upstream has told"
    if row.end == "done" and told and (row.estimated or (row.input, row.output) not in told):
        guess = ", estimated" if row.estimated else ""
        yield f"{row.asked} has {row.input}+{row.output} tokens{guess}; its upstream has told {sorted(told)}"
    if row.end != "done" and not row.estimated and (row.input or row.output) and (row.input, row.output) not in told:
        yield f"{row.asked} ({row.end}) has {row.input}+{row.output} tokens; its upstream has told {sorted(told)}"
    if sum(call.whole and not call.mangled for call in calls) > 1:
        yield f"{row.asked} was answered {len(calls)} times"


def leaked(what: str, now: Mapping[str, int], before: Mapping[str, int], spare: int = 0) -> Iterator[str]:
    """Find what there is more of than before."""
    for name, count in now.items():
        allowed = before.get(name, 0) + spare
        if count > allowed:
            yield f"{what}: {count} {name}, {before.get(name, 0)} before"


def slopes(lines: Mapping[str, Slope | None]) -> Iterator[str]:
    """Find memory that grows, beyond doubt, faster than it may."""
    for name, line in lines.items():
        if line is not None and line.least > MOST_MB_PER_HOUR:
            yield f"{name} grows by {line}"


def held(grown: Mapping[str, int]) -> Iterator[str]:
    """Find objects that are still there: memory that is free, and held for later, hides them from the slope."""
    for name, blocks in grown.items():
        if blocks > MOST_BLOCKS:
            yield f"{name} holds {blocks} blocks of memory more than after the warm-up"


def _killed(seen: Seen, kills: Collection[float]) -> bool:
    ended = seen.ended + LEFT_S if seen.left else seen.ended
    return any(seen.began - KILL_S <= at <= ended for at in kills)


def _by_name(calls: Iterable[Booked]) -> dict[str, list[Booked]]:
    found: dict[str, list[Booked]] = {}
    for call in calls:
        if call.name:
            found.setdefault(call.name, []).append(call)
    return found

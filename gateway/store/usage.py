"""The ledger in the database: a row for each request that was admitted, filled from the journals.

Blocking: call it from a worker thread. Times are Unix seconds; everything raises StoreFailed or KeyProblem.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    QueuePool,
    Select,
    and_,
    case,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
)

from gateway.store.database import Database, put
from gateway.store.filling import KILLED, Filling
from gateway.store.journal import Ended
from gateway.store.reports import Grouping, Only, Point, Report, Sums, rounded, total
from gateway.store.rows import storable
from gateway.store.tables import credentials, leases, usage

__all__ = ["UsageStore"]

_DAY_S: Final = 86_400
_BATCH: Final = 500  # rows that are dropped in one transaction
_DROPPING_S: Final = 0.5  # at a time: who asks for the usage meanwhile waits for that
_SAID: Final = "usage said"  # a lease that is over: when somebody has summed up
_LATE_S: Final = 5.0  # until when other hosts have taken their rows in
_ID: Final = 8  # letters of a credential's id, where it has no e-mail


def _sum(column: Column[Any]) -> ColumnElement[int]:
    return cast(func.sum(column), BigInteger)  # PostgreSQL would make a decimal number of it


_FAILED: Final = usage.c.end.in_(("error", KILLED))
_COST_UNKNOWN: Final = and_(
    usage.c.usd.is_(None), or_(usage.c.input + usage.c.output > 0, and_(usage.c.model != "", usage.c.end != "error"))
)
_LONG_S: Final = _DAY_S  # no request lasts longer
_SUMS: Final = (
    func.count().label("requests"),
    func.sum(case((_FAILED, 1), else_=0)).label("errors"),
    _sum(usage.c.input).label("input_tokens"),
    _sum(usage.c.cached).label("cached_tokens"),
    _sum(usage.c.output).label("output_tokens"),
    _sum(usage.c.reasoning).label("reasoning_tokens"),
    func.sum(usage.c.usd).label("usd"),
    func.sum(case((usage.c.estimated, 1), else_=0)).label("estimated"),
    func.sum(case((_COST_UNKNOWN, 1), else_=0)).label("unpriced"),
)
_OF_POINTS: Final = (
    func.count().label("requests"),
    func.sum(case((_FAILED, 1), else_=0)).label("errors"),
    _sum(usage.c.input).label("input_tokens"),
    _sum(usage.c.output).label("output_tokens"),
    func.sum(usage.c.usd).label("usd"),
    func.sum(case((_COST_UNKNOWN, 1), else_=0)).label("unpriced"),
    func.avg(usage.c.first_byte_s).label("first_byte_s"),
    func.avg(case((usage.c.end != KILLED, usage.c.total_s))).label("total_s"),
)
_NO_FILTER: Final[Only] = {}


class UsageStore:
    """The ledger of every host that shares a database.

    `folder`: the journals of this one; `keep_days`: 0 = nothing; `now`: Unix seconds.
    """

    def __init__(
        self,
        file: Path,
        folder: Path,
        keys: Sequence[str] = (),
        *,
        url: str = "",
        keep_days: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keep_s = keep_days * _DAY_S
        self._database = Database(file, keys, url=url, pool=QueuePool)  # to open a file takes as long as 200 rows
        self._filling = Filling(self._database, folder, now=now)

    def open(self) -> None:
        """Make the database if there is none, and see that the keys fit."""
        self._database.open()

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._database.close()

    def fill(self) -> int:
        """Take what the processes of this host have written; give how many rows that made."""
        return self._filling.fill()

    def take_damaged(self) -> set[str]:
        """Give the names of the journals of which something could not be read since the last call."""
        return self._filling.take_damaged()

    def drop(self, now: float) -> bool:
        """Drop what is too old, in transactions for which others can wait; False where a next call has more to do.

        Hosts of one PostgreSQL have its clock.
        """
        until = time.monotonic() + _DROPPING_S
        while True:
            with self._database.writing(None) as connection:
                then = (self._database.now(connection) if self._database.url else now) - self._keep_s
                oldest = select(usage.c.id).where(usage.c.started_at < then).limit(_BATCH)
                if connection.execute(delete(usage).where(usage.c.id.in_(oldest))).rowcount < _BATCH:
                    return True
            if time.monotonic() >= until:
                return False

    def report(
        self, by: Grouping, since: float | None, until: float | None, key_id: str = "", only: Only = _NO_FILTER
    ) -> Report:
        """Sum up requests by when they began; `key_id`: only those of one key. Days in order, others by cost."""
        rows = self._sums(by, _began(since, until, key_id, only))
        if by == "day":
            rows.sort(key=lambda row: row.name or "")
        else:
            rows.sort(key=lambda row: (-(row.usd or 0.0), -row.requests, row.name or ""))
        return Report(by=by, since=since, until=until, rows=rows, total=total(rows))

    def may_say(self, since: float, now: float, every_s: float) -> tuple[float, float] | None:
        """Take the turn to sum up; give from when until when, None when another process of any host has just done it.

        `since`: from when, where nobody did it before.
        """
        late_s = _LATE_S if self._database.url else 0.0
        with self._database.writing() as connection:
            said = connection.scalar(select(leases.c.until).where(leases.c.name == _SAID))
            if abs(now - (since if said is None else said)) < every_s / 2:
                return None
            put(connection, leases, {"name": _SAID, "owner": "", "until": now})
        begin, end = since if said is None else said - late_s, now - late_s
        return (begin if begin <= end else end - every_s), end  # the clock may have been set back

    def ended(self, since: float, until: float) -> list[Sums]:
        """Sum up by upstream what has ended in a time."""
        recent = usage.c.started_at >= since - _LONG_S  # so that the index finds them
        return self._sums("upstream", [recent, _ended_at() >= since, _ended_at() < until])

    def series(self, since: float, until: float, step_s: int, only: Only = _NO_FILTER) -> list[Point]:
        """Sum up requests by steps of time in which they began; steps without any are left out."""
        with self._database.reading() as connection:
            at = _step(step_s, connection.dialect.name).label("at")
            query = select(at, *_OF_POINTS).where(*_began(since, until, "", only)).group_by(at).order_by(at)
            found = connection.execute(query).mappings().all()
        return [msgspec.convert({**row, "usd": rounded(row["usd"])}, Point) for row in found]

    def rows(
        self,
        since: float | None,
        until: float | None,
        limit: int,
        only: Only = _NO_FILTER,
        after: tuple[float, str] | None = None,
    ) -> list[Ended]:
        """Give the newest requests of a time, newest first; `after`: (started_at, id) of the last one that is known."""
        where = []
        if after is not None:
            at, id_ = after[0], storable(after[1])
            where = [usage.c.started_at <= at, or_(usage.c.started_at < at, usage.c.id > id_)]
            until = until if until is not None and until <= at else None  # with both, SQLite would begin at this one
        where += _began(since, until, "", only)
        query = select(usage).where(*where).order_by(usage.c.started_at.desc(), usage.c.id)
        with self._database.reading() as connection:
            found = connection.execute(query.limit(limit)).mappings().all()
        return [Ended(**{**row, "total_s": None} if row["end"] == KILLED else row) for row in found]

    def _sums(self, by: Grouping, which: Sequence[ColumnElement[bool]]) -> list[Sums]:
        with self._database.reading() as connection:
            found = connection.execute(_grouped(by, which, connection.dialect.name)).mappings().all()
        tidy = ({**row, "name": row["name"] or None, "usd": rounded(row["usd"])} for row in found)
        return [msgspec.convert(row, Sums) for row in tidy]


def _began(since: float | None, until: float | None, key_id: str, only: Only = _NO_FILTER) -> list[ColumnElement[bool]]:
    found = [usage.c.started_at >= since] if since is not None else []
    found += [usage.c.started_at < until] if until is not None else []
    found += [usage.c[name] == storable(value) for name, value in only.items()]
    return found + ([usage.c.key_id == key_id] if key_id else [])


def _ended_at() -> ColumnElement[float]:
    return usage.c.started_at + func.coalesce(usage.c.total_s, 0.0)  # null: an older version's, of one that was killed


def _grouped(by: Grouping, which: Sequence[ColumnElement[bool]], dialect: str) -> Select[*tuple[Any, ...]]:
    """Make the question: a row for each name, and what its requests came to."""
    if by == "credential":
        account = and_(credentials.c.upstream == usage.c.upstream, credentials.c.id == usage.c.credential)
        name = func.coalesce(func.nullif(credentials.c.email, ""), func.substr(usage.c.credential, 1, _ID))
        whole = select(name.label("name"), *_SUMS).select_from(usage.outerjoin(credentials, account))
        return whole.where(*which).group_by("name")
    grouped: ColumnElement[str] = _day(dialect) if by == "day" else usage.c[by]
    return select(grouped.label("name"), *_SUMS).where(*which).group_by(grouped)


def _step(step_s: int, dialect: str) -> ColumnElement[int]:
    """Write the step that a request began in; a cast cuts off in SQLite and rounds in PostgreSQL."""
    steps = usage.c.started_at / step_s
    whole = steps if dialect == "sqlite" else func.floor(steps)
    return cast(whole, BigInteger) * step_s


def _day(dialect: str) -> ColumnElement[str]:
    """Write the day in UTC; as parts of a question to PostgreSQL, the form must not be a value."""
    if dialect == "sqlite":
        return func.strftime(literal_column("'%Y-%m-%d'"), usage.c.started_at, literal_column("'unixepoch'"))
    moment = func.timezone(literal_column("'UTC'"), func.to_timestamp(usage.c.started_at))
    return func.to_char(moment, literal_column("'YYYY-MM-DD'"))

"""The page of what requests took: filtered, drawn, and as CSV.

GET /admin/usage                 for people; programs get the JSON of gateway.admin.usage
GET /admin/usage/requests.csv    a line for each request, newest first, as it is read
"""

import csv
import io
import math
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Final

from msgspec import Struct
from starlette.responses import Response, StreamingResponse

from gateway.admin.places import Place, reading
from gateway.admin.series import Series, Window, asked_for, only_of, window_of
from gateway.admin.usage import UsageReports, ledger_of, read_by
from gateway.admin.visit import Visit
from gateway.admin.wording import iso
from gateway.admin.writing import Writing
from gateway.errors import GatewayError, InvalidRequest
from gateway.ledger import Ledger
from gateway.periods import read_moment
from gateway.services import Services
from gateway.store.journal import Ended
from gateway.store.reports import BY, Only

__all__ = ["UsagePage"]

_PERIODS: Final = {"1h": "hour", "24h": "24 hours", **{f"{days}d": f"{days} days" for days in (7, 30, 90, 400)}}
_PATH: Final = "/admin/usage"
_CSV: Final = "/admin/usage/requests.csv"
_SHOWN: Final = 50  # requests on one page
_BATCH: Final = 500  # rows that are read at a time, and written without a pause
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what a table calculation would compute
# by which name rows are, and by what those of one of them are grouped then
_NARROWED: Final = {"key": ("caller", "model"), "model": ("model", "key"), "upstream": ("upstream", "model")}
_COLUMNS: Final = tuple(name for name in Ended.__struct_fields__ if name not in ("key_id", "started_at"))


class _Asked(Struct, frozen=True):
    """What a form asks for. `begin`, `end`: days, which go before the `since` of the list."""

    by: str
    since: str
    begin: str
    end: str
    only: Only


class UsagePage:
    """The page of one app. `reports`: gives the JSON."""

    def __init__(self, services: Services, reports: UsageReports, series: Series, writing: Writing) -> None:
        self._services = services
        self._reports = reports
        self._series = series
        self._writing = writing

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        if path == _CSV:
            return Place(reading(self._download))
        return Place(reading(self._show)) if path == _PATH else None

    async def _show(self, visit: Visit) -> Response:
        if not visit.html:
            return await self._reports.show(visit)
        asked, after = _asked(visit.query), visit.query.get("after", "")
        values: dict[str, object] = {
            "asked": asked,
            "after": after,
            "every_by": BY,
            "periods": _PERIODS,
            "upstreams": list(self._services.adapters),
            "report": None,
        }
        try:
            values |= await self._found(asked, _place(after))
            values["older"] = {**visit.query, "after": values["last"]}
        except GatewayError as error:
            return await self._writing.page(visit, "usage", values, error)
        return await self._writing.page(visit, "usage", values)

    async def _found(self, asked: _Asked, after: tuple[float, str] | None) -> dict[str, object]:
        window, (since, until) = self._times(asked)
        ledger, only = ledger_of(self._services), asked.only
        rows = await ledger.rows(since, until, _SHOWN + 1, only=only, after=after)
        shown = rows[:_SHOWN]
        report = await ledger.report(read_by(asked.by), since, until, only=only)
        return {
            "report": report,
            "points": await self._series.points(window, only),
            "step_s": window.step_s,
            "rows": shown,
            "last": f"{shown[-1].started_at!r},{shown[-1].id}" if len(rows) > _SHOWN else "",
            "query": _query(since, until, only),
            "narrowed": partial(_narrowed, asked),
        }

    def _times(self, asked: _Asked) -> tuple[Window, tuple[float, float]]:
        now = self._services.clock.time()
        try:
            until = read_moment(asked.end, now, end=True) if asked.end else now
            since = read_moment(asked.begin, now) if asked.begin else read_moment(asked.since, until)
        except ValueError as error:
            raise InvalidRequest(str(error), param="since") from None
        return window_of(since, until, now), (since, until)

    async def _download(self, visit: Visit) -> Response:
        asked = _asked(visit.query)
        _, (since, until) = self._times(asked)
        ledger = ledger_of(self._services)  # raises where there is none, before the answer begins
        name = f"usage-{iso(since)[:10]}-{iso(until)[:10]}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        begin = BOM_UTF8 if visit.html else b""  # by which Excel knows that names are in UTF-8
        lines = _lines(ledger, since, until, asked.only, begin)
        return StreamingResponse(lines, headers=headers, media_type="text/csv")


async def _lines(ledger: Ledger, since: float, until: float, only: Only, begin: bytes) -> AsyncGenerator[bytes]:
    """Write all requests of a time, some at a time."""
    yield begin + _csv([("started_at", *_COLUMNS)])
    after: tuple[float, str] | None = None
    while rows := await ledger.rows(since, until, _BATCH, only=only, after=after):
        yield _csv([(iso(row.started_at), *map(_cell, (getattr(row, name) for name in _COLUMNS))) for row in rows])
        after = rows[-1].started_at, rows[-1].id


def _asked(query: Mapping[str, str]) -> _Asked:
    since, until = query.get("since", "7d"), query.get("until", "").strip()
    begin, end = query.get("begin", "").strip(), query.get("end", "").strip() or until
    if since not in _PERIODS or (until and "since" in query):  # a link of ours, or of a program's
        begin, since = begin or since, "7d"
    return _Asked(query.get("by", "key"), since, begin, end, only_of(query))


def _narrowed(asked: _Asked, name: str | None) -> dict[str, str]:
    """Give the parameters that ask for the requests of one row alone; {} where none do."""
    here = {"since": asked.since, "begin": asked.begin, "end": asked.end, **asked_for(asked.only)}
    if name and asked.by == "day":
        return {**here, "begin": name, "end": name, "by": "key"}
    if not name or asked.by not in _NARROWED:
        return {}
    parameter, by = _NARROWED[asked.by]
    return {**here, parameter: name, "by": by}


def _place(after: str) -> tuple[float, str] | None:
    """Read behind which request the older ones begin, as `last` names it; None for "". Raise InvalidRequest."""
    if not after:
        return None
    moment, _, name = after.partition(",")
    try:
        return float(moment), name
    except ValueError:
        raise InvalidRequest("after: is not a position that the page gave", param="after") from None


def _query(since: float, until: float, only: Only) -> dict[str, str]:
    """Give the parameters that ask for the same time and requests; a part of a second is not written."""
    return {"since": iso(since), "until": iso(math.ceil(until)), **asked_for(only)}


def _cell(value: object) -> object:
    """Keep a text from being taken for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv(rows: "list[tuple[object, ...]]") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()

"""What requests took, as the ledger has it.

GET /admin/usage?by=key|credential|model|upstream|day&since=&until=   JSON
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import asdict
from starlette.responses import Response

from gateway.admin.visit import Visit
from gateway.admin.wording import iso_or_none
from gateway.clock import Clock
from gateway.errors import InvalidRequest, NotFound
from gateway.ledger import Ledger
from gateway.periods import read_moment
from gateway.services import Services
from gateway.store.reports import BY, By, Report

__all__ = ["UsageReports", "as_json", "ledger_of", "read_by", "read_time"]

_PARAMETERS: Final = ("by", "since", "until")


class UsageReports:
    """The reports of one app."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def show(self, visit: Visit) -> Response:
        """Give the report that is asked for; raise InvalidRequest, NotFound where there is no ledger."""
        return Response(as_json(await self._report(visit.query)), media_type="application/json")

    async def _report(self, query: Mapping[str, str]) -> Report:
        clock = self._services.clock
        unknown = [name for name in query if name not in _PARAMETERS]
        if unknown:
            raise InvalidRequest(
                f"{unknown[0][:40]}: the parameters are {', '.join(_PARAMETERS)}", param=unknown[0][:40]
            )
        by = read_by(query.get("by", "key"))
        since, until = read_time(query, "since", clock), read_time(query, "until", clock)
        if since is not None and until is not None and since >= until:
            raise InvalidRequest("since: must be before until", param="since")
        return await ledger_of(self._services).report(by, since, until)


def ledger_of(services: Services) -> Ledger:
    """Give the ledger; raise NotFound."""
    if services.ledger is None:
        raise NotFound("there is no ledger: it needs usage.enabled and usage.keep_days in gateway.toml")
    return services.ledger


def read_by(given: str) -> By:
    """Read what requests are to be grouped by; raise InvalidRequest."""
    if given not in BY:
        raise InvalidRequest(f"by: {given[:40]!r} is not one of {', '.join(BY)}", param="by")
    return given


def read_time(query: Mapping[str, str], name: str, clock: Clock) -> float | None:
    """Read one end of the time that is asked for; raise InvalidRequest."""
    given = query.get(name, "")
    try:
        return read_moment(given, clock.time(), end=name == "until") if given else None
    except ValueError as error:
        raise InvalidRequest(f"{name}: {error}", param=name) from None


def as_json(report: Report) -> bytes:
    """Write a report for programs."""
    whole = asdict(report.total)
    del whole["name"]
    times = {"since": iso_or_none(report.since), "until": iso_or_none(report.until)}
    return msgspec.json.encode({"by": report.by, **times, "rows": report.rows, "total": whole})

"""What requests came to over time, for charts and for the tables beside them.

GET /admin/usage/series?since=&until=&caller=&model=&upstream=    JSON, a column for each number, as pages have them

`caller` is the name of a key: `key` would be one.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct
from starlette.responses import Response

from gateway.admin.places import Place, reading
from gateway.admin.usage import ledger_of, read_time
from gateway.admin.visit import Visit
from gateway.errors import InvalidRequest
from gateway.services import Services
from gateway.store.reports import Only, Point

__all__ = ["Series", "Window", "asked_for", "columns_of", "only_of", "window_of"]

_PATH: Final = "/admin/usage/series"
_DAY_S: Final = 86_400
_STEPS_S: Final = (60, 300, 900, 3600, 6 * 3600, _DAY_S, 7 * _DAY_S)
_MOST_STEPS: Final = 62
_NAMES: Final[Mapping[str, Literal["key", "model", "upstream"]]] = {  # by parameter
    "caller": "key",
    "model": "model",
    "upstream": "upstream",
}
_COLUMNS: Final = tuple(name for name in Point.__struct_fields__ if name != "at")


class Window(Struct, frozen=True):
    """A time, Unix seconds, and the steps that it falls into: of the first and the last one it may have a part only."""

    since: float
    until: float
    step_s: int

    def filled(self, points: Sequence[Point]) -> list[Point]:
        """Give a point for each step, also where there was nothing."""
        known = {round(point.at): point for point in points}
        step_s = self.step_s
        places = range(int(self.since // step_s) * step_s, math.ceil(self.until / step_s) * step_s, step_s)
        return [known.get(at) or Point(at=at) for at in places]


class Series:
    """The numbers of one app."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        return Place(reading(self._show)) if path == _PATH else None

    async def points(self, window: Window, only: Only) -> list[Point]:
        """Give a point for each step; raise NotFound."""
        ledger = ledger_of(self._services)
        return window.filled(await ledger.series(window.since, window.until, window.step_s, only=only))

    async def _show(self, visit: Visit) -> Response:
        clock = self._services.clock
        since, until = (read_time(visit.query, name, clock) for name in ("since", "until"))
        window = window_of(since, until, clock.time())
        points = await self.points(window, only_of(visit.query))
        return Response(msgspec.json.encode(columns_of(points, window.step_s)), media_type="application/json")


def window_of(since: float | None, until: float | None, now: float) -> Window:
    """Cut a time into steps, as many as a chart can show; without a begin it is the last day. Raise InvalidRequest."""
    end = min(now, until) if until is not None else now
    begin = since if since is not None else end - _DAY_S
    if not begin < end:
        raise InvalidRequest("since: must be before until", param="since")
    step_s = next((step for step in _STEPS_S if (end - begin) / step <= _MOST_STEPS), _STEPS_S[-1])
    return Window(begin, end, step_s)


def columns_of(points: Sequence[Point], step_s: int) -> dict[str, object]:
    """Give a column for each number, as charts are drawn from it."""
    columns = {name: [getattr(point, name) for point in points] for name in _COLUMNS}
    return {"step_s": step_s, "at": [round(point.at) for point in points], **columns}


def asked_for(only: Only) -> dict[str, str]:
    """Give the parameters that mean these requests."""
    return {parameter: only[name] for parameter, name in _NAMES.items() if name in only}


def only_of(query: Mapping[str, str]) -> Only:
    """Read which requests are meant."""
    return {name: given for parameter, name in _NAMES.items() if (given := query.get(parameter, "").strip())}

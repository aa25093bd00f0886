"""The overview: what runs, how its upstreams are, and what requests came to over time.

GET /, GET /admin
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from starlette.responses import Response

from gateway.admin.places import Place, reading
from gateway.admin.series import Series, window_of
from gateway.admin.visit import Visit
from gateway.admin.writing import Writing
from gateway.errors import GatewayError
from gateway.periods import read_moment
from gateway.services import Services
from gateway.store.reports import Point, spent
from gateway.upstream import Pooling

__all__ = ["Overview"]

_PATHS: Final = ("/", "/admin")
_PERIODS: Final = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}


class _Upstream(Struct, frozen=True, kw_only=True):
    name: str
    type: str
    detail: str
    usable: bool
    states: Mapping[str, int]

    @property
    def failing(self) -> bool:
        """Whether those of its credentials that serve are suspected."""
        serving = [state for state in ("active", "suspected", "cooling") if self.states.get(state)]
        return serving == ["suspected"]


class Overview:
    """The page of one app."""

    def __init__(self, services: Services, series: Series, writing: Writing) -> None:
        self._services = services
        self._series = series
        self._writing = writing
        self._public_url = services.loaded.config.server.public_url

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        return Place(reading(self._show)) if path in _PATHS else None

    async def _show(self, visit: Visit) -> Response:
        upstreams = [
            _Upstream(
                name=name,
                type=self._services.loaded.config.upstream[name].type,
                detail=adapter.state().removeprefix("usable").lstrip(":, "),
                usable=adapter.usable,
                states=adapter.states() if isinstance(adapter, Pooling) else {},
            )
            for name, adapter in self._services.adapters.items()
        ]
        since = visit.query.get("since", "")
        since = since if since in _PERIODS else "24h"
        values: dict[str, object] = {
            "address": self._public_url or visit.origin + visit.base,
            "upstreams": upstreams,
            "periods": _PERIODS,
            "since": since,
            "demo": all(upstream.type == "demo" for upstream in upstreams),
            "points": None,
            "why": "",
        }
        values |= await self._spent(since)
        return await self._writing.page(visit, "overview", values)

    async def _spent(self, since: str) -> dict[str, object]:
        """Give what requests came to; the page is there without it, too."""
        now = self._services.clock.time()
        window = window_of(read_moment(since, now), None, now)
        try:
            points = await self._series.points(window, {})
        except GatewayError as error:
            return {"why": error.message}
        return {"points": points, "sums": _summed(points), "step_s": window.step_s}


def _summed(points: list[Point]) -> Point:
    return Point(
        at=points[0].at,
        requests=sum(point.requests for point in points),
        errors=sum(point.errors for point in points),
        input_tokens=sum(point.input_tokens for point in points),
        output_tokens=sum(point.output_tokens for point in points),
        usd=spent(point.usd for point in points),
        unpriced=sum(point.unpriced for point in points),
    )

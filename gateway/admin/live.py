"""The requests that run now: see them, and end one.

GET /admin/live                 the page, or JSON
POST /admin/live/{id}/cancel    the request ends with an error of its own dialect
"""

import re
from functools import partial
from typing import Final

import msgspec
from msgspec.structs import asdict
from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from gateway.admin.places import Place, reading
from gateway.admin.running import RunningRequests
from gateway.admin.visit import Visit
from gateway.admin.wording import iso
from gateway.admin.writing import Writing
from gateway.errors import GatewayError

__all__ = ["Live"]

_PATH: Final = "/admin/live"
_CANCEL: Final = re.compile(rf"{_PATH}/([A-Za-z0-9_.-]{{1,128}})/cancel")  # the form of a request's id


class Live:
    """The page of one app."""

    def __init__(self, running: RunningRequests, writing: Writing, logger: FilteringBoundLogger) -> None:
        self._running = running
        self._writing = writing
        self._logger = logger

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        found = _CANCEL.fullmatch(path)
        if found is not None:
            return Place({"POST": partial(self._cancel, found[1])})
        return Place(reading(self._show)) if path == _PATH else None

    async def _show(self, visit: Visit) -> Response:
        if not visit.html:
            rows = [{**asdict(one), "since": iso(one.since)} for one in await self._running.rows()]
            return Response(msgspec.json.encode({"requests": rows}), media_type="application/json")
        return await self._page(visit)

    async def _cancel(self, id_: str, visit: Visit) -> Response:
        try:
            await self._running.cancel(id_, visit.by)
        except GatewayError as error:
            if not visit.html:
                raise
            return await self._page(visit, error)
        self._logger.info("request cancelled", request_id=id_, by=visit.by)
        if visit.html:
            return Response(status_code=303, headers={"location": f"{visit.base}{_PATH}?done={id_}"})
        return Response(status_code=204)

    async def _page(self, visit: Visit, error: GatewayError | None = None) -> Response:
        done = visit.query.get("done", "")
        rows = await self._running.rows()
        values = {
            "running": rows,
            "hosts": self._running.sees_hosts,
            "missing": self._running.misses_hosts,
            "several": len({one.host for one in rows}) > 1,
            "done": done if _CANCEL.fullmatch(f"{_PATH}/{done}/cancel") else "",
            "still": visit.query.get("refresh") == "off",
        }
        return await self._writing.page(visit, "live", values, error)

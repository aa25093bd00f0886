"""Make answers of pages, which are loaded when a person first looks at one."""

import math
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final, cast

from starlette.responses import HTMLResponse, Response

from gateway.admin.visit import Visit
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.registry import import_path

if TYPE_CHECKING:
    from gateway.admin.pages import Pages

__all__ = ["Writing"]

_PAGES: Final = "gateway.admin.pages:Pages"  # loads Jinja2


class Writing:
    """Writes the pages of one app."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pages: Pages | None = None

    async def page(
        self, visit: Visit, name: str, values: Mapping[str, object], error: GatewayError | None = None
    ) -> Response:
        """Write a page as a whole, with the error that it tells of, if there is one."""
        text = await self._loaded().write(name, self._values(visit, {**values, "error": error}))
        if error is None:
            return HTMLResponse(text)
        wait = {} if error.retry_after is None else {"retry-after": str(math.ceil(error.retry_after))}
        return HTMLResponse(text, error.status, {**error.headers, **wait})

    def stream(self, visit: Visit, name: str, values: Mapping[str, object]) -> AsyncIterator[str]:
        """Write a page piece by piece."""
        return self._loaded().stream(name, self._values(visit, values))

    def _loaded(self) -> "Pages":
        if self._pages is None:
            self._pages = cast("type[Pages]", import_path(_PAGES))()  # what is loaded by path is not typed
        return self._pages

    def _values(self, visit: Visit, values: Mapping[str, object]) -> dict[str, object]:
        operator = visit.operator
        session = operator.csrf if operator is not None and operator.session is not None else ""
        now = self._clock.time()
        return {"base": visit.base, "path": visit.path, "operator": operator, "csrf": session, "now": now, **values}

"""What operators see and do of the credentials."""

import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final, cast
from urllib.parse import urlencode

from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from gateway.admin.credentials import ACTIONS, Action, Credentials, as_json
from gateway.admin.places import Place, reading
from gateway.admin.visit import Visit
from gateway.admin.weblogin import redirect_uri
from gateway.admin.writing import Writing
from gateway.errors import GatewayError
from gateway.services import Services

__all__ = ["Showing"]

_ONE: Final = re.compile(rf"/admin/credentials/([^/]+)(?:/({'|'.join(ACTIONS)}))?")
_JSON: Final = "application/json"
_LIST: Final = "/admin/credentials"
_DONE: Final[Mapping[str, str]] = {
    "check": "Checked",
    "enable": "Taken into use",
    "disable": "Taken out of use",
    "remove": "Removed",
}


class Showing:
    """The page of one app, and its JSON."""

    def __init__(self, services: Services, credentials: Credentials, writing: Writing) -> None:
        self._credentials = credentials
        self._writing = writing
        self._logger: FilteringBoundLogger = services.logger
        self._public_url = services.loaded.config.server.public_url

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        found = _ONE.fullmatch(path)
        if found is None:
            return Place(reading(self._show)) if path == _LIST else None
        if found[2] is None:
            return Place({"DELETE": partial(self._do, "remove", found[1])})
        return Place({"POST": partial(self._do, cast("Action", found[2]), found[1])})  # as the pattern has it

    async def _show(self, visit: Visit) -> Response:
        if not visit.html:
            return Response(self._credentials.json(), media_type=_JSON)
        return await self._list(visit)

    async def _do(self, action: Action, id_: str, visit: Visit) -> Response:
        upstream = visit.query.get("upstream") or visit.form.get("upstream", "")
        state = visit.form.get("state", "")
        try:
            view = await self._credentials.do(action, id_, upstream)
        except GatewayError as error:
            if not visit.html:
                raise
            return await self._list(visit, error)
        self._logger.info("credential changed", action=action, credential=id_[:8], by=visit.by)
        if visit.html:
            query = urlencode({"done": action, "id": id_, **({"state": state} if state else {})})
            return Response(status_code=303, headers={"location": f"{visit.base}{_LIST}?{query}"})
        return Response(as_json(view), media_type=_JSON) if view is not None else Response(status_code=204)

    async def _list(self, visit: Visit, error: GatewayError | None = None) -> Response:
        pools = list(self._credentials.pools())
        done = _DONE.get(visit.query.get("done", ""), "")
        views = [view for pool in pools for view in pool.credentials]
        about = next((view for view in views if view.id == visit.query.get("id")), None)
        state = visit.query.get("state", "") or visit.form.get("state", "")
        values = {
            "pools": pools,
            "done": done if about is not None or done == _DONE["remove"] else "",
            "about": about,
            "state": state,
            "states": Counter(view.state for view in views),
            "redirect_uri": redirect_uri(visit, self._public_url),
        }
        return await self._writing.page(visit, "credentials", values, error)

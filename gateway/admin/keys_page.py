"""The page of the callers' keys: what each may and has used; make one, which is shown once; revoke one.

GET /admin/keys                   for people; programs get the JSON of gateway.admin.keys
POST /admin/keys                  the page that shows the new key, this once
POST /admin/keys/{name}/revoke
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct
from starlette.responses import Response

from gateway.admin.keys import CallerKeys, table_of
from gateway.admin.places import Place, reading
from gateway.admin.visit import Handler, Visit
from gateway.admin.wording import iso
from gateway.admin.writing import Writing
from gateway.config import LIMIT_KEYS
from gateway.errors import GatewayError
from gateway.keyring import Keyring, KeyRow
from gateway.plans import Left
from gateway.services import Services
from gateway.store.reports import Sums

__all__ = ["KeysPage"]

_PATH: Final = "/admin/keys"
_REVOKE: Final = re.compile(rf"{_PATH}/[^/]+?/revoke")
_SHOWN: Final = 100  # keys on one page: what each has left may have to be read
_COMMON: Final = ("requests_per_minute", "tokens_per_minute", "usd_per_month", "concurrent")
_SCOPES: Final = {"chat": "ask models", "admin": "administer this gateway", "metrics": "read the metrics"}


class _Key(Struct, frozen=True):
    """A key with what it has left and what it has used this month; None = not known."""

    row: KeyRow
    left: Sequence[Left]
    used: Sums | None


class KeysPage:
    """The page of one app. `keys`: gives the JSON, and does it."""

    def __init__(self, services: Services, keys: CallerKeys, writing: Writing) -> None:
        assert services.keyring is not None, "an app has its keys"
        self._services = services
        self._keyring: Keyring = services.keyring
        self._keys = keys
        self._writing = writing

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        place = self._keys.place(path)
        if place is None or (path != _PATH and not _REVOKE.fullmatch(path)):
            return place
        if path == _PATH:
            for_people: Mapping[str, Handler] = {**reading(self._list), "POST": self._make}
        else:
            for_people = {"POST": partial(self._revoke, path.split("/")[3])}
        return Place({method: partial(_choose, place.methods[method], one) for method, one in for_people.items()})

    async def _list(self, visit: Visit, error: GatewayError | None = None) -> Response:
        form: Mapping[str, str] = visit.form if error is not None and visit.path == _PATH else {}
        done = visit.query.get("done", "")
        find, begin = _chosen({**visit.query, **visit.form})
        rows = await self._keyring.rows()
        found = [row for row in rows if find.casefold() in row.name.casefold()]
        begin = begin if begin < len(found) else 0
        values = {
            "keys": await self._known(found[begin : begin + _SHOWN]),
            "count": len(rows),
            "found": len(found),
            "find": find,
            "begin": begin,
            "shown": _SHOWN,
            "closed": self._is_closed(),
            "hindrance": self._services.hindrance() if self._services.has_limits else "",
            "alone": self._services.counts_alone and self._services.has_limits,
            "month": iso(self._month())[:10],
            "done": done if visit.method == "GET" else "",
            "form": form,
            "given": [value for name, value in visit.pairs if name in ("scopes", "upstreams")] if form else ["chat"],
            "scopes": _SCOPES,
            "upstreams": list(self._services.adapters),
            "common": _COMMON,
            "others": [name for name in LIMIT_KEYS if name not in _COMMON],
        }
        return await self._writing.page(visit, "keys", values, error)

    async def _make(self, visit: Visit) -> Response:
        try:
            asked: dict[str, object] = {"scopes": [], **table_of(visit)}  # no box that is ticked is an answer, too
            row, secret = await self._keys.make(asked, visit.by)
        except GatewayError as error:
            return await self._list(visit, error)
        response = await self._writing.page(visit, "key_made", {"row": row, "secret": secret})
        response.status_code = 201
        return response

    async def _revoke(self, name: str, visit: Visit) -> Response:
        try:
            await self._keys.revoke(name, visit.by)
        except GatewayError as error:
            return await self._list(visit, error)
        find, begin = _chosen(visit.form)
        query = {word: value for word, value in (("done", name), ("find", find), ("begin", begin)) if value}
        return Response(status_code=303, headers={"location": f"{visit.base}{_PATH}?{urlencode(query)}"})

    def _is_closed(self) -> bool:
        anyway = self._services.loaded.config.auth.allow_anonymous == "always"
        return bool(self._keyring) and not anyway

    async def _known(self, rows: Sequence[KeyRow]) -> list[_Key]:
        ledger = self._services.ledger
        used: Mapping[str | None, Sums] = {}
        if ledger is not None:
            try:
                report = await ledger.report("key_id", self._month(), None)
                used = {one.name: one for one in report.rows}
            except GatewayError:
                ledger = None  # what the log says of it; the keys are there
        none = Sums() if ledger is not None else None
        return [_Key(row, await self._left(row), used.get(row.id, none)) for row in rows]

    async def _left(self, row: KeyRow) -> Sequence[Left]:
        limiter, key = self._services.limiter, self._keyring.by_id(row.id)
        if limiter is None or key is None:
            return ()
        return await limiter.left(key[0], self._services.loaded.config.limits)

    def _month(self) -> float:
        """Give when the month began, in UTC."""
        now = datetime.fromtimestamp(self._services.clock.time(), UTC)
        return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def _chosen(given: Mapping[str, str]) -> tuple[str, int]:
    """Read which keys are shown: those whose names have this in them, from which one on."""
    begin = given.get("begin", "")
    return given.get("find", ""), int(begin) if re.fullmatch(r"[0-9]{1,6}", begin) else 0


async def _choose(for_programs: Handler, for_people: Handler, visit: Visit) -> Response:
    return await (for_people if visit.html else for_programs)(visit)

"""The keys of callers: show them, make one, revoke one.

GET /admin/keys                    {"keys": […]}
POST /admin/keys                   JSON, or a form; 201 with the key's text as "secret", this once
DELETE /admin/keys/{name}, POST /admin/keys/{name}/revoke

A form has the fields of the JSON; a list is one field with commas, or several fields; a limit is a field of its own
name, such as requests_per_minute, or `limits=requests_per_minute=60`. Empty fields count as absent.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct
from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from gateway.admin.places import Place, reading
from gateway.admin.visit import Visit
from gateway.admin.wording import iso_or_none
from gateway.config import LIMIT_KEYS, NewKey, read_new_key
from gateway.config.sources import Text
from gateway.errors import Conflict, InvalidRequest, NotFound, StoreUnavailable, UnsupportedMediaType
from gateway.keyring import Keyring, KeyRow
from gateway.services import Services
from gateway.store.stored import KeyProblem, StoreFailed, reason_of

__all__ = ["CallerKeys", "plain", "table_of"]

_PATH: Final = "/admin/keys"
_ONE: Final = re.compile(r"/admin/keys/([^/]+?)(/revoke)?")
_JSON: Final = "application/json"
_LISTS: Final = ("models", "upstreams", "scopes")
_NOT_FIELDS: Final = frozenset({"csrf"})
_FAILS: Final = "the keys cannot be saved now; the gateway's log says why"
_PROBLEMS: Final = (StoreFailed, KeyProblem)
_DECODER: Final = msgspec.json.Decoder(dict[str, object])


class _Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What programs may rely on."""

    name: str
    prefix: str | None
    models: Sequence[str]
    upstreams: Sequence[str]
    scopes: Sequence[str]
    expires: str | None
    limits: Mapping[str, float]
    created_at: str | None
    last_used_at: str | None
    source: str
    secret: str = ""


class CallerKeys:
    """The keys of one app."""

    def __init__(self, services: Services) -> None:
        assert services.keyring is not None, "an app has its keys"
        self._services = services
        self._keyring: Keyring = services.keyring
        self._upstreams = services.adapters.keys()
        self._clock = services.clock
        self._logger: FilteringBoundLogger = services.logger

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        if path == _PATH:
            return Place({**reading(self._list), "POST": self._make})
        found = _ONE.fullmatch(path)
        if found is None:
            return None
        return Place({"POST" if found[2] else "DELETE": partial(self._revoke, found[1])})

    async def make(self, table: Mapping[str, object], by: str) -> tuple[KeyRow, str]:
        """Make a key as a table says, for this operator; give its text, too. Raise InvalidRequest, Conflict."""
        try:
            new = read_new_key(table, self._upstreams, self._clock.time())
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        if new.limits and (why := self._services.hindrance()):
            raise InvalidRequest(f"limits: {why}")
        row, secret = await self._made(new)
        self._logger.info("key made", name=row.name, prefix=row.prefix, scopes=[*row.scopes], by=by)
        return row, secret

    async def revoke(self, name: str, by: str) -> None:
        """Revoke a key for this operator; raise NotFound, Conflict."""
        try:
            await self._keyring.revoke(name)
        except KeyError:
            raise NotFound(f"no key is named {name[:64]!r}") from None
        except ValueError as error:
            raise Conflict(str(error)) from None
        except _PROBLEMS as error:
            raise self._failed(error) from None
        self._logger.info("key revoked", name=name, by=by)

    async def _made(self, new: NewKey) -> tuple[KeyRow, str]:
        try:
            return await self._keyring.make(new)
        except ValueError as error:
            raise Conflict(str(error)) from None
        except _PROBLEMS as error:
            raise self._failed(error) from None

    async def _list(self, _: Visit) -> Response:
        rows = [_row(row) for row in await self._keyring.rows()]
        return Response(msgspec.json.encode({"keys": rows}), media_type=_JSON)

    async def _make(self, visit: Visit) -> Response:
        row, secret = await self.make(table_of(visit), visit.by)
        return Response(msgspec.json.encode(_row(row, secret)), 201, media_type=_JSON)

    async def _revoke(self, name: str, visit: Visit) -> Response:
        await self.revoke(name, visit.by)
        return Response(status_code=204)

    def _failed(self, error: Exception) -> StoreUnavailable:
        self._logger.error("the keys cannot be written", reason=reason_of(error))
        return StoreUnavailable(_FAILS)


def plain(row: KeyRow, secret: str = "") -> dict[str, object]:
    """Give a key as JSON has it."""
    return msgspec.to_builtins(_row(row, secret))  # type: ignore[no-any-return]  # a Struct gives a dict


def table_of(visit: Visit) -> Mapping[str, object]:
    """Give what was sent as [[key]] has it; raise InvalidRequest, UnsupportedMediaType."""
    if visit.json is None:
        if not visit.pairs or visit.pairs[0][0].lstrip().startswith("{"):
            raise UnsupportedMediaType("send a key as JSON, content-type: application/json, or as a form")
        return _of_form(visit.pairs)
    try:
        return _DECODER.decode(visit.json)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not a JSON object: {error}") from None


def _of_form(pairs: Sequence[tuple[str, str]]) -> Mapping[str, object]:
    table: dict[str, object] = {}
    lists: dict[str, list[str]] = {}
    limits: dict[str, object] = {}
    for name, value in pairs:
        if not value.strip() or name in _NOT_FIELDS:
            continue
        if name in LIMIT_KEYS:
            limits[name] = Text(value.strip())
        elif name == "limits":
            limits |= {key: Text(amount) for key, _, amount in (word.partition("=") for word in _words(value))}
        elif name in _LISTS:
            lists[name] = [*lists.get(name, ()), *_words(value)]
        else:
            table[name] = value.strip()
    return {**table, **lists, **({"limits": limits} if limits else {})}


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", text) if word]


def _row(row: KeyRow, secret: str = "") -> _Row:
    return _Row(
        name=row.name,
        prefix=row.prefix,
        models=row.models,
        upstreams=row.upstreams,
        scopes=row.scopes,
        expires=iso_or_none(row.expires),
        limits=row.limits,
        created_at=iso_or_none(row.created_at),
        last_used_at=iso_or_none(row.last_used_at),
        source=row.source,
        secret=secret,
    )

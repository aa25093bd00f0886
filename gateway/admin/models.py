"""The models: every name that a caller can use and where it leads, and what would become of a request.

GET /admin/models     the page, or JSON; with ?model= and ?dialect= it explains the smallest request
POST /admin/models    the page that explains a whole one, `body`; nothing is sent, and nothing changes
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import msgspec
from msgspec import Raw, Struct
from starlette.responses import Response

from gateway.admin.places import Place, reading
from gateway.admin.visit import Visit
from gateway.admin.writing import Writing
from gateway.config import ConfigError, Loaded
from gateway.errors import GatewayError, InvalidRequest
from gateway.resolution import Resolution
from gateway.routes import DIALECTS, DialectName
from gateway.services import Services

if TYPE_CHECKING:
    from gateway.explain.asking import Asking
    from gateway.explain.ways import Found, Ways

__all__ = ["Models"]

_PATH: Final = "/admin/models"
_EXPLAIN: Final = "gateway.explain"  # the part that `gateway explain` loads
_WAYS: Final = "gateway.explain.ways"
_SLICE: Final = 32  # names, which take a few milliseconds
_FORM_BYTES: Final = 2 * 1024 * 1024
_FIELDS: Final = ("model", "dialect", "body")


class _Way(Struct, frozen=True):
    """Where a share of the requests goes, from 0 to 1: the targets in the order in which they are tried."""

    share: float
    targets: tuple[str, ...]
    error: str | None = None


class _Led(Struct, frozen=True):
    """A name that callers can use. `keys`: those of gateway.toml that say where it leads. Limits in tokens."""

    name: str
    ways: tuple[_Way, ...]
    keys: tuple[str, ...]
    max_input: int | None
    max_output: int | None


class _Explain(Protocol):
    """What is used of `gateway.explain`."""

    smallest: "Callable[[str, DialectName | None], Asking]"
    recorded: "Callable[[bytes, str, DialectName | None], Asking]"
    explain: "Callable[[Loaded, Asking], Coroutine[Any, Any, object]]"


class Models:
    """The page of one app."""

    def __init__(self, services: Services, writing: Writing) -> None:
        self._services = services
        self._writing = writing

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        return Place({**reading(self._show), "POST": self._show}, form_bytes=_FORM_BYTES) if path == _PATH else None

    async def _show(self, visit: Visit) -> Response:
        led = await self._led()
        if not visit.html:
            return Response(msgspec.json.encode({"models": led}), media_type="application/json")
        given = visit.form or visit.query
        asked = {name: given.get(name, "").strip() for name in _FIELDS}
        values: dict[str, object] = {
            "models": led,
            "dialects": DIALECTS,
            "asked": asked,
            "explained": None,
            "pretty": _pretty,
        }
        if not any(asked.values()):
            return await self._writing.page(visit, "models", values)
        try:
            values["explained"] = await self._explained(**asked)
        except GatewayError as error:
            return await self._writing.page(visit, "models", values, error)
        return await self._writing.page(visit, "models", values)

    async def _led(self) -> list[_Led]:
        """Follow every name, and serve others meanwhile; a rule with weights makes several ways of it."""
        part = await asyncio.to_thread(import_module, _WAYS)
        ways = cast("type[Ways]", part.Ways)(self._services.loaded.config, self._services.adapters)
        led: list[_Led] = []
        for one in _follow(ways):
            led.append(one)
            if len(led) % _SLICE == 0:
                await asyncio.sleep(0)
        return led

    async def _explained(self, model: str, dialect: str, body: str) -> object:
        """Explain as the command does; raise InvalidRequest for what is no request."""
        if not (model or body):
            raise InvalidRequest("give a model, or paste the body of a request", param="model")
        chosen: DialectName | None = next((name for name in DIALECTS if name == dialect), None)
        part = await asyncio.to_thread(import_module, _EXPLAIN)
        try:
            return await asyncio.to_thread(_explain, part, self._services.loaded, model, chosen, body)
        except ValueError as error:
            raise InvalidRequest(f"the body {error}") from None
        except ConfigError as error:
            raise InvalidRequest(str(error)) from None


def _follow(ways: "Ways") -> Iterator[_Led]:
    for name, info in ways.listing().items():
        found = tuple(ways.every(name))
        resolved = (one.resolution for one in found)
        decisions = (each for one in resolved if isinstance(one, Resolution) for each in one.decisions)
        keys = tuple(dict.fromkeys(decision.key for decision in decisions))
        yield _Led(name, tuple(map(_way, found)), keys, info.max_input, info.max_output)


def _way(found: "Found") -> _Way:
    if isinstance(found.resolution, Resolution):
        return _Way(found.share, tuple(dict.fromkeys(target.label for target in found.resolution.targets)))
    return _Way(found.share, (), found.resolution.message)


def _explain(part: ModuleType, loaded: Loaded, model: str, dialect: DialectName | None, body: str) -> object:
    """Make the explanation in this thread: it reads the store."""
    explain = cast(_Explain, part)
    asking = explain.recorded(body.encode(), model, dialect) if body else explain.smallest(model, dialect)
    return asyncio.run(explain.explain(loaded, asking))


def _pretty(body: Raw) -> str:
    """Indent a body."""
    return msgspec.json.format(bytes(body), indent=2).decode()

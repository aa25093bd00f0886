"""Health and configuration: how this process is, and every effective value with its source; secrets are masked.

GET /admin/configuration    the page, or JSON
"""

import asyncio
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

from gateway import __version__
from gateway.admin.inside import Inside
from gateway.admin.places import Place, reading
from gateway.admin.visit import Visit
from gateway.admin.wording import iso
from gateway.admin.writing import Writing
from gateway.config import ConfigError, Row, dotted, report
from gateway.legible import legible
from gateway.services import Services
from gateway.store.folder import unusable

__all__ = ["Configuration"]

_PATH: Final = "/admin/configuration"


class _Table(Struct, frozen=True):
    """The values of one table of gateway.toml. `changed`: how many are not built-in defaults."""

    name: str
    rows: tuple[Row, ...]
    changed: int


class _OnDisk(Struct, frozen=True):
    """How the file is now. `problems`: why it is refused; `changed`: the parts of it that are not in use yet.

    `waiting`: the keys that have a new value after a restart, with who gives it.
    """

    problems: Sequence[str] = ()
    changed: Sequence[str] = ()
    waiting: Mapping[str, str] = {}


class Configuration:
    """The page of one app."""

    def __init__(self, services: Services, inside: Inside, writing: Writing) -> None:
        self._services = services
        self._inside = inside
        self._writing = writing

    def place(self, path: str) -> Place | None:
        """Give what can be done at a path."""
        return Place(reading(self._show)) if path == _PATH else None

    async def _show(self, visit: Visit) -> Response:
        readiness = await self._inside.readiness()
        rows = await asyncio.to_thread(report, self._services.loaded)
        disk = await asyncio.to_thread(self._on_disk)
        if not visit.html:
            return Response(msgspec.json.encode(self._json(readiness, rows, disk)), media_type="application/json")
        values = {
            "readiness": readiness,
            "facts": dict(self._facts(await asyncio.to_thread(unusable, self._data_dir()))),
            "upstreams": {name: one.state() for name, one in self._services.adapters.items()},
            "started_at": self._services.started_at,
            "under_way": self._services.under_way,
            "disk": disk,
            "file": legible(str(self._services.loaded.file or "")),
            "tables": list(_tables(rows)),
            "given": [row for row in rows if row.source != "default"],
            "count": len(rows),
            "idle": sum(not row.in_effect for row in rows),
        }
        return await self._writing.page(visit, "configuration", values)

    def _on_disk(self) -> _OnDisk:
        """Read the file as the next reload would."""
        try:
            again = self._inside.read_again()
        except ConfigError as error:
            return _OnDisk(problems=[*map(str, error.problems)])
        if again is None:
            return _OnDisk()
        waiting = {dotted(path): legible(str(source)) for path, source in again.waiting.items()}
        return _OnDisk(changed=again.changed(self._services.loaded), waiting=waiting)

    def _data_dir(self) -> Path:
        return self._services.loaded.resolve(self._services.loaded.config.server.data_dir)

    def _facts(self, problem: str) -> Iterator[tuple[str, str]]:
        """Say what one looks for when something is wrong; `problem`: of the data folder, "" = none."""
        store = self._services.loaded.config.store
        yield "Version", __version__
        yield "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
        yield "Process", f"{os.getpid()} on {platform.node()}"
        data = legible(str(self._data_dir()))
        yield "Data", f"{data}: nothing can be stored there: {problem}" if problem else data
        database = "PostgreSQL" if store.database else "SQLite in the data folder"
        fails = self._services.database_problem
        yield "Database", f"{database} fails: {legible(fails)}" if fails else database
        yield "Credentials", "encrypted" if store.encryption_key else "unencrypted; set store.encryption_key"
        limits = self._limits()
        if limits:
            yield "Limits", limits

    def _limits(self) -> str:
        """Say where limits are counted, "" where nothing has any."""
        limiter = self._services.counting
        if limiter is None or not self._services.has_limits:
            return ""
        if limiter.together is not None:
            why = legible(limiter.together.problem)  # one that answers may take nothing, such as a replica
            return f"each process counts by itself, as Redis does not: {why}" if why else "counted in Redis"
        return limiter.hindrance() or "counted in this process"

    def _json(self, readiness: Mapping[str, str], rows: list[Row], disk: _OnDisk) -> dict[str, object]:
        return {
            "readiness": readiness,
            "version": __version__,
            "started_at": iso(self._services.started_at),
            "configuration": legible(str(self._services.loaded.file)) if self._services.loaded.file else None,
            "on_disk": disk,
            "values": [row.plain() for row in rows],
        }


def _tables(rows: list[Row]) -> Iterator[_Table]:
    """Put what stands in one table of the file together, in the order of the schema."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(_table(row.key), []).append(row)
    for name, group in grouped.items():
        yield _Table(name, tuple(group), sum(row.source != "default" for row in group))


def _table(key: str) -> str:
    """Name the table: the first word, for an upstream or a middleware also its name."""
    first, _, rest = key.partition(".")
    if first in ("upstream", "middleware"):
        return f"{first}.{rest.partition('.')[0]}"
    return first.partition("[")[0]

"""Say what keeps a configuration from use, beyond what its values alone show."""

import os
from collections.abc import Callable, Iterator
from typing import Final, cast
from urllib.parse import parse_qsl, urlsplit

from gateway.config import (
    Again,
    ConfigError,
    KeyPath,
    Loaded,
    OtherConfig,
    Problem,
    Refuses,
    missing_extras,
    read_again,
)
from gateway.config.problems import one_line
from gateway.config.rules import is_postgres, is_redis
from gateway.pipeline import misordered
from gateway.registry import import_path, names, path_of
from gateway.registry import load as load_plugin
from gateway.store.cipher import Cipher
from gateway.store.folder import unusable
from gateway.store.stored import KeyProblem

__all__ = ["check", "problems_of", "read_newest", "unwritable"]

_MISREAD: Final = "gateway.store.shared_limits:misread"
_TELEMETRY: Final = "gateway.telemetry:misread"
_OPTIONS: Final = "psycopg.conninfo:make_conninfo"
_OPTION_PROBLEM: Final = "psycopg:ProgrammingError"
_OWN: Final = "prepare_threshold"  # which is psycopg's, and always set here


def check(loaded: Loaded) -> None:
    """Refuse what `problems_of` finds."""
    problems = problems_of(loaded)
    if problems:
        raise ConfigError(problems)


def read_newest(running: Loaded, refuses: Refuses) -> Again:
    """Read what is there now, as a start would; raise ConfigError for all that is wrong."""
    again = read_again(running, refuses)
    check(again.loaded)
    return again


def problems_of(loaded: Loaded) -> list[Problem]:
    """Find an upstream without an adapter, a key without what it needs, an order of the pipeline that cannot work."""
    return [*_unserved(loaded), *_missing(loaded), *misordered(loaded)]


def _unserved(loaded: Loaded) -> Iterator[Problem]:
    served = names("gateway.adapters")
    for name, upstream in loaded.config.upstream.items():
        said: KeyPath = ("upstream", name, "type")
        path = said if said in loaded.sources else said[:2]
        if upstream.type not in served:
            yield loaded.problem(path, f"this version has no adapter of type {upstream.type!r}")
        elif isinstance(upstream, OtherConfig):
            try:
                load_plugin("gateway.adapters", upstream.type)
            except Exception as error:  # noqa: BLE001 - whatever a module of somebody else's does while it is imported
                where = path_of("gateway.adapters", upstream.type)
                yield loaded.problem(path, f'"{where}" cannot be imported: {one_line(error)}')


def unwritable(loaded: Loaded) -> Iterator[tuple[KeyPath, str, str]]:
    """Give each folder that cannot be written, which stops no start: its key, what comes of it, and why."""
    server, record = loaded.config.server, loaded.config.record
    folders: tuple[tuple[KeyPath, str, str], ...] = (
        (("server", "data_dir"), server.data_dir, "data is kept in memory only"),
        (("record", "dir"), record.dir, "nothing is recorded"),
    )
    for path, folder, effect in folders:
        if folder and (why := unusable(loaded.resolve(folder))):
            yield path, effect, why


def _missing(loaded: Loaded) -> Iterator[Problem]:
    """Say which need what is not installed, of which Redis can nothing be made, and what is no encryption key."""
    try:
        Cipher([key.reveal() for key in loaded.config.store.encryption_key], "")
    except KeyProblem as problem:
        yield loaded.problem(("store", "encryption_key"), str(problem))
    missing = [*missing_extras(loaded)]
    yield from missing
    url = loaded.config.store.database.reveal()
    if not missing and is_postgres(url) and (why := _misread_by_postgres(url)):  # else that is told already
        yield loaded.problem(("store", "database"), why)
    url = loaded.config.store.redis.reveal()
    if url and not missing and is_redis(url):  # likewise
        misread = cast("Callable[[str], str]", import_path(_MISREAD))  # what is loaded by path is not typed
        why = misread(url)
        if why:
            yield loaded.problem(("store", "redis"), why)
    if loaded.config.metrics.otlp and not missing and (why := _misread_by_opentelemetry()):
        yield loaded.problem(("metrics", "otlp"), why)


def _misread_by_postgres(url: str) -> str:
    """Say which option PostgreSQL does not know, such as Prisma's, "" = it knows all; connects to nobody."""
    options = {name: value for name, value in parse_qsl(urlsplit(url).query) if name != _OWN}
    if not options:
        return ""
    problem = cast("type[Exception]", import_path(_OPTION_PROBLEM))  # what is loaded by path is not typed
    try:
        cast("Callable[..., str]", import_path(_OPTIONS))("", **options)  # as above
    except problem as error:
        return str(error).strip()
    return ""


def _misread_by_opentelemetry() -> str:
    """Say that it does not take one of its own variables, and which there are, "" = it takes them."""
    try:
        why = cast("Callable[[], str]", import_path(_TELEMETRY))()  # what is loaded by path is not typed
    except (ValueError, RuntimeError) as error:  # of those that it reads when it is imported
        why = str(error)
    given = ", ".join(sorted(name for name in os.environ if name.startswith("OTEL_")))
    return f"OpenTelemetry does not take its variables ({given}): {' '.join(why.split())}" if why else ""

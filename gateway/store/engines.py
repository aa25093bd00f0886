"""Connections: to a SQLite file for writing, to one as it stands, to a copy in memory, and to PostgreSQL."""

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    NullPool,
    Pool,
    StaticPool,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import LRUCache

from gateway.lively import LIBPQ
from gateway.store.folder import address
from gateway.store.patience import Patience

__all__ = ["BUSY_S", "end", "engine", "leave", "memory", "place_of", "postgres", "reader", "reason", "share"]

BUSY_S: Final = 5  # how long one who writes waits for another one
_AGAIN_S: Final = 0.005  # until the next try to switch to a write-ahead log
_FILE: Final = "file"  # of a connection: which one it has open
_CONNECT_S: Final = 5
_POOL: Final = 4  # connections to PostgreSQL that a process keeps open
_MORE: Final = 28  # of them while they are used; who wants another one waits as long as for a new one
_READ_ONLY: Final = "25006"  # SQLSTATE

_COMPILED: Final = LRUCache[object, object](500)  # statements of all files; an engine's own are gone with it

_sharing = threading.Lock()
_shared: dict[tuple[int, str], tuple[Engine, set[int]]] = {}  # by process, for a forked one must not use its parent's


class Alike(SQLiteDialect_pysqlite):
    """SQLite's dialect, the same for every file: what is compiled for one of them serves for all."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


registry.register("sqlite.alike", __name__, Alike.__name__)


def engine(
    file: Path, *, pool: type[Pool] = NullPool, pragmas: Sequence[str] = (), busy_ms: int = 1000 * BUSY_S
) -> Engine:
    """Connect to a file that is there. Every transaction is one for writing, unless its options say `reading`."""

    def connected(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # sqlite3 itself would begin too late, and never before a CREATE
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        _journaled(connection, busy_ms / 1000)
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        record.info[_FILE] = _identity(file)

    def taken(_: object, record: ConnectionPoolEntry, __: object) -> None:
        if record.info[_FILE] != _identity(file):
            raise DisconnectionError  # nobody would find what is written into one that was replaced or removed

    # SQLite would make one that was removed, for others to read, and without tables
    made = create_engine(
        _address("sqlite+alike", file, mode="rw"),
        poolclass=pool,
        hide_parameters=True,
        connect_args={"check_same_thread": False},
        execution_options={"compiled_cache": _COMPILED},
    )
    event.listen(made, "connect", connected)
    event.listen(made, "checkout", taken)
    event.listen(made, "begin", _begun)
    return made


def reader(file: Path) -> Engine:
    """Read without leaving a trace: a file that nobody has open gets no lock, and no files beside it."""
    mode = {"mode": "ro"} if Path(f"{file}-wal").exists() else {"immutable": "1"}
    return create_engine(_address("sqlite", file, **mode), poolclass=NullPool, hide_parameters=True)


def _address(driver: str, file: Path, **query: str) -> URL:
    return URL.create(driver, database=address(file), query={**query, "uri": "true"})


def memory() -> Engine:
    """Make a database in memory, which is gone with its engine."""
    return create_engine(
        "sqlite://", poolclass=StaticPool, hide_parameters=True, connect_args={"check_same_thread": False}
    )


def share(url: str, who: object) -> Engine:
    """Give the one engine of this process for a PostgreSQL: a server has a hundred connections for all its clients."""
    with _sharing:
        place = (os.getpid(), url)
        if place not in _shared:
            _shared[place] = (postgres(url), set())
        made, users = _shared[place]
        users.add(id(who))
        return made


def leave(url: str, who: object) -> None:
    """Do without it; the last one closes its connections."""
    with _sharing:
        place = (os.getpid(), url)
        if place not in _shared:
            return
        made, users = _shared[place]
        users.discard(id(who))
        if not users:
            del _shared[place]
            end(made)


def end(made: Engine) -> None:
    """Close the connections of an engine, and each that a worker thread has still in use when it is done with it."""
    event.listen(made.pool, "checkin", _ended)
    made.dispose()


def postgres(url: str, *, read_only: bool = False) -> Engine:
    """Connect to PostgreSQL, also after it was away; ModuleNotFoundError without psycopg."""
    address = make_url(url)
    made = create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_size=_POOL,
        max_overflow=_MORE,
        pool_timeout=_CONNECT_S,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": _CONNECT_S,
            "application_name": "asgi-llm-gateway",
            "client_encoding": "utf8",  # where the server's is SQL_ASCII psycopg would give bytes
            "prepare_threshold": None,  # a pooler between may give each transaction another server
            **{name: value for name, value in LIBPQ.items() if name not in address.query},
        },
    )
    patience = Patience()

    def connect(dialect: Dialect, _: object, words: tuple[Any, ...], options: dict[str, Any]) -> DBAPIConnection:
        return patience.connect(lambda: dialect.connect(*words, **options))

    event.listen(made, "do_connect", connect)
    event.listen(made, "handle_error", _demoted)
    return made.execution_options(postgresql_readonly=True) if read_only else made


def place_of(url: str) -> str:
    """Name a database without its password."""
    try:
        parts = make_url(url)
    except SQLAlchemyError:
        return "the database"
    return f"the database {parts.database or parts.username or ''} at {parts.host or 'this host'}"


def reason(error: Exception) -> str:
    """Say in one line what failed, without the statement and its values."""
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0)
    said = str(error if isinstance(error, sqlite3.Error) else getattr(error, "orig", None) or "").strip()
    return said.splitlines()[0] if said else type(error).__name__


def _ended(_: object, record: ConnectionPoolEntry) -> None:
    record.close()


def _demoted(context: ExceptionContext) -> None:
    """Leave a server that writes no more, with all connections to it: another one has taken its place and address."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _journaled(connection: sqlite3.Connection, busy_s: float) -> None:
    """Use a write-ahead log, with which readers and the writer do not wait for each other.

    Of several that make a file at the same moment SQLite refuses all but one here at once, whatever its busy_timeout.
    """
    until = time.monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


def _begun(connection: Connection) -> None:
    # of several processes that start, one makes the tables
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

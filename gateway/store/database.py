"""The one database of a gateway: a SQLite file in data_dir, or PostgreSQL for several hosts.

    open ─► migrate, if the tables are not the newest ─► see that the keys fit ─► encrypt what is in clear
    reading ─► a connection                    writing ─► a connection, one writer after the other

It is blocking. What goes wrong is StoreFailed, or KeyProblem before anything was changed. With keys a proof of the key
is left in it, so that one that none of the keys opens is refused unchanged. It opens itself when it is used, also
later, when it could not be opened at first.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Final

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    NullPool,
    Pool,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from gateway.store import engines, sealing
from gateway.store.cipher import Cipher
from gateway.store.folder import bereft, explained, made, opened
from gateway.store.stored import KeyProblem, NewerTables, StoreFailed
from gateway.store.tables import HEAD, alembic_version, create, numbers

__all__ = ["Cipher", "Database", "KeyProblem", "StoreFailed", "put"]

_LOCK: Final = 0x6761746577617901  # of who makes the tables of a PostgreSQL database
_MIGRATE_S: Final = 60
_ENCODINGS: Final = ("UTF8", "SQL_ASCII")  # of PostgreSQL, which take every character
_MIGRATING: Final = "gateway.store.migrating"  # loads Alembic
_FOREIGN: Final = "its tables come from another program: give the gateway a database of its own"
_GONE: Final = "the file was removed: put it back, or remove {}-wal, too, and start again to begin a new one"
_COPIED: Final = (
    alembic_version.name,
    "settings",
    "models",
    "credentials",
    "accounts",
)  # what is read of an older version's


class Database:
    """The file, or what `url` names. `keys` are Fernet's, newest first; `place`: what people are told.

    `read_only`: it is read as it stands, and nothing is made; tables of an older version are brought up to date in a
    copy in memory.
    """

    def __init__(
        self,
        file: Path,
        keys: Sequence[str] = (),
        *,
        url: str = "",
        read_only: bool = False,
        pool: type[Pool] = NullPool,
        pragmas: Sequence[str] = (),
    ) -> None:
        self.file = file
        self.url = url
        self.place = engines.place_of(url) if url else str(file)
        self.cipher = Cipher(keys, self.place)
        self.is_open = False
        self._read_only = read_only
        self._pool = pool
        self._pragmas = pragmas
        self._opening = threading.RLock()

    def open(self) -> None:
        """Make what is not there, and see that the keys fit; raise KeyProblem or StoreFailed."""
        with self._opening, self._named():
            if self._read_only:
                self._look()
            else:
                self._prepare()
            self.is_open = True

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        used: Engine | None = self.__dict__.pop("_engine", None)
        if used is None:
            return
        if self.url and not self._read_only:
            engines.leave(self.url, self)
        else:
            engines.end(used)
        if self._read_only:  # a copy in memory is gone
            self.is_open = False

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Give a connection that reads."""
        self._opened()
        with self._named(), self._engine.connect().execution_options(reading=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, first: Table | None = numbers) -> Generator[Connection]:
        """Give a connection that writes, as the only one of those who name the same table of one row `first`.

        None: it compares what it changes.
        """
        self._opened()
        with self._named(), self._engine.begin() as connection:
            if self.url:
                connection.execute(text(f"SET LOCAL lock_timeout = '{engines.BUSY_S}s'"))
                if first is not None:
                    connection.execute(select(first).with_for_update())
            yield connection

    def now(self, connection: Connection) -> float:
        """Give the time by the one clock that all who use the database share."""
        if self.url:
            return float(connection.scalar(select(func.extract("epoch", func.clock_timestamp()))) or 0.0)
        return time.time()

    # opening

    @cached_property
    def _engine(self) -> Engine:
        if self._read_only:
            return engines.postgres(self.url, read_only=True) if self.url else engines.reader(self.file)
        if self.url:
            return engines.share(self.url, self)
        return engines.engine(self.file, pool=self._pool, pragmas=self._pragmas)

    def _opened(self) -> None:
        if not self.is_open:
            self.open()

    def _prepare(self) -> None:
        if not self.url:
            made(self.file.parent)
            self._see_whole()
            if not self.file.exists():  # to close it gives back the locks of this process, SQLite's, too
                os.close(opened(self.file))
        with self._engine.connect() as connection:
            with connection.execution_options(reading=True).begin():
                self._check_encoding(connection)
                if _revision(connection) == HEAD and sealing.is_settled(connection, self.cipher):
                    return
            with connection.execution_options(reading=False).begin():
                sealed = self._renew(connection)
        if sealed:
            self.forget()

    def _see_whole(self) -> None:
        if not self.url and (why := bereft(self.file)):
            raise StoreFailed(why)

    def _renew(self, connection: Connection) -> bool:
        """Make the tables the newest, with no secret in clear if there is a key; tell whether one was."""
        if self.url:
            connection.execute(text(f"SET LOCAL lock_timeout = '{_MIGRATE_S}s'"))
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        revision = _revision(connection)
        if revision:
            sealing.check(connection, self.cipher)
        _renew_tables(connection, revision)
        return sealing.settle(connection, self.cipher)

    def _check_encoding(self, connection: Connection) -> None:
        """Refuse a database that has not every character, before there is one that it cannot take."""
        encoding = connection.scalar(text("SHOW server_encoding")) if self.url else "UTF8"
        if encoding not in _ENCODINGS:
            raise StoreFailed(f"its encoding is {encoding}: make one with ENCODING 'UTF8' and TEMPLATE template0")

    def forget(self) -> None:
        """Leave nothing of what was in clear in a file's journal, nor in its unused parts."""
        if self.url:
            return
        with self._engine.connect() as connection, suppress(sqlite3.Error):  # others use it: they will overwrite it
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _look(self) -> None:
        """Choose what is read: the database, or a copy in memory where its tables are others."""
        self._see_whole()
        revision, copied = "", engines.memory()
        with ExitStack() as undo:
            undo.callback(self.close)
            undo.callback(copied.dispose)
            if self.url or self.file.exists():
                with self._engine.connect() as connection:
                    self._check_encoding(connection)
                    revision = _revision(connection)
                    if revision == HEAD:
                        sealing.check(connection, self.cipher)
                        undo.pop_all()
                        return
                    if revision:  # else others may have made them since
                        _copy(connection, copied)
                self._engine.dispose()
            with copied.begin() as connection:
                if revision:
                    sealing.check(connection, self.cipher)
                _renew_tables(connection, revision)
            self.__dict__["_engine"] = copied
            undo.pop_all()

    @contextmanager
    def _named(self) -> Generator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            raise StoreFailed(self._reason(error)) from None
        except ModuleNotFoundError as error:
            raise StoreFailed(f"needs {error.name}: pip install 'asgi-llm-gateway[postgres]'") from None

    def _reason(self, error: Exception) -> str:
        """Say what failed; of a file that was open and is not there, what SQLite does not tell."""
        if self.is_open and not self.url:
            try:
                self.file.stat()
            except FileNotFoundError:
                return _GONE.format(self.file.name)
            except OSError as hidden:
                return engines.reason(hidden)
        return engines.reason(error) if self.url else explained(engines.reason(error), self.file)


def put(connection: Connection, where: Table, row: Mapping[str, object]) -> None:
    """Write a row in the place of the one with its primary key; who writes is the only one."""
    same = [key == row[key.name] for key in where.primary_key]
    if not connection.execute(update(where).where(*same).values(**row)).rowcount:
        connection.execute(insert(where).values(**row))


def _revision(connection: Connection) -> str:
    """Say which migration the tables come from, "" = there are none."""

    def is_there(name: str) -> bool:
        return inspect(connection).has_table(name)

    is_marked, is_ours = is_there(alembic_version.name), is_there("settings")
    if is_marked or (is_ours and is_there(alembic_version.name)):  # PostgreSQL shows what others have made meanwhile
        revision = str(connection.scalar(select(alembic_version.c.version_num)) or "")
        if revision and not is_ours:
            raise NewerTables(_FOREIGN)
        return revision
    return "0000" if is_ours else ""


def _renew_tables(connection: Connection, revision: str) -> None:
    """Make the tables the newest: at once where there are none, else by what is missing."""
    if revision and revision != HEAD:
        import_module(_MIGRATING).upgrade(connection)
    elif not revision:
        create(connection)


def _copy(connection: Connection, made: Engine) -> None:
    tables = MetaData()
    tables.reflect(connection, only=lambda name, _: name in _COPIED)
    with made.begin() as copy:
        tables.create_all(copy)
        for copied in tables.sorted_tables:
            rows = [{**row} for row in connection.execute(select(copied)).mappings()]
            if rows:
                copy.execute(insert(copied), rows)

"""Whether another process has a database open."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway.store import engines
from gateway.store.stored import StoreFailed

__all__ = ["in_use"]

_OTHERS: Final = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'asgi-llm-gateway' AND pid <> pg_backend_pid()"
)
_HELD: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def in_use(file: Path, url: str = "") -> bool:
    """Tell whether another gateway has the file, or the database that `url` names, open; raise StoreFailed."""
    try:
        return _others(url) if url else file.exists() and _is_held(file)
    except (SQLAlchemyError, OSError, sqlite3.Error) as error:
        raise StoreFailed(engines.reason(error)) from None


def _others(url: str) -> bool:
    engine = engines.postgres(url)
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(_OTHERS))
    finally:
        engine.dispose()


def _is_held(file: Path) -> bool:
    """Leave the journal that all share, which SQLite refuses while anybody else has the file open, and go back."""
    with closing(sqlite3.connect(file, timeout=0)) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in _HELD:
                return True
            raise
        connection.execute("PRAGMA journal_mode = WAL")
        return False

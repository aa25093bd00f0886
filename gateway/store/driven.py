"""What a statement is in the words of one database, "sqlite" or "postgresql"; the other one is not loaded (2 MB)."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import Table
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["driven", "insert"]

_STYLES: Final[Mapping[str, str]] = {"sqlite": "qmark", "postgresql": "format"}  # values in a row, as the drivers want


def driven(statement: UpdateBase, dialect: str) -> tuple[str, tuple[str, ...]]:
    """Write a statement that is run for every request for its driver; give its words, and which values it takes.

    SQLAlchemy's own way takes 10 µs a row. `Connection.exec_driver_sql` runs it.
    """
    written = statement.compile(dialect=_positional(dialect))
    assert isinstance(written, SQLCompiler)
    return str(written), tuple(written.positiontup or ())


def insert(table: Table, dialect: str) -> "postgresql.Insert | sqlite.Insert":
    """Begin an INSERT that can say what to do about a row that is there."""
    make = cast("Callable[[Table], postgresql.Insert | sqlite.Insert]", _module(dialect).insert)
    return make(table)


@cache
def _positional(dialect: str) -> Dialect:
    return cast("Dialect", _module(dialect).dialect(paramstyle=_STYLES[dialect]))


def _module(dialect: str) -> ModuleType:
    return import_module(f"sqlalchemy.dialects.{dialect}")

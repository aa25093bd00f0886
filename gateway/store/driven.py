"""Statements in the words of the drivers, with the names of their values, for those that are run for every request.

SQLAlchemy's own way takes 10 µs a row. `Connection.exec_driver_sql` runs them.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

__all__ = ["driven"]

_POSITIONAL: Final[Mapping[str, Dialect]] = {  # values in a row, as their drivers want them
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]  # SQLAlchemy
}


def driven(statement: UpdateBase, dialect: str) -> tuple[str, tuple[str, ...]]:
    """Write a statement for "sqlite" or "postgresql"; give its words, and which values it takes."""
    written = statement.compile(dialect=_POSITIONAL[dialect])
    assert isinstance(written, SQLCompiler)
    return str(written), tuple(written.positiontup or ())

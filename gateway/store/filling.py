"""Take the journals of this host into the database, each line once.

    journal ─► some lines, and how far they are read, in one transaction ─► usage, journals

Any process may fill from any journal, several at once: one that finds a journal read further than it thought undoes its
part. Of a journal whose process has ended, what was opened and has not ended becomes rows that say so, and the file
goes: first the rows are there, then the file goes, then the note how far it was read. Blocking.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from io import FileIO
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Final

from msgspec.structs import asdict, astuple, replace
from sqlalchemy import Connection, bindparam, delete, literal_column, select, update

from gateway.ir import MOST_TOKENS
from gateway.store.database import Database
from gateway.store.driven import driven, insert
from gateway.store.journal import MAKING, REFUSED, SUFFIX, WHOLE, Ended, Line, is_damaged, read_lines
from gateway.store.locks import lock
from gateway.store.rows import storable
from gateway.store.tables import journals, usage

__all__ = ["KILLED", "Filling"]

KILLED: Final = "killed"
_CHUNK_BYTES: Final = 1 << 20  # longer than any line; others can write after some 10 ms
_STALE_S: Final = 60.0
_TEXTS: Final = ("key", "key_id", "credential", "dialect", "upstream", "asked", "model", "end", "request_id")
# rows of one statement: SQLite's driver gives up the interpreter's lock for each, and to have it back takes a while
# beside a busy event loop; that of PostgreSQL sends many at once by itself
_AT_ONCE: Final[Mapping[str, Sequence[int]]] = {"sqlite": (128, 32, 8, 2, 1), "postgresql": (1,)}
_NUL: Final = rb"\u0000"  # as JSON has it; a name that has half a character was mended when it was written
_COUNTS: Final = ("input", "cached", "cache_write", "output", "reasoning")
_counts: Final = attrgetter(*_COUNTS)
_OF_ONE: Final = journals.c.name == bindparam("journal")
_READ: Final = select(journals.c.read).where(_OF_ONE)
_ADVANCE: Final = update(journals).where(_OF_ONE, journals.c.read == bindparam("before")).values(read=bindparam("to"))


class _Gone(Exception):
    """Another process has finished a journal and dropped it."""


class Filling:
    """Fills one database from the journals in a folder.

    `chunk_bytes`: how much of one in a transaction; `now`: Unix seconds.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        chunk_bytes: int = _CHUNK_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._folder = folder
        self._chunk_bytes = chunk_bytes
        self._now = now
        self._read: dict[str, int] = {}  # by this process; others may have read on
        self._damaged: set[str] = set()

    def fill(self) -> int:
        """Take all that is there; give how many rows that made. Raise StoreFailed or KeyProblem."""
        taken = 0
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            with suppress(FileNotFoundError, _Gone):  # another process was here
                taken += self._take(path)
        for path in self._folder.glob(f"*{MAKING}"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()
        return taken

    def take_damaged(self) -> set[str]:
        """Give the names of the journals of which something could not be read since the last call."""
        damaged, self._damaged = self._damaged, set()
        return damaged

    def _take(self, path: Path) -> int:
        with closing(FileIO(path)) as file:
            left = lock(file.fileno())  # its process has ended, and nobody else closes it
            size = os.fstat(file.fileno()).st_size
            if not left and self._read.get(path.name) == size:
                return 0
            taken = 0
            while (made := self._batch(path.name, file, size)) is not None:
                taken += made
            if left:
                taken += self._finish(path, file)
            return taken

    def _batch(self, name: str, file: FileIO, size: int) -> int | None:
        """Take the next lines of the first `size` bytes; None when there are none.

        What a busy process writes meanwhile waits for the next time: to chase it would be a transaction for some lines
        each, without an end.
        """
        read = self._read[name] if name in self._read else self._noted(name)
        begin = read or 0
        file.seek(begin)
        data = _whole_lines(file.read(max(0, min(self._chunk_bytes, size - begin))))
        if not data:
            self._read[name] = begin
            return None
        made, to = 0, begin + len(data)
        with self._database.writing(None) as connection:
            if not self._advance(connection, name, read, to):
                self._read.pop(name, None)  # another process has read on
                return made
            if not os.fstat(file.fileno()).st_nlink:
                raise _Gone  # all of it is there, and nothing of this is to be
            lines = _read(data)
            rows = [line for line in lines if isinstance(line, Ended) and line.end != REFUSED]
            made = _write(connection, [row if max(_counts(row)) <= MOST_TOKENS else _bounded(row) for row in rows])
        self._read[name] = to
        if len(lines) + data.endswith(WHOLE) < data.count(b"\n") and is_damaged(data):
            self._damaged.add(name)
        return made

    def _noted(self, name: str) -> int | None:
        """Look how far a journal is read; None = not at all."""
        with self._database.reading() as connection:
            return connection.scalar(_READ, {"journal": name})

    def _advance(self, connection: Connection, name: str, read: int | None, to: int) -> bool:
        """Note how far a journal is read; False when another process has read on meanwhile."""
        if read is None:
            begin = insert(journals, connection.dialect.name).values(name=name, read=to)
            return connection.scalar(begin.on_conflict_do_nothing().returning(journals.c.name)) is not None
        return connection.execute(_ADVANCE, {"journal": name, "before": read, "to": to}).rowcount == 1

    def _finish(self, path: Path, file: FileIO) -> int:
        """Close what was opened and has not ended, and drop the journal, which is read as a whole."""
        opened, rest = dict[str, Line](), b""
        if not _is_whole(file):
            file.seek(0)
            lines, _, rest = file.readall().rpartition(b"\n")
            opened = _open_in(lines)
        if not os.fstat(file.fileno()).st_nlink:
            return 0
        if opened:
            with self._database.writing(None) as connection:
                found_at = self._now()  # while nobody else writes: a summary counts it that begins after this one
                _write(connection, [_killed(line, found_at) for line in opened.values()])
        path.unlink()
        with self._database.writing(None) as connection:
            connection.execute(delete(journals).where(_OF_ONE), {"journal": path.name})
        self._read.pop(path.name, None)
        if is_damaged(rest):
            self._damaged.add(path.name)
        return len(opened)


def _killed(line: Line, found_at: float) -> Ended:
    """Close what nobody has: it ends when that is found, for a summary of the time before is said already."""
    return Ended(**asdict(line), end=KILLED, estimated=True, total_s=max(0.0, found_at - line.started_at))


def _is_whole(file: FileIO) -> bool:
    """Tell whether its process has said that all that was opened in it has ended."""
    file.seek(max(0, os.fstat(file.fileno()).st_size - len(WHOLE)))
    return file.readall() == WHOLE


def _open_in(lines: bytes) -> dict[str, Line]:
    opened: dict[str, Line] = {}
    for line in _read(lines):
        if isinstance(line, Ended):
            opened.pop(line.id, None)
        else:
            opened[line.id] = line
    return opened


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]  # the rest is still being written, or torn


def _read(data: bytes) -> list[Line]:
    lines = read_lines(data)
    return lines if _NUL not in data else [_storable(line) for line in lines]


def _storable(line: Line) -> Line:
    texts = {name: storable(getattr(line, name)) for name in _TEXTS if hasattr(line, name)}
    return replace(line, **texts)


def _bounded(line: Ended) -> Ended:
    return replace(line, **{name: min(getattr(line, name), MOST_TOKENS) for name in _COUNTS})


def _write(connection: Connection, rows: Sequence[Ended]) -> int:
    """Write rows; one that was thought to be killed gives way to how it ended."""
    dialect, begin = connection.dialect.name, 0
    for size in _AT_ONCE[dialect]:
        words = _puts(dialect, size)
        end = len(rows) - (len(rows) - begin) % size
        blocks = range(begin, end, size)
        if blocks:
            values = [tuple(chain.from_iterable(map(astuple, rows[at : at + size]))) for at in blocks]
            connection.exec_driver_sql(words, values)
        begin = end
    return len(rows)


@cache
def _puts(dialect: str, size: int) -> str:
    """Give the statement that writes so many rows, whose values are those of Ended."""
    put = insert(usage, dialect)
    others = {column.name: column for column in put.excluded if not column.primary_key}
    killed = usage.c.end == literal_column(f"'{KILLED}'")
    put = put.on_conflict_do_update(index_elements=[usage.c.id], set_=others, where=killed)
    words, names = driven(put, dialect)
    one = f"({', '.join('?' * len(names))})"
    assert names == Ended.__struct_fields__
    return words.replace(one, ", ".join([one] * size))

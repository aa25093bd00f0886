"""Numbers that several processes count and each of them can sum: a file for each process, mapped into memory.

    FOLDER/GROUP-APP.NUMBER   the process, then records
    a record                  length of its key, kind, number of values; the key; the values, as doubles

A process holds a lock on its file while it lives. When it is killed its counts stay, and the next process of the group
goes on with them; when the last one ends in order, the files go. To count is to add to a cell of memory. Without a
folder, or where it cannot be written, each process counts for itself.
"""

import errno
import mmap
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import Struct as Packing
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from gateway.store.locks import lock

if sys.platform != "win32":
    import fcntl

__all__ = ["SIZE", "Count", "Tally", "Totals", "processes", "uncounted"]

Count: TypeAlias = Callable[..., None]  # takes the name of a metric and its labels

SIZE: Final = 1 << 20
_ROOM: Final = SIZE * 3 // 4
_DOUBLE: Final = 8
_HEADER: Final = Packing("=IHH")  # length of the key, kind, number of values; as long as a double
_PID: Final = Packing("=q")
_COUNTED, _LIVE = range(2)  # kinds; the values of the second vanish with their process
_SPILL: Final = 1  # the place of what finds no room; nobody reads it
_SPILLED: Final = 64
_FIRST: Final = (_SPILL + _SPILLED) * _DOUBLE
_UNSHARED: Final = sys.platform == "win32"


class Totals(Struct, frozen=True):
    """The sums by key, over `workers` that live and all that lived."""

    values: dict[bytes, list[float]]
    workers: int


class Tally:
    """The numbers of one app in this process. `group` tells those apart that must not be summed.

    `values`: add to `values[place]`. `known`: where users keep places, emptied when these hold no more.
    """

    def __init__(self, folder: Path | None = None, group: str = "") -> None:
        self.values: memoryview[float]
        self.known: dict[Hashable, Any] = {}
        self.is_open = False
        self._folder = None if _UNSHARED else folder
        self._group = group
        self._file: Path | None = None
        self._cells: dict[bytes, int] = {}
        self._end = _FIRST

    def open(self, *, shared: bool = True) -> str:
        """Begin to count; say why other processes do not see it, "" when they do or need not."""
        problem = ""
        if self.is_open:
            return problem
        if self._folder is not None and shared:
            try:
                with _locked(self._folder):
                    file = _join(self._folder, self._group)
                    self._use(_taken(file))
                    self._file = file
            except OSError as error:
                problem = f"{self._folder}: {error.strerror or error}"
        if not self.is_open:
            self._use(mmap.mmap(-1, SIZE))
        return problem

    def close(self) -> None:
        """Stop to count for others; the last one takes the files away."""
        was, self._file = self._file, None
        self._use(mmap.mmap(-1, SIZE))  # gives back the lock, and takes what is still counted
        self.is_open = False
        if self._folder is not None and was is not None:
            with suppress(OSError), _locked(self._folder):
                _forget(self._folder, was.stem)

    @property
    def has_room(self) -> bool:
        """Whether keys that are not needed may still be added."""
        return self._end < _ROOM

    def holds(self, name: str, *labels: str) -> bool:
        """Tell whether a metric with these labels is counted."""
        return msgspec.json.encode((name, *labels)) in self._cells

    def count(self, name: str, *labels: str) -> None:
        """Count one more of what seldom happens, from the event loop's thread; before `open` nothing is counted."""
        if self.is_open:
            self.values[self.at(name, *labels)] += 1

    def at(self, name: str, *labels: str, count: int = 1, live: bool = False) -> int:
        """Give the place of a metric with these labels, which is looked for once."""
        key = name, *labels
        found: int | None = self.known.get(key)
        if found is None:
            found = self.known[key] = self.place(msgspec.json.encode(key), count, live=live)
        return found

    def place(self, key: bytes, count: int = 1, *, live: bool = False) -> int:
        """Give the place of the first of `count` values of a key; `live`: they are gone with their process."""
        found = self._cells.get(key)
        if found is not None:
            return found
        begin = self._end + _HEADER.size
        values = begin + _padded(len(key))
        end = values + count * _DOUBLE
        if end > SIZE - _HEADER.size:
            return _SPILL
        self._map[begin : begin + len(key)] = key
        header = _HEADER.pack(len(key), _LIVE if live else _COUNTED, count)
        self._map[self._end : begin] = header  # last, for it makes the record one: readers may look at any moment
        self._end = end
        self._cells[key] = values // _DOUBLE
        return self._cells[key]

    def totals(self) -> Totals:
        """Sum what all processes of the group have counted."""
        sums: dict[bytes, list[float]] = {}
        _add(sums, self._map, lives=True)
        workers = 1
        if self._folder is not None and self._file is not None:
            with _locked(self._folder):
                for file in self._folder.glob(f"{self._file.stem}.*"):
                    if file != self._file:
                        workers += _add_file(sums, file)
        return Totals(sums, workers)

    def _use(self, data: mmap.mmap) -> None:
        """Count here; the one before goes, and with it its lock."""
        self._map = data
        self.values = memoryview(data).cast("d")
        self.known.clear()
        self._cells.clear()
        self._end = _FIRST
        for key, kind, place, count in _records(data):
            self._cells[key] = place
            self._end = (place + count) * _DOUBLE
            if kind == _LIVE:
                self.values[place : place + count] = memoryview(bytes(count * _DOUBLE)).cast("d")
        self.is_open = True


def uncounted(*_: str) -> None:
    """Count nothing."""


def processes(folder: Path) -> int:
    """Tell how many processes count in a folder now, of whichever group; 0 also where nobody can know."""
    if not _UNSHARED and folder.is_dir():
        with suppress(OSError), _locked(folder):
            return len({_owner(file) for file in _look(folder)[0]})
    return 0


def _join(folder: Path, group: str) -> Path:
    """Choose the file of one that has ended, or another one."""
    living, ended, theirs = _look(folder)
    own = {file.stem for file in living if _owner(file) == os.getpid()}
    apps = (f"{group}-{number}" for number in range(len(own) + 1))
    mine = next(app for app in apps if app not in own)  # workers make their apps in the same order
    groups = {file.stem for file in (*living, *theirs)} | {mine}
    for file in ended:
        if file.stem not in groups:
            file.unlink()
        elif file.stem == mine and file.stat().st_size == SIZE:
            return file
    taken = {file.name for file in (*living, *theirs)}
    return next(folder / name for number in range(len(taken) + 1) if (name := f"{mine}.{number}") not in taken)


def _taken(file: Path) -> mmap.mmap:
    """Lock a file for as long as its map lives; make it if need be."""
    with _opened(file, os.O_CREAT) as descriptor:
        if not lock(descriptor):
            raise OSError(errno.EBUSY, "another process holds it", str(file))
        # room on disk is taken now: a write to a map that finds none kills the process
        if os.fstat(descriptor).st_size != SIZE and os.pwrite(descriptor, bytes(SIZE), 0) != SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        data = mmap.mmap(descriptor, SIZE)  # with a copy of the descriptor, and so of the lock
    data[: _PID.size] = _PID.pack(os.getpid())
    return data


def _look(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Tell the files of processes that live, of those that have ended, and of other users apart."""
    found: defaultdict[bool, list[Path]] = defaultdict(list)
    theirs: list[Path] = []
    for file in sorted(folder.glob("*.*")):
        try:
            with _opened(file) as descriptor:
                found[lock(descriptor)].append(file)
        except PermissionError:
            theirs.append(file)
    return found[False], found[True], theirs


def _forget(folder: Path, group: str) -> None:
    """Drop a group of which nobody lives."""
    living, ended, _ = _look(folder)
    if all(file.stem != group for file in living):
        for file in ended:
            if file.stem == group:
                file.unlink()
    with suppress(OSError):  # others are in it
        folder.rmdir()


def _owner(file: Path) -> int:
    with file.open("rb") as opened:
        pid: int = _PID.unpack(opened.read(_PID.size))[0]
    return pid


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Be alone in a folder, which is made if need be."""
    while True:
        for each in (folder.parent, folder):  # the mode holds for the last one only
            with suppress(FileExistsError):
                each.mkdir(mode=0o700, parents=True)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not folder.exists() or not os.path.samestat(os.fstat(descriptor), folder.stat()):
                continue  # the last one has taken it away meanwhile
            yield
            return
        finally:
            os.close(descriptor)


@contextmanager
def _opened(file: Path, flags: int = 0) -> Generator[int]:
    descriptor = os.open(file, os.O_RDWR | flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _add(sums: dict[bytes, list[float]], data: mmap.mmap, *, lives: bool) -> None:
    with memoryview(data) as view, view.cast("d") as values:
        for key, kind, place, count in _records(data):
            if kind == _LIVE and not lives:
                continue
            before = sums.get(key) or [0.0] * count
            sums[key] = [a + b for a, b in zip(before, values[place : place + count], strict=True)]


def _add_file(sums: dict[bytes, list[float]], file: Path) -> bool:
    """Add what another process has counted; tell whether it lives. What is another user's is left out."""
    with suppress(PermissionError), _opened(file) as descriptor:
        lives = not lock(descriptor)
        if os.fstat(descriptor).st_size == SIZE:
            with mmap.mmap(descriptor, SIZE, access=mmap.ACCESS_READ) as data:
                _add(sums, data, lives=lives)
        return lives
    return False


def _records(data: mmap.mmap) -> Iterator[tuple[bytes, int, int, int]]:
    """Walk the records: key, kind, place of the first value, number of values."""
    position = _FIRST
    while position < SIZE - _HEADER.size:
        length, kind, count = _HEADER.unpack_from(data, position)
        if not length:
            return
        begin = position + _HEADER.size
        values = begin + _padded(length)
        position = values + count * _DOUBLE
        if position > SIZE:  # not by us
            return
        yield data[begin : begin + length], kind, values // _DOUBLE, count


def _padded(length: int) -> int:
    return -(-length // _DOUBLE) * _DOUBLE

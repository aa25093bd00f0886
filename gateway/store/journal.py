"""What each process writes down of its requests at once: files to which lines are appended, one write(2) a line.

    FOLDER/NAME.jsonl   {"is":"open",…} before an upstream is called, {"is":"end",…} before the last byte goes out;
                        {"is":"whole"} at the end of a file in which all that was opened has ended

What is written outlives the process, so that `gateway.store.usage` can take it into the database later, by whichever
process. A file is locked while it may grow: one that is not locked, and holds what was opened and has not ended, tells
of a process that was killed. A file that has grown large is left; what was opened in it ends in it.
"""

import errno
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.store.locks import lock

__all__ = [
    "MAKING",
    "REFUSED",
    "SUFFIX",
    "WHOLE",
    "Ended",
    "Journal",
    "JournalFile",
    "Line",
    "Opened",
    "is_damaged",
    "read_lines",
]

SUFFIX: Final = ".jsonl"
MAKING: Final = ".new"  # until it is locked: one that is not locked counts as left
WHOLE: Final = b'{"is":"whole"}\n'
_BEGIN: Final = b'{"is":"'
REFUSED: Final = "refused"  # the end of one that is no row: a limit of its caller held it off
_LARGE_BYTES: Final = 4 << 20
_WAITING: Final = 10_000  # lines that are kept in memory while the disk takes none
_AGAIN_S: Final = 1.0


class Opened(Struct, frozen=True, kw_only=True, tag_field="is", tag="open", omit_defaults=True):
    """A request that begins. Names as in the table `usage`; `upstream` and `model`: who is asked first."""

    id: str
    started_at: float
    key: str
    key_id: str
    dialect: str
    upstream: str = ""
    asked: str = ""
    model: str = ""
    request_id: str = ""


class Ended(Struct, frozen=True, kw_only=True, tag_field="is", tag="end", omit_defaults=True):
    """One that has ended: a row of the table `usage`, column by column, which needs no line before it."""

    id: str
    started_at: float
    key: str
    key_id: str
    credential: str = ""
    dialect: str
    upstream: str = ""
    asked: str = ""
    model: str = ""
    status: int = 0
    end: str
    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False
    usd: float | None = None
    first_byte_s: float | None = None
    total_s: float | None = None
    request_id: str = ""


Line = Opened | Ended
_encode: Final = msgspec.json.Encoder().encode
_LINE: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


def read_lines(data: bytes) -> list[Line]:
    """Read whole lines, without those of no request, as one is that was torn when the disk was full."""
    with suppress(ValueError):  # each by itself takes four times as long
        return _LINE.decode_lines(data.removesuffix(WHOLE))
    lines: list[Line] = []
    for line in data.splitlines():
        with suppress(ValueError):
            lines.append(_LINE.decode(line))
    return lines


def is_damaged(data: bytes) -> bool:
    """Tell whether there is something that is no line of this version, nor torn from one when the disk was full."""
    return not all(map(_is_known, data.split(b"\n")))


def _is_known(line: bytes) -> bool:
    if not line.endswith(b"}"):
        return b"\0" not in line and line.startswith(_BEGIN[: len(line)])
    with suppress(ValueError):
        _LINE.decode(line)
        return True
    return line == WHOLE.rstrip()


class JournalFile:
    """One file of this process.

    `entries`: how many are open in it; `left`: no others are opened in it; `lost`: the end of one was.
    """

    __slots__ = ("_descriptor", "_torn", "entries", "left", "lost", "size")

    def __init__(self, folder: Path) -> None:
        self._descriptor = -1
        self.entries = 0
        self.left = False
        self.lost = False
        self.begin(folder)

    def begin(self, folder: Path) -> None:
        """Make it, also in the place of one that somebody has removed; raise OSError."""
        self.close()
        self.size = 0
        for each in (folder.parent, folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():x}-{os.getpid()}-{os.urandom(4).hex()}"
        made = folder / f"{name}{MAKING}"
        self._descriptor = os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        self._torn = False
        try:
            lock(self._descriptor)  # nobody else can have it yet
            made.rename(folder / f"{name}{SUFFIX}")
        except OSError:
            self.close()
            with suppress(OSError):
                made.unlink()
            raise

    def append(self, line: bytes) -> None:
        """Write a line; raise OSError, after which a part of it may stand there."""
        data = b"\n" + line if self._torn else line
        written = os.write(self._descriptor, data)
        self.size += written
        self._torn = written < len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def end(self) -> None:
        """Say that nothing is open in it, where that is so, and close it."""
        if not self.lost:
            with suppress(OSError):  # who takes it in finds out by itself
                self.append(WHOLE)
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether it can be written."""
        return self._descriptor >= 0

    @property
    def is_removed(self) -> bool:
        """Whether nobody finds what is written into it."""
        return not self.is_open or not os.fstat(self._descriptor).st_nlink

    def close(self) -> None:
        """Give up the lock; idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    __del__ = close  # an app may be dropped without being stopped


class Journal:
    """All that one process writes; not for threads. Nothing is made before the first line.

    While the disk takes nothing the ends of requests are kept in memory, the newest ones. `problem`: why, "" = it takes
    them; `lost`: how many were too many.
    """

    def __init__(
        self, folder: Path, now: Callable[[], float] = time.monotonic, large_bytes: int = _LARGE_BYTES
    ) -> None:
        self.folder = folder
        self.problem = ""
        self.lost = 0
        self._now = now
        self._large_bytes = large_bytes
        self._file: JournalFile | None = None
        self._waiting: deque[tuple[JournalFile | None, bytes]] = deque()
        self._again_at = 0.0

    def open(self, line: Opened) -> JournalFile | None:
        """Write that a request begins; give the file in which it is to end, None when none could be written."""
        file = self._ready()
        if file is None or not self._append(file, _encode(line) + b"\n"):
            return None
        file.entries += 1
        return file

    def end(self, line: Ended, file: JournalFile | None = None) -> None:
        """Write that one has ended, in the file in which it was opened."""
        if self._waiting or self.problem:
            self.settle()
        data = _encode(line) + b"\n"
        place = file or self._ready()
        if self._waiting or place is None or not self._append(place, data):
            self._keep(file, data)
        elif file is not None:
            self._leave(file)

    def settle(self) -> None:
        """Write what waits, if the disk takes it again, and where somebody has removed the file into another one."""
        if self.problem and self._now() < self._again_at:
            return
        if self._file is not None and self._file.is_removed and not self._begun_again(self._file):
            return
        while self._waiting:
            file, data = self._waiting[0]
            place = file or self._ready()
            if place is None or not self._append(place, data):
                return
            self._waiting.popleft()
            if file is not None:
                self._leave(file)

    def close(self) -> None:
        """Begin no more files; those in which something is open stay until it ends."""
        self.settle()
        if self._file is not None:
            self._retire(self._file)

    @property
    def waiting(self) -> int:
        """How many lines are kept in memory."""
        return len(self._waiting)

    def _begun_again(self, file: JournalFile) -> bool:
        """Go on in a new file, in which ends what was opened in the one that is gone; else it takes nothing."""
        try:
            file.begin(self.folder)
        except OSError as error:
            self._failed(error)
            return False
        if not self.problem:
            self._failed(FileNotFoundError(errno.ENOENT, "it was removed, with what the database did not have yet"))
        return True

    def _ready(self) -> JournalFile | None:
        """Give the file that is written to now; None while there can be none."""
        file = self._file
        if file is not None and file.size < self._large_bytes:
            return file
        if file is not None:
            self._retire(file)
        if self.problem and self._now() < self._again_at:
            return None
        try:
            self._file = JournalFile(self.folder)
        except OSError as error:
            self._failed(error)
        return self._file

    def _append(self, file: JournalFile, data: bytes) -> bool:
        try:
            file.append(data)
        except OSError as error:
            if file.is_open:  # else it waits to be begun again
                self._failed(error)
            return False
        self.problem = ""
        return True

    def _failed(self, error: OSError) -> None:
        self.problem = f"{self.folder}: {error.strerror or error}"
        self._again_at = self._now() + _AGAIN_S

    def _keep(self, file: JournalFile | None, data: bytes) -> None:
        if len(self._waiting) == _WAITING:
            dropped, _ = self._waiting.popleft()
            self.lost += 1
            if dropped is not None:
                dropped.lost = True  # it becomes one that was killed
                self._leave(dropped)
        self._waiting.append((file, data))

    def _leave(self, file: JournalFile) -> None:
        file.entries -= 1
        if file.left and not file.entries:
            file.end()

    def _retire(self, file: JournalFile) -> None:
        self._file = None
        file.left = True
        if not file.entries:
            file.end()

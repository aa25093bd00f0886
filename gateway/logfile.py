"""The log file: [log] file, rotated and keep. It rotates at midnight, local time, also where several processes write.

`file` is rendered once, when the process starts. At midnight what is there gets the name that `rotated` gives for the
day that is over, and a new file begins. The first process to notice does that, with a lock on the old file, in two
steps: a link under the new name, which fails where it exists, then a new file in the place of the old one. The others
see that the file is another one, and open it. A file that has the name of its day already keeps it: the next day's has
the name that `file` gives then.

Within a second of its being moved away or removed, as logrotate does it, a new file begins, too.
"""

import errno
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, time, timedelta
from pathlib import Path, PurePath
from time import sleep
from typing import Final

if sys.platform != "win32":
    import fcntl

__all__ = ["LogFile", "path_of"]

_FIELD: Final = re.compile(r"%-?[A-Za-z]|%%")
_SHAPES: Final = {
    **dict.fromkeys(("%Y", "%G"), r"\d{4}"),
    **dict.fromkeys(("%m", "%d", "%H", "%I", "%M", "%S", "%y", "%U", "%W", "%V", "%g", "%C"), r"\d\d"),
    **dict.fromkeys(("%-m", "%-d", "%-H", "%-I", "%-M", "%-S", "%-y", "%-U", "%-W", "%-V"), r"\d\d?"),
    **dict.fromkeys(("%u", "%w"), r"\d"),
    **dict.fromkeys(("%a", "%A", "%b", "%B", "%h", "%p", "%P"), r"[^\W\d_]+\.?"),
    "%j": r"\d{3}",
    "%-j": r"\d{1,3}",
    "%f": r"\d{6}",
    "%s": r"\d+",
    "%F": r"\d{4}-\d\d-\d\d",
    "%%": "%",
}
_DAILY: Final = ".%Y-%m-%d"
_DAY_OF: Final = ("Y", "m", "d")
_MODE: Final = 0o600
_DAY: Final = timedelta(days=1)
_AGAIN: Final = timedelta(hours=1)
_LOOK: Final = timedelta(seconds=1)
_LOOKS: Final = 3
_MOMENT_S: Final = 0.001


def path_of(file: str, folder: Path, now: Callable[[], datetime] = datetime.now) -> Path:
    """Give where a process that starts now would write."""
    return folder / Path(now().strftime(file)).expanduser()


class LogFile:
    """A file that lines are added to. `keep`: how many rotated files stay, 0 = all.

    Raises OSError when it cannot be opened; later failures are told once on standard error, and the lines are lost. One
    that cannot be rotated goes on under its name, and an hour later that is tried again.
    """

    def __init__(
        self, file: str, rotated: str, keep: int, folder: Path, now: Callable[[], datetime] = datetime.now
    ) -> None:
        self._now = now
        self._named = file
        self._file = -1
        self._torn = False  # the last line is not whole
        self._folder = folder  # no part of the pattern: its name may be any bytes, or have a %
        self._pattern = str(Path(rotated or _plain(now().strftime(file)) + _DAILY).expanduser())
        self._any_start = str(Path(rotated or file + _DAILY).expanduser())
        self._keep = keep
        self.path = path_of(file, folder, now)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open()
        self._day = self._begun()
        self._due = self._day + _DAY
        self._looks = self._day
        self._failing = False

    def write(self, line: bytes) -> None:
        """Add a line."""
        try:
            if (now := self._now()) >= self._looks:
                self._look(now)
            self._append(line + b"\n")
        except OSError as error:
            if not self._failing:
                self._tell(f"cannot be written: {error.strerror}")
            self._failing = True
        else:
            self._failing = False

    def _append(self, line: bytes) -> None:
        """Add a whole line; a full disk may take a part of it, which is then a line of its own."""
        if self._failing:  # who else writes to it, as each upstream's own log does, may have left a part, or ended it
            self._torn = self._is_torn(looks=1)
        data = b"\n" + line if self._torn else line
        written = os.write(self._file, data)
        self._torn = written < len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close it."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    __del__ = close  # with the last logger that writes to it

    def _tell(self, what: str) -> None:
        with suppress(OSError):  # it may be on the same disk
            print(f"{self.path}: {what}", file=sys.stderr)  # noqa: T201 (no other way)

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, _MODE)
        self._torn = self._is_torn()

    def _is_torn(self, looks: int = _LOOKS) -> bool:
        """Tell whether the last line was cut, as one that a full disk left to the process before."""
        if not os.fstat(self._file).st_size:  # so is a pipe, which nobody may read here
            return False
        with suppress(OSError), self.path.open("rb") as file:
            for _ in range(looks):
                file.seek(-1, os.SEEK_END)
                if file.read() == b"\n":
                    return False
                sleep(_MOMENT_S)  # another process may be writing it: of two pages the first is seen before the second
            return True
        return False

    def _begun(self) -> datetime:
        """Give the midnight before the last line, or before now where there is none."""
        stat = os.fstat(self._file)
        moment = datetime.fromtimestamp(stat.st_mtime) if stat.st_size else self._now()  # noqa: DTZ006 (local midnight)
        return datetime.combine(moment.date(), time())

    def _look(self, now: datetime) -> None:
        """Begin a new file where the day is over, or where the file is not there any more."""
        if now >= self._due:
            self._turn(now)
        elif self._file < 0 or not self._is_mine():
            self.close()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        self._looks = min(self._due, now + _LOOK)

    def _turn(self, now: datetime) -> None:
        """Begin a new file, unless another process has."""
        failed = False
        if self._file >= 0:
            try:
                if sys.platform != "win32":
                    fcntl.flock(self._file, fcntl.LOCK_EX)  # until it is closed
                if self._is_mine():
                    self._rotate()
            except OSError as error:  # who kept the lock for it would stop every other process
                failed = True
                if self._due == self._day + _DAY:  # the first time
                    self._tell(f"cannot be rotated, and is continued: {error.strerror}")
        self.close()
        self._open()
        if failed:
            self._due = now + _AGAIN
        else:
            self._day = datetime.combine(now.date(), time())
            self._due = self._day + _DAY

    def _is_mine(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), self.path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        old = self._folder / self._day.strftime(self._pattern)
        if _place(old) == _place(self.path):
            self._move_on()
        elif os.fstat(self._file).st_size:
            self._put_away(old)

    def _move_on(self) -> None:
        """Write to the file of the new day."""
        path = path_of(self._named, self._folder, self._now)
        if path == self.path:
            raise OSError(errno.EEXIST, "log.rotated gives it the name of the file itself")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._drop()

    def _put_away(self, old: Path) -> None:
        old.parent.mkdir(parents=True, exist_ok=True)
        here = self.path.resolve()  # a link stays one, such as /dev/stdout is
        try:
            os.link(here, old)
        except FileExistsError:
            if not os.path.samestat(old.stat(), os.fstat(self._file)):
                return
            # one that was killed between the two steps
        try:
            new = here.with_name(f".{here.name}.{os.getpid()}")
            os.close(os.open(new, os.O_CREAT | os.O_WRONLY, _MODE))
            new.replace(here)
        except OSError:
            old.unlink()  # the day is not over for this file
            raise
        self._drop()

    def _drop(self) -> None:
        """Remove the oldest of the rotated files, those of processes that started on other days, too."""
        if not self._keep:
            return
        moments = dict([*self._named_by(self._any_start), *self._named_by(self._pattern)])
        moments.pop(_place(self.path), None)
        for file in sorted(moments, key=lambda file: moments[file], reverse=True)[self._keep :]:
            file.unlink(missing_ok=True)

    def _named_by(self, pattern: str) -> Iterator[tuple[Path, tuple[float, float]]]:
        """Give each file that a pattern can name, and of when it is: what was copied has the moment of the copy."""
        root, names = self._folder / _root(pattern), re.compile(_names(pattern))
        deep = "/".join("*" * (len((self._folder / pattern).parts) - len(root.parts)))
        for file in root.glob(deep):
            name = file if PurePath(pattern).is_absolute() else file.relative_to(self._folder)
            if (found := names.fullmatch(str(name))) is not None:
                written = file.stat().st_mtime
                yield _place(file), (_day_of(found.groupdict(), written), written)


def _place(file: Path) -> Path:
    return file.parent.resolve() / file.name


def _plain(text: str) -> str:
    return text.replace("%", "%%")


def _root(pattern: str) -> Path:
    """Give the folder below which all names of a pattern are."""
    literal = _FIELD.split(pattern.replace("%%", "\0"))[0].replace("\0", "%")
    return Path(f"{literal}x").parent


def _day_of(fields: Mapping[str, str], otherwise: float) -> float:
    """Give the day that a name says."""
    try:
        year, month, day = (int(fields[field]) for field in _DAY_OF)
        return datetime(year, month, day).timestamp()  # noqa: DTZ001 (local midnight)
    except (KeyError, ValueError, OverflowError, OSError):  # a part is missing, or it is no day
        return otherwise


def _names(pattern: str) -> str:
    """Make a regular expression of a strftime pattern; year, month and day are groups where they come last."""
    pieces, named = _FIELD.split(pattern), _FIELD.findall(pattern)
    fields = [_SHAPES.get(field, "[^/]+?") for field in named]
    last = {field: place for place, field in enumerate(named)}
    for field in _DAY_OF:
        if (place := last.get(f"%{field}")) is not None:
            fields[place] = f"(?P<{field}>{fields[place]})"
    return "".join(re.escape(piece) + field for piece, field in zip(pieces, [*fields, ""], strict=True))

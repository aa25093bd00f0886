"""Notice that the configuration has been edited: a look every half second at what the system says of its files.

A look takes microseconds, needs neither a thread nor a descriptor, and follows links wherever they lead: it sees an
editor that puts a new file in the place of the old one, a ConfigMap, and file systems that announce nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

__all__ = ["EVERY_S", "Edits", "Stamp", "files_of", "stamp"]

Stamp: TypeAlias = tuple[tuple[int, ...] | None, ...]

EVERY_S: Final = 0.5  # between two looks


def files_of(file: Path) -> tuple[Path, Path]:
    """Name what a configuration file is read with: itself, and `.env` beside it."""
    return file, file.parent / ".env"


def stamp(files: Sequence[Path]) -> Stamp:
    """Say which files these are, when they were written and who may read them; None for one that is not there."""
    return tuple(map(_stamp, files))


def _stamp(file: Path) -> tuple[int, ...] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_dev, stat.st_mode, stat.st_uid, stat.st_gid


class Edits:
    """Tells of each edit once, when it is over. `seen`: the files as they were when they were read."""

    def __init__(self, files: Sequence[Path], seen: Stamp) -> None:
        self._files = files
        self._known = self._last = seen

    def note(self) -> None:
        """Take the files as known: somebody is about to read them."""
        self._known = self._last = stamp(self._files)

    def look(self) -> bool:
        """Tell whether the files are others than those that are known, and the same as at the last look."""
        now = stamp(self._files)
        before, self._last = self._last, now
        if now == self._known or now != before or _is_emptied(now[0]):
            return False
        self._known = now
        return True


def _is_emptied(file: tuple[int, ...] | None) -> bool:
    """Tell whether there is nothing in it: some editors empty a file before they write it."""
    return file is not None and not file[1]

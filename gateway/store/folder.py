"""The folder that holds all that lasts: whether it can be used, and what can be seen there."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final
from urllib.parse import quote

__all__ = [
    "address",
    "bereft",
    "closed",
    "explained",
    "is_there",
    "made",
    "nearest",
    "opened",
    "unusable",
    "write_some",
]

_SOME: Final = bytes(64 * 1024)
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_UNOPENED: Final = "unable to open database file"  # as SQLite says it, whatever the reason


def is_there(path: Path) -> bool:
    """Tell whether there is something that this process may know of: a folder above may be another user's."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def opened(file: Path, flags: int = 0) -> int:
    """Open a file to read and write it, or make it for its owner alone.

    What root makes in the folder of another user becomes that user's, as SQLite has it with the files beside its own:
    a key that was made with `sudo` would keep the gateway from its database.
    """
    flags |= os.O_CREAT | os.O_RDWR
    try:
        made = os.open(file, flags | os.O_EXCL, _MODE)
    except FileExistsError:
        return os.open(file, flags, _MODE)
    if os.name != "nt" and os.geteuid() == 0:
        owner = file.parent.stat()
        with suppress(OSError):  # root in a container may not, or the disk knows no users
            os.fchown(made, owner.st_uid, owner.st_gid)
    return made


def address(file: Path) -> str:
    """Write a file as SQLite takes it with a mode; between two slashes at its beginning and the next one is a host."""
    return f"file:{quote(os.fsencode(file), safe='')}"


def explained(said: str, file: Path) -> str:
    """Add what SQLite leaves out where a file is there: why this user may not write it."""
    effective = os.access in os.supports_effective_ids
    if said != _UNOPENED or not is_there(file) or os.access(file, os.R_OK | os.W_OK, effective_ids=effective):
        return said
    return f"{said}: {_why_closed(file)}"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _why_closed(file: Path) -> str:
    if os.name == "nt":
        return "it may not be written"
    if os.statvfs(file).f_flag & os.ST_RDONLY:
        return "its disk is read-only"
    found = file.stat()
    if found.st_uid != os.geteuid():
        return "it belongs to another user, as what root has made"
    return f"its mode is {found.st_mode & 0o777:04o}"


def bereft(file: Path) -> str:
    """Say that a write-ahead log has lost its file, "" = it has not: SQLite would remove it, even to read."""
    log = Path(f"{file}-wal")
    if not (_size(log) and not _size(file)):  # in this order, for who makes a file begins its log later
        return ""
    return f"{file.name} is missing or empty, and {log.name} is not: put back the former, or remove the latter, too"


def made(folder: Path) -> None:
    """Make a folder for its owner alone, unless it is there; raise OSError."""
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def nearest(folder: Path) -> Path:
    """Give a folder, or what is there of the way to it; itself where its name is one that cannot be."""
    for path in (folder, *folder.parents):
        try:
            path.lstat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return folder
        else:
            return path
    return folder


def unusable(folder: Path, data: bytes = _SOME) -> str:
    """Say why no file with this can be in a folder, which is there or can be made; "" = it can. None is left behind."""
    there = nearest(folder)
    try:
        write_some(there, data)
    except OSError as error:
        return f"{there}: {os.strerror(error.errno or 0)}"
    return ""


def write_some(folder: Path, data: bytes = _SOME) -> None:
    """Write into a file that has no name there; raise OSError, also for a full disk, which may take a file."""
    with TemporaryFile(dir=folder) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def closed(file: Path) -> str:
    """Say why nothing can be added to a file, which is there or can be made; "" = it can. Nothing is made."""
    try:
        if file.is_file() or file.is_dir():
            os.close(os.open(file, os.O_APPEND | os.O_WRONLY))
            return ""
    except OSError as error:
        return f"{file}: {os.strerror(error.errno or 0)}"
    return "" if os.path.lexists(file) else unusable(file.parent)

"""The folder that holds all that lasts: whether it can be used, and what can be seen there."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

__all__ = ["closed", "is_there", "unusable", "write_some"]

_SOME: Final = bytes(64 * 1024)


def is_there(path: Path) -> bool:
    """Tell whether there is something that this process may know of: a folder above may be another user's."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def unusable(folder: Path, data: bytes = _SOME) -> str:
    """Say why no file with this can be in a folder, which is there or can be made; "" = it can. None is left behind."""
    there = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)
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

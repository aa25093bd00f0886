"""The folder that holds all that lasts: whether it can be used, and what can be seen there."""

import os
from pathlib import Path
from tempfile import TemporaryFile

__all__ = ["closed", "is_there", "unusable"]


def is_there(path: Path) -> bool:
    """Tell whether there is something that this process may know of: a folder above may be another user's."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def unusable(folder: Path) -> str:
    """Say why nothing can be kept in a folder, which is there or can be made; "" = it can. Nothing is left behind."""
    there = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)
    try:
        with TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"{there}: {os.strerror(error.errno or 0)}"


def closed(file: Path) -> str:
    """Say why nothing can be added to a file, which is there or can be made; "" = it can. Nothing is made."""
    try:
        if file.is_file() or file.is_dir():
            os.close(os.open(file, os.O_APPEND | os.O_WRONLY))
            return ""
    except OSError as error:
        return f"{file}: {os.strerror(error.errno or 0)}"
    return "" if os.path.lexists(file) else unusable(file.parent)

"""Whether the folder that holds all that lasts can be used."""

import os
from pathlib import Path
from tempfile import TemporaryFile

__all__ = ["unusable"]


def unusable(folder: Path) -> str:
    """Say why nothing can be kept in a folder, which is there or can be made; "" = it can. Nothing is left behind."""
    there = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)
    try:
        with TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"{there}: {os.strerror(error.errno or 0)}"

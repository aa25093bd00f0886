"""A disk that takes no more, and a folder that is closed to this user."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["full_disk", "shut"]


@contextmanager
def full_disk(room: int = 0) -> Generator[None]:
    """Let no file of this process, and of programs that start now, grow beyond so many bytes.

    A write stops there, the next one fails. No module is compiled to a file meanwhile: CPython would keep the part
    of it that was written.
    """
    resource = pytest.importorskip("resource")
    compiles, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = compiles


def shut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody look into a folder; root, as whom tests may run, could look into any."""
    for module, name in ((os, "stat"), (os, "lstat"), (os, "open"), (io, "open")):
        real: Any = getattr(module, name)

        def refusing(path: Any, *given: Any, real: Any = real, **named: Any) -> Any:
            refused = "" if isinstance(path, int) else os.fsdecode(path)
            if refused and folder in Path(refused).absolute().parents:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), refused)
            return real(path, *given, **named)

        monkeypatch.setattr(module, name, refusing)

"""A disk that takes no more."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

__all__ = ["full_disk"]


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

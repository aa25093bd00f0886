"""Which process of those that use one data_dir counts limits by itself: the one that holds the lock there.

A lock ends with its process, however that ends. Several apps of one process hold it together.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

from gateway.store.folder import made

__all__ = ["Sole"]

_NAME: Final = "limits.lock"


class Sole:
    """The lock of one app in this process. `problem`: why there can be none; then nobody is kept away."""

    def __init__(self, folder: Path) -> None:
        self.problem = ""
        self._file = folder / _NAME
        self._descriptor: int | None = None

    def join(self) -> None:
        """Be known to be there, so that no other process counts by itself; without effect where one does."""
        self._lock(alone=False)

    def claim(self) -> bool:
        """Be the one that counts; False when another process is known to be there."""
        return sys.platform == "win32" or self._lock(alone=True)

    def leave(self) -> None:
        """Let another process count; what nobody holds goes."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                if _locked(descriptor, alone=True):
                    self._file.unlink(missing_ok=True)
            os.close(descriptor)

    def _lock(self, *, alone: bool) -> bool:
        if sys.platform == "win32":
            return True
        try:
            while True:
                if self._descriptor is None:
                    made(self._file.parent)
                    self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
                if not _locked(self._descriptor, alone=alone):
                    return False
                if self._is_there(self._descriptor):
                    return True
                os.close(self._descriptor)  # the one who had it has taken it away meanwhile
                self._descriptor = None
        except OSError as error:
            self.problem = f"{self._file}: {error.strerror or error}"
            return True

    def _is_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._file.stat())
        except FileNotFoundError:
            return False


def _locked(descriptor: int, *, alone: bool) -> bool:
    """Lock, or change the lock that is held; False where another process has one that does not allow it."""
    if sys.platform != "win32":
        try:
            fcntl.lockf(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as POSIX leaves it
            return False
    return True

"""Write lines to a pipe or a terminal whose reader may stand still: it gets a second, and then loses lines.

A pager, Ctrl-S in a terminal, or whoever collects the output of a container stop reading, and the system holds up
whoever writes more than the pipe holds. That would be the event loop, and with it everybody.
"""

import os
import select
import stat
import threading
import time
from collections.abc import Callable
from typing import IO, Final

__all__ = ["LogPipe"]

_WAIT_MS: Final = 1000
_REST_S: Final = 30.0  # until somebody waits again


class LogPipe:
    """A file of bytes or text that is read meanwhile. `now`: seconds that only grow."""

    def __init__(self, file: IO[bytes], now: Callable[[], float] = time.monotonic, *, wait_ms: int) -> None:
        self._file = file
        self._now = now
        self._wait_ms = wait_ms
        self._lock = threading.Lock()
        self._looking = select.poll()
        self._looking.register(file.fileno(), select.POLLOUT)
        self._waits_from = 0.0
        self._torn = False

    @classmethod
    def of(cls, file: IO[bytes]) -> "LogPipe | None":
        """Make one of a file that can stand still; None for others, and where the system does not tell of it."""
        try:
            mode = os.fstat(file.fileno()).st_mode
        except (OSError, ValueError):  # it has no descriptor, or is closed
            return None
        stands_still = stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)
        return cls(file, wait_ms=_WAIT_MS) if stands_still and hasattr(select, "poll") else None

    def write(self, line: bytes) -> None:
        """Write a line with its end, or lose it, or its end."""
        with self._lock:
            data = b"\n" + line if self._torn else line
            for begin in range(0, len(data), select.PIPE_BUF):
                if not self._takes():
                    self._torn = self._torn or begin > 0
                    return
                self._file.write(data[begin : begin + select.PIPE_BUF])
                self._file.flush()
            self._torn = False

    def _takes(self) -> bool:
        """Tell whether so much as is written at once can be, within a while."""
        if self._looking.poll(0):
            return True
        if self._now() < self._waits_from:
            return False
        if self._looking.poll(self._wait_ms):
            return True
        self._waits_from = self._now() + _REST_S
        return False

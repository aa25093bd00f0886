"""Connect to a database that may be silent: as long as it is, one at a time tries, and the others need not wait.

Each connection is waited for, for seconds, and many parts of a process want one: at its start one after the other, and
then again and again.
"""

import time
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Final, TypeVar

__all__ = ["Patience"]

_T = TypeVar("_T")

_LONG_S: Final = 1.0  # who refuses does so at once
_REST_S: Final = 1.0


class Patience:
    """Remembers that nothing was heard, for all who connect to the same place."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._trying = False
        self._rests_until = 0.0
        self._silent: Callable[[], Exception] | None = None  # makes what is raised

    def connect(self, connect: Callable[[], _T]) -> _T:
        """Connect; while a try is under way, or was a moment ago, raise what the last one has raised after long."""
        with self._lock:
            if self._silent is not None and (self._trying or time.monotonic() < self._rests_until):
                raise self._silent()
            self._trying = True
        began = time.monotonic()
        try:
            made = connect()
        except Exception as error:
            self._tried(partial(type(error), *error.args) if time.monotonic() - began >= _LONG_S else None)
            raise
        self._tried(None)
        return made

    def _tried(self, silent: Callable[[], Exception] | None) -> None:
        with self._lock:
            self._trying, self._silent = False, silent
            self._rests_until = time.monotonic() + _REST_S

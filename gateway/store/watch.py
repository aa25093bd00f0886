"""See at once what other processes have written to a SQLite file: one look costs a few microseconds.

The connection is one of its own, which only reads. It waits for nobody: what cannot be read now is read the next time.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.store.cipher import Cipher
from gateway.store.folder import address
from gateway.store.known import StoredCredential
from gateway.store.peek import peek
from gateway.store.rows import read_row
from gateway.store.stored import KeyProblem, StoreFailed

__all__ = ["Watch"]

_VERSION: Final = "PRAGMA data_version"  # grows with every change that another connection has made
_SINCE: Final = "SELECT * FROM credentials WHERE upstream = ? AND number > ? ORDER BY number"


class Watch:
    """The rows of one upstream that came after a number; OSError when the file cannot be opened."""

    def __init__(self, file: Path, upstream: str, cipher: Cipher) -> None:
        self._upstream = upstream
        self._cipher = cipher
        self._version = -1
        try:
            self._connection = peek(f"{address(file)}?mode=rw", _VERSION, wait_s=0)
        except sqlite3.Error as error:
            raise OSError(str(error)) from None
        self._ask = self._connection.execute
        self._rows = self._connection.cursor()
        self._rows.row_factory = sqlite3.Row

    def look(self, number: int) -> Sequence[StoredCredential]:
        """Give what was written after a number, if anything was written since the last look."""
        try:
            (version,) = self._ask(_VERSION).fetchone()
            if version == self._version:
                return ()
            found = self._rows.execute(_SINCE, (self._upstream, number)).fetchall()
            rows = [read_row(row, self._cipher) for row in found]
        except (sqlite3.Error, KeyProblem, StoreFailed):  # the poll tells of it
            return ()
        self._version = version
        return rows

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

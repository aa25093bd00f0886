"""The keys in a SQLite file, read as others write them: one look costs a few microseconds, also where no file is.

The connection only reads, and waits for nobody who writes. What a version before had no table for is no key.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from gateway.store.folder import address, bereft, explained
from gateway.store.peek import peek
from gateway.store.stored import StoreFailed
from gateway.store.stored_keys import KeyNews, StoredKey, news_of, read_key

__all__ = ["KeyFile"]

_VERSION: Final = "PRAGMA data_version"  # grows with every change that another connection has made
_TABLE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'keys'"
_LATEST: Final = "SELECT max(number) FROM keys"
_SINCE: Final = "SELECT * FROM keys WHERE number > ? ORDER BY number"
_WAIT_S: Final = 0.1  # while somebody recovers or renews the file


class KeyFile:
    """The keys of one file. It is used by one thread at a time; everything raises StoreFailed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._version = self._read = -1  # of what is known, and of what was read last
        self._fresh = True

    @property
    def place(self) -> str:
        """Name the file."""
        return str(self._file)

    def changed(self) -> bool:
        """Tell whether somebody has written since `seen`, or put another file there; not once it is gone."""
        try:
            found = os.stat(self._file)  # noqa: PTH116 - a third of what Path.stat costs
        except (FileNotFoundError, NotADirectoryError):
            if self._connection is None:
                self._see_whole()
            return False
        except OSError as error:
            raise StoreFailed(os.strerror(error.errno or 0)) from None
        inode = (found.st_dev, found.st_ino)
        if self._connection is None or inode != self._inode:
            self._open()
            self._inode = inode
        return self._data_version() != self._version

    def news(self, number: int) -> KeyNews | None:
        """Read what came after a number, from another file all there is; None = nothing. It is news until `seen`."""
        if not self.changed() or self._connection is None:
            return None
        version = self._data_version()
        news = news_of(self, number, whole=self._fresh)
        self._read = version
        return news

    def seen(self) -> None:
        """Know that the news that were read last are known: who has asked for them may have left meanwhile."""
        if self._read != -1:
            self._fresh, self._version = False, self._read

    def all(self) -> list[StoredKey]:
        """Read all keys; also the revoked ones."""
        self.changed()
        return self.since(0)

    def latest(self) -> int:
        """Give the greatest number of any key, 0 = there are none."""
        if not self._rows(_TABLE):
            return 0
        return int(self._rows(_LATEST)[0][0] or 0)

    def since(self, number: int) -> list[StoredKey]:
        """Read the keys with greater numbers, in their order; also the revoked ones."""
        return [read_key(row) for row in self._rows(_SINCE, number)] if self._rows(_TABLE) else []

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> None:
        self.close()
        self._see_whole()
        self._fresh, self._version, self._read = True, -1, -1
        reason = ""
        # in a folder that cannot be written it is read as it stands
        for mode in ("mode=rw", "mode=ro", "immutable=1"):
            try:
                connection = peek(f"{address(self._file)}?{mode}", _TABLE, wait_s=_WAIT_S, any_thread=True)
            except sqlite3.OperationalError as error:
                reason = str(error)
            except sqlite3.Error as error:
                raise StoreFailed(str(error)) from None
            else:
                connection.row_factory = sqlite3.Row
                self._connection = connection
                return
        raise StoreFailed(explained(reason, self._file))

    def _see_whole(self) -> None:
        if why := bereft(self._file):
            raise StoreFailed(why)

    def _data_version(self) -> int:
        return int(self._rows(_VERSION)[0][0])

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        if self._connection is None:
            return []
        try:
            return list(self._connection.execute(query, values).fetchall())
        except sqlite3.Error as error:
            raise StoreFailed(str(error)) from None

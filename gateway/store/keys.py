"""Keys that were made at run time, in the database: their hashes, what they may do, and when they were used.

Blocking: call it from a worker thread. Each row that is made or revoked gets the next number of all rows, so that who
asks for what came after one misses none. A name that was revoked may be given again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from gateway.store.database import Database, put
from gateway.store.rows import storable
from gateway.store.stored_keys import KeyExists, KeyNews, StoredKey, news_of, read_key, write_key
from gateway.store.tables import keys, numbers

__all__ = ["KeyStore"]

_LATEST: Final = select(func.max(keys.c.number))
_NAMES: Final = select(keys.c.sha256, keys.c.name)
_USED: Final = (
    update(keys)
    .where(keys.c.name == bindparam("named"), keys.c.last_used_at < bindparam("at"))
    .values(last_used_at=bindparam("at"))
)


class KeyStore:
    """The keys in a file, or in the database that `url` names; `secrets` are Fernet's, newest first.

    Everything raises KeyProblem or StoreFailed. `read_only`: it is read as it stands, and none is made.
    """

    def __init__(self, file: Path, secrets: Sequence[str] = (), *, url: str = "", read_only: bool = False) -> None:
        self._database = Database(file, secrets, url=url, read_only=read_only)
        self._fresh = True

    @property
    def place(self) -> str:
        """Name the file or the database."""
        return self._database.place

    def open(self) -> None:
        """Make the database if there is none, and see that the secrets fit."""
        self._database.open()

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._database.close()

    def news(self, number: int) -> KeyNews | None:
        """Read what came after a number, the first time all there is; None = nothing."""
        news = news_of(self, number, whole=self._fresh)
        self._fresh = False
        return news

    def all(self) -> list[StoredKey]:
        """Read all keys; also the revoked ones."""
        return self.since(0)

    def latest(self) -> int:
        """Give the greatest number of any key, 0 = there are none."""
        with self._database.reading() as connection:
            return connection.scalar(_LATEST) or 0

    def since(self, number: int) -> list[StoredKey]:
        """Read the keys with greater numbers, in their order; also the revoked ones."""
        query = select(keys).where(keys.c.number > number).order_by(keys.c.number)
        with self._database.reading() as connection:
            return [read_key(row) for row in connection.execute(query).mappings()]

    def add(self, key: StoredKey) -> None:
        """Write a new key; raise KeyExists when one of its name is in use."""
        there = select(keys.c.removed).where(keys.c.name == key.name)
        with self._database.writing() as connection:
            if connection.scalar(there) is False:
                raise KeyExists(key.name)
            put(connection, keys, write_key(key) | {"number": _next(connection), "removed": False})

    def remove(self, name: str) -> None:
        """Revoke a key; raise KeyError when there is none."""
        mine = update(keys).where(keys.c.name == storable(name), keys.c.removed.is_(False))
        with self._database.writing() as connection:
            if not connection.execute(mine.values(removed=True, number=_next(connection))).rowcount:
                raise KeyError(name)

    def note_uses(self, uses: Mapping[str, float]) -> None:
        """Write when keys were used, by their hashes; what is newer there stays."""
        with self._database.writing() as connection:
            # to look for each hash, which has no index, would take as often as many keys
            found = [{"named": name, "at": uses[hash_]} for hash_, name in connection.execute(_NAMES) if hash_ in uses]
            if found:
                connection.execute(_USED, found)


def _next(connection: Connection) -> int:
    """Take the next number; who writes is the only one."""
    number = (connection.scalar(select(numbers.c.number)) or 0) + 1
    connection.execute(update(numbers).values(number=number))
    return number

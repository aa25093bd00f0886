"""Keys that were made at run time, as a database holds them: known without loading what reads and writes it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from gateway.store.stored import StoreFailed

__all__ = ["KeyExists", "KeyNews", "StoredKey", "news_of", "read_key", "write_key"]

_LAST_S: Final = 253_402_300_799.0  # the end of the year 9999: an older version kept what rounds to more
_WORDS: Final = msgspec.json.Decoder(tuple[str, ...])
_LIMITS: Final = msgspec.json.Decoder(dict[str, int | float])


class StoredKey(Struct, frozen=True, kw_only=True):
    """One key; its text is nowhere. Times are Unix seconds, `last_used_at` 0 = never.

    `sha256`: of its text, in hex; `prefix`: what it begins with. `limits`: as [limits] has them. `number`: grows with
    every change of any row but that of `last_used_at`. `removed`: it was revoked, and is there so that all learn it.
    """

    name: str
    sha256: str
    prefix: str
    models: tuple[str, ...] = ()
    upstreams: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("chat",)
    expires: float | None = None
    limits: Mapping[str, float] = {}
    created_at: float
    last_used_at: float = 0.0
    number: int = 0
    removed: bool = False


class KeyNews(Struct, frozen=True):
    """Rows that are new. `whole`: there are no others, whatever was known before."""

    rows: Sequence[StoredKey]
    whole: bool


class KeyExists(Exception):
    """A key of this name is in use."""


class _Row(Protocol):
    """What rows of SQLAlchemy and of sqlite3 have in common."""

    def __getitem__(self, name: str, /) -> Any: ...


class _Reading(Protocol):
    """What can be asked of a place where keys are."""

    def latest(self) -> int:
        """Give the greatest number, 0 = there are no keys."""
        ...

    def since(self, number: int) -> Sequence[StoredKey]:
        """Read the rows with greater ones, in their order."""
        ...


def news_of(place: _Reading, number: int, *, whole: bool) -> KeyNews | None:
    """Read what came after a number, None = nothing; all there is where `whole`, or where the numbers began anew."""
    latest = place.latest()
    whole = whole or latest < number
    if latest == number and not whole:
        return None
    return KeyNews(place.since(0 if whole else number), whole)


def read_key(row: _Row) -> StoredKey:
    """Read a row; raise StoreFailed for one that is damaged."""
    name = row["name"]
    try:
        return StoredKey(
            name=name,
            sha256=row["sha256"],
            prefix=row["prefix"],
            models=_WORDS.decode(row["models"]),
            upstreams=_WORDS.decode(row["upstreams"]),
            scopes=_WORDS.decode(row["scopes"]),
            expires=None if row["expires"] is None else min(row["expires"], _LAST_S),
            limits=_LIMITS.decode(row["limits"]),
            created_at=row["created_at"],
            last_used_at=row["last_used_at"],
            number=row["number"],
            removed=bool(row["removed"]),  # SQLite knows numbers only
        )
    except msgspec.DecodeError as error:
        raise StoreFailed(f"the row of the key {name!r} is damaged: {error}") from None


def write_key(key: StoredKey) -> dict[str, object]:
    """Write a row."""
    fields = msgspec.structs.asdict(key)
    for name in ("models", "upstreams", "scopes", "limits"):
        fields[name] = msgspec.json.encode(fields[name]).decode()
    return fields

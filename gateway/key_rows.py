"""A key in its other forms: as it is made, as it lets in, as operators see it."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from msgspec import Struct

from gateway.config import Loaded, NewKey, parse_limits, write_limits
from gateway.context import Principal
from gateway.keys import Key, digest_of, end_of, id_of, keys_of
from gateway.store.stored_keys import StoredKey

__all__ = ["KeyRow", "config_rows", "key_of", "minted", "row_of"]

_BEGINS: Final = "gw-"
_SHOWN: Final = 8  # characters of a key that people may see


class KeyRow(Struct, frozen=True, kw_only=True):
    """A key as operators see it. Times are Unix seconds; None = never, or nobody knows.

    `source`: "config", and it stands in gateway.toml, or "store". `id`: that of its principal.
    """

    name: str
    id: str
    prefix: str | None
    models: Sequence[str]
    upstreams: Sequence[str]
    scopes: Sequence[str]
    expires: float | None
    limits: Mapping[str, float]
    created_at: float | None
    last_used_at: float | None
    source: str


def minted(new: NewKey, now: float) -> tuple[StoredKey, str]:
    """Make a key of 256 random bits, and its text."""
    text = f"{_BEGINS}{secrets.token_urlsafe(32)}"
    key = StoredKey(
        name=new.name,
        sha256=digest_of(text),
        prefix=text[:_SHOWN],
        models=new.models,
        upstreams=new.upstreams,
        scopes=new.scopes,
        expires=_seconds(new.expires),
        limits=write_limits(new.limits),
        created_at=now,
    )
    return key, text


def key_of(row: StoredKey) -> Key:
    """Give what a row means to those who let in; raise ValueError."""
    principal = Principal(
        name=row.name,
        id=id_of(row.sha256),
        scopes=frozenset(row.scopes),
        models=row.models,
        upstreams=row.upstreams,
        limits=parse_limits(dict(row.limits)),
    )
    return principal, datetime.fromtimestamp(row.expires, UTC) if row.expires is not None else None


def row_of(key: StoredKey, used_at: float = 0.0) -> KeyRow:
    """Show a key that was made at run time. `used_at`: when this process knows it was used."""
    return KeyRow(
        name=key.name,
        id=id_of(key.sha256),
        prefix=key.prefix,
        models=key.models,
        upstreams=key.upstreams,
        scopes=key.scopes,
        expires=key.expires,
        limits=key.limits,
        created_at=key.created_at,
        last_used_at=max(key.last_used_at, used_at) or None,
        source="store",
    )


def config_rows(loaded: Loaded) -> Iterator[KeyRow]:
    """Show the keys of the configuration, none of their texts."""
    for principal, expires in keys_of(loaded.config).values():
        yield KeyRow(
            name=principal.name,
            id=principal.id,
            prefix=None,
            models=principal.models,
            upstreams=principal.upstreams,
            scopes=sorted(principal.scopes),
            expires=_seconds(expires),
            limits=write_limits(principal.limits),
            created_at=None,
            last_used_at=None,
            source="config",
        )


def _seconds(moment: date | datetime | None) -> float | None:
    return None if moment is None else end_of(moment).timestamp()

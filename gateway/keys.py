"""The keys that callers show, known by their hashes."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TypeAlias

from gateway.config import SAMPLE_DIGESTS, Config, numbered
from gateway.context import Principal

__all__ = ["Key", "Keys", "digest_of", "end_of", "id_of", "indexed", "keys_of"]

Key: TypeAlias = tuple[Principal, date | datetime | None]  # and when it ends

_SHORT = 8  # digits of a hash that may be compared in any time


class Keys:
    """Keys by their SHA-256 in hex. `used`: the ids of those that were let in, until somebody takes them out.

    `published`: those that anybody can know, which `find` does not give.
    """

    def __init__(self, keys: Mapping[str, Key] | None = None) -> None:
        self.used: set[str] = set()
        self.published: Mapping[str, Key] = {}
        self._by_digest: Mapping[str, Key] = {}
        self._by_id: Mapping[str, Key] = {}
        self._by_prefix: Mapping[str, Sequence[str]] = {}
        self._know(keys or {})

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._by_digest)

    def __len__(self) -> int:
        """Count them."""
        return len(self._by_digest)

    @property
    def limited(self) -> Sequence[str]:
        """Name those that have limits of their own."""
        return [principal.name for principal, _ in self._by_digest.values() if principal.limits]

    def find(self, digest: str) -> Key | None:
        """Give the key with this hash, in a time that tells nothing of the others."""
        for known in self._by_prefix.get(digest[:_SHORT], ()):
            if hmac.compare_digest(known, digest):
                return self._by_digest[known]
        return None

    def by_id(self, id_: str) -> Key | None:
        """Give the key of this principal."""
        return self._by_id.get(id_)

    async def catch_up(self) -> None:
        """Learn what others have made, before a key is refused; raise StoreUnavailable while nobody can know."""

    def _know(self, keys: Mapping[str, Key]) -> None:
        """Know these and no others."""
        by_prefix: dict[str, list[str]] = {}
        for digest in keys.keys() - SAMPLE_DIGESTS:
            by_prefix.setdefault(digest[:_SHORT], []).append(digest)
        self._by_digest, self._by_prefix = keys, by_prefix
        self._by_id = {key[0].id: key for key in keys.values()}
        self.published = {digest: keys[digest] for digest in SAMPLE_DIGESTS & keys.keys()}


def keys_of(config: Config) -> dict[str, Key]:
    """Index every key of the configuration by its hash."""
    keys = indexed([secret.reveal() for secret in config.auth.keys])
    for entry in config.key:
        principal = Principal(
            name=entry.name,
            id=id_of(entry.digest),
            scopes=frozenset(entry.scopes),
            models=entry.models,
            upstreams=entry.upstreams,
            limits=entry.limits,
        )
        keys[entry.digest] = (principal, entry.expires)
    return keys


def indexed(keys: Mapping[str, Key] | Mapping[str, str] | Sequence[str]) -> dict[str, Key]:
    """Index texts, each with a name or not, and what is indexed already; raise TypeError or ValueError."""
    if isinstance(keys, str):
        raise TypeError("keys: give a list of keys, or a name for each, not one string")
    named = keys if isinstance(keys, Mapping) else numbered(keys)
    found: dict[str, Key] = {}
    for name, key in named.items():
        if not key:
            raise ValueError(f"keys: {name} is empty")
        digest = digest_of(key) if isinstance(key, str) else name
        found[digest] = (Principal(name=name, id=id_of(digest)), None) if isinstance(key, str) else key
    return found


def end_of(expires: date | datetime) -> datetime:
    """Give the moment at which a key ends: a day ends it as it begins, in UTC, which a time without a zone is, too."""
    if not isinstance(expires, datetime):
        return datetime(expires.year, expires.month, expires.day, tzinfo=UTC)
    return expires if expires.tzinfo is not None else expires.replace(tzinfo=UTC)


def digest_of(text: str) -> str:
    """Give the hash by which a key is known."""
    return sha256(text.encode()).hexdigest()


def id_of(digest: str) -> str:
    """Give the id of the principal whose key has this hash."""
    return digest[:16]

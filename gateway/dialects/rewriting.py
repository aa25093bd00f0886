"""Schemas that one vendor wants otherwise: each is rewritten once, and one that need not be keeps its bytes."""

from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Raw

from gateway.dialects.content import too_deep
from gateway.dialects.gemini.schema_facets import is_object
from gateway.dialects.gemini.schema_refs import resolve
from gateway.errors import InvalidRequest

__all__ = ["Kept", "decoded", "is_of_objects", "leads_to_objects", "rewriting"]

_T = TypeVar("_T")

_ENTRIES: Final = 1024
_BYTES: Final = 8 * 1024 * 1024


class Kept(Generic[_T]):
    """What was made of schemas, the one asked for longest ago out first.

    Clients send the same 30-100 KB of tools with every turn. Both bounds hold: entries, and bytes of JSON.
    """

    def __init__(self, entries: int = _ENTRIES, limit_bytes: int = _BYTES) -> None:
        self._entries = entries
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._kept: dict[Hashable, tuple[_T, int]] = {}
        self._lock = Lock()  # the page explains requests in a thread

    def take(self, key: Hashable, make: Callable[[], tuple[_T, int]]) -> _T:
        """Give what is kept by this key, or make it; `make` gives its size, too."""
        with self._lock:
            known = self._kept.pop(key, None)
            if known is not None:
                self._kept[key] = known
                return known[0]
        made = make()
        with self._lock:
            twice = self._kept.pop(key, None)
            self._kept[key] = made
            self._bytes += made[1] - (twice[1] if twice is not None else 0)
            while len(self._kept) > self._entries or self._bytes > self._limit_bytes:
                self._bytes -= self._kept.pop(next(iter(self._kept)))[1]
        return made[0]


def rewriting(rewrite: Callable[[object], object]) -> Callable[[Raw], Raw]:
    """Make of what rewrites a decoded schema what rewrites one that is not decoded."""
    kept = Kept[bytes]()

    def rewritten(schema: bytes) -> tuple[bytes, int]:
        given = decoded(schema)
        whole = rewrite(given)
        written = schema if whole == given else msgspec.json.encode(whole)
        return written, len(schema) + len(written)

    @wraps(rewrite)
    def apply(schema: Raw) -> Raw:
        given = bytes(schema)
        return Raw(kept.take(given, lambda: rewritten(given)))

    return apply


def decoded(schema: bytes) -> object:
    """Decode a schema that was taken as it came; raise InvalidRequest for a number out of range, and for its depth."""
    try:
        return msgspec.json.decode(schema)
    except msgspec.ValidationError:  # such as 1e400
        raise InvalidRequest("a number in a JSON Schema is out of range") from None
    except RecursionError:  # in a member whose name stands there again: only the last has been looked at
        raise too_deep() from None


def is_of_objects(schema: bytes) -> bool:
    """Tell whether a schema says at its root that it is an object; raise as `decoded`."""
    root = decoded(schema)
    return is_object(root) and root.get("type") == "object"


def leads_to_objects(schema: bytes) -> bool:
    """Tell the same of what the root refers to, too: libraries describe so what may hold others of its kind."""
    whole = root = decoded(schema)
    seen = set[str]()
    while is_object(root) and isinstance(ref := root.get("$ref"), str) and ref not in seen:
        seen.add(ref)
        root = resolve(whole, ref)
    return is_object(root) and root.get("type") == "object"

"""Schemas that one vendor wants otherwise: each is rewritten once, and one that need not be keeps its bytes."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.gemini.schema_facets import is_object
from gateway.errors import InvalidRequest

__all__ = ["decoded", "is_of_objects", "rewriting"]

_SCHEMAS: Final = 1024  # of one kind that are remembered


def rewriting(rewrite: Callable[[object], object]) -> Callable[[Raw], Raw]:
    """Make of what rewrites a decoded schema what rewrites one that is not decoded."""

    @lru_cache(maxsize=_SCHEMAS)
    def rewritten(schema: bytes) -> bytes:
        given = decoded(schema)
        whole = rewrite(given)
        return schema if whole == given else msgspec.json.encode(whole)

    @wraps(rewrite)
    def apply(schema: Raw) -> Raw:
        return Raw(rewritten(bytes(schema)))

    return apply


def decoded(schema: bytes) -> object:
    """Decode a schema that was taken as it came; raise InvalidRequest for one with a number that nothing here holds."""
    try:
        return msgspec.json.decode(schema)
    except msgspec.ValidationError:  # such as 1e400
        raise InvalidRequest("a number in a JSON Schema is out of range") from None


def is_of_objects(schema: bytes) -> bool:
    """Tell whether a schema says at its root that it is an object; raise as `decoded`."""
    root = decoded(schema)
    return is_object(root) and root.get("type") == "object"

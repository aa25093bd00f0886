"""Keys that are read but change nothing yet, each with a short reason; `gateway check` says so.

A pattern is a key path of `schema_keys()` or a glob over it; with `=value` only that value is without effect. A
key that begins to work loses its line here and gets the name of a test in `tests/gateway/config/behaviour.py`.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["NOT_IN_EFFECT", "why_not"]

NOT_IN_EFFECT: Final[Mapping[str, str]] = {}


def why_not(key: str, value: str = "", table: Mapping[str, str] = NOT_IN_EFFECT) -> str:
    """Say why a key of `schema_keys()`, or a part of its value, has no effect yet; "" when it has."""
    reasons = (
        reason
        for pattern, reason in table.items()
        if fnmatchcase(key, pattern) or (value and fnmatchcase(f"{key}={value}", pattern))
    )
    return ", ".join(dict.fromkeys(reasons))

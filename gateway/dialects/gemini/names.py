"""Names and ids the upstream accepts, and the way back.

A function name is ``[A-Za-z_][A-Za-z0-9_-]{0,63}``, the part of the rule that Gemini and Claude share. An
illegal one becomes ``prefix_`` and 8 hex digits of its sha256: the same in every turn, so that prompts stay
cacheable.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from gateway import ir

__all__ = ["NameMap", "call_ids", "legal", "legal_id", "made_id", "map_id"]

_LIMIT = 64
_DIGITS = 8
_ID_DIGITS = 24
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_START = re.compile(r"[A-Za-z_]")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")


class NameMap:
    """The function names of one request, both ways; no two of them meet upstream."""

    def __init__(self, originals: Iterable[str]) -> None:
        self._upstream: dict[str, str] = {}
        self._original: dict[str, str] = {}
        # Legal names first: they keep themselves. Sorted: the order of the tools must not matter.
        for original in sorted(set(originals), key=_legal_first):
            self._add(original)

    def upstream(self, original: str) -> str:
        """Give the name to send; a name not announced before joins the map."""
        return self._upstream.get(original) or self._add(original)

    def known(self, original: str) -> bool:
        """Tell whether a client's name has been announced."""
        return original in self._upstream

    def original(self, upstream: str) -> str:
        """Give the client's name for one that came back; an unknown one is itself."""
        return self._original.get(upstream, upstream)

    def _add(self, original: str) -> str:
        name, salt = original, 0
        while not legal(name) or name in self._original:
            name = _hashed(original if _START.match(original) else f"_{original}", original, salt)
            salt += 1
        self._upstream[original], self._original[name] = name, original
        return name


def _legal_first(name: str) -> tuple[bool, str]:
    return not legal(name), name


def legal(name: str) -> bool:
    """Tell whether every upstream takes this function name."""
    return _NAME.fullmatch(name) is not None


def legal_id(value: str) -> bool:
    """Tell whether every upstream takes this tool call id."""
    return _ID.fullmatch(value) is not None


def call_ids(turns: Iterable[ir.Turn]) -> frozenset[str]:
    """Give the ids of the calls in a conversation."""
    return frozenset(part.id for turn in turns for part in turn.parts if isinstance(part, ir.ToolCall))


def made_id(seed: str, dialect: str) -> str:
    """Make an id for a call that has none, in the form of the caller's dialect, the same for the same seed.

    Source: dialects.md §5.1.
    """
    prefix = "toolu_" if dialect == "anthropic" else "call_"
    return prefix + hashlib.sha256(seed.encode()).hexdigest()[:_ID_DIGITS]


def map_id(value: str) -> str:
    """Give the id to send, the same for the call and its result; a legal one is itself."""
    return value if legal_id(value) else _hashed(value, value, 0)


def _hashed(prefix: str, original: str, salt: int) -> str:
    seed = f"{original}\0{salt}" if salt else original
    digits = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{_ILLEGAL.sub('_', prefix)[: _LIMIT - _DIGITS - 1]}_{digits}"

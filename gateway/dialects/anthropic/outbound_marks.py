"""Marks for the prompt cache: Anthropic takes a few, the longer ones first, each on a block that is not empty."""

from collections.abc import Iterator
from itertools import dropwhile
from typing import Final

from gateway import ir

from .outbound_parts import JSON

__all__ = ["Marks"]

_MOST: Final = 4
_TOO_MANY: Final = (
    f"Anthropic takes {_MOST} cache marks per request: the last ones were kept, which include what comes before them"
)
_NOWHERE: Final = "the block that it marked is not sent as a block of its own"
_LONG: Final = "1h"
_TOO_LATE: Final = "Anthropic cannot cache for an hour after a mark of five minutes: shortened to five minutes"


class Marks:
    """The marks of one request, and which of them have been written."""

    def __init__(self, request: ir.Request) -> None:
        self._given = request.marks
        taken = request.marks[-_MOST:]
        self._taken = {mark.path for mark in taken}
        late = dropwhile(lambda mark: mark.ttl == _LONG, taken)
        self._late = {mark.path for mark in late if mark.ttl == _LONG}
        self._written: set[str] = set()

    def on(self, block: JSON, mark: ir.Mark | None) -> JSON:
        """Put a mark on a block, if there is one and it is among those that go on."""
        if mark is None or mark.path not in self._taken:
            return block
        self._written.add(mark.path)
        ttl = {"ttl": mark.ttl} if mark.ttl and mark.path not in self._late else {}
        return block | {"cache_control": {"type": "ephemeral"} | ttl}

    def lost(self) -> Iterator[ir.Loss]:
        """Tell which did not go on."""
        for mark in self._given:
            if mark.path not in self._written:
                yield ir.Loss(mark.path, _NOWHERE if mark.path in self._taken else _TOO_MANY, "hint")
            elif mark.path in self._late:
                yield ir.Loss(f"{mark.path}.ttl", _TOO_LATE, "hint")

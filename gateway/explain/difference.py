"""The difference between two JSON bodies, line by line, as `diff -u` writes it."""

from difflib import unified_diff
from itertools import islice
from typing import Final

import msgspec

__all__ = ["difference"]

_MOST_READ: Final = 20_000  # lines of a body: more take seconds
_MOST: Final = 400  # lines of the difference
_WIDEST: Final = 200
_AROUND: Final = 2


def difference(came: bytes, goes: bytes) -> tuple[str, ...]:
    """Give the lines in which two bodies differ once both are indented; () where they do not."""
    before, after = _lines(came), _lines(goes)
    if max(len(before), len(after)) > _MOST_READ:
        return ("… too long to be compared line by line",) if before != after else ()
    found = unified_diff(before, after, "came", "goes", n=_AROUND, lineterm="")
    lines = [_cut(line) for line in islice(found, _MOST + 1)]
    return (*lines[:_MOST], "… and more") if len(lines) > _MOST else tuple(lines)


def _lines(body: bytes) -> list[str]:
    return msgspec.json.format(body, indent=2).decode().split("\n")


def _cut(line: str) -> str:
    return line if len(line) <= _WIDEST else f"{line[:_WIDEST]}… {len(line):,} characters"

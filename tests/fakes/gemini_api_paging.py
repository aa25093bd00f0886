"""Lists in pages: how many entries, from where, and the token that leads on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from tests.fakes.v1internal_errors import invalid

__all__ = ["page"]


def page(name: str, entries: Sequence[Any], query: Mapping[str, str], *, usual: int, most: int) -> dict[str, Any]:
    """Give one page of a list; proto JSON leaves an empty list out."""
    start, size = _start(query.get("pageToken", "")), _size(query.get("pageSize", ""), usual, most)
    shown = list(entries[start : start + size])
    answer: dict[str, Any] = {name: shown} if shown else {}
    if start + size < len(entries):
        answer["nextPageToken"] = base64.urlsafe_b64encode(f"fake:{start + size}".encode()).decode()
    return answer


def _size(given: str, usual: int, most: int) -> int:
    if not given:
        return usual
    if not given.lstrip("-").isdigit():
        raise invalid(f"Invalid value at 'page_size' (TYPE_INT32), \"{given}\"")
    if int(given) < 0:
        raise invalid("page_size must not be negative.")
    return min(int(given), most) or usual


def _start(token: str) -> int:
    if not token:
        return 0
    try:
        mark, _, start = base64.urlsafe_b64decode(token).decode().partition(":")
        if mark == "fake":
            return int(start)
    except (binascii.Error, ValueError):
        pass
    raise invalid("Invalid page token.")

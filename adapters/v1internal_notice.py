"""A notice in the place of an answer: Code Assist tells clients so that it does not serve their version any more.

It comes under status 200, as one event of text with STOP, and nothing is counted. The caller reads it as it is, for it
is an answer like any other; the operator is told, whose business it is.
"""

import re
from collections.abc import Callable
from typing import Final

from gateway.adapters.google_answer import GoogleAnswer

__all__ = ["NoticedAnswer", "read_notice"]

# as people have seen them: lbjlaq/Antigravity-Manager#1404, #3075 and #2134; each is all that was said
_NOTICE: Final = re.compile(
    rb'"parts"\s*:\s*\[\s*\{\s*"text"\s*:\s*"'
    rb"((?:This version of [\w .-]{1,40} is no longer supported|Your current version of [\w .-]{1,40} is out of date)"
    rb'\.[^"\\]*)"\s*\}\s*\]'
)
_COUNTED: Final = re.compile(rb'TokenCount"\s*:\s*"?[1-9]')
_MARK: Final = b" version of "  # which few answers have


def read_notice(data: bytes) -> str:
    """Give the notice that is all of an answer, "" = it is none."""
    found = _NOTICE.search(data)
    return "" if found is None or _COUNTED.search(data) is not None else found[1].decode("utf-8", "replace")


class NoticedAnswer(GoogleAnswer):
    """Tells `noticed`, which is set by whoever makes it, of a notice."""

    noticed: Callable[[str], None]

    def _look_at(self, data: bytes) -> None:
        super()._look_at(data)
        if _MARK in data and (notice := read_notice(data)):
            self.noticed(notice)

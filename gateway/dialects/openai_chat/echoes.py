"""Refusals of servers built on pydantic, without what they repeat of the request.

    {"type", "loc", "msg", "input": …}      {'loc': …, 'input': …}      [type=missing, input_value=…, input_type=dict]

What is wrong stands in the other fields. The repeated part may be the prompt, and a message of an error is logged.
"""

import re
from typing import Final

__all__ = ["without_echoes"]

_LIMIT: Final = 64 * 1024
_PLACE: Final = re.compile(r"""(['"])loc\1: ?""")
_INPUT: Final = re.compile(r""", ?(['"])input\1: ?""")
_VALUE: Final = re.compile(r", input_value=(?:.*?(?=, input_type=)|.*)", re.DOTALL)
_MARK: Final = re.compile(r"""\\.|["'()\[\]{},]""", re.DOTALL)


def without_echoes(text: str) -> str:
    """Leave out the values that were refused; a text of another form stays as it is."""
    text = _VALUE.sub("", text[:_LIMIT])
    if not _PLACE.search(text):
        return text
    kept: list[str] = []
    at = 0
    while found := _INPUT.search(text, at):
        kept.append(text[at : found.start()])
        at = _end(text, found.end())
    return "".join(kept) + text[at:]


def _end(text: str, start: int) -> int:
    """Find where a value of JSON or Python ends; one that is cut off reaches to the end."""
    depth, quote = 0, ""
    for found in _MARK.finditer(text, start):
        mark = found[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark in "([{":
            depth += 1
        elif depth == 0:
            return found.start()
        elif mark in ")]}":
            depth -= 1
    return len(text)

"""Show what others said; what a terminal would obey, or a reader take for another line, stands as JSON writes it.

What the system gives as text, words of a command or variables, may hold bytes that are none.
"""

import json
from collections.abc import Sequence

__all__ = ["aligned", "is_text", "legible"]


def legible(text: str, keep: str = "") -> str:
    """Escape what is not printable; `keep`: what of that stays as it is."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else json.dumps(one)[1:-1] for one in text)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows as the lines of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def is_text(text: str) -> bool:
    """Tell what can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Show what others said; what a terminal would obey, or a reader take for another line, stands as JSON writes it.

What the system gives as text, words of a command or variables, may hold bytes that are none.
"""

import json

__all__ = ["is_text", "legible"]


def legible(text: str, keep: str = "") -> str:
    """Escape what is not printable; `keep`: what of that stays as it is."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else json.dumps(one)[1:-1] for one in text)


def is_text(text: str) -> bool:
    """Tell what can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Show what others said; what a terminal would obey, or a reader take for another line, stands as JSON writes it."""

import json

__all__ = ["legible"]


def legible(text: str, keep: str = "") -> str:
    """Escape what is not printable; `keep`: what of that stays as it is."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else json.dumps(one)[1:-1] for one in text)

"""Make what was said fit for a log: text, without secrets, pictures cut down, of a bounded length."""

import re
import zlib
from collections.abc import Callable
from typing import Final

from msgspec import Struct

__all__ = ["Excerpt", "excerpt", "inflated"]

_LIMIT: Final = 64 * 1024
_MARGIN: Final = 8 * 1024  # a secret that the end cuts is not known by its shape any more
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/_-]{256,}+={0,2}")
_SHOWN: Final = 24
_WINDOWS: Final = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}


class Excerpt(Struct, frozen=True):
    """`text` is what is shown, `cut` how many bytes behind it are not."""

    text: str
    cut: int


def excerpt(data: bytes, size: int, hide: Callable[[str], str], limit: int = _LIMIT) -> Excerpt:
    """Show the beginning of a body of `size` bytes, of which `data` was kept."""
    text = _ENCODED.sub(_shortened, data.decode("utf-8", "replace"))
    end = min(limit, len(text) - _MARGIN) if size > len(data) else limit
    shown, rest = hide(text[: end + _MARGIN]), text[end + _MARGIN :]
    over = shown[max(end, 0) :] if rest or len(shown) > limit or size > len(data) else ""
    kept = shown[: len(shown) - len(over)]
    return Excerpt(kept, len(over.encode()) + len(rest.encode()) + size - len(data))


def inflated(data: bytes, encoding: bytes, limit_bytes: int) -> bytes:
    """Unpack the beginning of a body, as far as it can be unpacked."""
    window = _WINDOWS.get(encoding.strip().lower())
    if window is None:
        return data
    try:
        return zlib.decompressobj(window).decompress(data, limit_bytes)
    except zlib.error:
        return b""


def _shortened(found: re.Match[str]) -> str:
    run = found[0]
    return f"{run[:_SHOWN]}…({len(run)} characters)"

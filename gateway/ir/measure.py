"""Read the size of media from their first bytes: pixels of an image, pages of a PDF, seconds of sound.

Each function takes base64 as it travels and gives None where it cannot tell. Nothing is decoded beyond a bound.
"""

import re
from binascii import a2b_base64
from typing import Final

__all__ = ["dimensions", "pages", "seconds"]

_HEADER: Final = 64 * 1024  # characters of base64; cameras put long previews before a JPEG's frame header
_DOCUMENT: Final = 16 * 1024 * 1024
_PAGE: Final = re.compile(rb"/Type\s{0,8}/Page(?![A-Za-z])")
_BYTES_A_SECOND: Final = 16_000  # sound whose header does not tell

# JPEG frame headers: SOF0 to SOF15 without DHT, JPG and DAC, which share their numbers
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def dimensions(data: str) -> tuple[int, int] | None:
    """Give width and height of a PNG, GIF, WebP or JPEG."""
    head = _decode(data, _HEADER)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        size = _big(head, 16, 4), _big(head, 20, 4)
    elif head.startswith((b"GIF87a", b"GIF89a")):
        size = _little(head, 6, 2), _little(head, 8, 2)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        size = _webp(head)
    elif head.startswith(b"\xff\xd8"):
        size = _jpeg(head)
    else:
        return None
    return size if size[0] > 0 and size[1] > 0 else None


def pages(data: str) -> int | None:
    """Count the pages of a PDF that names them in clear; compressed ones cannot be counted."""
    return len(_PAGE.findall(_decode(data, _DOCUMENT))) or None


def seconds(data: str) -> float:
    """Give the length of sound: of a WAV by its byte rate, of the rest by its size."""
    length = len(data) * 3 // 4
    head = _decode(data[:64], 64)
    if head.startswith(b"RIFF") and head[8:16] == b"WAVEfmt ":
        rate = _little(head, 28, 4)
        return max(0, length - 44) / rate if rate > 0 else length / _BYTES_A_SECOND
    return length / _BYTES_A_SECOND


def _webp(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8 ":
        return _little(head, 26, 2) & 0x3FFF, _little(head, 28, 2) & 0x3FFF
    if kind == b"VP8L":
        bits = _little(head, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return _little(head, 24, 3) + 1, _little(head, 27, 3) + 1
    return 0, 0


def _jpeg(head: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker in _FRAMES:
            return _big(head, at + 7, 2), _big(head, at + 5, 2)
        # 0xFF may be repeated as filling; each other segment says its length, itself included
        at += 1 if marker == 0xFF else 2 + max(2, _big(head, at + 2, 2))
    return 0, 0


def _decode(data: str, limit: int) -> bytes:
    try:
        return a2b_base64(data[:limit])
    except ValueError:  # not base64, or not even ASCII
        return b""


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")

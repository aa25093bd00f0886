"""The size of media, read from their first bytes. What follows is full of ones, so that a byte too much is noticed."""

from __future__ import annotations

import struct
from base64 import b64encode

import pytest

from gateway.ir.measure import dimensions, pages, seconds

REST = b"\xff" * 40
FRAME = b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 300, 750) + REST  # the height stands first


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def webp(kind: bytes, payload: bytes) -> bytes:
    return b"RIFF\xff\xff\xff\xffWEBP" + kind + b"\xff\xff\xff\xff" + payload + REST


def wav(rate: int, length: int) -> bytes:
    """Make one of so many bytes, its header among them."""
    head = b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate // 2, rate, 2, 16)
    return (head + b"data" + struct.pack("<I", length) + bytes(length))[:length]


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 750, 300) + REST,
        b"GIF87a" + struct.pack("<HH", 750, 300) + REST,
        b"GIF89a" + struct.pack("<HH", 750, 300) + REST,
        b"\xff\xd8" + FRAME,
        b"\xff\xd8" + b"\xff" * 3 + FRAME,
        b"\xff\xd8\xff\xdb\x00\x02" + FRAME,
        b"\xff\xd8\xff\xdb\x00\x00" + FRAME,
        b"\xff\xd8\xff\xc4\x00\x05\x01\x02\x03" + FRAME,
        webp(b"VP8 ", bytes(6) + struct.pack("<HH", 750, 300)),
        webp(b"VP8 ", bytes(6) + struct.pack("<HH", 750 | 0xC000, 300 | 0xC000)),  # two bits of a scale
        webp(b"VP8L", b"\x2f" + struct.pack("<I", 749 | 299 << 14)),
        webp(b"VP8L", b"\x2f" + struct.pack("<I", 749 | 299 << 14 | 0xF << 28)),  # alpha and version
        webp(b"VP8X", bytes(4) + (749).to_bytes(3, "little") + (299).to_bytes(3, "little")),
    ],
)
def test_the_width_and_the_height_of_an_image(data: bytes) -> None:
    assert dimensions(base64(data)) == (750, 300)


@pytest.mark.parametrize(("width", "height", "known"), [(1, 1, True), (0, 1, False), (1, 0, False)])
def test_an_image_of_no_size_has_none(width: int, height: int, known: bool) -> None:
    found = dimensions(base64(b"GIF89a" + struct.pack("<HH", width, height)))
    assert found == ((width, height) if known else None)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\x00" + FRAME, webp(b"VP9 ", bytes(9)), b"BM" + REST])
def test_what_is_no_image_that_is_known_has_no_size(data: bytes) -> None:
    assert dimensions(base64(data)) is None


def test_no_image_is_read_to_its_end() -> None:
    segment = b"\xff\xe1\xff\xff" + bytes(0xFFFD)
    assert dimensions(base64(b"\xff\xd8" + segment + FRAME)) is None


@pytest.mark.parametrize(
    ("data", "count"),
    [(b"/Type /Page /Type/Page>", 2), (b"/Type  /Pages", None), (b"/Type" + b" " * 9 + b"/Page", None), (b"", None)],
)
def test_the_pages_of_a_pdf(data: bytes, count: int | None) -> None:
    assert pages(base64(data)) == count


@pytest.mark.parametrize(
    ("data", "length_s"),
    [
        (wav(8000, 44 + 8002), 8002 / 8000),
        (wav(1, 42), 0.0),
        (wav(0, 48_000), 3.0),
        (bytes(48_000), 3.0),
        (b"RIFF" + bytes(47_996), 3.0),
    ],
)
def test_the_seconds_of_sound(data: bytes, length_s: float) -> None:
    assert seconds(base64(data)) == length_s

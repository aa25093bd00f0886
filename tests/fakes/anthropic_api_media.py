"""Pictures and documents: base64 that is what it says it is, addresses, and files by their ids."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from tests.fakes.anthropic_api_errors import bad
from tests.fakes.anthropic_api_shapes import Betas, joined, obj, tagged, text, word

__all__ = ["image_source", "pdf_data"]

IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
LARGEST_IMAGE = 5 * 1024 * 1024

words = text()


def _decoded(value: str, path: str, empty: str) -> bytes:
    if not value:
        raise bad(path.rpartition(".")[0], empty)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise bad(path, "invalid base64 data") from None


def _kind_of(data: bytes) -> str:
    """Recognise a picture by its first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return ""


_base64 = obj({"type": words, "media_type": word(*IMAGES), "data": words})


def _picture(value: Any, path: str, betas: Betas) -> None:
    _base64(value, path, betas)
    data = _decoded(value["data"], joined(path, "data"), "image cannot be empty")
    found = _kind_of(data)
    if not found:
        raise bad("", "Could not process image")
    if found != value["media_type"]:
        said = value["media_type"]
        problem = f"The image was specified using the {said} media type, but the image appears to be a {found} image"
        raise bad(path, problem)
    if len(data) > LARGEST_IMAGE:
        raise bad(path, f"image exceeds 5 MB maximum: {len(data)} bytes > {LARGEST_IMAGE} bytes")


def _address(value: Any, path: str, betas: Betas) -> None:
    words(value, path, betas)
    if not value.startswith("https://"):
        raise bad("", "Only HTTPS URLs are supported.")


image_source = tagged(
    {
        "base64": _picture,
        "url": obj({"type": words, "url": _address}),
        "file": obj({"type": words, "file_id": words}),
    }
)


def pdf_data(value: Any, path: str, betas: Betas) -> None:
    """Take a PDF in base64."""
    words(value, path, betas)
    if not _decoded(value, path, "PDF cannot be empty").startswith(b"%PDF"):
        raise bad(path, "The PDF specified was not valid.")

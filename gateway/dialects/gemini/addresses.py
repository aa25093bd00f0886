"""Files that stay where they are: which addresses a service of Google's fetches itself, and how they are written.

Vertex AI     https, Cloud Storage; it must know their type
Gemini API    films at YouTube, as Vertex AI too
Code Assist   none
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.errors import InvalidRequest

from .history import Step
from .target import Surface

__all__ = ["FILM", "addressed", "fetched"]

FILM: Final = re.compile(r"https?://(?:(?:www\.|m\.)?youtube\.com|youtu\.be)/.+")  # pages with a film
_FILM_TYPE: Final = "video/mp4"
_FETCHED: Final = ("gs://", "https://")
_UNKNOWN: Final = "/*"  # what a type ends with that nobody knows
_encode: Final = msgspec.json.Encoder().encode


def fetched(media: ir.Media, surface: Surface) -> bool:
    """Tell whether a service fetches a file as it is given."""
    address = media.url or ""
    if FILM.fullmatch(address):
        return surface != "v1internal"
    return surface == "vertex" and address.startswith(_FETCHED) and not media.media_type.endswith(_UNKNOWN)


def addressed(steps: Iterable[Step], surface: Surface) -> list[Step]:
    """Give the files of a conversation by their addresses, as far as these are fetched."""
    return [Step(step.role, tuple(_addressed(part, surface) for part in step.parts)) for step in steps]


def _addressed(part: ir.Part, surface: Surface) -> ir.Part:
    if not isinstance(part, ir.Media) or part.data is not None:
        return part
    if fetched(part, surface):
        kind = _FILM_TYPE if part.media_type.endswith(_UNKNOWN) else part.media_type
        value = Raw(_encode({"fileData": {"mimeType": kind, "fileUri": part.url}}))
        return ir.Opaque(dialect="gemini", kind="file", value=value, path=part.path)
    if surface == "vertex" and (part.url or "").startswith(_FETCHED):
        raise InvalidRequest(
            f"{part.path}: this upstream needs the media type; give a URL that ends in .png, .jpg, .mp4 or the like, "
            "or send the data as base64",
            param=part.path,
        )
    return part

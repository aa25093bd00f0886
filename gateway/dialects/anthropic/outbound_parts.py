"""Write the parts of a message: words, pictures, documents.

JPEG, PNG, GIF, WebP   image      base64, or an https address
PDF                    document   base64, or an https address
text/*, JSON           document   text
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from gateway import ir
from gateway.dialects.content import IMAGES
from gateway.dialects.gemini.history import EMPTY
from gateway.errors import InvalidRequest

__all__ = ["JSON", "Parts", "fetched", "image"]

JSON = dict[str, object]


_PDF: Final = "application/pdf"
_JSON: Final = "application/json"
_HTTPS: Final = "https://"


class Parts:
    """Writes them, and notes what a kind cannot hold. `paths`: see `ir.Request.paths`."""

    def __init__(self, paths: Mapping[str, str], losses: list[ir.Loss]) -> None:
        self._paths = paths
        self._losses = losses

    def write(self, part: ir.Text | ir.Media) -> JSON | None:
        """Write one part, None for blank words; raise InvalidRequest for what Claude cannot take."""
        if isinstance(part, ir.Text):
            return {"type": "text", "text": part.text} if part.text.strip() else None
        if part.detail is not None:
            self._lose(part.detail_path or part.path, "images have no detail here")
        kind = part.media_type.partition("/")[0]
        if kind == "image":
            if part.filename is not None:
                self._lose_name(part)
            return {"type": "image", "source": image(part)}
        if part.media_type == _PDF:
            return {"type": "document", "source": _pdf(part)} | _title(part)
        if kind == "text" or part.media_type == _JSON:
            return self._text(part)
        raise _refused(part, f"Claude does not accept {part.media_type!r}")

    def _text(self, media: ir.Media) -> JSON:
        try:
            words = b64decode(media.data or "").decode()
        except (binascii.Error, UnicodeDecodeError):
            raise _refused(media, f"is not {media.media_type!r} in UTF-8") from None
        if media.data is None:
            raise _refused(media, "this upstream fetches images and PDF only; send the data as base64")
        if not words.strip():
            if media.filename is not None:
                self._lose_name(media)
            return {"type": "text", "text": EMPTY.text}
        source = {"type": "text", "media_type": "text/plain", "data": words}
        return {"type": "document", "source": source} | _title(media)

    def _lose_name(self, media: ir.Media) -> None:
        name = self._paths.get("filename", "filename")
        self._lose(f"{media.path.rpartition('.')[0]}.{name}", "only documents have file names here")

    def _lose(self, path: str, reason: str) -> None:
        self._losses.append(ir.Loss(path, reason, "hint"))


def _title(media: ir.Media) -> JSON:
    return {"title": media.filename} if media.filename else {}


def image(media: ir.Media) -> JSON:
    """Write the source of a picture; raise InvalidRequest for one that Claude does not take."""
    if media.data is None:
        return _address(media)
    if media.media_type not in IMAGES:
        raise _refused(media, f"Claude accepts JPEG, PNG, GIF and WebP, not {media.media_type!r}")
    return {"type": "base64", "media_type": media.media_type, "data": media.data}


def _pdf(media: ir.Media) -> JSON:
    if media.data is None:
        return _address(media)
    return {"type": "base64", "media_type": _PDF, "data": media.data}


def fetched(media: ir.Media) -> bool:
    """Tell whether Claude fetches a file."""
    return (media.url or "").startswith(_HTTPS)


def _address(media: ir.Media) -> JSON:
    if not fetched(media):
        raise _refused(media, "this upstream fetches from https addresses only; send the data as base64")
    return {"type": "url", "url": media.url}


def _refused(media: ir.Media, reason: str) -> InvalidRequest:
    where = media.path or "messages"
    return InvalidRequest(f"{where}: {reason}", param=where)

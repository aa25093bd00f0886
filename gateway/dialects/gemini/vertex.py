"""What Vertex AI has otherwise than the Gemini API.

Calls and results have no ids there, and find each other by their order. Files come from Cloud Storage or the web.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir
from gateway.errors import InvalidRequest

from .history import Step

__all__ = ["fetched", "suited"]

_FETCHED: Final = ("gs://", "https://")
_encode: Final = msgspec.json.Encoder().encode


def suited(steps: Iterable[Step]) -> list[Step]:
    """Give a conversation without ids, and its files by their addresses."""
    return [Step(step.role, tuple(map(_suited, step.parts))) for step in steps]


def fetched(media: ir.Media) -> bool:
    """Tell whether Vertex AI fetches a file: it must know its type."""
    return (media.url or "").startswith(_FETCHED) and not media.media_type.endswith("/*")


def _suited(part: ir.Part) -> ir.Part:
    if isinstance(part, ir.ToolCall | ir.ToolResult):
        return replace(part, id="")
    if isinstance(part, ir.Media) and part.data is None and (part.url or "").startswith(_FETCHED):
        return ir.Opaque(dialect="gemini", kind="file", value=_file(part), path=part.path)
    return part


def _file(media: ir.Media) -> Raw:
    if media.media_type.endswith("/*"):
        raise InvalidRequest(
            f"{media.path}: this upstream needs the media type; give a URL that ends in .png, .jpg or the like, "
            "or send the data as base64",
            param=media.path,
        )
    return Raw(_encode({"fileData": {"mimeType": media.media_type, "fileUri": media.url}}))

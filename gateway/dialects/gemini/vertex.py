"""What Vertex AI has otherwise than the Gemini API.

Calls and results have ids since Gemini 3; those of older models have none, and find each other by their order. Files
come from Cloud Storage or the web.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir
from gateway.errors import InvalidRequest

from .history import Step
from .thinking import Generation, generation_of

__all__ = ["fetched", "numbers", "suited"]

_NUMBERED: Final[Generation] = (3, 0)
_FETCHED: Final = ("gs://", "https://")
_encode: Final = msgspec.json.Encoder().encode


def numbers(model: str) -> bool:
    """Tell whether calls of a model have ids here; of one whose name does not say, they have not."""
    generation = generation_of(model)
    return generation is not None and generation >= _NUMBERED


def suited(steps: Iterable[Step], *, ids: bool) -> list[Step]:
    """Give the files of a conversation by their addresses, and its calls without ids where these are not known."""
    return [Step(step.role, tuple(_suited(part, ids=ids) for part in step.parts)) for step in steps]


def fetched(media: ir.Media) -> bool:
    """Tell whether Vertex AI fetches a file: it must know its type."""
    return (media.url or "").startswith(_FETCHED) and not media.media_type.endswith("/*")


def _suited(part: ir.Part, *, ids: bool) -> ir.Part:
    if not ids and isinstance(part, ir.ToolCall | ir.ToolResult):
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

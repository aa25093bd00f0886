"""Write the parts of a message for OpenAI Responses: as Chat Completions has them, by the names that they have here.

text ─► input_text      image_url ─► input_image, flat      file ─► input_file, flat; here also by its address
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway import ir
from gateway.dialects.openai_chat.outbound_parts import Parts
from gateway.dialects.outbound_marks import Marks
from gateway.errors import InvalidRequest

__all__ = ["JSON", "ContentWriter", "fetched"]

JSON = dict[str, object]

_UNHEARD: Final = ("audio/", "video/")
_WEB: Final = ("https://", "http://")


def fetched(media: ir.Media) -> bool:
    """Tell whether Responses take the address of a file."""
    return (media.url or "").startswith(_WEB)


class ContentWriter:
    """Writes them, and notes what a kind cannot hold. `paths`: see `ir.Request.paths`.

    `marks`: what marks those that are to be cached.
    """

    def __init__(self, paths: Mapping[str, str], losses: list[ir.Loss], marks: Marks | None = None) -> None:
        self._paths = paths
        self._losses = losses
        self.marks = marks
        self._parts = Parts(paths, losses)

    def write(self, part: ir.Part) -> JSON:
        """Write one part; raise InvalidRequest for what this dialect has no form for."""
        written = self._media(part) if isinstance(part, ir.Media) else _words(part)
        if self.marks is not None and isinstance(part, ir.Text | ir.Media):
            return self.marks.on(written, part.mark)
        return written

    def _media(self, media: ir.Media) -> JSON:
        where = media.path or self._paths.get("messages", "messages")
        if media.media_type.startswith(_UNHEARD):
            raise InvalidRequest(f"{where}: this upstream does not accept {media.media_type!r}", param=where)
        if media.data is None and not media.media_type.startswith("image/") and fetched(media):
            return self._address(media)
        written = self._parts.write(media)
        if "text" in written:
            return {"type": "input_text", "text": written["text"]}
        if "file" in written:
            return {"type": "input_file", **msgspec.convert(written["file"], JSON)}
        image = msgspec.convert(written["image_url"], JSON)
        return {"type": "input_image", "image_url": image.pop("url"), "detail": "auto"} | image  # the type demands one

    def _address(self, media: ir.Media) -> JSON:
        if media.filename is not None:
            name = self._paths.get("filename", "filename")
            self._lose(f"{media.path.rpartition('.')[0]}.{name}", "a file given by URL has no name")
        if media.detail is not None:
            self._lose(media.detail_path or media.path, "only images have a detail here")
        return {"type": "input_file", "file_url": media.url}

    def _lose(self, path: str, reason: str) -> None:
        self._losses.append(ir.Loss(path, reason, "hint"))


def _words(part: ir.Part) -> JSON:
    return {"type": "input_text", "text": part.text if isinstance(part, ir.Text) else ""}

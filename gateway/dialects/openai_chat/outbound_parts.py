"""Write the parts of a user's message: words, pictures, sound, documents.

image/*           image_url     data URL or address
video/*           video_url     data URL or address; OpenAI has none
WAV, MP3          input_audio   base64
text/*, JSON      text
PDF, other files  file          data URL and a name
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Final

from gateway import ir
from gateway.dialects.outbound_marks import Marks
from gateway.errors import InvalidRequest

__all__ = ["Parts", "fetched", "image"]

_Part = dict[str, object]

_SOUNDS: Final = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
}
_NAMES: Final = {"application/pdf": "document.pdf"}
_SEEN: Final = ("image/", "video/")
_ADDRESSES: Final = ("https://", "http://")


class Parts:
    """Writes them, and notes what a kind cannot hold. `paths`: see `ir.Request.paths`. `videos`: there are some.

    `marks`: what marks those that are to be cached.
    """

    def __init__(
        self, paths: Mapping[str, str], losses: list[ir.Loss], *, videos: bool = False, marks: Marks | None = None
    ) -> None:
        self._paths = paths
        self._losses = losses
        self._videos = videos
        self._marks = marks

    def write(self, part: ir.Text | ir.Media) -> _Part:
        """Write one part; raise InvalidRequest for what this dialect has no form for."""
        written = self._written(part)
        return written if self._marks is None else self._marks.on(written, part.mark)

    def _written(self, part: ir.Text | ir.Media) -> _Part:
        if isinstance(part, ir.Text):
            return {"type": "text", "text": part.text}
        kind = part.media_type.partition("/")[0]
        if kind == "video" and not self._videos:
            raise _refused(part, "this upstream does not accept video")
        write = _WRITERS.get(part.media_type) or _WRITERS.get(kind, _file)
        written = write(part)
        if part.filename is not None and "file" not in written:
            filename = self._paths.get("filename", "filename")
            self._lose(f"{part.path.rpartition('.')[0]}.{filename}", "only documents have file names here")
        if part.detail is not None and "image_url" not in written:
            self._lose(part.detail_path or part.path, "only images have a detail here")
        return written

    def _lose(self, path: str, reason: str) -> None:
        self._losses.append(ir.Loss(path, reason, "hint"))


def fetched(media: ir.Media) -> bool:
    """Tell whether Chat Completions takes the address of a file: only of what is seen."""
    return media.media_type.startswith(_SEEN) and (media.url or "").startswith(_ADDRESSES)


def image(media: ir.Media) -> _Part:
    """Write a picture; raise InvalidRequest for an address that is not fetched."""
    detail = {} if media.detail is None else {"detail": media.detail}
    return {"type": "image_url", "image_url": {"url": _address(media)} | detail}


def _video(media: ir.Media) -> _Part:
    return {"type": "video_url", "video_url": {"url": _address(media)}}


def _address(media: ir.Media) -> str:
    if media.data is not None:
        return f"data:{media.media_type};base64,{media.data}"
    if not fetched(media):
        raise _refused(media, "this upstream fetches from https addresses only; send the data as base64")
    return media.url or ""


def _sound(media: ir.Media) -> _Part:
    name = _SOUNDS.get(media.media_type)
    if name is None:
        raise _refused(media, f"this upstream accepts audio as WAV or MP3, not {media.media_type!r}")
    return {"type": "input_audio", "input_audio": {"data": _data(media), "format": name}}


def _text(media: ir.Media) -> _Part:
    try:
        return {"type": "text", "text": b64decode(_data(media)).decode()}
    except (binascii.Error, UnicodeDecodeError):
        return _file(media)


def _file(media: ir.Media) -> _Part:
    name = media.filename or _NAMES.get(media.media_type, "file")
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{media.media_type};base64,{_data(media)}"}}


def _data(media: ir.Media) -> str:
    if media.data is None:
        raise _refused(media, "this upstream fetches images only; send the data as base64")
    return media.data


def _refused(media: ir.Media, reason: str) -> InvalidRequest:
    where = media.path or "messages"
    return InvalidRequest(f"{where}: {reason}", param=where)


# by media type, else by its first half
_WRITERS: Final[dict[str, Callable[[ir.Media], _Part]]] = {
    "image": image,
    "audio": _sound,
    "video": _video,
    "text": _text,
    "application/json": _text,
}

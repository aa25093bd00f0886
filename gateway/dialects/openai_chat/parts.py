"""Content parts as OpenAI callers write them; what Responses shares with Chat Completions is read here."""

from typing import Final

from msgspec import structs

from gateway import ir
from gateway.dialects.content import DOCUMENT, is_address, media
from gateway.errors import InvalidRequest

from . import wire

__all__ = [
    "audio_part",
    "file_part",
    "image_of",
    "image_part",
    "own_files_only",
    "refusal_part",
    "text_part",
    "video_part",
]

_AUDIO: Final = {"wav": "audio/wav", "mp3": "audio/mp3"}


def text_part(part: wire.TextPart, path: str) -> ir.Text:  # noqa: ARG001 (the signature of all readers of parts)
    """Read words."""
    return ir.Text(text=part.text)


def refusal_part(part: wire.RefusalPart, path: str) -> ir.Text:  # noqa: ARG001 (the signature of all readers of parts)
    """Read a refusal: words, too."""
    return ir.Text(text=part.refusal)


def image_part(part: wire.ImagePart | wire.Picture, path: str) -> ir.Media:
    """Read a picture."""
    image = part.image_url
    if isinstance(image, str):
        return image_of(image, None, f"{path}.image_url", "")
    return image_of(image.url, image.detail, f"{path}.image_url.url", f"{path}.image_url.detail")


def image_of(url: str, detail: str | None, path: str, detail_path: str) -> ir.Media:
    """Read a picture by its data URL or address."""
    found = media(url=url, detail=detail, path=path, otherwise="image/png")
    return found if detail is None else structs.replace(found, detail_path=detail_path)


def audio_part(part: wire.AudioPart, path: str) -> ir.Media:
    """Read sound."""
    kind = part.input_audio.format.lower()
    return media(_AUDIO.get(kind, f"audio/{kind}"), data=part.input_audio.data, path=f"{path}.input_audio.data")


def file_part(part: wire.FilePart, path: str) -> ir.Media:
    """Read a document; OpenRouter's clients give its address as its data, LiteLLM's as its id."""
    file, given, at = part.file, part.file.file_data, f"{path}.file.file_data"
    if given is None and file.file_id is not None and is_address(file.file_id):
        given, at = file.file_id, f"{path}.file.file_id"
    else:
        own_files_only(file.file_id, f"{path}.file.file_id", "file_data")
    return media(url=given, filename=file.filename, path=at, any_type=True, unknown=DOCUMENT)


def video_part(part: wire.VideoPart, path: str) -> ir.Media:
    """Read a video."""
    given, at = part.video_url, f"{path}.video_url"
    if not isinstance(given, str):
        given, at = given.url, f"{at}.url"
    return media(url=given, path=at, any_type=True, otherwise="video/mp4", unknown="video/*")


def own_files_only(file_id: str | None, path: str, instead: str) -> None:
    """Refuse what lies in somebody's account at OpenAI."""
    if file_id is not None:
        raise InvalidRequest(f"{path}: files of another account cannot be read here; send {instead}", param=path)

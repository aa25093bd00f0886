"""The contents of messages and of results."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

from msgspec import Raw, UnsetType
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.content import DOCUMENT, limit_depth, media
from gateway.dialects.marks import with_mark
from gateway.dialects.openai_chat.parts import audio_part, image_of, own_files_only, refusal_part, text_part
from gateway.dialects.openai_chat.wire import MARKS, AudioPart, Marked, RefusalPart, TextPart, given
from gateway.dialects.place import Place
from gateway.dialects.raw import NO_LIST, NULL

from . import wire

__all__ = ["Given", "read_content"]

Given = ir.Text | ir.Media

_EMPTY: Final = (NULL, NO_LIST)
_marks: Final = attrgetter(*MARKS)
_SEAL: Final = "gAAAA"  # how all begins that OpenAI has sealed
_UNREADABLE: Final = ir.Text(text="[encrypted: only OpenAI's models can read this]")


def read_content(content: str | Sequence[wire.Part], place: Place) -> Iterator[Given]:
    """Read words, or parts; what says nothing is left out."""
    if isinstance(content, str):
        if content:
            yield ir.Text(text=content)
        return
    for index, part in enumerate(content):
        at = place.item(index)
        read = _PARTS[type(part)](part, at)
        if any(_marks(part)):
            read = with_mark(read, part.mark(at.path, at.losses), at.losses)
        if not isinstance(read, ir.Text) or read.text:
            yield read


def _input_text(part: wire.InputText, place: Place) -> ir.Text:  # noqa: ARG001 (the table's signature)
    return ir.Text(text=part.text)


def _output_text(part: wire.OutputText, place: Place) -> ir.Text:
    for field in ("annotations", "logprobs"):
        value: Raw | UnsetType = getattr(part, field)
        if given(value) and value not in _EMPTY:
            limit_depth(value)
            place.lose(field, "of an earlier response only the text is carried")
    return ir.Text(text=part.text)


def _sealed_text(part: wire.SealedText, place: Place) -> ir.Text:
    if not part.encrypted_content.startswith(_SEAL):
        return ir.Text(text=part.encrypted_content)
    place.lose("encrypted_content", "only OpenAI can read what it has sealed", "change")
    return _UNREADABLE


def _image(part: wire.InputImage, place: Place) -> ir.Media:
    own_files_only(part.file_id, f"{place.path}.file_id", "image_url")
    if part.image_url is None:
        raise place.refuse("required, but missing", "image_url")
    return image_of(part.image_url, part.detail, f"{place.path}.image_url", f"{place.path}.detail")


def _file(part: wire.InputFile, place: Place) -> ir.Media:
    own_files_only(part.file_id, f"{place.path}.file_id", "file_data")
    if part.file_data is not None and part.file_url is not None:
        place.lose("file_url", "file_data already says it")
    field = "file_url" if part.file_data is None and part.file_url is not None else "file_data"
    found = media(
        data=part.file_data,
        url=part.file_url if part.file_data is None else None,
        filename=part.filename,
        detail=part.detail,
        path=f"{place.path}.{field}",
        any_type=True,
        unknown=DOCUMENT,
    )
    return found if part.detail is None else replace(found, detail_path=f"{place.path}.detail")


def _shared(read: Callable[[Any, str], Given]) -> Callable[[Any, Place], Given]:
    return lambda part, place: read(part, place.path)


_PARTS: Final[dict[type[Marked], Callable[[Any, Place], Given]]] = {
    wire.InputText: _input_text,
    wire.OutputText: _output_text,
    wire.InputImage: _image,
    wire.InputFile: _file,
    wire.SealedText: _sealed_text,
    TextPart: _shared(text_part),
    RefusalPart: _shared(refusal_part),
    AudioPart: _shared(audio_part),
}

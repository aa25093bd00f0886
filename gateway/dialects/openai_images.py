"""`/v1/images/generations` for upstreams of another dialect: what is to be drawn, and the pictures in an answer.

What other models take of it is a shape, not a number of pixels; the rest of OpenAI's options they do not know.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from gateway import ir
from gateway.dialects.content import decode
from gateway.dialects.place import Place, is_null
from gateway.dialects.raw import FIELDS
from gateway.errors import InvalidRequest
from gateway.ir.measure import dimensions
from gateway.sse import event

__all__ = ["Picture", "Wanted", "nearest_shape", "read_wanted", "write_picture_events", "write_pictures"]

_SIZE: Final = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_KNOWN: Final = frozenset({"model", "prompt", "n", "size", "response_format", "output_format", "stream"})
# options that change the picture, with the values that ask for nothing
_CHANGES: Final[Mapping[str, frozenset[str]]] = {
    "quality": frozenset({"auto", "standard"}),  # the default of GPT Image, and of DALL-E
    "style": frozenset(),
    "background": frozenset({"auto", "opaque"}),
    "moderation": frozenset({"auto"}),
    "output_compression": frozenset({"100"}),
    "svg": frozenset(),
    "frame_count": frozenset(),
    "frame_duration_ms": frozenset(),
    "complexity": frozenset(),
}
_NO_URLS: Final = "images are not stored at a URL here; leave it out, or ask for b64_json"
_encode: Final = msgspec.json.Encoder().encode


class Wanted(Struct, frozen=True, kw_only=True):
    """What is to be drawn. `size`: width and height, None = as the model likes. `form`: png, jpeg, webp or None."""

    prompt: str
    count: int = 1
    size: tuple[int, int] | None = None
    form: str | None = None
    stream: bool = False
    losses: tuple[ir.Loss, ...] = ()


class Picture(Struct, frozen=True):
    """A picture in base64, and what it is."""

    data: str
    media_type: str = "image/png"


class _Body(Struct):
    prompt: Annotated[str, Meta(min_length=1)]
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: str | None = None
    response_format: str | None = None
    output_format: str | None = None
    stream: bool | None = None


def read_wanted(body: bytes) -> Wanted:
    """Read a request; raise InvalidRequest for what nothing but OpenAI can give."""
    given, fields, place = decode(body, _Body), FIELDS.decode(body), Place()
    if given.response_format not in (None, "b64_json"):
        raise InvalidRequest(f"response_format: {_NO_URLS}", param="response_format")
    for name, nothing in _CHANGES.items():
        raw = fields.get(name)
        if raw is not None and not is_null(raw) and bytes(raw).decode().strip('"') not in nothing:
            place.lose(name, "this upstream does not support it", "change")
    place.lose_unknown(fields, _KNOWN | _CHANGES.keys())
    return Wanted(
        prompt=given.prompt,
        count=given.n or 1,
        size=_size(given.size),
        form=given.output_format,
        stream=bool(given.stream),
        losses=tuple(place.losses),
    )


def _size(given: str | None) -> tuple[int, int] | None:
    if given in (None, "auto"):
        return None
    found = _SIZE.fullmatch(given)
    if found is None:
        raise InvalidRequest("size: is neither auto nor of the form WIDTHxHEIGHT", param="size")
    return int(found[1]), int(found[2])


def nearest_shape(size: tuple[int, int], shapes: Sequence[str]) -> str:
    """Choose the shape, such as 16:9, that is most like a size."""

    def unlike(shape: str) -> float:
        width, _, height = shape.partition(":")
        ratio = size[0] * int(height) / (size[1] * int(width))
        return max(ratio, 1 / ratio)

    return min(shapes, key=unlike)


class _Image(Struct):
    b64_json: str


class _Details(Struct):
    image_tokens: int
    text_tokens: int


class _Usage(Struct):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: _Details


class _Images(Struct, omit_defaults=True):
    created: int
    data: list[_Image]
    output_format: str | None = None
    usage: _Usage | None = None


class _Completed(Struct, tag_field="type", tag="image_generation.completed"):
    b64_json: str
    created_at: int
    output_format: str
    size: str
    usage: _Usage | UnsetType
    background: str = "auto"
    quality: str = "auto"


def write_pictures(pictures: Sequence[Picture], created: int, usage: ir.Usage | None) -> bytes:
    """Write an answer that is one document."""
    form = _form(pictures[0]) if pictures else None
    return _encode(_Images(created, [_Image(one.data) for one in pictures], form, _counted(usage)))


def write_picture_events(pictures: Sequence[Picture], created: int, usage: ir.Usage | None) -> bytes:
    """Write the events of a stream: one for each picture, none for what would come before it is complete."""
    counted = _counted(usage)
    before = UNSET if counted is None else _Usage(0, 0, 0, _Details(0, 0))  # all of it stands in the last one
    uses = [before] * (len(pictures) - 1) + [UNSET if counted is None else counted]
    completed = (
        _Completed(one.data, created, _form(one), _size_of(one), used)
        for one, used in zip(pictures, uses, strict=False)
    )
    return b"".join(event(_encode(one), b"image_generation.completed") for one in completed)


def _size_of(picture: Picture) -> str:
    size = dimensions(picture.data)
    return "auto" if size is None else f"{size[0]}x{size[1]}"


def _form(picture: Picture) -> str:
    return picture.media_type.partition("/")[2]


def _counted(usage: ir.Usage | None) -> _Usage | None:
    if usage is None:
        return None
    return _Usage(usage.input, usage.output, usage.input + usage.output, _Details(0, usage.input))

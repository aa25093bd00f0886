"""The wire structs of a GenerateContentRequest. They never leave this package.

Proto JSON takes each name in camelCase and in snake_case, a single value where a list is meant, int64 as a string, a
value of an enumeration by its number, which Google's older SDK sends, and null for absent. What is nested stays `Raw`
here and is read level by level, so that `message` sees every name.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder

from gateway.dialects.place import Place, is_null
from gateway.dialects.raw import RAWS, Fields

__all__ = [
    "BLOB",
    "CALLING",
    "CONFIG",
    "CONTENT",
    "DECLARATION",
    "FILE",
    "FLAG",
    "FUNCTION_CALL",
    "FUNCTION_RESPONSE",
    "IMAGE_CONFIG",
    "RESOLUTION",
    "TEXT_FORMAT",
    "THINKING",
    "TOOL_CONFIG",
    "Blob",
    "Calling",
    "Config",
    "Content",
    "Declaration",
    "File",
    "FunctionCall",
    "FunctionResponse",
    "ImageConfig",
    "Maybe",
    "Named",
    "Resolution",
    "TextFormat",
    "Thinking",
    "ToolConfig",
    "camel",
    "camels",
    "contents_of",
    "fields_of",
    "items",
    "known",
    "message",
    "named",
    "strings",
]

Maybe = Raw | UnsetType
Named = str | int | None  # a value of an enumeration

_T = TypeVar("_T", bound=Struct)
_encode: Final = msgspec.json.Encoder().encode


class Content(Struct):
    """One turn."""

    role: str | None = None
    parts: Maybe = UNSET


class _Plain(Struct, forbid_unknown_fields=True):
    """The same as most clients write it, with the members of its parts."""

    role: str | None = None
    parts: list[Fields] = []


class Blob(Struct, rename="camel"):
    """Media in base64."""

    data: str | None = None
    mime_type: str | None = None
    display_name: str | None = None


class File(Struct, rename="camel"):
    """Media at an address."""

    file_uri: str
    mime_type: str | None = None
    display_name: str | None = None


class FunctionCall(Struct):
    """A call of a tool."""

    name: str
    id: str | None = None
    args: Maybe = UNSET


class FunctionResponse(Struct):
    """What the tool gave back; `parts` are media that belong to it."""

    name: str | None = None
    id: str | None = None
    response: Maybe = UNSET
    parts: Maybe = UNSET


class Resolution(Struct):
    """How closely to look at one picture."""

    level: str | None = None


class Declaration(Struct, rename="camel"):
    """A function: its parameters as a Schema of the proto, or as JSON Schema."""

    name: str
    description: str | None = None
    parameters: Maybe = UNSET
    parameters_json_schema: Maybe = UNSET


class ToolConfig(Struct, rename="camel"):
    """Around the choice of tools."""

    function_calling_config: Maybe = UNSET


class Calling(Struct, rename="camel"):
    """Which functions may, must or must not be called."""

    mode: Named = None
    allowed_function_names: list[str] | str | None = None


class Config(Struct, rename="camel"):
    """How the answer is made."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] | str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_mime_type: str | None = None
    response_schema: Maybe = UNSET
    response_json_schema: Maybe = UNSET
    response_format: Maybe = UNSET
    response_modalities: list[str | int] | Named = None
    media_resolution: Named = None
    image_config: Maybe = UNSET
    thinking_config: Maybe = UNSET


class ImageConfig(Struct, rename="camel"):
    """How pictures are to be."""

    aspect_ratio: str | None = None
    image_size: str | None = None


class TextFormat(Struct, rename="camel"):
    """What words of an answer are to be: the newer way to say so."""

    mime_type: str | None = None
    schema: Maybe = UNSET


class Thinking(Struct, rename="camel"):
    """How much to think."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


CONTENT: Final = Decoder(Content)
_PLAIN: Final = Decoder(list[_Plain])
BLOB: Final = Decoder(Blob)
FILE: Final = Decoder(File)
FUNCTION_CALL: Final = Decoder(FunctionCall)
FUNCTION_RESPONSE: Final = Decoder(FunctionResponse)
RESOLUTION: Final = Decoder(Resolution)
DECLARATION: Final = Decoder(Declaration)
TOOL_CONFIG: Final = Decoder(ToolConfig)
CALLING: Final = Decoder(Calling)
CONFIG: Final = Decoder(Config, strict=False)
IMAGE_CONFIG: Final = Decoder(ImageConfig)
TEXT_FORMAT: Final = Decoder(TextFormat)
THINKING: Final = Decoder(Thinking, strict=False)

FLAG: Final = Decoder(bool)


def message(raw: Raw, decoder: Decoder[_T], place: Place) -> tuple[_T, dict[str, Raw]]:
    """Read one message; give with it the members that its struct does not have."""
    closed, undecoded = _closed(decoder)
    try:
        plain = closed.decode(raw)
    except ValidationError:
        pass
    else:
        for name in undecoded:
            if is_null(getattr(plain, name)):
                break
        else:
            return plain, {}
    given = place.fields(raw)
    fields = camels(given)
    if fields.keys() != given.keys():  # other spellings, or nulls
        raw = Raw(_encode(fields))
    named = _names(_kind(decoder))
    return place.read(raw, decoder), {name: value for name, value in fields.items() if name not in named}


def known(raw: Raw, decoder: Decoder[_T], place: Place) -> _T:
    """Read one message; lose the members that its struct does not have."""
    read, rest = message(raw, decoder, place)
    if rest:
        place.lose_unknown(rest, ())
    return read


def fields_of(raw: Raw, place: Place) -> dict[str, Raw]:
    """Read the members of a message, by their camelCase names, without those that are null."""
    return camels(place.fields(raw))


def items(raw: Maybe, place: Place) -> Iterator[tuple[Place, Raw]]:
    """Give the elements of a repeated field; a single one may stand without its brackets."""
    if raw is UNSET:
        return
    if not bytes(raw).startswith(b"["):
        yield place, raw
        return
    found = place.read(raw, RAWS)
    for index, one in enumerate(found):
        yield place.item(index), one


def contents_of(raw: Raw, place: Place) -> Iterator[tuple[Place, str | None, Iterable[tuple[Place, Fields]]]]:
    """Give each content's role and the members of its parts, which are read at once where nothing is spelt otherwise.

    Each level that is read by itself takes another look at all that is said.
    """
    try:
        plain = _PLAIN.decode(raw)
    except ValidationError:
        for at, one in items(raw, place):
            content = known(one, CONTENT, at)
            parts = items(content.parts, at.at("parts"))
            yield at, content.role, [(where, fields_of(part, where)) for where, part in parts]
        return
    for index, said in enumerate(plain):
        at = place.item(index)
        path = f"{at.path}.parts"
        yield at, said.role, [(Place(f"{path}[{nth}]", at.losses), camels(one)) for nth, one in enumerate(said.parts)]


def named(value: Named, names: Sequence[str]) -> str | None:
    """Give the name of an enumeration's value; `names`: in the order of their numbers."""
    if not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else str(value)


def strings(given: list[str] | str | None) -> tuple[str, ...]:
    """Give the elements of a repeated string."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def camel(name: str) -> str:
    """Give the camelCase form of a name of the proto."""
    if "_" not in name:
        return name
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def camels(fields: Fields) -> Fields:
    """Give the members of a message by their camelCase names, without those that are null."""
    for name, value in fields.items():
        if "_" in name or is_null(value):
            break
    else:
        return fields
    return {camel(name): value for name, value in fields.items() if not is_null(value)}


@cache
def _closed(decoder: Decoder[Any]) -> tuple[Decoder[Any], tuple[str, ...]]:
    """Give a decoder that takes no other members, as most messages have none, and those that it leaves undecoded."""
    kind = _kind(decoder)
    closed = msgspec.defstruct(kind.__name__, (), bases=(kind,), forbid_unknown_fields=True)
    undecoded = tuple(field.name for field in msgspec.structs.fields(kind) if field.type == Maybe)
    return Decoder(closed, strict=decoder.strict), undecoded


def _kind(decoder: Decoder[Any]) -> type[Struct]:
    return cast("type[Struct]", decoder.type)


@cache
def _names(kind: type[Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))

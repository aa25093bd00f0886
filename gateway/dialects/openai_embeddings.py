"""`/v1/embeddings`: the texts of a request, and the list of their vectors, written for upstreams of another dialect.

What a server that is compatible with OpenAI leaves out of its list is filled in.
"""

import math
import sys
from array import array
from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from gateway import ir
from gateway.dialects.content import decode
from gateway.dialects.edits import mended
from gateway.dialects.place import Place, is_null
from gateway.dialects.raw import FIELDS, MANY, NULL, RAWS, TEXT, Fields, read
from gateway.errors import InvalidRequest

__all__ = [
    "Texts",
    "Vector",
    "completed",
    "is_packed",
    "of_length_one",
    "read_texts",
    "without_format",
    "write_vectors",
]

Vector: TypeAlias = Sequence[float]

_MOST: Final = 2048  # as at OpenAI
_KNOWN: Final = frozenset({"model", "input", "dimensions", "encoding_format"})
_FORMAT: Final = "encoding_format"
_PACKED: Final = "base64"
_FORMATS: Final = ("float", _PACKED)
_VECTOR: Final = msgspec.json.Decoder(list[float])
_encode: Final = msgspec.json.Encoder().encode


class Texts(Struct, frozen=True, kw_only=True):
    """What is to be embedded. `base64`: the vectors go out as float32, little-endian, in base64."""

    texts: tuple[str, ...]
    dimensions: int | None = None
    base64: bool = False
    losses: tuple[ir.Loss, ...] = ()


class _Body(Struct):
    input: Raw
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None


def read_texts(body: bytes) -> Texts:
    """Read a request; raise InvalidRequest for what only OpenAI's own models understand."""
    given = decode(body, _Body)
    place = Place()
    place.lose_unknown(FIELDS.decode(body), _KNOWN)
    return Texts(
        texts=_texts(given.input),
        dimensions=given.dimensions,
        base64=given.encoding_format == "base64",
        losses=tuple(place.losses),
    )


def _texts(raw: Raw) -> tuple[str, ...]:
    many = bytes(raw).lstrip()[:1] == b"["
    items = RAWS.decode(raw) if many else [raw]
    if not 1 <= len(items) <= _MOST:
        raise InvalidRequest(f"input: must have 1 to {_MOST} texts", param="input")
    return tuple(_text(item, f"input[{index}]" if many else "input") for index, item in enumerate(items))


def _text(raw: Raw, path: str) -> str:
    try:
        text = TEXT.decode(raw)
    except msgspec.ValidationError:
        reason = "token IDs are those of OpenAI's own models; this upstream accepts text only"
        tokens = bytes(raw).lstrip()[:1] in b"[-0123456789"
        raise InvalidRequest(f"{path}: {reason if tokens else 'expected a string'}", param=path) from None
    if not text:
        raise InvalidRequest(f"{path}: is empty", param=path)
    return text


def of_length_one(vector: Vector) -> Vector:
    """Give a vector the length that OpenAI's have; one that has been shortened by its model may have lost it."""
    length = math.sqrt(math.fsum(value * value for value in vector))
    return [value / length for value in vector] if length else vector


class _Embedding(Struct):
    index: int
    embedding: Vector | str
    object: str = "embedding"


class _Usage(Struct):
    prompt_tokens: int
    total_tokens: int


class _List(Struct):
    data: list[_Embedding]
    model: str
    usage: _Usage
    object: str = "list"


def write_vectors(model: str, vectors: Sequence[Vector], tokens: int, *, base64: bool) -> bytes:
    """Write the answer."""
    data = [_Embedding(index, _packed(one) if base64 else one) for index, one in enumerate(vectors)]
    return _encode(_List(data, model, _Usage(tokens, tokens)))


def is_packed(body: bytes) -> bool:
    """Tell whether a caller asks for base64, as OpenAI's SDKs do by themselves."""
    return _format(FIELDS.decode(body)) == _PACKED


def without_format(body: bytes) -> bytes:
    """Leave out the form of the vectors: a server that knows none lists numbers."""
    fields = FIELDS.decode(body)
    if _format(fields) not in _FORMATS:
        return body
    return _encode({name: value for name, value in fields.items() if name != _FORMAT})


def _format(fields: Fields) -> str | None:
    return read(fields.get(_FORMAT, NULL), TEXT)


def completed(document: bytes, tokens: int, *, base64: bool) -> bytes:
    """Give an answer what SDKs read of it: the place of each vector, how much was counted, and the form they want.

    One that has all that stays byte for byte as it is.
    """
    fields = FIELDS.decode(document)
    data = read(fields.get("data", NULL), MANY)
    if data is None:
        return document
    after: dict[str, object] = {**fields}
    vectors = mended(data, lambda place, one: _completed(one, place, base64=base64))
    if vectors is not None:
        after["data"] = vectors
    if is_null(fields.get("usage", NULL)):
        after["usage"] = _Usage(tokens, tokens)
    return document if after == fields else _encode(after)


def _completed(one: Fields, place: int, *, base64: bool) -> dict[str, object] | Fields:
    vector = read(one.get("embedding", NULL), _VECTOR) if base64 else None
    placed = not is_null(one.get("index", NULL))
    if placed and vector is None:
        return one
    added: dict[str, object] = {} if placed else {"index": place}
    return {**one, **added} if vector is None else {**one, **added, "embedding": _packed(vector)}


def _packed(vector: Vector) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()

"""Embeddings for Gemini callers, where the upstream's way of asking for them is another one.

embedContent          {"content", …}    ─► Item  ─► {"embedding": {"values"}}
batchEmbedContents    {"requests": […]} ─► Items ─► {"embeddings": [{"values"}, …]}
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct

from gateway.dialects.content import decode
from gateway.dialects.openai_embeddings import Texts, Vector
from gateway.dialects.place import Place
from gateway.dialects.raw import NO_FIELDS

from .inbound_wire import Maybe, items, message

__all__ = ["BATCH", "ONE", "Item", "items_of", "read_items", "write_embeddings"]

_T = TypeVar("_T")

ONE: Final = "embedContent"
BATCH: Final = "batchEmbedContents"
_encode: Final = msgspec.json.Encoder().encode


class Item(Struct, frozen=True, kw_only=True):
    """What becomes one vector. `path`: where in the caller's body it stands. `more`: options of some models."""

    content: Raw
    path: str = ""
    task: str | None = None
    title: str | None = None
    dimensions: int | None = None
    truncate: bool | None = None
    more: Mapping[str, Raw] = {}


class _Batch(Struct):
    requests: Maybe = UNSET


class _Config(Struct, rename="camel"):
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: int | None = None
    auto_truncate: bool | None = None


class _Request(_Config, rename="camel"):
    content: Maybe = UNSET
    model: str | None = None  # that of the path counts
    embed_content_config: Maybe = UNSET


_BATCH: Final = msgspec.json.Decoder(_Batch)
_REQUEST: Final = msgspec.json.Decoder(_Request, strict=False)
_CONFIG: Final = msgspec.json.Decoder(_Config, strict=False)


def read_items(body: bytes, verb: str) -> list[Item]:
    """Read a request; raise InvalidRequest."""
    raw = decode(body, Raw)
    if verb == ONE:
        return [_item(raw, Place())]
    batch, unknown = message(raw, _BATCH, Place())
    _refuse_unknown(unknown.keys() - {"model"}, Place())
    found = [_item(one, place) for place, one in items(batch.requests, Place("requests"))]
    if not found:
        raise Place().refuse("is empty", "requests")
    return found


def _item(raw: Raw, place: Place) -> Item:
    given, unknown = message(raw, _REQUEST, place)
    _refuse_unknown(unknown, place)
    if given.content is UNSET:
        raise place.refuse("is missing", "content")
    within = given.embed_content_config
    config, more = message(NO_FIELDS if within is UNSET else within, _CONFIG, place.at("embedContentConfig"))
    return Item(
        content=given.content,
        path=place.path,
        task=_first(config.task_type, given.task_type),
        title=_first(config.title, given.title),
        dimensions=_first(config.output_dimensionality, given.output_dimensionality),
        truncate=_first(config.auto_truncate, given.auto_truncate),
        more=more,
    )


def _first(new: _T | None, old: _T | None) -> _T | None:
    """Choose between an option of embedContentConfig and the older one beside it."""
    return old if new is None else new


def _refuse_unknown(names: Iterable[str], place: Place) -> None:
    for name in names:
        raise place.refuse("no such field is known", name)


def items_of(texts: Texts) -> list[Item]:
    """Say the same of the texts of an OpenAI caller."""
    return [
        Item(content=Raw(_encode({"parts": [{"text": text}]})), dimensions=texts.dimensions) for text in texts.texts
    ]


class _Values(Struct):
    values: Vector


class _Counted(Struct, rename="camel"):
    prompt_token_count: int


class _Embedded(Struct, rename="camel", omit_defaults=True):
    embedding: _Values | None = None
    embeddings: list[_Values] | None = None
    usage_metadata: _Counted | None = None


def write_embeddings(verb: str, vectors: Sequence[Vector], tokens: int | None) -> bytes:
    """Write the answer; without `tokens` it says nothing of them."""
    counted = None if tokens is None else _Counted(tokens)
    values = [_Values(vector) for vector in vectors]
    if verb == ONE:
        return _encode(_Embedded(embedding=values[0], usage_metadata=counted))
    return _encode(_Embedded(embeddings=values, usage_metadata=counted))

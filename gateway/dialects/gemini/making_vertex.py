"""Embeddings by the models of Vertex AI, each by the one of two methods that it has.

predict        texts: gemini-embedding-001 takes one in a call, text-embedding-* up to 250 with 20,000 tokens
embedContent   later Gemini models and open ones: one content of any kind

A text that is too long for its model is refused there, and not cut in silence.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.outbound import latest
from gateway.dialects.place import Place
from gateway.dialects.raw import TEXT
from gateway.ir.estimate import estimate_text

from .embeddings import ONE, Item
from .inbound_wire import CONTENT, fields_of, items, message
from .making import JSON, Embedded, Step, read_answer, read_embedded

__all__ = ["read_vectors", "write_items"]

_PREDICT: Final = "predict"
_MOST_TEXTS: Final = 250
_MOST_TOKENS: Final = 15_000  # by estimate, which may be too low
_SEVERAL: Final = ("text-embedding-", "text-multilingual-embedding-")
_ONE_TEXT: Final = "this model of Vertex AI takes one text and nothing else"
_USER: Final = Raw(b'"user"')
_encode: Final = msgspec.json.Encoder().encode


class _Asked(Struct, frozen=True):
    """One text, and the options of the call that it can be part of."""

    instance: JSON
    parameters: JSON
    tokens: int


def write_items(wanted: Sequence[Item], model: str, *, singly: bool = False) -> list[Step]:
    """Write the calls for these, in their order; `singly`: one in a call. Raise InvalidRequest."""
    if _takes_contents(model):
        return [Step(ONE, _embedding(item)) for item in wanted]
    most = _MOST_TEXTS if model.startswith(_SEVERAL) and not singly else 1
    return [
        Step(_PREDICT, {"instances": [one.instance for one in chunk], "parameters": chunk[0].parameters})
        for chunk in _chunks([_asked(item) for item in wanted], most)
    ]


def _takes_contents(model: str) -> bool:
    """Tell the models with embedContent, as google-genai does."""
    return "maas" in model or ("gemini" in model and model != "gemini-embedding-001")


def _embedding(item: Item) -> JSON:
    content = {"role": _USER, **fields_of(item.content, Place(item.path).at("content"))}
    body: JSON = {"content": content, "autoTruncate": bool(item.truncate)}
    body |= _given({"title": item.title, "taskType": item.task, "outputDimensionality": item.dimensions})
    return body | {"embedContentConfig": dict(item.more)} if item.more else body


def _asked(item: Item) -> _Asked:
    if item.more:
        raise Place(item.path).at("embedContentConfig").refuse(_ONE_TEXT, min(item.more))
    text = _text(item)
    instance: JSON = {"content": text}
    instance |= _given({"task_type": item.task, "title": item.title})
    parameters: JSON = {"autoTruncate": bool(item.truncate)}
    parameters |= _given({"outputDimensionality": item.dimensions})
    return _Asked(instance, parameters, estimate_text(text))


def _given(options: JSON) -> JSON:
    return {name: value for name, value in options.items() if value is not None}


def _text(item: Item) -> str:
    place = Place(item.path).at("content")
    content, _ = message(item.content, CONTENT, place)
    parts = list(items(content.parts, place.at("parts")))
    fields = fields_of(parts[0][1], parts[0][0]) if len(parts) == 1 else {}
    if fields.keys() != {"text"}:
        raise place.refuse(_ONE_TEXT, "parts")
    text = parts[0][0].read(fields["text"], TEXT, "text")
    if not text:
        raise place.refuse("is empty", "parts")
    return text


def _chunks(asked: Sequence[_Asked], most: int) -> Iterator[list[_Asked]]:
    chunk: list[_Asked] = []
    tokens = 0
    for one in asked:
        full = len(chunk) == most or tokens + one.tokens > _MOST_TOKENS
        if chunk and (full or one.parameters != chunk[0].parameters):
            yield chunk
            chunk, tokens = [], 0
        chunk.append(one)
        tokens += one.tokens
    yield chunk


class _Statistics(Struct, frozen=True):
    token_count: int | None = None


class _Embeddings(Struct):
    values: list[float]
    statistics: _Statistics = _Statistics()


class _Prediction(Struct):
    embeddings: _Embeddings


class _Predicted(Struct):
    predictions: list[_Prediction] = []


_PREDICTED: Final = msgspec.json.Decoder(_Predicted, strict=False)  # numbers of a protobuf Value are floats


def read_vectors(body: bytes, verb: str) -> Embedded:
    """Read the answer to one call; raise UpstreamMalformed."""
    if verb == ONE:
        return read_embedded(body)
    found = [one.embeddings for one in read_answer(body, _PREDICTED.decode).predictions]
    counts = [one.statistics.token_count for one in found if one.statistics.token_count is not None]
    usage = ir.Usage(input=latest(sum(counts), 0)) if len(counts) == len(found) else None
    return Embedded([one.values for one in found], usage)

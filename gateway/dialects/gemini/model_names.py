"""The model that stands in the body of a native call: the one of the path, as the upstream calls it.

embedContent                    model
batchEmbedContents              requests[].model
batchGenerateContent            batch.inputConfig.requests.requests[].request.model
cachedContents                  model; the path has none
"""

from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import repeats
from gateway.dialects.raw import FIELDS, RAWS, TEXT, read

from .inbound_wire import camel

__all__ = ["named_as"]

_MODEL: Final = "model"
_WITHIN: Final = frozenset({"batch", "inputConfig", "request", "requests"})
_FOLDER: Final = "models/"
_TUNED: Final = "tunedModels/"
_encode: Final = msgspec.json.Encoder().encode


def named_as(body: bytes, model: str) -> bytes:
    """Let the model that a body names, wherever it does, be this one; all else stays as it came."""
    given = Raw(body)
    after = _object(given, model)
    return body if after is given else bytes(after)


def _object(raw: Raw, model: str) -> Raw:
    fields = read(raw, FIELDS)
    if fields is None:
        return raw
    after = {field: _value(field, value, model) for field, value in fields.items()}
    return raw if after == fields and not repeats(raw, fields) else Raw(_encode(after))


def _value(field: str, value: Raw, model: str) -> Raw:
    if field == _MODEL:
        return _name(value, model)
    if camel(field) not in _WITHIN:
        return value
    several = read(value, RAWS)
    if several is None:
        return _object(value, model)
    after = [_object(each, model) for each in several]
    return value if after == several else Raw(_encode(after))


def _name(value: Raw, model: str) -> Raw:
    given = read(value, TEXT)
    if given is None:
        return value
    name = _FOLDER + model if given.startswith(_FOLDER) and not model.startswith(_TUNED) else model
    return value if name == given else Raw(_encode(name))

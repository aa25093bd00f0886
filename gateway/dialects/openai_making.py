"""Embeddings and pictures as OpenAI's callers ask for them: the body, and the model that it or the path names."""

from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.content import decode
from gateway.errors import InvalidRequest, UpstreamMalformed

__all__ = ["NATIVE", "check_answer", "read_making", "renamed"]

NATIVE: Final = "openai"

_encode: Final = msgspec.json.Encoder().encode
_MODEL: Final = msgspec.json.Decoder(str)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_NULL: Final = Raw(b"null")


def read_making(body: bytes, model: str = "") -> ir.Request:
    """Take a body as it is; raise InvalidRequest. `model`: from the path, in place of the body's."""
    fields = decode(body, dict[str, Raw])
    name = model or _named(fields.get("model", _NULL))
    if not name:
        raise InvalidRequest("model: required, but missing", param="model")
    native = ir.Native(dialect=NATIVE, body=Raw(body))
    return ir.Request(model=name, turns=(), dialect="openai-chat", native=native)


def _named(raw: Raw) -> str:
    if raw == _NULL:
        return ""
    try:
        return _MODEL.decode(raw)
    except msgspec.ValidationError:
        raise InvalidRequest("model: expected a string", param="model") from None


def renamed(document: bytes, model: str, *, added: bool = False) -> bytes:
    """Put another name of the model into a JSON object that has one, or none and it is to be `added`.

    A document that needs no change stays byte for byte as it is.
    """
    fields, name = _FIELDS.decode(document), Raw(_encode(model))
    if ("model" not in fields and not added) or fields.get("model") == name:
        return document
    return _encode(fields | {"model": name})


def check_answer(document: bytes) -> None:
    """Raise UpstreamMalformed for an answer that is no JSON object."""
    try:
        _FIELDS.decode(document)
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed(f"the upstream's answer cannot be read: {error}") from None

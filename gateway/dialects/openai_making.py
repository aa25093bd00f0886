"""Embeddings and pictures in OpenAI's words: what is asked for, the model that is named, and what has gone wrong."""

from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.content import decode
from gateway.dialects.edits import repeats
from gateway.dialects.openai_chat.errors import write_error
from gateway.dialects.raw import FIELDS, NULL, TEXT
from gateway.errors import GatewayError, InvalidRequest, UpstreamMalformed
from gateway.sse import event, json_line

__all__ = ["NATIVE", "broken", "check_answer", "read_making", "renamed"]

NATIVE: Final = "openai"

_encode: Final = msgspec.json.Encoder().encode
_TRUE: Final = Raw(b"true")
_ERROR: Final = "error"


def read_making(body: bytes, model: str = "") -> ir.Request:
    """Take a body as it is; raise InvalidRequest. `model`: from the path, in place of the body's."""
    fields = decode(body, dict[str, Raw])
    name = model or _named(fields.get("model", NULL))
    if not name:
        raise InvalidRequest("model: required, but missing", param="model")
    native = ir.Native(dialect=NATIVE, body=Raw(body))
    stream = fields.get("stream") == _TRUE
    return ir.Request(model=name, turns=(), dialect="openai-chat", native=native, stream=stream)


def _named(raw: Raw) -> str:
    if raw == NULL:
        return ""
    try:
        return TEXT.decode(raw)
    except msgspec.ValidationError:
        raise InvalidRequest("model: expected a string", param="model") from None


def renamed(document: bytes, model: str, *, added: bool = False) -> bytes:
    """Put another name of the model into a JSON object that has one, or none and it is to be `added`.

    A document that needs no change stays byte for byte as it is; one in which a name stands twice is written anew.
    """
    fields, name = FIELDS.decode(document), Raw(_encode(model))
    after = fields | {"model": name} if added or "model" in fields else fields
    return document if after == fields and not repeats(Raw(document), fields) else _encode(after)


def check_answer(document: bytes) -> None:
    """Raise UpstreamMalformed for an answer that is no JSON object."""
    try:
        FIELDS.decode(document)
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed(f"the upstream's response cannot be read: {error}") from None


def broken(error: GatewayError) -> bytes:
    """Write the error that ends a stream of pictures."""
    told = {"type": _ERROR, **FIELDS.decode(write_error(error)[1])}
    return event(json_line(_encode(told)), _ERROR.encode())

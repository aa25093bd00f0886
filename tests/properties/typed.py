"""Bodies drawn from the types that the official SDKs have for requests: every field, and every member of a union.

    TypedDict ─► a strategy for each field ─► a body; what may be null and is not there is marked ─► left out, or null

They say nothing of each other: ids, roles and names need not agree, as in a conversation that was cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, NotRequired, Required, Union, get_args, get_origin

from anthropic.types import beta, message_create_params
from hypothesis import strategies as st
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses
from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

from gateway.routes import DialectName

from .leaves.drawing import Draw, an, arguments, one, some, words
from .leaves.material import PDF, PNG, SCHEMA, SIGNED, WAV

__all__ = ["TYPED", "left_out", "nulled"]

Json = Any

_ABSENT: Final = "\0absent"
_PICTURE: Final = one(f"data:image/png;base64,{PNG}")
_DOCUMENT: Final = one(f"data:application/pdf;base64,{PDF}")
# What a type does not say of a field, by its name and that of its type; a name alone is for every type.
_KNOWN: Final[Mapping[str, Draw]] = {
    "arguments": arguments.map(json.dumps),
    "Base64ImageSourceParam.data": one(PNG),
    "Base64PDFSourceParam.data": one(PDF),
    "file_data": _DOCUMENT,
    "image_url": _PICTURE,
    "ImageGenerationCall.result": one(PNG),
    "ImageURL.url": _PICTURE,
    "input_schema": one(SCHEMA),
    "InputAudio.data": one(WAV),
    "max_tokens": some(3000, 9000),
    "model": one("m"),
    "n": one(1),
    "parameters": one(SCHEMA),
    "schema": one(SCHEMA),
    "signature": one(SIGNED),
}
_PLAIN: Final[Mapping[object, Draw]] = {
    str: words,
    int: some(1, 7, 2000),
    float: some(0, 0.5, 1),
    bool: st.booleans(),
    type(None): st.none(),
    object: some("x", 1, {"a": [None]}),
    Any: some("x", 1, {"a": [None]}),
}
# which files and answers are meant only their server knows, and a whole gateway keeps conversations
_ELSEWHERE: Final = frozenset({"file_id", "file_url", "previous_response_id", "conversation", "prompt", "background"})


def left_out(body: Json) -> Json:
    """Give a body without what is marked."""
    return _filled(body, lambda value: value != _ABSENT)


def nulled(body: Json) -> Json:
    """Give a body with null for what is marked."""
    return _filled(body, lambda _: True)


def _filled(value: Json, keeps: Callable[[Json], bool]) -> Json:
    if isinstance(value, dict):
        return {name: _filled(inner, keeps) for name, inner in value.items() if keeps(inner)}
    if isinstance(value, list):
        return [_filled(inner, keeps) for inner in value]
    return None if value == _ABSENT else value


@cache
def _typed(of: type) -> Draw:
    required, optional = dict[str, Draw](), dict[str, Draw]()
    for name, hint in get_type_hints(of, include_extras=True).items():
        if name in _ELSEWHERE:
            continue
        marker: object = get_origin(hint)
        inner = get_args(hint)[0] if marker in (Required, NotRequired) else hint
        where = f"{of.__name__.removeprefix('Beta')}.{name}"
        value = _KNOWN.get(where, _KNOWN.get(name, _later(inner)))
        if marker is Required:
            required[name] = value
        elif type(None) in get_args(inner):
            required[name] = one(_ABSENT) | value
        else:
            optional[name] = value
    return an(required, **optional)


def _later(hint: object) -> Draw:
    return st.deferred(lambda: _drawn(hint))


def _drawn(hint: Any) -> Draw:
    kind: object = get_origin(hint)
    inner = get_args(hint)
    if kind is None:
        return _typed(hint) if is_typeddict(hint) else _PLAIN[hint]
    if kind is Literal:
        return some(*inner)
    if kind is Annotated:
        return _drawn(inner[0])
    if kind is Union:
        return st.one_of(*(_drawn(member) for member in inner if not _is_answer(member)))
    if len(inner) == 1:
        return st.lists(_drawn(inner[0]), max_size=2)
    return st.dictionaries(some("a", "b"), _drawn(inner[1]), max_size=1)


def _is_answer(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


_CHAT: Final = _typed(chat.CompletionCreateParamsBase)
_RESPONSES: Final = _typed(responses.ResponseCreateParamsBase)
_MESSAGES: Final = _typed(message_create_params.MessageCreateParamsBase)
_BETA: Final = _typed(beta.message_create_params.MessageCreateParamsBase)
TYPED: Final[Mapping[DialectName, Draw]] = {
    "openai-chat": _CHAT,
    "openai-responses": _RESPONSES.map(lambda body: {"input": "hi", **body, "model": "m"}),
    "anthropic": _MESSAGES | _BETA,
}

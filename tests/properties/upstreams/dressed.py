"""Answers with all that the types of the official SDKs allow besides, so that a newer SDK brings what it knows.

    an answer ─► each object by its type: its optional fields, and items or blocks of the other members of the union

What says something, or counts it, stays as it is.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator
from enum import Enum
from random import Random
from typing import Any, Final, Literal, Union, get_args, get_origin

from anthropic.types.beta import BetaContentBlock, BetaMessage, BetaRawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseOutputItem, ResponseStreamEvent
from pydantic import BaseModel

from gateway.routes import DialectName

from .framing import Sound

__all__ = ["dressed"]

Json = Any

_DEEPEST: Final = 4
_TYPES: Final[dict[DialectName, tuple[Any, Any]]] = {  # of an event, of the whole
    "openai-chat": (ChatCompletionChunk, ChatCompletion),
    "openai-responses": (ResponseStreamEvent, Response),
    "anthropic": (BetaRawMessageStreamEvent, BetaMessage),
    "gemini": (GenerateContentResponse, GenerateContentResponse),
}
_SAYING: Final = frozenset({
    "annotations", "arguments", "audio", "background", "blockReason", "blockReasonMessage", "candidates",
    "citationMetadata", "citations", "codeExecutionResult", "content", "encrypted_content", "error", "executableCode",
    "fileData", "finishMessage", "finishReason", "function", "function_call", "functionCall", "functionResponse",
    "groundingMetadata", "id", "incomplete_details", "index", "inlineData", "logprobs", "logprobsResult", "model",
    "name", "namespace", "output", "partialArgs", "parts", "promptFeedback", "refusal", "responseId", "status",
    "stop_details", "stop_reason", "stop_sequence", "text", "thought", "thoughtSignature", "tool_calls", "toolCall",
    "toolResponse", "willContinue",
})  # fmt: skip
_COUNTS: Final = frozenset({"usage", "usageMetadata"})
_SAID: Final = frozenset({"message", "reasoning", "function_call", "custom_tool_call", "image_generation_call"})
_SHOWN: Final = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_EXECUTED: Final = ("code_interpreter", "code_execution")  # is told as text


def dressed(chance: Random, upstream: DialectName, sound: Sound) -> Sound:
    """Give the same answer with more around it."""
    event, whole = _TYPES[upstream]
    if upstream == "gemini":  # its chunks come in the envelope of Code Assist
        chunks = [{"response": _with(chance, event, one["response"], 0)} for one in copy.deepcopy(sound.events)]
        return Sound(tuple(chunks), chunks)
    events = [_with(chance, event, one, 0) for one in copy.deepcopy(sound.events)]
    answer = _with(chance, whole, copy.deepcopy(sound.whole), 0)
    if upstream == "openai-responses" and chance.random() < 0.5:
        item = _other(chance, ResponseOutputItem, _SAID)
        index = len(answer["output"])
        steps = [{"type": f"response.output_item.{step}", "output_index": index, "item": item} for step in _STEPS]
        events[-1:-1] = steps
        for output in (answer["output"], events[-1]["response"]["output"]):
            output.append(item)
    elif upstream == "anthropic" and chance.random() < 0.5:
        block = _other(chance, BetaContentBlock, _SHOWN)
        index = len(answer["content"])
        begun = {"type": "content_block_start", "index": index, "content_block": block}
        place = next(place for place, one in enumerate(events) if one["type"] == "message_delta")
        events[place:place] = [begun, {"type": "content_block_stop", "index": index}]
        answer["content"].append(block)
    return Sound(tuple(events), answer)


_STEPS: Final = ("added", "done")


def _members(kind: Any) -> Iterator[Any]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        for one in get_args(kind):
            yield from _members(one)
    elif hasattr(kind, "__metadata__"):
        yield from _members(get_args(kind)[0])
    else:
        yield kind


def _named(kind: Any) -> str:
    """Give the `type` that a member of a union has."""
    return str(get_args(kind.model_fields["type"].annotation)[0])


def _other(chance: Random, union: Any, known: frozenset[str]) -> Json:
    """Make an object of a member that says nothing."""
    others = [one for one in _members(union) if _named(one) not in known]
    kinds = [one for one in others if not any(word in _named(one) for word in _EXECUTED)]
    made = _made(chance, chance.choice(kinds), 0)
    return made | {"name": "web_search"} if made["type"] == "server_tool_use" else made


def _with(chance: Random, kind: Any, value: Json, depth: int) -> Json:
    """Add to an object, and to those within, what their type allows and they have not."""
    if isinstance(value, list):
        inner = next((get_args(one)[0] for one in _members(kind) if get_origin(one) is list), None)
        return value if inner is None else [_with(chance, inner, one, depth) for one in value]
    if not isinstance(value, dict):
        return value
    models = [one for one in _members(kind) if isinstance(one, type) and issubclass(one, BaseModel)]
    if "type" in value:
        models = [one for one in models if "type" in one.model_fields and _named(one) == value["type"]]
    if not models:
        return value
    for name, field in models[0].model_fields.items():
        spelt = field.alias or name
        if spelt in _COUNTS or (spelt in _SAYING and spelt not in value):
            continue
        if spelt in value:
            value[spelt] = _with(chance, field.annotation, value[spelt], depth + 1)
        elif not field.is_required() and chance.random() < 0.25:
            value[spelt] = _made(chance, field.annotation, depth + 1)
    return value


def _made(chance: Random, kind: Any, depth: int) -> Json:
    """Make a value of a type."""
    members = list(_members(kind))
    kinds = [member for member in members if member is not type(None)]
    if not kinds or (len(kinds) < len(members) and (depth >= _DEEPEST or chance.random() < 0.5)):
        return None
    one = chance.choice(kinds)
    origin = get_origin(one)
    if origin is Literal:
        return chance.choice(get_args(one))
    if origin is list:
        return [] if depth >= _DEEPEST else [_made(chance, get_args(one)[0], depth + 1)]
    if isinstance(one, type) and issubclass(one, Enum):
        return chance.choice([member.value for member in one] or ["x"])
    if isinstance(one, type) and issubclass(one, BaseModel):
        fields = one.model_fields.items()
        wanted = [(name, field) for name, field in fields if field.is_required() or chance.random() < 0.25]
        return {field.alias or name: _made(chance, field.annotation, depth + 1) for name, field in wanted}
    return chance.choice(_PLAIN.get(one, _ANY))


_ANY: Final[tuple[Json, ...]] = (None, 1, "x", [], {"a": [1]})
_PLAIN: Final[dict[Any, tuple[Json, ...]]] = {
    str: ("", "x", "ż\u2028"),
    int: (0, 9),
    float: (0, 0.5, 1e-9),
    bool: (True, False),
}

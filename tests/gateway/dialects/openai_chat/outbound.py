"""Requests on their way to a Chat upstream, and what they are made of."""

from typing import Any

from msgspec import Raw
from msgspec.json import decode, encode

from gateway import ir
from gateway.dialects.openai_chat.outbound_request import write_request
from gateway.dialects.outbound import OpenAITarget, OpenAIWritten

Json = dict[str, Any]

GPT = "gpt-4.1"
OTHER = "mistral-large"


def raw(value: Any) -> Raw:
    return Raw(encode(value))


def user(*parts: ir.Part | str) -> ir.Turn:
    return ir.Turn(role="user", parts=_parts(parts))


def assistant(*parts: ir.Part | str, places: tuple[tuple[str, ...], ...] = ()) -> ir.Turn:
    return ir.Turn(role="assistant", parts=_parts(parts), places=places)


def _parts(parts: tuple[ir.Part | str, ...]) -> tuple[ir.Part, ...]:
    return tuple(ir.Text(text=part) if isinstance(part, str) else part for part in parts)


def call(ident: str, name: str = "f", signature: ir.Signature | None = None, **arguments: Any) -> ir.ToolCall:
    return ir.ToolCall(id=ident, name=name, arguments=raw(arguments), signature=signature)


def result(ident: str, *parts: ir.Text | ir.Media | str, is_error: bool = False) -> ir.ToolResult:
    texts = tuple(ir.Text(text=part) if isinstance(part, str) else part for part in parts)
    return ir.ToolResult(id=ident, parts=texts, is_error=is_error, path="messages[9]")


def function(name: str = "f", **fields: Any) -> ir.Tool:
    return ir.Tool(name=name, path="tools[0]", schema_path="function.parameters", **fields)


def written(*turns: ir.Turn, target: Json | None = None, model: str = GPT, **fields: Any) -> OpenAIWritten:
    request = ir.Request(model=model, turns=turns or (user("hi"),), **fields)
    return write_request(request, OpenAITarget(model=model, **(target or {})))


def body(*turns: ir.Turn, **fields: Any) -> Json:
    """Write a request and read its body back as JSON."""
    read: Json = decode(encode(written(*turns, **fields).body))
    return read


def messages(*turns: ir.Turn, **fields: Any) -> list[Json]:
    found: list[Json] = body(*turns, **fields)["messages"]
    return found


def lost(answer: OpenAIWritten) -> list[tuple[str, str]]:
    return [(loss.path, loss.severity) for loss in answer.losses]


def tool_of(answer: OpenAIWritten) -> Json:
    """Give the one tool that is declared."""
    (found,) = decode(encode(answer.body["tools"]))
    return dict(found)


def message_of(answer: OpenAIWritten, place: int) -> Json:
    found: list[Json] = decode(encode(answer.body["messages"]))
    return found[place]

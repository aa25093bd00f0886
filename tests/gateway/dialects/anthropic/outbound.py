"""Requests on their way to Anthropic, and what they are made of."""

from typing import Any

from msgspec import Raw
from msgspec.json import decode, encode

from gateway import ir
from gateway.dialects.anthropic.outbound_request import AnthropicTarget, AnthropicWritten, write_request

Json = dict[str, Any]

OLDER = "claude-sonnet-4-5"
NEWER: Json = {"model": "claude-opus-4-8", "adaptive": True}
SIGNED = ir.Signature("claude", "RXNpZw==")


def raw(value: Any) -> Raw:
    return Raw(encode(value))


def user(*parts: ir.Part | str) -> ir.Turn:
    return ir.Turn(role="user", parts=_parts(parts))


def assistant(*parts: ir.Part | str, places: tuple[tuple[str, ...], ...] = ()) -> ir.Turn:
    return ir.Turn(role="assistant", parts=_parts(parts), places=places)


def rule(text: str) -> ir.Turn:
    return ir.Turn(role="system", parts=_parts((text,)))


def _parts(parts: tuple[ir.Part | str, ...]) -> tuple[ir.Part, ...]:
    return tuple(ir.Text(text=part) if isinstance(part, str) else part for part in parts)


def call(ident: str, name: str = "f", **arguments: Any) -> ir.ToolCall:
    return ir.ToolCall(id=ident, name=name, arguments=raw(arguments))


def result(ident: str, *parts: ir.Text | ir.Media | str, is_error: bool = False) -> ir.ToolResult:
    texts = tuple(ir.Text(text=part) if isinstance(part, str) else part for part in parts)
    return ir.ToolResult(id=ident, parts=texts, is_error=is_error, path="messages[9]")


def thought(text: str, signature: ir.Signature | None = SIGNED) -> ir.Thinking:
    return ir.Thinking(text=text, signature=signature)


def function(name: str = "f", **fields: Any) -> ir.Tool:
    return ir.Tool(name=name, **{"path": "tools[0]", "schema_path": "function.parameters"} | fields)


def written(*turns: ir.Turn, target: Json | None = None, **fields: Any) -> AnthropicWritten:
    known: Json = {"model": OLDER} | (target or {})
    request = ir.Request(model=known["model"], turns=turns or (user("hi"),), **fields)
    return write_request(request, AnthropicTarget(**known))


def body(*turns: ir.Turn, **fields: Any) -> Json:
    """Write a request and read its body back as JSON."""
    read: Json = decode(encode(written(*turns, **fields).body))
    return read


def messages(*turns: ir.Turn, **fields: Any) -> list[Json]:
    found: list[Json] = body(*turns, **fields)["messages"]
    return found


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def lost(answer: AnthropicWritten) -> list[tuple[str, str]]:
    return [(loss.path, loss.severity) for loss in answer.losses]

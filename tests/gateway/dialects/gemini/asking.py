"""Requests as the tests write them, and what a strict Code Assist makes of the bodies."""

import json
from typing import Any

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.request import GeminiTarget, Written, write_request
from tests.fakes.v1internal_checks import generation
from tests.fakes.v1internal_models import ANTIGRAVITY, GEMINI_CLI
from tests.fakes.v1internal_signatures import Signatures

GEMINI_3, GEMINI_2, CLAUDE, GPT = (
    "gemini-3-flash",
    "gemini-2.5-flash",
    "claude-opus-4-6-thinking",
    "gpt-oss-120b-medium",
)
IMAGE = "gemini-3-pro-image"
CLAUDE_SIGNATURE = (
    "RWtCR1FVdEZMVU5NUVZWRVJTMVRTVWRPUVZSVlVrVXRNVEV0TFMwdExTMHRMUzB0TFMwdExTMHRMUzB0TFMwdExTMHRMUzB0TFMwdA=="
)
GEMINI_SIGNATURE = "EkBGQUtFLUdFTUlOSS1TSUdOQVRVUkUtMDYtLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0t"


def user(*parts: ir.Part | str) -> ir.Turn:
    return ir.Turn(role="user", parts=_parts(parts))


def assistant(*parts: ir.Part | str) -> ir.Turn:
    return ir.Turn(role="assistant", parts=_parts(parts))


def _parts(parts: tuple[ir.Part | str, ...]) -> tuple[ir.Part, ...]:
    return tuple(ir.Text(text=part) if isinstance(part, str) else part for part in parts)


def call(
    call_id: str = "c1", name: str = "f", signature: ir.Signature | None = None, **arguments: object
) -> ir.ToolCall:
    return ir.ToolCall(id=call_id, name=name, arguments=raw(arguments), signature=signature)


def result(call_id: str = "c1", *parts: ir.Text | ir.Media | str, is_error: bool = False) -> ir.ToolResult:
    texts = tuple(ir.Text(text=part) if isinstance(part, str) else part for part in parts)
    return ir.ToolResult(id=call_id, parts=texts, is_error=is_error, path=f"results[{call_id}]")


def thought(
    text: str = "Hm.", signature: str | None = CLAUDE_SIGNATURE, issuer: ir.Family | None = "claude"
) -> ir.Thinking:
    return ir.Thinking(text=text, signature=ir.Signature(issuer, signature) if signature else None)


def tool(name: str = "f", **fields: Any) -> ir.Tool:
    schema = raw({"type": "object", "properties": {"a": {"type": "string"}}})
    return ir.Tool(name=name, **{"schema": schema, "path": "tools[0]"} | fields)


def raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


def image(**fields: Any) -> ir.Media:
    return ir.Media(**{"media_type": "image/png", "data": "AAAA", "path": "messages[0].content[0]"} | fields)


def written(*turns: ir.Turn, model: str = GEMINI_3, target: dict[str, Any] | None = None, **fields: Any) -> Written:
    """Write a request; a body that Code Assist would refuse fails the test."""
    request = ir.Request(model=model, turns=turns or (user("hi"),), **fields)
    answer = write_request(request, GeminiTarget(model=model, family=ir.family_of(model), **target or {}))
    served = {*ANTIGRAVITY, *GEMINI_CLI, model}
    envelope = {"model": model, "project": "p", "request": sent(answer)}
    generation(envelope, served=served, headers={}, signatures=Signatures())
    return answer


def sent(answer: Written) -> dict[str, Any]:
    """Give the body as it goes over the wire."""
    body: dict[str, Any] = json.loads(msgspec.json.encode(answer.body))
    return body


def body(*turns: ir.Turn, **fields: Any) -> dict[str, Any]:
    return sent(written(*turns, **fields))


def contents(*turns: ir.Turn, **fields: Any) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(content["role"], content["parts"]) for content in body(*turns, **fields)["contents"]]


def config(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = body(**fields).get("generationConfig", {})
    return found


def lost(answer: Written, severity: str | None = None) -> list[str]:
    return [loss.path for loss in answer.losses if severity in (None, loss.severity)]

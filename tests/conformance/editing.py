"""Edits of passed requests, as the tests have them made."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from msgspec import Raw

from gateway import ir
from gateway.dialects.anthropic.edits import Own
from gateway.dialects.anthropic.edits import pass_through as pass_messages

__all__ = [
    "CHAT",
    "CLAUDES",
    "COUNTED",
    "DONE",
    "FIRST",
    "GEMINIS",
    "LAST",
    "MESSAGES",
    "OF_CLAUDE",
    "SAID",
    "UNSIGNED",
    "USER",
    "WORDS",
    "Json",
    "assistant",
    "call",
    "chunk",
    "data_of",
    "encoded",
    "messages",
    "result",
    "said",
    "signed",
    "text",
    "thought",
    "told",
    "turn",
    "use",
]


Json = dict[str, Any]

USER = {"role": "user", "content": "hi"}
CHAT: Json = {"model": "m", "messages": [USER]}
MESSAGES: Json = {"model": "m", "max_tokens": 100, "messages": [USER]}
OF_CLAUDE: Json = MESSAGES | {"model": "claude-sonnet-4-6"}
GEMINIS = ir.seal(ir.Signature("gemini", "R0VN", "f"))
CLAUDES = ir.seal(ir.Signature("claude", "Q0xB"))
SAID: Json = {"role": "assistant", "content": "two"}


def encoded(sealed: str) -> str:
    """Write an envelope as callers of Gemini's dialect get it."""
    return b64encode(sealed.encode()).decode()


def messages(body: Json, target: Own | None = None, **fields: Any) -> tuple[Json, list[str], list[str]]:
    request = ir.Request(**{"model": "m", "turns": (), **fields})
    return told(pass_messages(request, Raw(json.dumps(body).encode()), target or Own(model=request.model)))


def told(written: Any) -> tuple[Json, list[str], list[str]]:
    body: Json = json.loads(bytes(written.native))
    return body, [edit.name for edit in written.edits], [loss.path for loss in written.losses]


def assistant(**fields: Any) -> Json:
    return {"role": "assistant", "content": "a", **fields}


def signed(value: str, **more: Any) -> Json:
    return {"extra_content": {"google": {"thought_signature": value}, **more}}


def call(**fields: Any) -> Json:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, **fields}


def chunk(**fields: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps({"id": "c", "model": "m", **fields}).encode()


def said(**delta: Any) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


FIRST = chunk(**said(role="assistant", content="ok"))
LAST = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
COUNTED = chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
DONE = b"data: [DONE]\n\n"


def data_of(written: bytes) -> list[bytes]:
    lines = [line for line in written.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: ")]
    return [line[6:] for line in lines if line != b"data: [DONE]"]


def use(id_: str = "t1") -> Json:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {}}


def result(id_: str = "t1", **fields: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id_, "content": "x", **fields}


def turn(role: str, *blocks: Any) -> Json:
    return {"role": role, "content": list(blocks)}


def text(said: str) -> Json:
    return {"type": "text", "text": said}


WORDS = text("w")
UNSIGNED = {"type": "thinking", "thinking": "hm"}


def thought(signature: str, **fields: Any) -> Json:
    return {"type": "thinking", "thinking": "hm", "signature": signature, **fields}

"""No single bit of a signature in a caller's hands can change unnoticed: it is dropped, and told of."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given

from gateway import ir
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.gemini.inbound import Gemini
from gateway.dialects.gemini.request import GeminiTarget, write_request
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.routes import Route
from tests.strategies import signatures

Json = dict[str, Any]
Make = Callable[[str], Json]

ROUTE = Route("gemini", "chat", "gemini-3-pro", streams="sse")
TARGET = GeminiTarget(model="gemini-3-pro", family="gemini")
SENTINEL = "skip_thought_signature_validator"


def messages(value: str) -> Json:
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    said = [{"type": "thinking", "thinking": "", "signature": value}, use]
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "done"}
    turns = [("user", "hi"), ("assistant", said), ("user", [result])]
    return {"model": "m", "max_tokens": 9, "messages": [{"role": role, "content": content} for role, content in turns]}


def chat(value: str) -> Json:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    carried = call | {"extra_content": {"google": {"thought_signature": value}}}
    return chat_with({"tool_calls": [carried]})


def blocks(value: str) -> Json:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    block = {"type": "thinking", "thinking": "hm", "signature": value}
    return chat_with({"tool_calls": [call], "thinking_blocks": [block]})


def chat_with(said: Json) -> Json:
    result = {"role": "tool", "tool_call_id": "c1", "content": "done"}
    assistant = {"role": "assistant", "content": None, **said}
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}, assistant, result]}


def responses(value: str) -> Json:
    items = [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": value},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
    ]
    return {"model": "m", "input": items}


def contents(value: str) -> Json:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": value}
    result = {"functionResponse": {"name": "f", "response": {}}}
    turns = [("user", {"text": "hi"}), ("model", call), ("user", result)]
    return {"contents": [{"role": role, "parts": [part]} for role, part in turns]}


CARRIERS: dict[str, tuple[Any, Make, str, str]] = {
    "anthropic": (Anthropic(), messages, "messages[1].content[0].signature", "f"),
    "openai-chat": (OpenAIChat(), chat, "messages[1].tool_calls[0].extra_content.google.thought_signature", "f"),
    "thinking_blocks": (OpenAIChat(), blocks, "messages[1].thinking_blocks[0].signature", "t"),
    "openai-responses": (OpenAIResponses(), responses, "input[1].encrypted_content", "f"),
    "gemini": (Gemini(), contents, "contents[1].parts[0].thoughtSignature", "f"),
}


def read(name: str, value: str) -> ir.Request:
    codec, make, _, _ = CARRIERS[name]
    request: ir.Request = codec.read_request(json.dumps(make(value)).encode(), route=ROUTE)
    return request


def found(request: ir.Request) -> list[ir.Signature]:
    parts = [part for turn in request.turns for part in turn.parts]
    signed = [part for part in parts if isinstance(part, ir.ToolCall | ir.Thinking) and part.signature is not None]
    return [part.signature for part in signed if part.signature is not None]


def sent(request: ir.Request) -> str:
    """Write what goes to Gemini."""
    return json.dumps(write_request(request, TARGET).body, default=lambda raw: json.loads(bytes(raw)))


def flips(sealed: bytes) -> Iterator[str]:
    for at in range(len(sealed)):
        for bit in range(8):
            yield (sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :]).decode("latin-1")


@pytest.mark.parametrize("name", CARRIERS)
@given(signature=signatures().filter(lambda one: one.issuer is not None and len(one.value) < 40))
def test_a_changed_bit_is_noticed_and_told(name: str, signature: ir.Signature) -> None:
    _, _, place, kind = CARRIERS[name]
    original = ir.Signature(signature.issuer, signature.value, kind)  # type: ignore[arg-type]  # one of the two
    sealed = ir.seal(original).encode()
    for damaged in flips(base64.b64encode(sealed) if name == "gemini" else sealed):
        request = read(name, damaged)
        if found(request) == [original]:  # a bit of base64 that says nothing
            assert name == "gemini"
            continue
        assert found(request) == []
        assert ir.Loss(place, "the signature is corrupt", "hint") in request.losses


@pytest.mark.parametrize("name", CARRIERS)
def test_a_changed_bit_does_not_go_upstream(name: str) -> None:
    original = ir.Signature("gemini", "EkBGQUtF", CARRIERS[name][3])  # type: ignore[arg-type]  # one of the two
    sealed = ir.seal(original).encode()
    for damaged in flips(base64.b64encode(sealed) if name == "gemini" else sealed):
        request = read(name, damaged)
        if not found(request):
            assert sent(request).count('"thoughtSignature": ') == 1
            assert SENTINEL in sent(request)


@pytest.mark.parametrize("name", CARRIERS)
@pytest.mark.parametrize("issuer", ["claude", "openai"])
def test_one_of_another_family_is_dropped_and_told(name: str, issuer: ir.Family) -> None:
    _, _, place, kind = CARRIERS[name]
    sealed = ir.seal(ir.Signature(issuer, "RVE9PQ==", kind))  # type: ignore[arg-type]  # one of the two
    request = read(name, base64.b64encode(sealed.encode()).decode() if name == "gemini" else sealed)
    written = write_request(request, TARGET)
    assert "RVE9PQ" not in sent(request)
    assert [loss for loss in written.losses if place.startswith(loss.path) and loss.severity == "hint"]

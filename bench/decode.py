"""What it takes to read a request: the CPU of the caller's codec for each MB of a body, the least of several reads.

A body is the talk of an agent that has worked for a while: tools with their schemas, and turns of words, calls and
results of all sizes. It is read whole, as the gateway does it, once the bytes are there.
"""

import gc
import time
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import msgspec

from gateway.dialects import Dialect
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.gemini.inbound import Gemini
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.routes import Route, match

__all__ = ["FORMS", "body_of", "decode_ms", "measured"]

JSON = dict[str, Any]

MB = 1_000_000
READS = 10
TOOLS = 40
WORDS = 'The quick brown fox jumps over the lazy dog, and says: "100 % of it"\n'
SIZES = (80, 400, 3000, 1200, 12_000, 200)  # of what is said and what tools give back, in turn
SAID = WORDS.strip()
ARGUMENTS: JSON = {"path": "src/main.py", "start": 1, "end": 200, "pattern": "def main"}
SCHEMA: JSON = {
    "type": "object",
    "properties": {name: {"type": "string", "description": SAID, "enum": ["a", "b", "c"]} for name in "abcdefgh"},
    "required": ["a", "b"],
    "additionalProperties": False,
}

_encode = msgspec.json.Encoder().encode


def text(size: int) -> str:
    """Write some words."""
    return (WORDS * (size // len(WORDS) + 1))[:size]


Step = Callable[[int, int], list[JSON]]


def _chat(turn: int, size: int) -> list[JSON]:
    call = {"name": "read", "arguments": _encode(ARGUMENTS).decode()}
    return [
        {"role": "user", "content": text(size)},
        {
            "role": "assistant",
            "content": text(80),
            "tool_calls": [{"id": f"c{turn}", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": f"c{turn}", "content": text(size)},
    ]


def _responses(turn: int, size: int) -> list[JSON]:
    return [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text(size)}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text(80), "annotations": []}],
        },
        {"type": "function_call", "call_id": f"c{turn}", "name": "read", "arguments": _encode(ARGUMENTS).decode()},
        {"type": "function_call_output", "call_id": f"c{turn}", "output": text(size)},
    ]


def _anthropic(turn: int, size: int) -> list[JSON]:
    call = {"type": "tool_use", "id": f"c{turn}", "name": "read", "input": ARGUMENTS}
    result = {"type": "tool_result", "tool_use_id": f"c{turn}", "content": [{"type": "text", "text": text(size)}]}
    return [
        {"role": "user", "content": [{"type": "text", "text": text(size)}]},
        {"role": "assistant", "content": [{"type": "text", "text": SAID}, call]},
        {"role": "user", "content": [result]},
    ]


def _gemini(_: int, size: int) -> list[JSON]:
    return [
        {"role": "user", "parts": [{"text": text(size)}]},
        {"role": "model", "parts": [{"text": SAID}, {"functionCall": {"name": "read", "args": ARGUMENTS}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "read", "response": {"output": text(size)}}}]},
    ]


def _about(nth: int) -> JSON:
    return {"name": f"tool{nth}", "description": text(300)}


Frame = Callable[[list[JSON]], JSON]

FORMS: Mapping[str, tuple[Dialect, Route, Step, Frame]] = {
    "chat": (
        OpenAIChat(),
        match("POST", "/v1/chat/completions", {}),
        _chat,
        lambda said: {
            "model": "m",
            "messages": said,
            "tools": [{"type": "function", "function": _about(nth) | {"parameters": SCHEMA}} for nth in range(TOOLS)],
        },
    ),
    "responses": (
        OpenAIResponses(),
        match("POST", "/v1/responses", {}),
        _responses,
        lambda said: {
            "model": "m",
            "input": said,
            "tools": [{"type": "function", **_about(nth), "parameters": SCHEMA} for nth in range(TOOLS)],
        },
    ),
    "anthropic": (
        Anthropic(),
        match("POST", "/v1/messages", {}),
        _anthropic,
        lambda said: {
            "model": "m",
            "max_tokens": 1000,
            "messages": said,
            "tools": [_about(nth) | {"input_schema": SCHEMA} for nth in range(TOOLS)],
        },
    ),
    "gemini": (
        Gemini(),
        match("POST", "/v1beta/models/m:generateContent", {}),
        _gemini,
        lambda said: {
            "contents": said,
            "tools": [
                {"functionDeclarations": [_about(nth) | {"parametersJsonSchema": SCHEMA} for nth in range(TOOLS)]}
            ],
        },
    ),
}


def body_of(dialect: str, size: int = MB) -> bytes:
    """Write a request of this size, and a little more."""
    _, _, step, frame = FORMS[dialect]
    said: list[JSON] = []
    left = size - len(_encode(frame([])))
    for turn, length in enumerate(cycle(SIZES)):
        if left <= 0:
            break
        said += step(turn, length)
        left -= len(_encode(step(turn, length)))
    return _encode(frame(said))


def decode_ms(dialect: str, body: bytes) -> float:
    """Return the CPU milliseconds for each MB of this body."""
    codec, route, _, _ = FORMS[dialect]
    gc.collect()
    least = min(_took(lambda: codec.read_request(body, route=route)) for _ in range(READS))
    return least * 1e3 * MB / len(body)


def _took(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measured() -> dict[str, float]:
    """Measure every dialect."""
    return {dialect: decode_ms(dialect, body_of(dialect)) for dialect in FORMS}


if __name__ == "__main__":
    for name, took in measured().items():
        print(f"{name:<10}{took:6.2f} ms a MB")

"""What fuzzing begins with: recorded and made-up answers, rich requests, this project's own configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from gateway import ir
from tests.conformance.recordings import FIXTURES, NAMES, stream
from tests.fakes.v1internal_script import Plan, Say, Think, Tool
from tests.properties.leaves.chat import CHATS
from tests.properties.leaves.contents import CONTENTS
from tests.properties.leaves.messages import MESSAGES
from tests.properties.leaves.responses import RESPONSES
from tests.properties.upstreams import chat, framing, messages, responses

__all__ = ["seeds", "words"]

_ROOT: Final = Path(__file__).parents[2]
_WORD: Final = re.compile(rb'"([\w.]{2,40})"')
_PLANS: Final = (
    Plan([Say("Hi.")]),
    Plan([Think("Hm."), Say("Well."), Tool("f", {"a": [1]})]),
    Plan([Tool("f", {}), Tool("g", {"a": "é"})], split=True),
    Plan([Say("Too much")], finish="MAX_TOKENS"),
)
_PATHS: Final = (
    "POST\n/v1/chat/completions",
    "GET\n/v1/responses/resp_1/input_items\nlimit=2",
    "POST\n/v1beta/models/a%2Fb:streamGenerateContent\nalt=sse&key=k",
    "GET\n/v1/models\n\nx-goog-api-key",
    "POST\n/openai/deployments/d/chat/completions\napi-version=1",
)
_LINES: Final = (
    "Authorization: Bearer abcdefghijkl, 5ekret-value",
    "https://h/v1?key=AIzaSyA1234567890&x=1 1//0abcdefgh ya29.abcdefgh sk-abcdefgh",
    "eyJhbGciOi.eyJzdWIi.c2ln GOCSPX-abc refresh_token=abcdef",
)
_REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "openai-chat": CHATS,
    "openai-responses": RESPONSES,
    "anthropic": MESSAGES,
    "gemini": CONTENTS,
}
_MAKINGS: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "embeddings": (
        {"input": "one", "dimensions": 256, "encoding_format": "base64", "user": "u"},
        {"input": ["one", "two"], "encoding_format": "float"},
        {"input": [[1, 2], [3]]},
    ),
    "images": (
        {"prompt": "a cat", "n": 2, "size": "1792x1024", "quality": "hd", "style": "vivid"},
        {"prompt": "a dog", "size": "auto", "response_format": "b64_json", "output_format": "png", "stream": True},
        {"prompt": "x", "background": "transparent", "moderation": "low", "output_compression": 50},
    ),
}
_SOUND: Final[dict[str, Callable[[Plan], framing.Sound]]] = {
    "openai-chat": chat.sound,
    "openai-responses": responses.sound,
    "anthropic": messages.sound,
}


def seeds(target: str) -> list[bytes]:
    """Give what to begin with."""
    kind, _, dialect = target.partition("-")
    return list(_OF[kind](dialect))


def words(inputs: Iterable[bytes]) -> list[bytes]:
    """Give the names that stand in these inputs, for the fuzzer to put into others."""
    return sorted({word for data in inputs for word in _WORD.findall(data)})[:400]


def _streams(dialect: str) -> Iterable[bytes]:
    if dialect in ("", "gemini"):
        yield from map(stream, NAMES)
    for name in [dialect] if dialect in _SOUND else [] if dialect else _SOUND:
        yield from (framing.stream(_SOUND[name](plan).events, named=name != "openai-chat") for plan in _PLANS)


def _wholes(dialect: str) -> Iterable[bytes]:
    if dialect == "gemini":
        yield (FIXTURES / "control" / "generateContent_text.json").read_bytes()
    else:
        yield from (json.dumps(_SOUND[dialect](plan).whole).encode() for plan in _PLANS)


def _errors(dialect: str) -> Iterable[bytes]:
    yield from (file.read_bytes() for file in sorted((FIXTURES / "errors").glob("*.json"))[:40])
    yield b'{"error":{"message":"no","type":"invalid_request_error","param":"max_tokens","code":"unsupported_value"}}'
    yield b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}'


def _requests(dialect: str) -> Iterable[bytes]:
    return (json.dumps(request).encode() for request in _REQUESTS[dialect].values())


def _makings(name: str) -> Iterable[bytes]:
    return (json.dumps({"model": "m", **asked}).encode() for asked in _MAKINGS[name])


def _configs(_: str) -> Iterable[bytes]:
    text = (_ROOT / "gateway.toml").read_bytes()
    yield text
    yield from (b"[" + part for part in text.split(b"\n[")[1:])


def _seals(_: str) -> Iterable[bytes]:
    return (ir.seal(ir.Signature(family, "RWtC", "t")).encode() for family in ("gemini", "claude", "openai", None))


_OF: Final[dict[str, Callable[[str], Iterable[bytes]]]] = {
    "sse": _streams,
    "stream": _streams,
    "passage": lambda dialect: [*_streams(dialect), *_wholes(dialect)],
    "whole": _wholes,
    "error": _errors,
    "request": _requests,
    "making": _makings,
    "config": _configs,
    "routes": lambda _: map(str.encode, _PATHS),
    "redact": lambda _: map(str.encode, _LINES),
    "signature": _seals,
}

"""A Gemini caller: what it asks, and what it hears, checked by the letter of the wire."""

import json
import re
from collections.abc import Sequence
from typing import Any

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.gemini.inbound import Gemini
from gateway.routes import Route, Streaming
from gateway.testing.grammar_gemini import GeminiAnswer as Answer
from gateway.testing.grammar_gemini import gemini_heard as heard

__all__ = [
    "SSE",
    "Answer",
    "answering",
    "array",
    "ask",
    "contents",
    "fold",
    "heard",
    "parts_of",
    "sse",
    "whole",
    "write",
]

Json = dict[str, Any]

SSE = Route("gemini", "chat", "asked", streams="sse")
_EVENT = re.compile(rb"data: ([^\r\n]+)\r\n\r\n")
_SEPARATORS = ("\u2028", "\u2029", "\x85")


def ask(body: Any = None, *, route: Route = SSE, counting: bool = False, **fields: Any) -> ir.Request:
    """Read a request; without a body of its own one that says `hi`."""
    given = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **fields} if body is None else body
    return Gemini().read_request(json.dumps(given).encode(), route=route, counting=counting)


def contents(*said: Any, **fields: Any) -> tuple[ir.Turn, ...]:
    """Read these contents; a list is the parts of the user and the model in turn."""
    turns = [
        {"role": "model" if place % 2 else "user", "parts": one} if isinstance(one, list) else one
        for place, one in enumerate(said)
    ]
    return ask({"contents": turns, **fields}).turns


def answering(streams: Streaming = "sse", *, sealed: bool = True, visible: bool = True) -> Answering:
    reasoning = ir.Reasoning(mode="auto", visible=visible)
    return Answering(
        request=ir.Request(model="m", turns=(), reasoning=reasoning, include_usage=True),
        model="asked",
        id="0f" * 12,
        created=1_700_000_000,
        request_id="req_1",
        estimate=lambda: 5,
        sealed=sealed,
        array=streams == "array",
    )


def write(events: Sequence[ir.Event], to: Answering | None = None) -> bytes:
    writer = Gemini().stream_writer(to or answering())
    return writer.feed(events) + writer.close()


def fold(events: Sequence[ir.Event]) -> ir.Reply:
    folded = ir.Fold()
    folded.feed(events)
    return folded.reply()


def whole(events: Sequence[ir.Event], to: Answering | None = None) -> Json:
    body: Json = json.loads(Gemini().write_whole(fold(events), to or answering()))
    return body


def sse(data: bytes) -> list[Json]:
    """Read events as google-genai does: one `data: ` line each, in CRLF, and nothing else between them."""
    found = _EVENT.findall(data)
    assert b"".join(b"data: %b\r\n\r\n" % one for one in found) == data
    assert not any(mark in data.decode() for mark in _SEPARATORS)
    return [json.loads(one) for one in found]


def array(data: bytes) -> list[Json]:
    """Read a JSON array that comes element by element."""
    chunks: list[Json] = json.loads(data)
    assert data.startswith(b"[{")
    assert data.count(b"\n,\r\n{") == len(chunks) - 1  # each chunk ends its line, as those of the real service
    assert data.endswith(b"}\n]")
    return chunks


def parts_of(answer: Answer) -> list[Json]:
    """Give the parts, words of one kind joined, without empty ones and what only a stream needs."""
    joined: list[Json] = []
    for part in answer.parts:
        last = joined[-1] if joined else {}
        plain = part.keys() <= {"text", "thought"}
        if plain and last.keys() <= {"text", "thought"} and last and last.get("thought") == part.get("thought"):
            joined[-1] = last | {"text": last["text"] + part["text"]}
        elif part != {"text": ""}:
            joined.append(part)
    return joined

"""From a plan to the chunks of a stream, in the shapes of the model's family.

Gemini signs the first call of a turn and the first text after thoughts, and counts thoughts apart; Claude closes a
thought with an empty part that carries the signature, gives calls `toolu_vrtx_` ids, and counts thoughts with the
rest. Usage stands on every chunk, grows, and keeps prompt + candidates + thoughts = total.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_errors import Refusal
from tests.fakes.v1internal_script import Picture, Plan, Say, Think, Tool

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MOST_CHUNKS = 32
PICTURE_TOKENS = 1120


@dataclass
class Reply:
    """Writes the chunks of one answer; `serial` makes its ids, `cached` tokens come before those of the call."""

    call: Call
    plan: Plan
    serial: int
    cached: int = 0
    visible: int = 0
    thoughts: int = 0
    unsigned: str = ""
    calls_made: int = 0
    begun: bool = False
    trace: str = field(init=False)
    prompt: int = field(init=False)

    def __post_init__(self) -> None:
        self.trace = _digest("trace", self.serial)[:16]
        self.prompt = self.cached + prompt_tokens(self.call)

    def chunks(self) -> Iterator[Json]:
        """Give the chunks in their envelope."""
        for response in self.responses():
            yield {"response": response, "traceId": self.trace}

    def responses(self) -> Iterator[Json]:
        """Give the chunks, the last one with the finish reason."""
        parts = list(self._parts())
        if self.call.model.is_claude or any("functionCall" in part for chunk in parts for part in chunk):
            parts.append([{"text": ""}])
        for place, chunk in enumerate(parts):
            self._count(chunk)
            yield self._response(chunk, self.plan.finish if place == len(parts) - 1 else None)

    def _parts(self) -> Iterator[list[Json]]:
        items = list(self.plan.items)
        tools = [item for item in items if isinstance(item, Tool)]
        if tools and self.call.model.is_claude and not any(isinstance(item, Think) for item in items):
            items.insert(0, Think(f"I will call {tools[0].name}."))
        for item in items:
            if isinstance(item, Say):
                yield from self._say(item)
            elif isinstance(item, Think):
                yield from self._think(item)
            elif isinstance(item, Picture):
                yield [self._drawn({"inlineData": {"mimeType": "image/png", "data": _picture(item)}})]
        calls = [self._tool(tool) for tool in tools]
        if calls:
            yield from [[one] for one in calls] if self.plan.split else [calls]

    def _say(self, item: Say) -> Iterator[list[Json]]:
        for piece in _pieces(item.text):
            part = self._signed({"text": piece})
            yield [self._begun(part)]
            self.begun = True

    def _think(self, item: Think) -> Iterator[list[Json]]:
        if not self.call.thinks_aloud:
            # Gemini thinks without showing it, Claude does not think at all
            self.thoughts += 0 if self.call.model.is_claude else _tokens(item.text)
            return
        for piece in _pieces(item.text):
            yield [{"thought": True, "text": piece}]
        if self.call.model.is_claude:
            signature = self.call.signatures.sign("claude", item.text)
            yield [{"thought": True, "text": "", "thoughtSignature": signature}]
        else:
            self.unsigned = item.text

    def _tool(self, tool: Tool) -> Json:
        one: Json = {"name": tool.name, "args": tool.args}
        if self.call.model.is_claude or (self.call.model.numbered_calls and not self.plan.split):
            one["id"] = self._call_id()
        part = self._signed({"functionCall": one})
        if self.call.model.signed_calls and not self.calls_made and "thoughtSignature" not in part:
            part["thoughtSignature"] = self.call.signatures.sign("gemini")
        self.calls_made += 1
        return part

    def _begun(self, part: Json) -> Json:
        """What draws signs what it says first, too."""
        draws = self.call.model.draws and self.call.model.signed_calls
        if draws and not self.begun and "thoughtSignature" not in part:
            part["thoughtSignature"] = self.call.signatures.sign("gemini")
        return part

    def _drawn(self, picture: Json) -> Json:
        part = self._signed(picture)
        if self.call.model.draws and self.call.model.signed_calls and "thoughtSignature" not in part:
            signatures = self.call.signatures
            part["thoughtSignature"] = signatures.sign("gemini", size_bytes=signatures.picture_bytes)
        self.begun = True
        return part

    def _signed(self, part: Json) -> Json:
        if self.unsigned and self.call.model.family == "gemini":
            part["thoughtSignature"] = self.call.signatures.sign("gemini", self.unsigned)
            self.unsigned = ""
        return part

    def _call_id(self) -> str:
        digest = _digest("call", f"{self.serial}-{self.calls_made}")
        return f"toolu_vrtx_01{digest[:22]}" if self.call.model.is_claude else digest[:8]

    def _count(self, chunk: list[Json]) -> None:
        for part in chunk:
            if part.get("thought") and not self.call.model.is_claude:
                self.thoughts += _tokens(part["text"])
            elif "inlineData" in part:
                self.visible += PICTURE_TOKENS
            elif "functionCall" in part:
                self.visible += _tokens(json.dumps(part["functionCall"]))
            else:
                self.visible += _tokens(part.get("text", ""))

    def _response(self, parts: list[Json], finish: str | None) -> Json:
        candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {
            "candidates": [candidate],
            "usageMetadata": self._usage(),
            "modelVersion": self.call.model.name,
            "responseId": self._response_id(),
        }

    def _usage(self) -> Json:
        usage: Json = {
            "promptTokenCount": self.prompt,
            "totalTokenCount": self.prompt + self.visible + self.thoughts,
        }
        usage |= {"candidatesTokenCount": self.visible} if self.visible else {}
        usage |= {"thoughtsTokenCount": self.thoughts} if self.thoughts else {}
        if self.cached:
            usage |= {"cachedContentTokenCount": self.cached, "cacheTokensDetails": _as_text(self.cached)}
        return usage | {"promptTokensDetails": _as_text(self.prompt)}

    def _response_id(self) -> str:
        digest = _digest("response", self.serial)
        return f"msg_vrtx_01{digest[:22]}" if self.call.model.is_claude else digest[:22]


def prompt_tokens(call: Call) -> int:
    """Estimate the prompt: system, tools and contents."""
    asked = {name: call.request.get(name) for name in ("systemInstruction", "tools", "contents")}
    return _tokens(json.dumps(asked, ensure_ascii=False))


def content_tokens(call: Call) -> int:
    """Estimate the contents alone, as `countTokens` does."""
    return sum(_tokens(json.dumps(part, ensure_ascii=False)) for _, part in call.parts)


def event(chunk: Json) -> bytes:
    """Write one event of the stream, as the service does: CRLF, and nothing escaped that need not be."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\r\n\r\n"


def merged(chunks: list[Json]) -> Json:
    """Make the one answer of `generateContent` from the chunks of a stream, in its envelope."""
    return {"response": folded(chunks), "traceId": chunks[0].get("traceId", "") if chunks else ""}


def folded(chunks: list[Json]) -> Json:
    """Make one response of the chunks of a stream; an error among them is the answer."""
    for chunk in chunks:
        if "error" in chunk:
            raise Refusal(chunk["error"]["code"], chunk)
    whole: Json = {}
    candidate: Json = {}
    parts: list[Json] = []
    for response in (chunk.get("response", chunk) for chunk in chunks):
        whole |= response
        for one in response.get("candidates") or []:
            candidate |= one
            for part in (one.get("content") or {}).get("parts") or []:
                _join(parts, part)
    if candidate:
        whole["candidates"] = [candidate | {"content": {"role": "model", "parts": parts}}]
    return whole


def _join(parts: list[Json], part: Json) -> None:
    """Append a part; plain text continues the text or thought before it, whose signature stays."""
    before = parts[-1] if parts else {}
    continues = "text" in before and before.get("thought") == part.get("thought")
    if continues and set(part) <= {"text", "thought"}:
        parts[-1] = before | {"text": before["text"] + part["text"]}
    elif part != {"text": ""}:
        parts.append(dict(part))


def _pieces(text: str) -> list[str]:
    size = max(8, math.ceil(len(text) / MOST_CHUNKS))
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]


def _picture(item: Picture) -> str:
    if not item.size_bytes:
        return PIXEL
    return base64.b64encode(bytes(item.size_bytes * 3 // 4)).decode()


def _as_text(tokens: int) -> list[Json]:
    return [{"modality": "TEXT", "tokenCount": tokens}]


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _digest(kind: str, number: Any) -> str:
    return hashlib.sha256(f"{kind} {number}".encode()).hexdigest()

"""From a plan to the chunks of a chat completion, or to the whole of it.

OpenAI's own models never show their thoughts here, only count them; a server that is only compatible (`plain`) sends
them as `reasoning_content`. Every chunk has the same id; `usage` is null until the last one, if it was asked for.
`!toolsplit` mixes the arguments of parallel calls; `!finish refusal` says the text as a refusal.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from tests.fakes.gemini_api_wire import shifted
from tests.fakes.openai_api_chat import Asked
from tests.fakes.v1internal_script import Plan, Say, Think, Tool

__all__ = ["ChatReply", "digest", "pieces", "tokens"]

Json = dict[str, Any]

CREATED = 1_800_000_000
ENDS = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "refusal": "stop"}
_MOST = 32


@dataclass(frozen=True)
class ChatReply:
    """Writes one answer, or one `choice` of it; `serial` makes its ids."""

    asked: Asked
    plan: Plan
    serial: int
    choice: int = 0

    def chunks(self) -> Iterator[Json]:
        """Give the chunks of the stream."""
        options = self.asked.body.get("stream_options") or {}
        counted = bool(options.get("include_usage"))
        for together in zip_longest(*(self._streamed(choice, counted=counted) for choice in range(self._choices))):
            yield from (chunk for chunk in together if chunk is not None)
        if counted:
            yield self._frame("chat.completion.chunk") | {"choices": [], "usage": self.usage()}

    def _streamed(self, choice: int, *, counted: bool) -> Iterator[Json]:
        one = replace(self, choice=choice)
        yield self._chunk(choice, {"role": "assistant", "content": "", "refusal": None}, counted=counted)
        yield from (self._chunk(choice, delta, counted=counted) for delta in one._deltas())
        yield self._chunk(choice, {}, self._finish, counted=counted)

    def whole(self) -> Json:
        """Give the completion."""
        end = {"logprobs": None, "finish_reason": self._finish}
        choices = [
            {"index": index, "message": replace(self, choice=index)._message(), **end} for index in range(self._choices)
        ]
        return self._frame("chat.completion") | {"choices": choices, "usage": self.usage()}

    def usage(self) -> Json:
        """Count the tokens; thoughts are part of the completion."""
        prompt = tokens(json.dumps([self.asked.messages, self.asked.tools], ensure_ascii=False))
        reasoning = sum(tokens(one.text) for one in self.plan.items if isinstance(one, Think))
        said = sum(tokens(_spoken(one)) for one in self.plan.items if not isinstance(one, Think))
        completion = self._choices * (said + reasoning)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    @property
    def _choices(self) -> int:
        return self.asked.body.get("n") or 1

    @property
    def _calls(self) -> list[Tool]:
        return [one for one in self.plan.items if isinstance(one, Tool)]

    @property
    def _finish(self) -> str:
        if self.plan.finish == "STOP" and self._calls:
            return "tool_calls"
        return ENDS.get(self.plan.finish, self.plan.finish)

    def _frame(self, kind: str) -> Json:
        return {
            "id": f"chatcmpl-{digest('chat', self.serial)[:29]}",
            "object": kind,
            "created": CREATED + self.serial,
            "model": self.asked.body["model"],
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
        }

    def _chunk(self, index: int, delta: Json, finish: str | None = None, *, counted: bool) -> Json:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = self._frame("chat.completion.chunk") | {"choices": [choice]}
        options = self.asked.body.get("stream_options") or {}
        hidden = not self.asked.plain and options.get("include_obfuscation", True)
        return chunk | ({"usage": None} if counted else {}) | ({"obfuscation": "x" * 7} if hidden else {})

    def _deltas(self) -> Iterator[Json]:
        for one in self.plan.items:
            if isinstance(one, Say):
                field = "refusal" if self.plan.finish == "refusal" else "content"
                yield from ({field: piece} for piece in pieces(shifted(one.text, self.choice)))
            elif isinstance(one, Think) and self.asked.plain:
                yield from ({"reasoning_content": piece} for piece in pieces(one.text))
        yield from ({"tool_calls": [call]} for call in self._called())

    def _called(self) -> Iterator[Json]:
        streams = [list(self._argued(place, tool)) for place, tool in enumerate(self._calls)]
        if not self.plan.split:
            yield from (call for calls in streams for call in calls)
            return
        for together in zip_longest(*streams):
            yield from (call for call in together if call is not None)

    def _argued(self, place: int, tool: Tool) -> Iterator[Json]:
        call = self._call(place, tool)
        kind = call["type"]
        field = "input" if kind == "custom" else "arguments"
        said = call[kind][field]
        yield {"index": place, **call, kind: call[kind] | {field: ""}}
        for piece in pieces(said, 12):
            yield {"index": place, kind: {field: piece}}

    def _call(self, place: int, tool: Tool) -> Json:
        named = f"{self.serial}-{place}" + f"-{self.choice}" * bool(self.choice)
        one = {"id": f"call_{digest('call', named)[:24]}"}
        custom = {known["custom"]["name"] for known in self.asked.tools if known["type"] == "custom"}
        if tool.name in custom:
            return one | {"type": "custom", "custom": {"name": tool.name, "input": tool.args["input"]}}
        return one | {"type": "function", "function": {"name": tool.name, "arguments": json.dumps(tool.args)}}

    def _message(self) -> Json:
        text = shifted("".join(one.text for one in self.plan.items if isinstance(one, Say)), self.choice)
        refused = self.plan.finish == "refusal"
        message: Json = {
            "role": "assistant",
            "content": None if refused or not text else text,
            "refusal": text if refused else None,
            "annotations": [],
        }
        thoughts = "".join(one.text for one in self.plan.items if isinstance(one, Think))
        if thoughts and self.asked.plain:
            message["reasoning_content"] = thoughts
        calls = [self._call(place, tool) for place, tool in enumerate(self._calls)]
        return message | ({"tool_calls": calls} if calls else {})


def pieces(text: str, size: int = 8) -> list[str]:
    """Cut a text as a stream would."""
    size = max(size, math.ceil(len(text) / _MOST))
    return [text[start : start + size] for start in range(0, len(text), size)]


def tokens(text: str) -> int:
    """Estimate tokens."""
    return math.ceil(len(text) / 4)


def digest(kind: str, number: Any) -> str:
    """Make letters for an id."""
    return hashlib.sha256(f"{kind} {number}".encode()).hexdigest()


def _spoken(item: Any) -> str:
    return json.dumps(item.args) + item.name if isinstance(item, Tool) else getattr(item, "text", "")

"""From a plan to the events of a message, or to the whole of it.

One block is open at a time. Arguments come only as pieces of JSON, the first of them empty; a thought ends with its
signature; a redacted thought comes whole. A stop sequence that the text runs into ends it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.fakes.anthropic_api_asked import Asked
from tests.fakes.anthropic_api_counting import input_tokens, tokens
from tests.fakes.v1internal_script import Block, Plan, Say, Think, Tool

__all__ = ["Reply"]

Json = dict[str, Any]

ENDS = {"STOP": "end_turn", "MAX_TOKENS": "max_tokens", "SAFETY": "refusal", "": None}
DECLINED = {"type": "refusal", "category": "general_harms", "explanation": "This request was declined."}
_MOST = 32


@dataclass(frozen=True)
class Reply:
    """Writes one answer; `serial` makes its ids."""

    asked: Asked
    plan: Plan
    serial: int

    def events(self) -> Iterator[Json]:
        """Give the events of the stream."""
        start = self._message([], None, None) | {"usage": self._usage() | {"output_tokens": 1}}
        yield {"type": "message_start", "message": start}
        if self.asked.vertex:
            yield {"type": "vertex_event", "usage": _vertex_usage(start["usage"])}
        for index, block in enumerate(self.content):
            last = index == len(self.content) - 1
            for place, event in enumerate(_block_events(index, block, cut=last and self._cut)):
                yield event
                if not index + place:
                    yield {"type": "ping"}
        reason, sequence = self._end
        delta = {"stop_reason": reason, "stop_sequence": sequence, **self._details(reason)}
        counts = {name: count for name, count in self._usage().items() if name not in _START_ONLY}
        yield {"type": "message_delta", "delta": delta, "usage": counts}
        yield {"type": "message_stop"}

    def whole(self) -> Json:
        """Give the message."""
        content = [dict(block) for block in self.content]
        if self._cut and content and content[-1]["type"] == "tool_use":
            content[-1]["input"] = {}
        return self._message(content, *self._end) | {"usage": self._usage()}

    @cached_property
    def content(self) -> list[Json]:
        """Make the blocks."""
        if self.asked.body.get("max_tokens") == 0:
            return []
        made = [block for item in self._items() for block in self._made(item)]
        sequence = self._run_into
        if sequence is None:
            return made
        stopped = next(place for place, block in enumerate(made) if sequence in block.get("text", ""))
        cut = made[stopped] | {"text": made[stopped]["text"].partition(sequence)[0]}
        return made[:stopped] + ([cut] if cut["text"] else [])

    def _items(self) -> list[Any]:
        """With a budget, the model thinks before it calls."""
        items = list(self.plan.items)
        tools = [one for one in items if isinstance(one, Tool)]
        thoughts = any(isinstance(one, Think | Block) for one in items)
        if tools and not thoughts and self.asked.thinking == "enabled" and not self.asked.in_loop:
            items.insert(0, Think(f"I will call {tools[0].name}."))
        return items

    def _made(self, item: Any) -> list[Json]:
        if isinstance(item, Say):
            return [{"type": "text", "text": item.text}]
        if isinstance(item, Think):
            return self._thought(item.text)
        if isinstance(item, Block):
            return [item.value]
        return [self._call(item)]

    def _thought(self, text: str) -> list[Json]:
        if not self.asked.thinks:
            return []
        shown = text if self.asked.shows_thoughts else ""
        seal = self.asked.seals.seal("thinking", shown)
        return [{"type": "thinking", "thinking": shown, "signature": seal}]

    def _call(self, tool: Tool) -> Json:
        place = [id(one) for one in self.plan.items].index(id(tool))
        label = "toolu_vrtx_01" if self.asked.vertex else "toolu_01"
        return {
            "type": "tool_use",
            "id": f"{label}{_digest('call', f'{self.serial}-{place}')[:22]}",
            "name": tool.name,
            "input": tool.args,
            "caller": {"type": "direct"},
        }

    @property
    def _stops(self) -> list[str]:
        return self.asked.body.get("stop_sequences") or []

    @cached_property
    def _run_into(self) -> str | None:
        """Find the stop sequence that a text runs into first."""
        for text in (one.text for one in self.plan.items if isinstance(one, Say)):
            found = [one for one in self._stops if one in text]
            if found:
                return min(found, key=text.index)
        return None

    @property
    def _end(self) -> tuple[str | None, str | None]:
        if self._run_into is not None:
            return "stop_sequence", self._run_into
        if self.plan.finish == "stop_sequence":
            return "stop_sequence", next(iter(self._stops), None)
        if self.asked.body.get("max_tokens") == 0:
            return "max_tokens", None
        if self.plan.finish == "STOP" and any(block["type"] == "tool_use" for block in self.content):
            return "tool_use", None
        return ENDS.get(self.plan.finish, self.plan.finish), None

    @property
    def _cut(self) -> bool:
        """A call at the limit is not finished."""
        return self._end[0] == "max_tokens"

    def _details(self, reason: str | None) -> Json:
        return {"stop_details": DECLINED} if reason == "refusal" else {}

    def _message(self, content: list[Json], reason: str | None, sequence: str | None) -> Json:
        label = "msg_vrtx_01" if self.asked.vertex else "msg_01"
        return {
            "model": self.asked.model.name,
            "id": f"{label}{_digest('message', self.serial)[:22]}",
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
            **self._details(reason),
        }

    def _usage(self) -> Json:
        thought = sum(tokens(one.text) for one in self.plan.items if isinstance(one, Think) and self.asked.thinks)
        said = sum(tokens(_said(block)) for block in self.content if block["type"] != "thinking")
        searches = sum(block.get("name") == "web_search" for block in self.content)
        counts: Json = {
            "input_tokens": input_tokens(self.asked.body),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": max(said + thought, 1) if self.content else 0,
            "service_tier": "standard",
        }
        if self.asked.thinks:
            counts["output_tokens_details"] = {"thinking_tokens": thought}
        if searches:
            counts["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
        written: Json = self.plan.more.get("usage", {})
        return counts | written


def _vertex_usage(usage: Json) -> Json:
    """Count as Vertex AI does itself, in an event that no SDK knows (vercel/ai issues 11309 and 13436)."""
    own = {name: usage[name] or None for name in _OWN_COUNTS} | {"web_search_requests": None}
    return {**own, "tiers": {"0-to-200000": own}}


_OWN_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_START_ONLY = frozenset({"cache_creation", "service_tier"})


def _block_events(index: int, block: Json, *, cut: bool) -> Iterator[Json]:
    shown, deltas = _OPENED.get(block["type"], _as_it_is)(block)
    yield {"type": "content_block_start", "index": index, "content_block": shown}
    if cut and block["type"] == "tool_use":
        deltas = deltas[:-1]
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


Opened = tuple[Json, list[Json]]


def _as_it_is(block: Json) -> Opened:
    return block, []


def _text(block: Json) -> Opened:
    cited = [{"type": "citations_delta", "citation": one} for one in block.get("citations") or []]
    said = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
    return block | {"text": ""} | ({"citations": []} if cited else {}), cited + said


def _thinking(block: Json) -> Opened:
    thought = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
    signed = {"type": "signature_delta", "signature": block["signature"]}
    return block | {"thinking": "", "signature": ""}, [*thought, signed]


def _tool_use(block: Json) -> Opened:
    pieces = ["", *_pieces(json.dumps(block["input"], ensure_ascii=False), 12)]
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


_OPENED = {"text": _text, "thinking": _thinking, "tool_use": _tool_use, "server_tool_use": _tool_use}


def _pieces(text: str, size: int = 8) -> list[str]:
    size = max(size, math.ceil(len(text) / _MOST))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _said(block: Json) -> str:
    if block["type"] == "text":
        return str(block["text"])
    return json.dumps(block["input"]) + block["name"] if "input" in block else ""


def _digest(kind: str, number: Any) -> str:
    return hashlib.sha256(f"{kind} {number}".encode()).hexdigest()

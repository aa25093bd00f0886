"""From a plan to the events of a response, or to the whole of it.

created, in_progress, then each item from added to done, then completed, incomplete or failed; `sequence_number` has no
gaps, and what the last event holds is what was streamed. Thoughts become a reasoning item: with summaries where they
were asked for, and sealed where the caller keeps the conversation itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.openai_api_reply import CREATED, digest, pieces, tokens
from tests.fakes.openai_api_responses import Wanted
from tests.fakes.v1internal_script import Plan, Say, Think, Tool

__all__ = ["Answered", "events"]

Json = dict[str, Any]

_INCOMPLETE = {
    "MAX_TOKENS": "max_output_tokens",
    "length": "max_output_tokens",
    "SAFETY": "content_filter",
    "content_filter": "content_filter",
}
_FAILED = {"code": "server_error", "message": "The model failed to generate a response."}


@dataclass
class Answered:
    """Writes one answer; `serial` makes its ids."""

    wanted: Wanted
    plan: Plan
    serial: int
    output: list[Json] = field(default_factory=list)

    def events(self) -> Iterator[Json]:
        """Give the events of the stream."""
        for number, event in enumerate(self._events()):
            yield {"type": event.pop("type"), "sequence_number": number, **event}

    def whole(self) -> Json:
        """Give the response as the last event has it."""
        *_, last = self.events()
        whole: Json = last["response"]
        return whole

    def _events(self) -> Iterator[Json]:
        yield {"type": "response.created", "response": self.response("in_progress")}
        yield {"type": "response.in_progress", "response": self.response("in_progress")}
        for item in self._items():
            yield from self._item(item)
        status = "failed" if self.plan.finish == "failed" else "completed"
        status = "incomplete" if self.plan.finish in _INCOMPLETE else status
        yield {"type": f"response.{status}", "response": self.response(status)}

    def response(self, status: str) -> Json:
        """Write the response object."""
        body = self.wanted.body
        reasoning = body.get("reasoning") or {}
        form = (body.get("text") or {}).get("format") or {"type": "text"}
        return {
            "id": f"resp_{digest('response', self.serial)[:48]}",
            "object": "response",
            "created_at": CREATED + self.serial,
            "status": status,
            "background": bool(body.get("background")),
            "completed_at": CREATED + self.serial if status == "completed" else None,
            "error": _FAILED if status == "failed" else None,
            "incomplete_details": {"reason": _INCOMPLETE[self.plan.finish]} if status == "incomplete" else None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "metadata": body.get("metadata") or {},
            "model": body["model"],
            "output": list(self.output) if status != "in_progress" else [],
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "service_tier": "default",
            "store": self.stored,
            "temperature": body.get("temperature") or 1.0,
            "text": {"format": form, "verbosity": "medium"},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": self.wanted.tools,
            "top_p": body.get("top_p") or 1.0,
            "truncation": body.get("truncation") or "disabled",
            "usage": None if status in ("in_progress", "failed") else self._usage(),
            "user": body.get("user"),
        }

    @property
    def stored(self) -> bool:
        """Say whether the answer is kept."""
        return self.wanted.body.get("store") is not False

    def _usage(self) -> Json:
        asked = tokens(json.dumps([self.wanted.items, self.wanted.tools], ensure_ascii=False))
        reasoning = sum(tokens(one.text) for one in self.plan.items if isinstance(one, Think))
        said = sum(tokens(json.dumps(item)) for item in self.output if item["type"] != "reasoning")
        return {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said + reasoning,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": asked + said + reasoning,
        }

    # items

    def _items(self) -> Iterator[Json]:
        said = "".join(one.text for one in self.plan.items if isinstance(one, Say))
        for one in self.plan.items:
            if isinstance(one, Think) and self.wanted.model.reasons:
                yield self._reasoning(one.text)
        if said:
            yield self._message(said)
        for one in self.plan.items:
            if isinstance(one, Tool):
                yield self._call(one)

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{digest(prefix, f'{self.serial}-{len(self.output)}')[:48]}"

    def _reasoning(self, text: str) -> Json:
        body = self.wanted.body
        shown = (body.get("reasoning") or {}).get("summary")
        item: Json = {"id": self._id("rs"), "type": "reasoning"}
        item["summary"] = [{"type": "summary_text", "text": text}] if shown else []
        if "reasoning.encrypted_content" in (body.get("include") or ()):
            item["encrypted_content"] = self.wanted.kept.seal(item["id"])
        return item

    def _message(self, said: str) -> Json:
        part: Json = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
        if self.plan.finish == "refusal":
            part = {"type": "refusal", "refusal": said}
        return {"id": self._id("msg"), "type": "message", "role": "assistant", "content": [part]}

    def _call(self, tool: Tool) -> Json:
        known = {one["name"]: one for one in self.wanted.tools if one["type"] in ("function", "custom")}
        within = {
            inner["name"]: (one["name"], inner)
            for one in self.wanted.tools
            if one["type"] == "namespace"
            for inner in one["tools"]
        }
        space, one = within.get(tool.name, ("", known.get(tool.name, {"type": "function"})))
        call_id = f"call_{digest('call', f'{self.serial}-{len(self.output)}')[:24]}"
        about = {"call_id": call_id, "name": tool.name} | ({"namespace": space} if space else {})
        if one["type"] == "custom":
            return {"id": self._id("ctc"), "type": "custom_tool_call", **about, "input": tool.args["input"]}
        return {"id": self._id("fc"), "type": "function_call", **about, "arguments": json.dumps(tool.args)}

    # their events

    def _item(self, item: Json) -> Iterator[Json]:
        place = len(self.output)
        cut = self.plan.finish in _INCOMPLETE
        empty = _EMPTIED[item["type"]](item)
        yield {"type": "response.output_item.added", "output_index": place, "item": empty}
        for event in _INNER[item["type"]](item):
            yield {**event, "item_id": item["id"], "output_index": place}
        done = item if item["type"] == "reasoning" else item | {"status": "incomplete" if cut else "completed"}
        self.output.append(done)
        yield {"type": "response.output_item.done", "output_index": place, "item": done}


def events(pieces_of: list[Json]) -> Iterator[bytes]:
    """Write events as they go over the wire."""
    for event in pieces_of:
        data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        yield f"event: {event.get('type', 'error')}\ndata: {data}\n\n".encode()


def _reasoned(item: Json) -> Iterator[Json]:
    for index, part in enumerate(item["summary"]):
        at = {"summary_index": index}
        yield {"type": "response.reasoning_summary_part.added", **at, "part": part | {"text": ""}}
        for piece in pieces(part["text"]):
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": piece, "obfuscation": "xxx"}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}


def _said(item: Json) -> Iterator[Json]:
    for index, part in enumerate(item["content"]):
        at = {"content_index": index}
        kind = "refusal" if part["type"] == "refusal" else "text"
        name = "response.refusal" if kind == "refusal" else "response.output_text"
        more: Json = {} if kind == "refusal" else {"logprobs": []}
        yield {"type": "response.content_part.added", **at, "part": part | {kind: ""}}
        for piece in pieces(part[kind]):
            yield {"type": f"{name}.delta", **at, "delta": piece, **more, "obfuscation": "xxxxx"}
        yield {"type": f"{name}.done", **at, kind: part[kind], **more}
        yield {"type": "response.content_part.done", **at, "part": part}


def _argued(name: str, key: str) -> Callable[[Json], Iterator[Json]]:
    def inner(item: Json) -> Iterator[Json]:
        for piece in pieces(item[key], 12):
            yield {"type": f"response.{name}.delta", "delta": piece, "obfuscation": "xx"}
        yield {"type": f"response.{name}.done", key: item[key]}

    return inner


_INNER: dict[str, Callable[[Json], Iterator[Json]]] = {
    "reasoning": _reasoned,
    "message": _said,
    "function_call": _argued("function_call_arguments", "arguments"),
    "custom_tool_call": _argued("custom_tool_call_input", "input"),
}
_EMPTIED: dict[str, Callable[[Json], Json]] = {
    "reasoning": lambda item: item | {"summary": []},
    "message": lambda item: item | {"content": [], "status": "in_progress"},
    "function_call": lambda item: item | {"arguments": "", "status": "in_progress"},
    "custom_tool_call": lambda item: item | {"input": "", "status": "in_progress"},
}

"""What servers of Responses say: anything like it, and sound answers of a strict one."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.fakes.openai_api_events import Answered
from tests.fakes.openai_api_kept import Kept
from tests.fakes.openai_api_models import describe
from tests.fakes.openai_api_responses import Wanted
from tests.fakes.v1internal_script import Plan

from .framing import Sound, bodies, plans, stream

__all__ = ["BODIES", "PAYLOADS", "RESPONSES", "SOUND", "sound"]

Json = st.SearchStrategy[Any]

_any: Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)
_words = st.sampled_from([None, "", "a", "ab", "abc", "{", '{"a":1}', "ż\u2028"])
_kinds = st.sampled_from(
    ["message", "reasoning", "function_call", "custom_tool_call", "image_generation_call", "web_search_call", "", None]
)
_parts: Json = st.fixed_dictionaries(
    {"type": st.sampled_from(["output_text", "refusal", "summary_text", "reasoning_text"])},
    optional={"text": _words, "refusal": _words, "annotations": _any},
)
_items: Json = st.fixed_dictionaries(
    {"type": _kinds},
    optional={
        "id": st.sampled_from([None, "", "i0", "i1"]),
        "status": st.sampled_from([None, "completed", "incomplete"]),
        "content": st.none() | st.lists(_parts, max_size=2),
        "summary": st.none() | st.lists(_parts, max_size=2),
        "encrypted_content": st.sampled_from([None, "", "gAAAA"]),
        "call_id": st.sampled_from([None, "", "c1", "!"]),
        "name": st.sampled_from([None, "", "f"]),
        "arguments": _words,
        "input": _words,
        "result": st.sampled_from([None, "", "cG5n"]),
    },
)
_counts = st.none() | st.integers(-2, 99)
_usage: Json = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": _counts,
        "output_tokens": _counts,
        "total_tokens": _counts,
        "input_tokens_details": st.none() | st.fixed_dictionaries({}, optional={"cached_tokens": _counts}),
        "output_tokens_details": st.none() | st.fixed_dictionaries({}, optional={"reasoning_tokens": _counts}),
    },
)
RESPONSES: Json = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([None, "resp_1"]),
        "status": st.sampled_from([None, "completed", "incomplete", "failed", "in_progress", "new"]),
        "error": st.sampled_from([None, {}, {"code": "server_error", "message": "x"}, "x"]),
        "incomplete_details": st.sampled_from([None, {}, {"reason": "max_output_tokens"}]),
        "output": st.none() | st.lists(_items, max_size=3),
        "usage": st.none() | _usage,
    },
)
_ENDS = ("completed", "incomplete", "failed", "cancelled")
_STREAMED = (
    "created", "in_progress", "queued", "output_item.added", "output_item.done", "content_part.added",
    "content_part.done", "output_text.delta", "output_text.done", "output_text.annotation.added", "refusal.delta",
    "refusal.done", "reasoning_summary_part.added", "reasoning_summary_part.done", "reasoning_summary_text.delta",
    "reasoning_summary_text.done", "reasoning_text.delta", "reasoning_text.done", "function_call_arguments.delta",
    "function_call_arguments.done", "custom_tool_call_input.delta", "custom_tool_call_input.done",
    "image_generation_call.partial_image", "web_search_call.searching",
)  # fmt: skip
_types = st.sampled_from([*(f"response.{name}" for name in (*_STREAMED, *_ENDS)), "error", "", "response.new", None])
_events: Json = st.fixed_dictionaries(
    {"type": _types},
    optional={
        "response": st.none() | RESPONSES,
        "item": st.none() | _items,
        "part": st.none() | _parts,
        "item_id": st.sampled_from([None, "i0", "i1"]),
        "output_index": st.sampled_from([None, 0, 1]),
        "content_index": st.sampled_from([None, 0, 1]),
        "summary_index": st.sampled_from([None, 0, 1]),
        "delta": _words,
        "text": _words,
        "refusal": _words,
        "arguments": _words,
        "input": _words,
        "annotation": _any | st.just({"type": "url_citation", "url": "u", "start_index": 0, "end_index": 1}),
        "error": st.sampled_from([None, {}, {"code": 429}, "x"]),
        "message": _any,
    },
)
PAYLOADS = st.one_of(*[_events.map(json.dumps)] * 6, _any.map(json.dumps), st.text('{}[]:,"ab1', max_size=20))
_BODY: Any = {
    "model": "gpt-5.2",
    "input": "hi",
    "reasoning": {"summary": "auto"},
    "include": ["reasoning.encrypted_content"],
}


def sound(plan: Plan) -> Sound:
    """Let the service say it."""
    asked = Wanted(_BODY, describe(_BODY["model"]), Kept(), [])
    events = tuple(Answered(asked, plan, 1).events())
    return Sound(events, events[-1]["response"])


SOUND: st.SearchStrategy[Sound] = plans(("STOP", "STOP", "MAX_TOKENS", "content_filter", "refusal")).map(sound)
BODIES = bodies(PAYLOADS, SOUND.map(lambda one: stream(one.events, named=True)))

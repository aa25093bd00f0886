"""What servers of Chat Completions say: anything like it, and sound answers of a strict one."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.fakes.openai_api_chat import Asked
from tests.fakes.openai_api_models import describe
from tests.fakes.openai_api_reply import ChatReply
from tests.fakes.v1internal_script import Plan
from tests.strategies import words

from .framing import Sound, bodies, plans, stream

__all__ = ["BODIES", "CHUNKS", "PAYLOADS", "SOUND", "sound"]

Json = st.SearchStrategy[Any]

_some = st.none() | words()
_arguments: Json = _some | st.sampled_from(['{"a":1}', "{", "}", "[1]", "null"]) | st.just({"a": 1})
_call: Json = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(0, 2),
        "id": st.none() | st.sampled_from(["", "a", "b", "functions.f:0"]),
        "function": st.none()
        | st.fixed_dictionaries({}, optional={"name": st.sampled_from(["f", "g", "", None]), "arguments": _arguments}),
        "custom": st.none() | st.fixed_dictionaries({}, optional={"name": st.just("sql"), "input": _some}),
        "extra_content": st.just({"google": {"thought_signature": "c2ln"}}),
    },
)
_source = {"type": "url_citation", "url_citation": {"url": "https://a.example", "start_index": 1, "end_index": 3}}
_delta: Json = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": _some | st.just([{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "y"}, 1]),
        "reasoning_content": _some,
        "reasoning": _some | st.just({}),
        "reasoning_details": st.just([{"text": "x"}]) | st.just(1),
        "refusal": _some,
        "tool_calls": st.none() | st.lists(_call, max_size=3),
        "function_call": st.just({"name": "f", "arguments": "{}"}),
        "annotations": st.just([_source]) | st.just([1]),
        "images": st.just([{"image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]) | st.just([{}]),
    },
)
_counts = st.none() | st.integers(-2, 99)
_usage: Json = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": _counts,
        "completion_tokens": _counts,
        "total_tokens": _counts,
        "prompt_tokens_details": st.none() | st.fixed_dictionaries({}, optional={"cached_tokens": _counts}),
        "completion_tokens_details": st.none() | st.fixed_dictionaries({}, optional={"reasoning_tokens": _counts}),
    },
)
_choice: Json = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 0, 0, 1, None]),
        "delta": st.none() | _delta,
        "message": _delta,
        "finish_reason": st.sampled_from([None, None, "", "stop", "length", "tool_calls", "error", "eos"]),
        "usage": _usage,
    },
)
CHUNKS: Json = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["c1", "", None, 5]),
        "created": st.sampled_from([1, 0, "x"]),
        "choices": st.none() | st.lists(_choice, max_size=2),
        "usage": _usage | st.just("x"),
        "error": st.sampled_from([None, None, {}, {"message": "no"}, "no"]),
    },
)
PAYLOADS = st.one_of(*[CHUNKS.map(json.dumps)] * 3, st.sampled_from(["[DONE]", "{", "[]"]))
_BODY: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream_options": {"include_usage": True}}


def sound(plan: Plan) -> Sound:
    """Let the service say it."""
    reply = ChatReply(Asked(_BODY, describe("m"), plain=True), plan, 1)
    return Sound(tuple(reply.chunks()), reply.whole())


SOUND: st.SearchStrategy[Sound] = plans(("STOP", "MAX_TOKENS", "SAFETY", "refusal")).map(sound)
BODIES = bodies(PAYLOADS, SOUND.map(lambda one: stream(one.events) + b"data: [DONE]\n\n"))

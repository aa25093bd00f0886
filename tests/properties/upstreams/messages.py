"""What Anthropic says: anything like it, and sound answers of a strict server."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.fakes.anthropic_api_asked import Asked
from tests.fakes.anthropic_api_models import describe
from tests.fakes.anthropic_api_reply import Reply
from tests.fakes.anthropic_api_seals import Seals
from tests.fakes.v1internal_script import Plan, Tool
from tests.strategies import words

from .framing import Sound, bodies, plans, stream

__all__ = ["BLOCKS", "BODIES", "PAYLOADS", "SOUND", "sound"]

Json = st.SearchStrategy[Any]

_index = st.integers(0, 2)
_some = st.none() | words()
_citation = st.sampled_from(
    [
        {"type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "x"},
        {"type": "char_location", "document_index": 0, "cited_text": "x"},
        1,
    ]
)
BLOCKS: Json = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("text")}, optional={"text": _some, "citations": st.lists(_citation, max_size=1)}
    ),
    st.fixed_dictionaries({"type": st.just("thinking")}, optional={"thinking": _some, "signature": _some}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking")}, optional={"data": _some}),
    st.fixed_dictionaries(
        {"type": st.just("tool_use")},
        optional={
            "id": st.sampled_from(["toolu_1", "", None, "functions.f:0"]),
            "name": st.sampled_from(["f", "g", "answer", "", None]),
            "input": st.sampled_from([{}, {"a": 1}, None, "x"]),
        },
    ),
    st.just({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}),
    st.sampled_from([{}, {"type": "unheard_of", "x": 1}, {"type": 1}, None, []]),
)
_delta: Json = st.one_of(
    st.builds(lambda text: {"type": "text_delta", "text": text}, _some),
    st.builds(lambda text: {"type": "thinking_delta", "thinking": text}, _some),
    st.builds(lambda text: {"type": "signature_delta", "signature": text}, _some),
    st.builds(
        lambda text: {"type": "input_json_delta", "partial_json": text},
        _some | st.sampled_from(['{"a":', "1}", '{"a":1}', "[1]"]),
    ),
    st.builds(lambda citation: {"type": "citations_delta", "citation": citation}, _citation),
    st.just({}),
)
_counts = st.none() | st.integers(-2, 99)
_usage: Json = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": _counts,
        "output_tokens": _counts,
        "cache_read_input_tokens": _counts,
        "cache_creation_input_tokens": _counts,
        "output_tokens_details": st.fixed_dictionaries({"thinking_tokens": _counts}),
        "cache_creation": st.just({"ephemeral_5m_input_tokens": 2}),
    },
)
_reason = st.sampled_from(
    [None, "end_turn", "tool_use", "max_tokens", "stop_sequence", "pause_turn", "refusal", "unheard_of"]
)
_event: Json = st.one_of(
    st.builds(lambda usage: {"type": "message_start", "message": {"id": "m1", "model": "c", "usage": usage}}, _usage),
    st.builds(lambda i, block: {"type": "content_block_start", "index": i, "content_block": block}, _index, BLOCKS),
    *[st.builds(lambda i, delta: {"type": "content_block_delta", "index": i, "delta": delta}, _index, _delta)] * 2,
    st.builds(lambda i: {"type": "content_block_stop", "index": i}, _index),
    st.builds(
        lambda reason, usage: {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage},
        _reason,
        _usage,
    ),
    st.sampled_from([{"type": "ping"}, {"type": "unheard_of"}, {"type": "message_stop"}, {}]),
    st.just({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}),
)
PAYLOADS = st.one_of(*[_event.map(json.dumps)] * 6, st.sampled_from(["{", "[]", "1"]))
_BODY: Any = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 9000,
    "messages": [{"role": "user", "content": "hi"}],
    "thinking": {"type": "enabled"},
}


def sound(plan: Plan) -> Sound:
    """Let the service say it."""
    reply = Reply(Asked(_BODY, describe(_BODY["model"]), frozenset(), Seals()), plan, 1)
    return Sound(tuple(reply.events()), reply.whole())


def _is_whole(plan: Plan) -> bool:
    """Tell whether the limit cuts no call: of such a one the whole says nothing, and the stream the beginning."""
    return plan.finish != "MAX_TOKENS" or not any(isinstance(one, Tool) for one in plan.items)


_plans = plans(("STOP", "STOP", "MAX_TOKENS", "SAFETY", "pause_turn"))
SOUND: st.SearchStrategy[Sound] = _plans.filter(_is_whole).map(sound)
BODIES = bodies(PAYLOADS, _plans.map(sound).map(lambda one: stream(one.events, named=True)))

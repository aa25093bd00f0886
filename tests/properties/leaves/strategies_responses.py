"""Rich requests of Responses, drawn at random."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from .drawing import an, flags, one, results, some, words
from .material import ANSWER, PDF, PNG, SCHEMA, SIGNED

__all__ = ["responses"]

_part = st.one_of(
    an({"type": one("input_text"), "text": words}),
    an(
        {"type": one("input_image"), "image_url": one(f"data:image/png;base64,{PNG}")},
        detail=some("low", "high", "auto"),
    ),
    an(
        {"type": one("input_file"), "file_data": one(f"data:application/pdf;base64,{PDF}")},
        filename=some("a.pdf", "b"),
    ),
)
_said = words | st.lists(_part, min_size=1, max_size=3)
_call_id = some("call_1", "call_2")
_status = some("completed", "incomplete")
_item = st.one_of(
    an({"role": one("user"), "content": _said}, type=one("message"), id=one("msg_1"), status=_status),
    an({"role": some("system", "developer"), "content": words}),
    an({"role": one("assistant"), "content": words}, phase=some("commentary", "final_answer")),
    an(
        {
            "role": one("assistant"),
            "content": st.lists(
                an(
                    {"type": one("output_text"), "text": words},
                    annotations=some([], [{"type": "url_citation", "url": "https://a.example"}]),
                ),
                min_size=1,
                max_size=2,
            ),
        }
    ),
    an(
        {"type": one("function_call"), "call_id": _call_id, "name": some("weather", "sum")},
        arguments=some("", "{}", '{"city": "Rome"}', "no JSON"),
        namespace=one("sky"),
    ),
    an({"type": one("custom_tool_call"), "call_id": _call_id, "name": one("sql"), "input": words}),
    an({"type": one("function_call_output"), "call_id": _call_id, "output": results | st.lists(_part, max_size=2)}),
    an({"type": one("custom_tool_call_output"), "call_id": _call_id, "output": results}),
    an(
        {"type": one("reasoning")},
        summary=st.lists(an({"type": one("summary_text"), "text": words}), max_size=2),
        content=st.lists(an({"type": one("reasoning_text"), "text": words}), max_size=1),
        encrypted_content=some(SIGNED, "gw1.bad"),
    ),
    one({"type": "web_search_call", "id": "ws_1", "status": "completed"}),
)
_function = an(
    {"type": one("function"), "name": one("weather")}, description=words, parameters=one(SCHEMA), strict=flags
)
_tool = st.one_of(
    _function,
    an(
        {"type": one("custom"), "name": one("sql")},
        description=words,
        format=some({"type": "text"}, {"type": "grammar", "syntax": "regex", "definition": "a"}),
    ),
    an(
        {"type": one("namespace"), "name": one("sky"), "tools": st.tuples(_function).map(list)},
        description=words,
    ),
    an({"type": one("web_search")}, search_context_size=one("low")),
    one({"type": "tool_search"}),
)
_effort = some("none", "minimal", "low", "high", "xhigh")
_reasoning = st.one_of(
    an({}, effort=_effort, summary=some("auto", "concise"), context=one("all_turns")),
    an({"generate_summary": some("auto", "detailed")}, effort=_effort),
)
_format = st.one_of(
    some({"type": "text"}, {"type": "json_object"}),
    an({"type": one("json_schema"), "schema": one(ANSWER)}, name=words, description=words, strict=flags),
)
_so: Final[dict[str, Any]] = {"role": "user", "content": "so"}  # of a turn that says nothing there is no trace

responses: Final = an(
    {"model": one("m"), "input": words | st.lists(_item, max_size=5).map(lambda items: [*items, _so])},
    instructions=words,
    stream=flags,
    stream_options=an({}, include_obfuscation=flags),
    max_output_tokens=some(100, 9000, 70000),
    temperature=some(0, 0.5, 1.5),
    top_p=some(0.3, 0.97),
    top_logprobs=some(0, 3),
    tools=st.lists(_tool, min_size=1, max_size=3, unique_by=lambda tool: tool["type"]),
    tool_choice=some("auto", "none", "required"),
    parallel_tool_calls=flags,
    reasoning=_reasoning,
    text=an({}, format=_format, verbosity=one("low")),
    include=st.lists(
        some("reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results"),
        max_size=2,
        unique=True,
    ),
    store=flags,
    user=one("u1"),
    safety_identifier=one("u2"),
    prompt_cache_key=one("talk-1"),
    metadata=one({"team": "a"}),
    service_tier=one("flex"),
    truncation=some("disabled", "auto"),
    client_metadata=one({"session_id": "s1"}),
)

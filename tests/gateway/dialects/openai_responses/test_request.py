"""A whole request: what the answer repeats, what was said before it, and what Codex sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseInputItemParam
from pydantic import TypeAdapter

from gateway import ir
from gateway.dialects import Threaded
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.errors import InvalidRequest

from .asking import SCHEMA, F, Json, ask, loads, lost, raws, user

CODEC = OpenAIResponses()
EARLIER = raws(
    {"role": "developer", "content": "Old rule."},
    user({"type": "input_text", "text": "first"}),
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "answer", "annotations": [], "logprobs": []}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"},
)
RESULT: Json = {"type": "function_call_output", "call_id": "c1", "output": "done"}


def test_it_is_a_dialect_with_conversations() -> None:
    assert isinstance(CODEC, Threaded)


def test_an_answer_is_kept_unless_the_caller_says_no() -> None:
    threads = [ask(store=store).thread for store in (None, True, False)]
    assert [thread and thread.store for thread in threads] == [True, True, False]


def test_the_thread_keeps_the_input_as_it_came_and_what_the_answer_repeats() -> None:
    item = user({"type": "input_text", "text": "a"})
    thread = ask(item, instructions="A", previous_response_id="resp_1", tools=[F], metadata=None, x=1).thread
    assert thread is not None
    assert ([loads(one) for one in thread.items], thread.previous) == ([item], "resp_1")
    assert {name: loads(raw) for name, raw in thread.echo.items()} == {
        "instructions": "A",
        "previous_response_id": "resp_1",
        "tools": [F],
    }


def test_a_conversation_goes_on_from_what_was_said() -> None:
    request = CODEC.resume(ask(RESULT, instructions="New.", previous_response_id="resp_1", tools=[F]), EARLIER)
    assert request.system == (ir.Text(text="New."), ir.Text(text="Old rule."))
    first, said, result = request.turns
    assert first == ir.Turn(role="user", parts=(ir.Text(text="first"),))
    assert [type(part) for part in said.parts] == [ir.Thinking, ir.Text, ir.ToolCall]
    assert said.places[0] == ("previous_response_id[2]",)
    assert result.parts == (ir.ToolResult(id="c1", parts=(ir.Text(text="done"),), path="input[0]"),)


def test_new_instructions_of_the_input_come_after_what_was_said() -> None:
    rule = {"role": "developer", "content": "Now."}
    request = CODEC.resume(ask(rule, user(), previous_response_id="resp_1"), EARLIER)
    assert [turn.role for turn in request.turns] == ["user", "assistant", "system", "user"]


def test_a_conversation_may_go_on_without_new_input() -> None:
    request = ask(input=[], previous_response_id="resp_1")
    assert request.turns == ()
    assert len(CODEC.resume(request, EARLIER).turns) == 2


RESULTED = "user: ToolResult"
SAID_AGAIN = ({"role": "user", "content": "first"}, {"role": "assistant", "content": "answer"})


def shape(request: ir.Request) -> list[str]:
    """Write the turns in short."""
    return [f"{turn.role}: {', '.join(type(part).__name__ for part in turn.parts)}" for turn in request.turns]


def results(request: ir.Request) -> list[str]:
    """Say where the results of the request came from."""
    return [part.path for turn in request.turns for part in turn.parts if isinstance(part, ir.ToolResult)]


def test_calls_stand_before_their_results_whatever_a_client_says_again_in_between() -> None:
    request = CODEC.resume(ask(*SAID_AGAIN, RESULT, previous_response_id="resp_1", tools=[F]), EARLIER)
    called = "assistant: Thinking, ToolCall"
    assert shape(request) == ["user: Text", "assistant: Text", "user: Text", "assistant: Text", called, RESULTED]
    assert request.turns[4].places == (("previous_response_id[2]",), ())


def test_results_that_are_said_again_with_each_response_stand_once() -> None:
    call = {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"}
    newer = RESULT | {"call_id": "c2", "output": "newer"}
    earlier = (*EARLIER, *raws(*SAID_AGAIN, RESULT, call))
    request = CODEC.resume(ask(*SAID_AGAIN, RESULT, newer, previous_response_id="resp_2", tools=[F]), earlier)
    assert shape(request)[4:] == [
        "assistant: Thinking, ToolCall",
        RESULTED,
        "user: Text",
        "assistant: Text",
        "assistant: ToolCall",
        RESULTED,
    ]
    assert results(request) == ["previous_response_id[7]", "input[3]"]


def test_a_picture_that_is_said_again_stands_once() -> None:
    seen = RESULT | {"output": [{"type": "input_image", "image_url": "https://a.example/a.png"}]}
    request = CODEC.resume(
        ask(*SAID_AGAIN, seen, previous_response_id="resp_2", tools=[F]), (*EARLIER, *raws(seen, SAID_AGAIN[0]))
    )
    assert results(request) == ["previous_response_id[5]"]


def test_a_call_that_is_made_once_more_gets_its_own_result() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    request = CODEC.resume(ask(RESULT, previous_response_id="resp_2", tools=[F]), (*EARLIER, *raws(RESULT, call)))
    assert [turn.split(":")[0] for turn in shape(request)] == ["user", "assistant", "user", "assistant", "user"]
    assert len(results(request)) == 2


def test_thoughts_stay_with_a_call_that_was_answered_at_once() -> None:
    call = {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"}
    earlier = (*EARLIER, *raws(call, RESULT))
    request = CODEC.resume(
        ask(*SAID_AGAIN, RESULT | {"call_id": "c2"}, previous_response_id="resp_1", tools=[F]), earlier
    )
    assert shape(request)[1:] == [
        "assistant: Thinking, Text, ToolCall",
        RESULTED,
        "user: Text",
        "assistant: Text",
        "assistant: ToolCall",
        RESULTED,
    ]


@pytest.mark.parametrize("result", [RESULT | {"call_id": "c9"}, RESULT | {"output": "other"}])
def test_a_result_without_a_call_that_waits_stays_where_it_is(result: Json) -> None:
    asked = ask(*SAID_AGAIN, result, previous_response_id="resp_2", tools=[F])
    request = CODEC.resume(asked, (*EARLIER, *raws(RESULT)))
    assert shape(request)[1:] == [
        "assistant: Thinking, Text, ToolCall",
        RESULTED,
        "user: Text",
        "assistant: Text",
        RESULTED,
    ]
    assert results(request) == ["previous_response_id[5]", "input[2]"]


def test_what_is_lost_is_told_once() -> None:
    request = ask(user({"type": "input_text", "text": "a", "x": 1}), previous_response_id="resp_1")
    joined = {"type": "additional_tools", "tools": [{"type": "image_generation"}]}
    earlier = raws({"role": "user", "content": "b", "y": 1}, joined)
    resumed = CODEC.resume(request, earlier)
    assert lost(resumed) == [("previous_response_id[1].tools[0]", "change"), ("input[0].content[0].x", "hint")]


def test_tools_that_joined_earlier_are_still_there() -> None:
    earlier = raws({"type": "additional_tools", "role": "developer", "tools": [F]})
    request = CODEC.resume(ask(tools=[F | {"name": "g"}], previous_response_id="resp_1"), earlier)
    assert [tool.name for tool in request.tools] == ["g", "f"]


def test_settings_that_were_changed_earlier_still_hold() -> None:
    earlier = raws({"type": "configuration_update", "reasoning": {"effort": "low"}})
    request = CODEC.resume(ask(previous_response_id="resp_1", reasoning={"effort": "high"}), earlier)
    assert (request.reasoning.mode, request.reasoning.level) == ("level", "low")


def test_a_count_has_its_own_object() -> None:
    assert json.loads(CODEC.write_count(7)) == {"object": "response.input_tokens", "input_tokens": 7}


def test_a_request_for_a_count_is_read_alike() -> None:
    assert CODEC.read_request(b'{"model":"m","input":"hi","truncation":"auto"}', counting=True).turns


# what Codex sends, with what its own requests hold besides the public specification
CODEX: Json = {
    "model": "gpt-5",
    "instructions": "You are a coding agent.",
    "input": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Sandbox."}],
        },
        {"type": "message", "id": "msg_2", "role": "user", "content": [{"type": "input_text", "text": "List files."}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "gAAAA"},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "exec_command",
            "arguments": '{"cmd":"ls"}',
        },
        {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "a.txt"},
    ],
    "tools": [
        {"type": "function", "name": "exec_command", "description": "Runs.", "strict": False, "parameters": SCHEMA},
        {
            "type": "namespace",
            "name": "agents",
            "description": "Other agents.",
            "tools": [{"type": "function", "name": "spawn", "description": "", "strict": False, "parameters": SCHEMA}],
        },
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "019a",
    "text": {"verbosity": "low"},
    "client_metadata": {"x-codex-installation-id": "1"},
}


def test_what_codex_sends_is_read_whole() -> None:
    request = CODEC.read_request(json.dumps(CODEX).encode())
    assert [text.text for text in request.system] == ["You are a coding agent.", "Sandbox."]
    assert [turn.role for turn in request.turns] == ["user", "assistant", "user"]
    assert [tool.name for tool in request.tools] == ["exec_command", "agents__spawn", "web_search"]
    assert request.reasoning == ir.Reasoning(mode="level", level="medium", visible=True)
    assert (request.session, request.stream, set(request.extras)) == ("019a", True, {"client_metadata", "verbosity"})
    assert lost(request) == [("tools[2].external_web_access", "hint")]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_KINDS = [
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "reasoning",
    "item_reference",
    "local_shell_call",
    "shell_call_output",
    "apply_patch_call",
    "web_search_call",
    "image_generation_call",
    "additional_tools",
    "agent_message",
    "compaction",
    "configuration_update",
    "encrypted_content",
    "input_text",
    "input_image",
    "input_file",
    "input_audio",
    "output_text",
    "refusal",
    "function",
    "custom",
    "namespace",
    "web_search",
    "code_interpreter",
    "tool_search",
    "allowed_tools",
]
_FIELDS = [
    "role",
    "content",
    "summary",
    "encrypted_content",
    "call_id",
    "name",
    "namespace",
    "arguments",
    "input",
    "output",
    "action",
    "operation",
    "result",
    "tools",
    "text",
    "image_url",
    "file_data",
    "file_url",
    "filename",
    "detail",
    "input_audio",
    "parameters",
    "format",
    "container",
    "mode",
    "id",
    "status",
]
_objects = st.recursive(
    st.dictionaries(st.sampled_from(_FIELDS), _values, max_size=4),
    lambda inner: st.dictionaries(st.sampled_from(_FIELDS), inner | st.lists(inner, max_size=2), max_size=4),
    max_leaves=6,
)
_typed = st.builds(lambda fields, kind: fields | {"type": kind}, _objects, st.sampled_from(_KINDS) | _values)
_roles = st.builds(
    lambda fields, role: fields | {"role": role}, _objects, st.sampled_from(("user", "assistant", "system"))
)
_OPTIONS = [
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "include",
    "stream",
    "stream_options",
    "store",
    "previous_response_id",
    "metadata",
    "background",
    "prompt",
    "conversation",
    "user",
    "max_output_tokens",
    "temperature",
]
_bodies = st.builds(
    lambda model, items, tools, options: {"model": model, "input": items, "tools": tools, **options},
    st.just("m") | _values,
    st.text() | st.lists(_typed | _roles | _values, max_size=4) | _values,
    st.none() | st.lists(_typed | _values, max_size=3),
    st.dictionaries(st.sampled_from(_OPTIONS) | st.text(), _values | _typed, max_size=4),
)


@given(_bodies)
def test_whatever_is_sent_is_read_or_refused_by_name(body: Any) -> None:
    try:
        request = CODEC.read_request(json.dumps(body).encode())
    except InvalidRequest as error:
        assert error.param is None or error.message.startswith(error.param)
    else:
        assert request.thread is not None


@given(st.binary() | st.builds(lambda value: json.dumps(value).encode(), _values))
def test_no_body_raises_anything_else(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        CODEC.read_request(body)


@given(st.lists(_typed | _roles | _values, max_size=4))
def test_whatever_was_kept_is_read_or_refused(items: list[Any]) -> None:
    request = ask(previous_response_id="resp_1")
    try:
        CODEC.resume(request, raws(*items))
    except InvalidRequest as error:
        assert error.param is not None


def test_each_item_that_the_sdk_can_make_is_known_here() -> None:
    schema = TypeAdapter(ResponseInputItemParam).json_schema()
    kinds = {kind for one in schema["$defs"].values() for kind in _kinds(one.get("properties", {}).get("type", {}))}
    items = {kind for kind in kinds if kind.endswith(("_call", "_output", "message", "reasoning")) or kind in _OTHERS}
    unknown = [kind for kind in items if "not known here" in _said(kind)]
    assert (len(items) > 25, unknown) == (True, [])


_OTHERS = ("compaction", "compaction_trigger", "item_reference", "program", "mcp_list_tools", "additional_tools")


def _kinds(schema: Any) -> list[str]:
    return [schema["const"]] if "const" in schema else []


def _said(kind: str) -> str:
    try:
        ask({"type": kind})
    except InvalidRequest as error:
        return error.message
    return ""

"""What a Chat request says and nothing carries is told by its path."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway import ir
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import InvalidRequest

Json = dict[str, Any]

HI = {"role": "user", "content": "hi"}
CALL: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
F: Json = {"type": "function", "function": {"name": "f"}}
PNG = {"url": "data:image/png;base64,AAAA"}
SIGNED = {"google": {"thought_signature": "RUFCQw=="}}
DAMAGED = "gw1.c.t.AAAA.00000000"


def read(*messages: Json, **fields: Any) -> ir.Request:
    return OpenAIChat().read_request(msgspec.json.encode({"model": "m", "messages": messages or (HI,), **fields}))


def lost(*messages: Json, **fields: Any) -> list[str]:
    request = read(*messages, **fields)
    assert {loss.severity for loss in request.losses} <= {"hint"}
    return [loss.path for loss in request.losses]


def assistant(**fields: Any) -> Json:
    return {"role": "assistant", "content": "a", **fields}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": [{**HI, "new": 1}]}, "messages[0].new"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "new": 1}]}]},
            "messages[0].content[0].new",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {**PNG, "new": 1}}]}]},
            "messages[0].content[0].image_url.new",
        ),
        ({"messages": [assistant(tool_calls=[{**CALL, "new": 1}])]}, "messages[0].tool_calls[0].new"),
        ({"messages": [assistant(extra_content={"new": 1})]}, "messages[0].extra_content.new"),
        ({"tools": [{**F, "new": 1}]}, "tools[0].new"),
        ({"tools": [{"type": "function", "function": {"name": "f", "new": 1}}]}, "tools[0].function.new"),
        ({"tools": [F], "tool_choice": {**F, "new": 1}}, "tool_choice.new"),
        ({"response_format": {"type": "json_object", "new": 1}}, "response_format.new"),
        ({"stream_options": {"new": 1}}, "stream_options.new"),
        ({"usage": {"new": 1}}, "usage.new"),
        ({"reasoning": {"effort": "low", "new": 1}}, "reasoning.new"),
        ({"extra_body": {"google": {"new": 1}}}, "extra_body.google.new"),
    ],
)
def test_an_unknown_field_at_any_depth(fields: Json, path: str) -> None:
    others = {name: value for name, value in fields.items() if name != "messages"}
    assert lost(*fields.get("messages", ()), **others) == [path]


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ({"role": "user", "content": "hi", "tool_calls": [CALL], "refusal": "no"}, ["refusal", "tool_calls"]),
        ({"role": "user", "content": "hi", "tool_call_id": "c1", "audio": {"id": "a"}}, ["audio", "tool_call_id"]),
        ({"role": "tool", "content": "hi", "tool_call_id": "c1", "reasoning_content": "hm"}, ["reasoning_content"]),
        ({"role": "assistant", "content": "hi", "tool_call_id": "c1"}, ["tool_call_id"]),
        ({"role": "assistant", "content": "hi", "annotations": [{"type": "url_citation"}]}, ["annotations"]),
        ({"role": "assistant", "content": "hi", "annotations": [], "tool_calls": [], "refusal": None}, []),
        ({"role": "user", "content": "hi", "audio": None, "annotations": None, "name": None}, []),
        ({"role": "user", "content": "hi", "provider_specific_fields": {"a": 1}}, ["provider_specific_fields"]),
    ],
)
def test_fields_that_are_not_of_this_role(message: Json, fields: list[str]) -> None:
    assert lost(message) == [f"messages[0].{field}" for field in fields]


@pytest.mark.parametrize("mark", ["cache_control", "prompt_cache_breakpoint"])
def test_a_mark_of_no_known_form_is_told_by_its_own_name(mark: str) -> None:
    assert lost(tools=[{**F, mark: {}}]) == [f"tools[0].{mark}"]
    assert lost(tools=[{**F, mark: None}]) == []


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"reasoning_content": "a", "reasoning": "b"}, ["reasoning"]),
        ({"thinking_blocks": [{"thinking": "a"}], "reasoning_content": "a"}, ["reasoning_content"]),
        ({"reasoning_details": [{"text": "a", "summary": "b"}]}, ["reasoning_details[0].summary"]),
        ({"reasoning_details": [{"text": "a", "id": "r1"}]}, ["reasoning_details[0].id"]),
        ({"reasoning_details": [{"data": "b", "id": "c9"}]}, ["reasoning_details[0].data", "reasoning_details[0].id"]),
        ({"thinking_blocks": [{"thinking": "a", "data": "b"}]}, ["thinking_blocks[0].data"]),
        ({"reasoning_content": "a"}, []),
    ],
)
def test_thoughts_that_are_said_twice_or_sign_nothing(fields: Json, paths: list[str]) -> None:
    assert lost(assistant(**fields)) == [f"messages[0].{path}" for path in paths]


def test_a_second_signature_is_told() -> None:
    block = {"type": "thinking", "thinking": "a", "signature": ir.seal(ir.Signature("claude", "Q0xB"))}
    carrier = {"google": {"thought_signature": ir.seal(ir.Signature("claude", "Q0xB"))}}
    message = assistant(thinking_blocks=[block], extra_content=carrier)
    assert lost(message) == ["messages[0].extra_content.google.thought_signature"]


def test_a_detail_for_a_call_that_is_signed_is_told() -> None:
    detail = {"type": "reasoning.encrypted", "id": "c1", "data": "RUFCQw=="}
    message = assistant(tool_calls=[{**CALL, "extra_content": SIGNED}], reasoning_details=[detail])
    assert lost(message) == ["messages[0].reasoning_details[0]"]


def test_a_damaged_detail_is_told() -> None:
    detail = {"type": "reasoning.encrypted", "id": "c1", "data": DAMAGED}
    assert lost(assistant(tool_calls=[CALL], reasoning_details=[detail])) == ["messages[0].reasoning_details[0].data"]


def test_where_thoughts_and_signatures_stood_goes_with_the_turn() -> None:
    call = {**CALL, "extra_content": SIGNED}
    (turn,) = read(assistant(reasoning_content="hm", extra_content=SIGNED, tool_calls=[call])).turns
    assert turn.places == (
        ("messages[0].reasoning_content",),
        ("messages[0].extra_content.google.thought_signature",),
        ("messages[0].tool_calls[0].extra_content.google.thought_signature",),
    )


def test_a_turn_without_them_has_no_places() -> None:
    assert read(assistant(tool_calls=[CALL])).turns[0].places == ()


@pytest.mark.parametrize(("index", "paths"), [(0, []), (1, ["messages[0].tool_calls[0].index"]), (None, [])])
def test_a_call_that_numbers_itself_otherwise(index: object, paths: list[str]) -> None:
    assert lost(assistant(tool_calls=[{**CALL, "index": index}])) == paths


def test_a_call_of_two_kinds_is_a_function() -> None:
    call = {**CALL, "custom": {"name": "sql", "input": "x"}}
    assert lost(assistant(tool_calls=[call])) == ["messages[0].tool_calls[0].custom"]


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"max_tokens": 5, "max_completion_tokens": 6}, ["max_tokens"]),
        ({"user": "u", "safety_identifier": "s"}, ["safety_identifier"]),
        ({"stream_options": {"include_obfuscation": False}}, ["stream_options.include_obfuscation"]),
        ({"stream_options": {"include_usage": True}}, ["stream_options.include_usage"]),
        ({"stream_options": {"include_usage": True}, "stream": True}, []),
        ({"usage": {"include": True}}, ["usage.include"]),
        ({"usage": {"include": True}, "stream": True}, []),
        ({"usage": "all", "stream": True}, ["usage"]),
        ({"response_format": {"type": "json_object", "json_schema": {}}}, ["response_format.json_schema"]),
        ({"response_format": {"type": "json_schema", "json_schema": {"description": "d", "schema": {}}}}, []),
    ],
)
def test_options_that_say_nothing_beside_others(fields: Json, paths: list[str]) -> None:
    assert lost(**fields) == paths


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_completion_tokens already says it"),
        ({"user": "u", "safety_identifier": "s"}, "user already says it"),
        ({"reasoning_effort": "low", "thinking": {"type": "adaptive"}}, "reasoning_effort already says it"),
        ({"tools": [F], "tool_choice": "auto", "function_call": "none"}, "tool_choice already says it"),
        ({"messages": [assistant(reasoning="t", reasoning_content="t")]}, "reasoning_content already says it"),
    ],
)
def test_what_counts_in_its_place_is_named(fields: Json, reason: str) -> None:
    assert [loss.reason for loss in read(*fields.pop("messages", ()), **fields).losses] == [reason]


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, ["reasoning"]),
        ({"reasoning_effort": "low", "reasoning": {"exclude": True}}, []),
        ({"reasoning": {"effort": "high", "max_tokens": 9}}, ["reasoning.max_tokens"]),
        ({"reasoning": {"enabled": False, "effort": "high"}}, ["reasoning.effort"]),
        ({"reasoning": {"enabled": False, "exclude": True}}, ["reasoning.exclude"]),
        ({"thinking": {"type": "adaptive", "budget_tokens": 9}}, ["thinking.budget_tokens"]),
        ({"thinking": {"type": "adaptive", "display": "loud"}}, ["thinking.display"]),
        (
            {"google": {"thinking_config": {"thinking_level": "low", "thinking_budget": 9}}},
            ["google.thinking_config.thinking_budget"],
        ),
    ],
)
def test_spellings_of_thinking_that_do_not_count(fields: Json, paths: list[str]) -> None:
    assert lost(**fields) == paths


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"tool_choice": "auto"}, ["tool_choice"]),
        ({"parallel_tool_calls": False}, ["parallel_tool_calls"]),
        ({"tools": [F], "tool_choice": "auto", "function_call": "none"}, ["function_call"]),
        ({"functions": [{"name": "f"}], "parallel_tool_calls": True}, ["parallel_tool_calls"]),
        ({"tools": [{**F, "custom": {"name": "c"}}]}, ["tools[0].custom"]),
        ({"tools": [F], "tool_choice": {**F, "custom": {"name": "f"}}}, ["tool_choice.custom"]),
        ({"tools": [F], "tool_choice": {**F, "allowed_tools": {"tools": []}}}, ["tool_choice.allowed_tools"]),
        ({"tools": [{"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}}]}, []),
    ],
)
def test_tools_and_choices_that_say_nothing_beside_others(fields: Json, paths: list[str]) -> None:
    assert lost(**fields) == paths


@pytest.mark.parametrize("wrap", [lambda google: {"google": google}, lambda google: {"extra_body": {"google": google}}])
def test_what_is_cached_at_google_is_refused(wrap: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**wrap({"cached_content": "cachedContents/1"}))
    assert (caught.value.param or "").endswith("google.cached_content")


SAFE: Json = {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (SAFE, None),
        ({"google": SAFE}, "google.safety_settings"),
        ({"extra_body": {"google": SAFE}}, "extra_body.google.safety_settings"),
    ],
)
def test_what_google_is_to_block_is_kept_by_one_name(fields: Json, path: str | None) -> None:
    request = read(**fields)
    assert msgspec.json.decode(request.extras["safety_settings"]) == SAFE["safety_settings"]
    assert request.paths.get("safety_settings") == path
    assert not request.losses


def test_what_google_is_to_block_is_said_once() -> None:
    request = read(**SAFE, google={"safety_settings": []}, extra_body={"google": {"safety_settings": None}})
    assert msgspec.json.decode(request.extras["safety_settings"]) == SAFE["safety_settings"]
    assert [(loss.path, loss.reason) for loss in request.losses] == [
        ("google.safety_settings", "safety_settings already says it")
    ]


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({}, {}),
        ({"max_tokens": 5, "thinking": {"type": "adaptive"}, "user": "u"}, {}),
        ({"max_completion_tokens": 5}, {"max_tokens": "max_completion_tokens"}),
        ({"reasoning_effort": "low"}, {"thinking": "reasoning_effort"}),
        (
            {"extra_body": {"google": {"thinking_config": {"thinking_budget": 5}}}},
            {"thinking": "extra_body.google.thinking_config"},
        ),
        ({"safety_identifier": "s"}, {"user": "safety_identifier"}),
        ({"prompt_cache_key": "k"}, {"session": "prompt_cache_key"}),
        ({"response_format": {"type": "json_object"}}, {"schema": "response_format.json_schema.schema"}),
    ],
)
def test_the_callers_own_names_go_along(fields: Json, paths: Json) -> None:
    assert read(**fields).paths == paths

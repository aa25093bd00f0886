"""The dialect of a recorded body is told by what only it has, and refused where that is not clear."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.json import decode, encode

from gateway.explain import recorded, smallest
from gateway.routes import DialectName

MESSAGES = [{"role": "user", "content": "hi"}]
FUNCTION = {"type": "function", "function": {"name": "f"}}
CHAT: DialectName = "openai-chat"
ANTHROPIC: DialectName = "anthropic"


@pytest.mark.parametrize(
    ("fields", "dialect", "why"),
    [
        ({}, CHAT, "it has messages without max_tokens"),
        ({"max_tokens": 9}, ANTHROPIC, "it has max_tokens"),
        ({"max_tokens": 9, "system": "s"}, ANTHROPIC, "it has system"),
        ({"stop_sequences": ["x"]}, ANTHROPIC, "it has stop_sequences"),
        ({"tools": [{"name": "f", "input_schema": {}}]}, ANTHROPIC, "it has tools[0].input_schema"),
        ({"tools": [{"type": "web_search_20250305"}]}, ANTHROPIC, "it has tools[0] of type web_search_20250305"),
        ({"tool_choice": {"type": "any"}}, ANTHROPIC, "it has tool_choice any"),
        ({"max_tokens": 9, "stop": ["x"]}, CHAT, "it has stop"),
        ({"max_tokens": 9, "tools": [FUNCTION]}, CHAT, "it has tools[0].function"),
        ({"max_tokens": 9, "tool_choice": "auto"}, CHAT, "it has tool_choice auto"),
        ({"tool_choice": {"type": "function"}}, CHAT, "it has tool_choice function"),
        ({"max_tokens": 9, "stop": None, "system": "s"}, ANTHROPIC, "it has system"),
    ],
)
def test_a_field_tells(fields: dict[str, Any], dialect: str, why: str) -> None:
    asking = recorded(encode({"model": "m", "messages": MESSAGES, **fields}), "", None)
    assert (asking.dialect, asking.why[: len(why)]) == (dialect, why)


@pytest.mark.parametrize(
    ("message", "dialect", "why"),
    [
        ({"role": "system", "content": "s"}, CHAT, "messages[1] of role system"),
        ({"role": "tool", "tool_call_id": "1", "content": "s"}, CHAT, "messages[1] of role tool"),
        ({"role": "assistant", "tool_calls": []}, CHAT, "messages[1].tool_calls"),
        (
            {"role": "user", "content": [{"type": "image_url"}]},
            CHAT,
            "messages[1].content[0] of type image_url",
        ),
        (
            {"role": "user", "content": [{"type": "text"}, {"type": "tool_result"}]},
            ANTHROPIC,
            "messages[1].content[1] of type tool_result",
        ),
    ],
)
def test_a_message_tells(message: dict[str, Any], dialect: str, why: str) -> None:
    asking = recorded(encode({"messages": [*MESSAGES, message]}), "", None)
    assert (asking.dialect, asking.why) == (dialect, f"it has {why}")


def test_an_input_is_of_responses() -> None:
    asking = recorded(b'{"model": "m", "input": "x"}', "", None)
    assert (asking.dialect, asking.why, asking.path) == ("openai-responses", "it has input", "/v1/responses")


def test_contents_are_geminis() -> None:
    asking = recorded(b'{"contents": []}', "models/a b/c", None)
    assert (asking.dialect, asking.why, asking.path) == (
        "gemini",
        "it has contents",
        "/v1beta/models/a%20b%2Fc:generateContent",
    )


@pytest.mark.parametrize("fields", [{"input": "hi"}, {"previous_response_id": "resp_1"}])
def test_input_is_of_responses(fields: dict[str, Any]) -> None:
    asking = recorded(encode({"model": "m", **fields}), "", None)
    assert (asking.dialect, asking.path) == ("openai-responses", "/v1/responses")
    assert asking.why == f"it has {next(iter(fields))}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": MESSAGES, "system": "s", "n": 2}, r"it may be anthropic \(system\) or openai-chat \(n\)"),
        ({"messages": MESSAGES, "contents": []}, "it has messages and contents"),
        ({"messages": MESSAGES, "input": "x"}, "it has messages and input"),
        ({"prompt": "x"}, "none of messages, contents, input; say --dialect openai-chat"),
        ({"contents": []}, r"a Gemini request \(it has contents\) has its model in the path: say MODEL, too"),
    ],
)
def test_what_is_not_clear_is_refused(body: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recorded(encode(body), "", None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"messages": [\n  one\n]}', r"is not JSON: .* \(line 2, column 3\)"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"[]", "is not a JSON object"),
        (b"[" * 200_000, "is nested too deeply"),
        (b'{"seed": %s}' % (b"1" * 5000), "has a number that is out of range"),
        (b'{"top_p": 1e400}', "has a number that is out of range"),
    ],
)
def test_what_is_no_body_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recorded(body, "", None)


def test_what_one_says_goes_before_what_the_body_tells() -> None:
    asking = recorded(encode({"messages": MESSAGES, "max_tokens": 5}), "", CHAT)
    assert (asking.dialect, asking.why, asking.path) == (CHAT, "as you say", "/v1/chat/completions")


def test_a_body_stays_as_it_came() -> None:
    body = b'{"model": "m",\n "messages":[ ], "n": 1.0}\n'
    assert recorded(body, "", None).body == body


def test_an_editors_mark_in_front_is_left_out() -> None:
    assert recorded(b'\xef\xbb\xbf{"messages": []}', "", None).body == b'{"messages": []}'


def test_the_model_that_one_says_goes_before_that_of_the_body() -> None:
    asking = recorded(b'{"model": "a", "messages": [1e2]}', "b", CHAT)
    assert (asking.model, asking.body) == ("b", b'{"model":"b","messages":[1e2]}')


def test_a_body_that_its_dialect_will_refuse_stays_as_it_came() -> None:
    assert recorded(b'{"messages": [NaN]}', "b", CHAT).body == b'{"messages": [NaN]}'


def test_the_model_of_a_gemini_request_is_no_part_of_its_body() -> None:
    assert recorded(b'{"contents": [ ]}', "m", None).body == b'{"contents": [ ]}'


@pytest.mark.parametrize(("dialect", "chosen"), [(None, CHAT), (CHAT, CHAT), (ANTHROPIC, ANTHROPIC)])
def test_the_smallest_request_says_hello(dialect: Any, chosen: str) -> None:
    asking = smallest("m", dialect)
    assert (asking.dialect, decode(asking.body)) == (
        chosen,
        {"model": "m", "messages": [{"role": "user", "content": "Hello"}]},
    )


def test_the_smallest_gemini_request_names_its_model_in_the_path() -> None:
    asking = smallest("m", "gemini")
    assert asking.path == "/v1beta/models/m:generateContent"
    assert decode(asking.body) == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}

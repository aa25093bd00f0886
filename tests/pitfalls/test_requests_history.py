"""Requests: history, what goes on from an answer, and options that other tests have not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.openai_api import NUMBERS, SCHEMA
from tests.conformance.served import events, user
from tests.pitfalls.gateways import ALL, CHAT_FORM, CLAUDES, DIALECTS, GOOGLE, Alone, At, each

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

DIALECT = pytest.mark.parametrize("dialect", DIALECTS)

BRACED = ("{ b", "[ 1, }", '{"a": 1')


@pytest.mark.parametrize("said", BRACED)
@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
@each(*ALL)
async def test_pitfall_40_what_only_looks_like_json_arrives_as_text(at: At, dialect: str, said: str) -> None:
    """As the arguments of a call and as its result."""
    at.push("!say ok")
    tools = ["f"]
    if dialect == "openai-chat":
        call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": said}}
        result = {"role": "tool", "tool_call_id": "call_1", "content": said}
        asked: Json = {"messages": [user("go"), {"role": "assistant", "content": None, "tool_calls": [call]}, result]}
    else:
        item = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": said}
        asked = {"input": [user("go"), item, {"type": "function_call_output", "call_id": "call_1", "output": said}]}
    response = await at.response(dialect, tools=tools, more=asked)
    assert response.status_code == 200, response.text
    assert sum(said in text for text in texts(at.turns)) == 2


def texts(of: Any) -> list[str]:
    """Find every text, also within a text that is JSON."""
    if isinstance(of, str):
        try:
            inner = json.loads(of)
        except ValueError:
            return [of]
        return texts(inner) if isinstance(inner, dict | list) else [of]
    values = of.values() if isinstance(of, dict) else of if isinstance(of, list) else ()
    return [text for one in values for text in texts(one)]


@each(*[one for one in ALL if one != "responses"])
async def test_pitfall_41_an_answer_that_is_not_here_cannot_be_gone_on_from(at: At) -> None:
    response = await at.post("/v1/responses", {"input": "hi", "previous_response_id": "resp_never"})
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, "previous_response_id")
    assert at.calls == []


@each("responses")
async def test_pitfall_41_an_upstream_that_keeps_answers_is_asked(at: At) -> None:
    await at.post("/v1/responses", {"input": "hi", "previous_response_id": "resp_never"})
    assert at.sent["previous_response_id"] == "resp_never"


SEALED: Json = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "U0VBTA=="}


@each("responses")
async def test_pitfall_42_a_sealed_thought_comes_home_without_its_id(at: At) -> None:
    at.push("!think hm\n!tool f {}", "!say ok")
    model = "responses/gpt-5"
    asked: Json = {
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "model": model,
        "tools": [{"type": "function", "name": "f", "parameters": NUMBERS}],
    }
    output = (await at.items(user("go"), **asked)).json()["output"]
    thought = next(one for one in output if one["type"] == "reasoning")
    call = next(one for one in output if one["type"] == "function_call")
    assert thought["encrypted_content"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "4"}
    assert (await at.items(user("go"), *output, result, **asked)).json()["output"][0]["content"][0]["text"] == "ok"
    (sent,) = [one for one in at.turns if one.get("type") == "reasoning"]
    assert sent["encrypted_content"] == thought["encrypted_content"]
    assert not any("id" in one for one in at.turns)


@each(*[one for one in ALL if one != "responses"])
async def test_pitfall_42_a_strange_sealed_thought_is_no_400(at: At) -> None:
    at.push("!say ok")
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "one"}]}
    response = await at.items(user("go"), SEALED, said, user("on"), store=False)
    assert response.json()["status"] == "completed"
    assert "U0VBTA==" not in at.calls[-1].raw.decode()


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
@each(*GOOGLE, "v1internal-claude")
async def test_pitfall_43_what_the_developer_says_is_the_system_instruction(at: At, dialect: str) -> None:
    at.push("!say ok")
    said = [{"role": "developer", "content": "be brief"}, user("hi")]
    await (at.chat(*said) if dialect == "openai-chat" else at.items(*said))
    assert "be brief" in json.dumps(at.sent["systemInstruction"])
    assert "be brief" not in json.dumps(at.turns)


@pytest.mark.parametrize("stream", [True, False])
@DIALECT
@each(*CHAT_FORM)
async def test_pitfall_72_stream_options_go_only_with_a_stream(at: At, dialect: str, stream: bool) -> None:
    at.push("!say ok")
    assert (await at.ask(dialect, stream=stream)).text == "ok"
    assert at.sent.get("stream_options") == ({"include_usage": True} if at.sent.get("stream") else None)
    assert at.sent.get("stream") or not stream


@DIALECT
@pytest.mark.parametrize("upstream", CHAT_FORM)
async def test_pitfall_72_an_upstream_that_refuses_them_is_not_asked_again(
    upstream: str, dialect: str, alone: Alone
) -> None:
    error = {
        "message": "Unknown parameter: 'stream_options'.",
        "type": "invalid_request_error",
        "param": "stream_options",
    }
    at = await alone(upstream)
    at.push("!refuse " + json.dumps({"status": 400, "error": error | {"code": "unknown_parameter"}}))
    for _ in range(2):
        assert (await at.ask(dialect, "!say ok", stream=True)).text == "ok"
    assert ["stream_options" in call.request for call in at.calls] == [True, False, False]


@each(*CHAT_FORM)
async def test_pitfall_73_a_flat_format_becomes_a_nested_one(at: At) -> None:
    at.push('!say {"city": "Rome"}')
    await at.ask("openai-responses", schema=SCHEMA)
    form = {"name": "place", "schema": SCHEMA, "strict": True}
    assert at.sent["response_format"] == {"type": "json_schema", "json_schema": form}


OFF: dict[str, Json] = {
    "openai-chat": {"reasoning_effort": "none"},
    "openai-responses": {"reasoning": {"effort": "none"}},
    "anthropic": {"thinking": {"type": "disabled"}},
    "gemini": {"generationConfig": {"thinkingConfig": {"includeThoughts": False}}},
}


@pytest.mark.parametrize("stream", [True, False])
@DIALECT
@each(*GOOGLE, "v1internal-claude", *CLAUDES, *CHAT_FORM)
async def test_pitfall_78_who_switched_reasoning_off_reads_no_thought(at: At, dialect: str, stream: bool) -> None:
    at.push("!think secret\n!say ok")
    response = await at.response(dialect, stream=stream, more=OFF[dialect])
    assert response.status_code == 200, response.text
    told = at.hear(dialect, response)
    assert (told.text, told.thoughts, "secret" in response.text) == ("ok", "", False)


@pytest.mark.parametrize("stream", [True, False])
@each(*GOOGLE)
async def test_pitfall_84_a_search_of_an_anthropic_caller_comes_back_as_one(at: At, stream: bool) -> None:
    at.push("!fixture 15_search_grounding")
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    response = await at.messages(user("hi"), tools=tools, stream=stream)
    if stream:
        told = events(response.text)
        kinds = [one["content_block"]["type"] for one in told if one["type"] == "content_block_start"]
        used = next(one["usage"] for one in told if one["type"] == "message_delta")
    else:
        kinds = [block["type"] for block in response.json()["content"]]
        used = response.json()["usage"]
    assert kinds[(place := kinds.index("server_tool_use")) : place + 2] == ["server_tool_use", "web_search_tool_result"]
    assert "text" in kinds
    assert used["server_tool_use"]["web_search_requests"] > 0
    assert any("googleSearch" in tool for tool in at.sent["tools"])

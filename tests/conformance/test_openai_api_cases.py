"""Acceptance cases before OpenAI and servers that speak its API, by their numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.automata import chat_stream, messages_stream
from tests.conformance.openai_api import OpenAIServed, before
from tests.conformance.served import CHAT, MESSAGES, RESPONSES, events, user
from tests.conformance.test_cases_tools import messages_tools
from tests.fakes.openai_api import FakeOpenAI
from tests.gateway.dialects.openai_responses.responses import Stream

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


def chunk(delta: Json | None, finish: str | None = None, **fields: Any) -> Json:
    """Make a chunk of one choice; without a delta the choice has none."""
    choice = {"index": 0, "finish_reason": finish} | ({} if delta is None else {"delta": delta})
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **fields,
    }


def script(*chunks: Json) -> str:
    return "\n".join(f"!chunk {json.dumps(one)}" for one in chunks)


async def test_a_first_chunk_with_filter_results_only_is_not_passed_on(chat: OpenAIServed) -> None:
    """A10"""
    filtered = {
        "id": "",
        "object": "",
        "created": 0,
        "model": "",
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0}],
    }
    said = script(filtered, chunk({"role": "assistant"}), chunk({"content": "ok"}), chunk({}, "stop"))
    response = await chat.post(CHAT, said, stream=True)
    chunks = events(response.text)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert all(one["choices"] for one in chunks)
    assert chat_stream(response.content).text == "ok"


async def test_a_choice_without_a_delta_is_skipped(chat: OpenAIServed) -> None:
    """A11"""
    said = script(chunk({"role": "assistant", "content": "a"}), chunk(None), chunk({"content": "b"}), chunk({}, "stop"))
    heard = chat_stream((await chat.post(CHAT, said, stream=True)).content)
    assert (heard.text, heard.finish) == ("ab", "stop")


async def test_an_answer_that_only_done_ends_has_all_its_events(chat: OpenAIServed) -> None:
    """A14"""
    body = {"model": "gpt-4.1", "input": script(chunk({"content": "ok"})), "stream": True}
    stream = Stream((await chat.http.post("/v1/responses", json=body)).content)
    assert stream.status == "completed"
    assert stream.names.count("completed") == 1
    for name in ("output_text.done", "content_part.done", "output_item.done"):
        assert len(stream.named(name)) == 1


async def test_a_call_without_arguments_has_an_empty_input(chat: OpenAIServed) -> None:
    """B7"""
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    said = script(chunk({"role": "assistant", "tool_calls": [call]}), chunk({}, "tool_calls"))
    response = await chat.post(MESSAGES, said, stream=True, max_tokens=50, tools=messages_tools("f"))
    heard = messages_stream(response.content)
    assert ([one.arguments for one in heard.calls], heard.finish) == ([{}], "tool_use")


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_no_parallel_use_is_no_parallel_calls(fake_openai: FakeOpenAI, tmp_path: Path, api: str) -> None:
    """B13"""
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    async with before(fake_openai, tmp_path, api) as served:
        await served.post(MESSAGES, "hi", max_tokens=50, tools=messages_tools("f"), tool_choice=choice)
        assert (served.sent["parallel_tool_calls"], served.sent["tool_choice"]) == (False, "auto")


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(("path", "asked"), [(CHAT, {"verbosity": "low"}), (RESPONSES, {"text": {"verbosity": "low"}})])
async def test_a_model_that_refuses_a_verbosity_is_asked_without(
    fake_openai: FakeOpenAI, tmp_path: Path, api: str, path: str, asked: Json
) -> None:
    async with before(fake_openai, tmp_path, api) as served:
        answers = [await served.post(path, "hi", model="gpt-4.1", **asked) for _ in range(2)]
        assert [one.status_code for one in answers] == [200, 200]
        assert [call.status for call in served.calls] == [400, 200, 200]
        assert "verbosity" not in json.dumps(served.sent)


@pytest.mark.parametrize(
    ("model", "asked", "sent", "statuses"),
    [
        ("gpt-5.2", {"reasoning": {"effort": "high"}}, "high", [400, 200, 200]),  # OpenRouter's
        ("gpt-5.2", {"reasoning": {"max_tokens": 1024}, "reasoning_effort": "low"}, "low", [400, 200, 200]),
        ("gpt-5.2", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low", [400, 200, 200]),  # Anthropic's
        ("gpt-4.1", {"reasoning": {"enabled": True}}, None, [400, 200, 200]),
    ],
)
async def test_a_server_that_refuses_other_words_for_the_effort_gets_its_own(
    chat: OpenAIServed, model: str, asked: Json, sent: str | None, statuses: list[int]
) -> None:
    answers = [await chat.post(CHAT, "hi", model=model, **asked) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert [call.status for call in chat.calls] == statuses
    assert chat.sent.get("reasoning_effort") == sent
    assert chat.sent.keys().isdisjoint(("reasoning", "thinking"))


@pytest.mark.parametrize(
    "said",
    ["unknown parameter `access_programs`", "The access_programs parameter is not enabled for this organization."],
)
async def test_a_server_that_does_not_know_what_codex_adds_is_asked_without(responses: OpenAIServed, said: str) -> None:
    error = {"message": said, "type": "invalid_request_error", "param": None, "code": None}
    responses.openai.script.push("!refuse " + json.dumps({"status": 400, "error": error}))
    added: Json = {"access_programs": {"cyber": "on"}, "client_metadata": {"a": "b"}, "prompt_cache_key": "k"}
    for _ in range(2):
        assert (await responses.post(RESPONSES, "hi", **added)).status_code == 200
    sent = [added.keys() & call.request.keys() for call in responses.calls]
    assert sent == [added.keys(), {"prompt_cache_key"}, {"prompt_cache_key"}]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("prompt_cache_retention", "prompt_cache_retention is not supported on this model"),
        ("prompt_cache_retention", "Unsupported parameter: prompt_cache_retention"),
        ("metadata", "Unsupported parameter: metadata"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_what_agents_say_of_the_cache_is_left_out_alone(
    responses: OpenAIServed, path: str, name: str, said: str
) -> None:
    """From their own words, and from what another dialect's become."""
    error = {"message": said, "type": "invalid_request_error", "param": None, "code": None}
    responses.openai.script.push("!refuse " + json.dumps({"status": 400, "error": error}))
    added: Json = {"prompt_cache_retention": "24h", "metadata": {"a": "b"}}
    for _ in range(2):
        response = await responses.post(path, "hi", **added)
        assert (response.status_code, "x-gateway-lossy" in response.headers) == (200, False), response.text
    sent = [added.keys() & call.request.keys() for call in responses.calls]
    assert sent == [added.keys(), added.keys() - {name}, added.keys() - {name}]


async def test_a_server_that_knows_no_word_for_the_effort_gets_none(plain: OpenAIServed) -> None:
    for name in ("reasoning", "reasoning_effort"):
        error = {"message": f"Unknown parameter: '{name}'.", "type": "invalid_request_error"}
        plain.openai.script.push("!refuse " + json.dumps({"status": 400, "error": error}))
    answers = [await plain.post(CHAT, "hi", model="m", reasoning={"effort": "high"}) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert [call.status for call in plain.calls] == [400, 400, 200, 200]
    assert plain.sent.keys().isdisjoint(("reasoning", "reasoning_effort"))


async def test_parallel_calls_are_not_spoken_of_without_tools(chat: OpenAIServed) -> None:
    """B14"""
    response = await chat.post(CHAT, "hi", parallel_tool_calls=False)
    assert response.status_code == 200, response.text
    assert "parallel_tool_calls" not in chat.sent


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ],
)
async def test_the_choice_of_a_tool(chat: OpenAIServed, mine: Json, theirs: Any) -> None:
    """B12"""
    response = await chat.post(MESSAGES, "hi", max_tokens=50, tools=messages_tools("f"), tool_choice=mine)
    assert response.status_code == 200, response.text
    assert chat.sent["tool_choice"] == theirs


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_long_names_are_legal_there_and_themselves_here(
    fake_openai: FakeOpenAI, tmp_path: Path, api: str
) -> None:
    """B10"""
    long = [f"mcp__server__{'x' * 79}{end}" for end in "xy"]
    async with before(fake_openai, tmp_path, api) as served:
        await served.post(MESSAGES, "hi", max_tokens=50, tools=messages_tools(*long))
        sent = [tool["function"]["name"] if api == "chat" else tool["name"] for tool in served.sent["tools"]]
        assert len({*sent}) == 2
        asked = f"!tool {sent[0]} {{}}"
        response = await served.post(MESSAGES, asked, max_tokens=50, tools=messages_tools(*long), stream=True)
    (call,) = messages_stream(response.content).calls
    assert call.name == long[0]


@pytest.mark.parametrize("model", ["gpt-5", "o4-mini"])
async def test_the_limit_of_a_reasoning_model_has_its_newer_name(chat: OpenAIServed, model: str) -> None:
    """D1"""
    response = await chat.post(MESSAGES, "hi", max_tokens=100, model=model)
    assert response.status_code == 200, response.text
    assert [(name, chat.sent[name]) for name in chat.sent if name.startswith("max_")] == [
        ("max_completion_tokens", 100)
    ]
    assert len(chat.calls) == 1


async def test_the_limit_of_a_compatible_server_has_its_older_name(plain: OpenAIServed) -> None:
    """D1"""
    response = await plain.post(MESSAGES, "hi", max_tokens=100)
    assert response.status_code == 200, response.text
    assert [(name, plain.sent[name]) for name in plain.sent if name.startswith("max_")] == [("max_tokens", 100)]
    assert len(plain.calls) == 1


async def test_text_format_becomes_response_format(chat: OpenAIServed) -> None:
    """D9"""
    shape = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "n", "schema": shape, "strict": True}
    body = {"model": "gpt-4.1", "input": "hi", "text": {"format": form}}
    response = await chat.http.post("/v1/responses", json=body)
    assert response.status_code == 200, response.text
    expected = {"name": "n", "schema": shape, "strict": True}
    assert chat.sent["response_format"] == {"type": "json_schema", "json_schema": expected}


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic"])
async def test_several_answers_are_refused_by_name(responses: OpenAIServed, dialect: str) -> None:
    """D11"""
    if dialect == "openai-chat":
        response = await responses.post(CHAT, "hi", n=2)
        assert (response.status_code, response.json()["error"]["param"]) == (400, "n")
    else:
        assert (await responses.post(MESSAGES, "hi", max_tokens=50)).status_code == 200


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_document_goes_with_a_name(fake_openai: FakeOpenAI, tmp_path: Path, api: str) -> None:
    """C20"""
    document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="}}
    async with before(fake_openai, tmp_path, api) as served:
        response = await served.post(MESSAGES, user([document, {"type": "text", "text": "hi"}]), max_tokens=50)
        assert response.status_code == 200, response.text
        sent = served.sent["messages"] if api == "chat" else served.sent["input"]
    part = sent[0]["content"][0]
    part = part["file"] if api == "chat" else part
    assert part["file_data"] == "data:application/pdf;base64,QQ=="
    assert part["filename"]


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_call_without_a_result_does_not_go_alone(fake_openai: FakeOpenAI, tmp_path: Path, api: str) -> None:
    """C3: the fake refuses it."""
    said = [
        user("a"),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]},
        user("hi"),
    ]
    async with before(fake_openai, tmp_path, api) as served:
        response = await served.post(MESSAGES, *said, max_tokens=50, tools=messages_tools("f"))
    assert response.status_code == 200, response.text


async def test_sampling_that_a_reasoning_model_refuses_is_left_out_and_told(chat: OpenAIServed) -> None:
    """Pitfall 14: the fake refuses it."""
    drawn = {"temperature": 0.2, "top_p": 0.5, "stop_sequences": ["x"]}
    response = await chat.post(MESSAGES, "hi", model="o4-mini", max_tokens=100, **drawn)
    assert response.status_code == 200, response.text
    assert int(response.headers["x-gateway-lossy"]) == 3
    assert len(chat.calls) == 1


async def test_a_count_is_an_estimate(chat: OpenAIServed) -> None:
    """I1"""
    body = {"model": "gpt-4.1", "messages": [user("one two three")]}
    response = await chat.http.post(f"{MESSAGES}/count_tokens?beta=true", json=body)
    assert response.json()["input_tokens"] > 0
    assert response.headers["x-gateway-token-count"] == "estimate"
    assert chat.openai.requests == []


async def test_a_response_to_go_on_from_is_the_upstreams_own(responses: OpenAIServed) -> None:
    """D12"""
    first = (await responses.post(RESPONSES, "!say one")).json()
    body = {"previous_response_id": first["id"]}
    second = await responses.post(RESPONSES, "!say two", **body)
    assert second.status_code == 200, second.text
    assert responses.sent["previous_response_id"] == first["id"]


@pytest.mark.parametrize("through", [True, False])
async def test_a_count_has_what_the_upstream_keeps(responses: OpenAIServed, through: bool) -> None:
    body = {"model": "gpt-4.1", "input": "!say one " + "word " * 200}
    if through:
        first = (await responses.http.post(RESPONSES, json=body)).json()
    else:
        async with httpx.AsyncClient(headers={"authorization": "Bearer key-1"}) as direct:
            first = (await direct.post(f"{responses.openai.url}{RESPONSES}", json=body)).json()
    path, body = f"{RESPONSES}/input_tokens", {"model": "gpt-4.1", "input": "more"}
    alone = await responses.http.post(path, json=body)
    whole = await responses.http.post(path, json={**body, "previous_response_id": first["id"]})
    assert whole.json()["input_tokens"] > alone.json()["input_tokens"] + 100
    assert "x-gateway-token-count" not in whole.headers
    nowhere = await responses.http.post(path, json={**body, "previous_response_id": "resp_nowhere"})
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (400, "previous_response_not_found")

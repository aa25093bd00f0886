"""Callers of every dialect before OpenAI, by Chat Completions and by Responses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.openai_api import CALLERS, ENDS, SCHEMA, OpenAIServed, Said, Wish, before
from tests.fakes.openai_api import FakeOpenAI

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", CALLERS)
LOOP = '!think hm\n!tool f {"a": 1}\n!tool g {"a": 2}\n!then\n!say done'
WORDS = {
    "openai-chat": ("prompt_tokens", "completion_tokens"),
    "anthropic": ("input_tokens", "output_tokens"),
    "gemini": ("promptTokenCount", "candidatesTokenCount"),
    "openai-responses": ("input_tokens", "output_tokens"),
}


def statuses(served: OpenAIServed) -> list[int]:
    return [call.status for call in served.calls]


@STREAM
@DIALECT
async def test_text_comes_with_its_end_and_its_tokens(openai: OpenAIServed, dialect: str, stream: bool) -> None:
    heard = await openai.ask(dialect, "!say a text of several chunks", stream=stream)
    assert (heard.text, heard.finish, heard.error) == ("a text of several chunks", ENDS[dialect][0], None)
    assert all(heard.usage[name] > 0 for name in WORDS[dialect])


@STREAM
@DIALECT
@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-5", "o4-mini"])
async def test_a_loop_of_parallel_calls_goes_round(
    openai: OpenAIServed, dialect: str, stream: bool, model: str
) -> None:
    """The fake refuses results without calls, and calls without results."""
    wish: Json = {"tools": ("f", "g"), "model": model, "stream": stream}
    first = await openai.ask(dialect, LOOP, **wish)
    assert [(one.name, one.arguments) for one in first.calls] == [("f", {"a": 1}), ("g", {"a": 2})]
    assert first.finish == ENDS[dialect][1]
    said = [Said(LOOP), Said(calls=first.calls, results=("4", "5"))]
    second = await openai.ask(dialect, said=said, **wish)
    assert (second.text, second.finish) == ("done", ENDS[dialect][0])
    assert statuses(openai) == [200, 200]


@STREAM
@DIALECT
async def test_arguments_that_come_mixed_are_two_calls(chat: OpenAIServed, dialect: str, stream: bool) -> None:
    """Pitfall 86"""
    said = '!tool f {"a": 1, "b": "a long one"}\n!tool g {"a": 2, "b": "another one"}\n!toolsplit'
    heard = await chat.ask(dialect, said, tools=("f", "g"), stream=stream)
    assert [one.arguments["b"] for one in heard.calls] == ["a long one", "another one"]


@DIALECT
async def test_a_picture_goes_in(openai: OpenAIServed, dialect: str) -> None:
    heard = await openai.ask(dialect, "!say seen", picture=True)
    assert heard.text == "seen"
    assert "data:image/png;base64," in json.dumps(openai.sent)


@STREAM
@DIALECT
async def test_thoughts_of_responses_are_heard_where_they_are_asked_for(
    responses: OpenAIServed, dialect: str, stream: bool
) -> None:
    heard = await responses.ask(dialect, "!think ab\n!say c", model="gpt-5", thinks=True, stream=stream)
    assert (heard.thoughts, heard.text) == ("ab", "c")
    assert responses.sent["reasoning"]["effort"] == "low"
    quiet = await responses.ask(dialect, "!think ab\n!say c", model="gpt-5", stream=stream)
    assert (quiet.thoughts, quiet.text) == ("", "c")


@STREAM
@DIALECT
async def test_thoughts_of_a_compatible_server_are_heard(plain: OpenAIServed, dialect: str, stream: bool) -> None:
    heard = await plain.ask(dialect, "!think ab\n!say c", thinks=True, stream=stream)
    assert (heard.thoughts, heard.text) == ("ab", "c")


@DIALECT
async def test_sealed_thoughts_come_back_as_they_were_issued(responses: OpenAIServed, dialect: str) -> None:
    """The fake takes none but its own."""
    fields: Json = {"openai-responses": {"include": ["reasoning.encrypted_content"], "store": False}}.get(dialect, {})
    wish = Wish(said=[Said(LOOP)], model="gpt-5", tools=("f", "g"), thinks=True, more=fields)
    body = (await responses.response(dialect, wish)).json()
    answered = _replayed(dialect, body)
    name = {"gemini": "contents", "openai-responses": "input"}.get(dialect, "messages")
    before_ = CALLERS[dialect].body(wish)[name]
    more = {**fields, name: [*before_, *answered]}
    second = await responses.response(dialect, Wish(said=[], model="gpt-5", tools=("f", "g"), thinks=True, more=more))
    assert second.status_code == 200, second.text
    reasoning = [item for item in responses.sent["input"] if item["type"] == "reasoning"]
    assert [item["encrypted_content"] in responses.openai.kept.sealed for item in reasoning] == [True]


def _replayed(dialect: str, body: Json) -> list[Json]:
    """Give an answer back as its caller would, with the results of its calls."""
    if dialect == "openai-chat":
        message = body["choices"][0]["message"]
        ids = [call["id"] for call in message["tool_calls"]]
        return [message, *({"role": "tool", "tool_call_id": one, "content": "4"} for one in ids)]
    if dialect == "anthropic":
        ids = [block["id"] for block in body["content"] if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": one, "content": "4"} for one in ids]
        return [{"role": "assistant", "content": body["content"]}, {"role": "user", "content": results}]
    if dialect == "gemini":
        content = body["candidates"][0]["content"]
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        parts = [
            {"functionResponse": {"id": one["id"], "name": one["name"], "response": {"output": "4"}}} for one in calls
        ]
        return [content, {"role": "user", "parts": parts}]
    ids = [item["call_id"] for item in body["output"] if item["type"] == "function_call"]
    return [*body["output"], *({"type": "function_call_output", "call_id": one, "output": "4"} for one in ids)]


@DIALECT
async def test_json_by_schema_is_asked_for_by_its_schema(openai: OpenAIServed, dialect: str) -> None:
    """D8, D9"""
    heard = await openai.ask(dialect, '!say {"city": "Rome"}', schema=SCHEMA)
    assert json.loads(heard.text) == {"city": "Rome"}
    sent = openai.sent
    form = sent["response_format"]["json_schema"] if "response_format" in sent else sent["text"]["format"]
    assert form["schema"] == SCHEMA
    assert form["name"]


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        ("openai-chat", {"response_format": {"type": "json_object"}}),
        ("gemini", {"generationConfig": {"responseMimeType": "application/json"}}),
        ("openai-responses", {"text": {"format": {"type": "json_object"}}}),
    ],
)
async def test_any_json_is_asked_for_with_the_word_that_openai_demands(
    openai: OpenAIServed, dialect: str, more: Json
) -> None:
    heard = await openai.ask(dialect, "!say {}", more=more)
    assert (heard.text, statuses(openai)) == ("{}", [200])


@STREAM
@DIALECT
async def test_the_limit_is_an_end_of_its_own(openai: OpenAIServed, dialect: str, stream: bool) -> None:
    heard = await openai.ask(dialect, "!say a\n!finish length", limit=100, stream=stream)
    assert (heard.text, heard.finish) == ("a", ENDS[dialect][2])
    assert [openai.sent[name] for name in openai.sent if name.startswith("max_")] == [100]


@STREAM
@DIALECT
@pytest.mark.parametrize("finish", ["content_filter", "refusal"])
async def test_what_is_withheld_is_no_clean_end(openai: OpenAIServed, dialect: str, stream: bool, finish: str) -> None:
    heard = await openai.ask(dialect, f"!say no\n!finish {finish}", stream=stream)
    assert (heard.finish, heard.error) == (ENDS[dialect][3], None)


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "gemini"])
async def test_stop_sequences_go_where_there_are_any(chat: OpenAIServed, dialect: str) -> None:
    """D15"""
    await chat.ask(dialect, stop=["END"])
    assert chat.sent["stop"] == ["END"]


# errors


@STREAM
@DIALECT
@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("400_policy", 400),
        ("400_context", 400),
        ("401_invalid_key", 502),
        ("403", 502),
        ("403_model", 404),
        ("429_requests", 429),
        ("429_quota", 429),
    ],
)
async def test_a_refusal_is_a_status_and_never_the_callers_401(
    openai: OpenAIServed, dialect: str, stream: bool, error: str, status: int
) -> None:
    """H1, H2, H6"""
    wish = Wish(said=[Said(f"!error {error}")], model="gpt-4.1", stream=stream)
    response = await openai.response(dialect, wish)
    assert response.status_code == status
    assert CALLERS[dialect].whole(response.content).error is not None
    assert ("retry-after" in response.headers) is (error == "429_requests")
    assert "key-1" not in response.text
    assert "org-fake" not in response.text


@DIALECT
async def test_a_busy_upstream_is_overloaded(fake_openai: FakeOpenAI, tmp_path: Path, dialect: str) -> None:
    async with before(fake_openai, tmp_path, "chat", retry={"attempts": 1}) as served:
        wish = Wish(said=[Said("!error 503_overloaded")], model="gpt-4.1")
        assert (await served.response(dialect, wish)).status_code == (529 if dialect == "anthropic" else 503)


@DIALECT
async def test_another_key_serves_when_one_is_refused(fake_openai: FakeOpenAI, tmp_path: Path, dialect: str) -> None:
    async with before(fake_openai, tmp_path, "responses", "nobody", "key-2") as served:
        heard = await served.ask(dialect, "!say a")
    assert (heard.text, statuses(served)) == ("a", [401, 200])


@DIALECT
async def test_what_breaks_after_the_first_word_is_told_in_the_stream(openai: OpenAIServed, dialect: str) -> None:
    """H4"""
    heard = await openai.ask(dialect, "!say a text of several chunks\n!drop 6", stream=True)
    assert heard.error is not None
    assert "a text of several chunks".startswith(heard.text)
    assert heard.text


@DIALECT
async def test_what_breaks_in_a_whole_answer_is_a_status(openai: OpenAIServed, dialect: str) -> None:
    wish = Wish(said=[Said("!say a text of several chunks\n!drop 6")], model="gpt-4.1")
    assert (await openai.response(dialect, wish)).status_code == 502


@STREAM
@DIALECT
async def test_an_error_event_after_the_first_word_keeps_its_class(
    chat: OpenAIServed, dialect: str, stream: bool
) -> None:
    """Pitfall 37"""
    said = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}]}
    error = {"error": {"message": "Rate limit", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}}
    script = f"!chunk {json.dumps(said)}\n!chunk {json.dumps(error)}"
    wish = Wish(said=[Said(script)], model="gpt-4.1", stream=stream)
    response = await chat.response(dialect, wish)
    assert response.status_code == (200 if stream else 429)
    assert "rate" in response.text.lower() or "RESOURCE_EXHAUSTED" in response.text

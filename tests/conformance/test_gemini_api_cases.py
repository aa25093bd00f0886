"""Acceptance cases of Chat and Messages callers before the public Gemini API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.automata import Heard
from tests.conformance.gemini_api import GEMINI_2, GEMINI_3, public
from tests.conformance.replies import T, chunk, script, usage
from tests.conformance.served import CHAT, DIALECTS, MESSAGES, Served, user
from tests.conformance.test_cases_schemas import REFERRING, RICH
from tests.conformance.test_cases_tools import TOOLS, chat_tools, messages_tools
from tests.fakes.gemini_api import FakeGemini

pytestmark = pytest.mark.anyio

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
MODELS = pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3])
IMAGE = "gemini-3-pro-image-preview"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SHAPE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WANTED = {"type": "json_schema", "json_schema": {"name": "c", "strict": True, "schema": SHAPE}}
THINKING: dict[str, dict[str, Any]] = {
    "openai-chat": {"reasoning_effort": "low"},
    "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000},
}


def declared(served: Served) -> dict[str, Any]:
    (function,) = served.sent["tools"][0]["functionDeclarations"]
    return dict(function)


@STREAM
@DIALECT
@MODELS
async def test_text_comes_with_its_end_and_its_tokens(google: Served, dialect: str, stream: bool, model: str) -> None:
    """A1, A3, A7, A8"""
    said = script(chunk(T("He")), chunk(T("llo"), fin="STOP", usage=usage(3, 2, 5)))
    heard = await google.hear(dialect, said, stream=stream, model=model, max_tokens=50)
    assert (heard.text, heard.finish) == ("Hello", "stop" if dialect == "openai-chat" else "end_turn")
    names = ("prompt_tokens", "completion_tokens") if dialect == "openai-chat" else ("input_tokens", "output_tokens")
    assert [heard.usage[name] for name in names] == [3, 2]


@STREAM
@DIALECT
@MODELS
async def test_a_tool_loop_goes_round_with_its_signatures(
    google: Served, dialect: str, stream: bool, model: str
) -> None:
    """E1, E2: the fake refuses a Gemini 3 call that comes back without what it signed."""
    directed = '!think hm\n!tool f {"a": 1}\n!tool f {"a": 2}\n!then\n!say done'
    fields = {"tools": TOOLS[dialect]("f"), "model": model, **THINKING[dialect]}
    said: list[Any] = [user(directed)]
    for _ in range(2):
        heard = await google.hear(dialect, *said, stream=stream, **fields)
        if heard.calls:
            said += answered(dialect, heard, await last_message(google, dialect, said, fields))
    assert (heard.text, heard.error) == ("done", None)
    assert [record.status for record in google.fake.calls()] == [200] * len(google.fake.calls())


async def last_message(google: Served, dialect: str, said: list[Any], fields: dict[str, Any]) -> Any:
    """Ask once more, whole, for the message as its caller would send it back."""
    body = (await google.post(DIALECTS[dialect], *said, **fields)).json()
    return (
        body["choices"][0]["message"] if dialect == "openai-chat" else {"role": "assistant", "content": body["content"]}
    )


def answered(dialect: str, heard: Heard, message: Any) -> list[Any]:
    """Answer every call of a message."""
    if dialect == "openai-chat":
        ids = [call["id"] for call in message["tool_calls"]]
        return [message, *({"role": "tool", "tool_call_id": one, "content": "ok"} for one in ids)]
    ids = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
    return [message, user([{"type": "tool_result", "tool_use_id": one, "content": "ok"} for one in ids])]


@STREAM
@DIALECT
@MODELS
async def test_thoughts_are_heard_where_they_are_asked_for(
    google: Served, dialect: str, stream: bool, model: str
) -> None:
    """E8"""
    heard = await google.hear(dialect, "!think ab\n!say c", stream=stream, model=model, **THINKING[dialect])
    assert (heard.thoughts, heard.text) == ("ab", "c")
    plain = await google.hear(dialect, "!think ab\n!say c", stream=stream, model=model, max_tokens=50)
    assert (plain.thoughts, plain.text) == ("", "c")
    assert "thinkingConfig" not in google.config


async def test_nothing_is_thought_unless_the_caller_asks(google: Served) -> None:
    """[thinking] is for v1internal."""
    await google.post(CHAT, "hi")
    assert google.sent == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


async def test_a_picture_goes_in_and_one_comes_out(google: Served) -> None:
    """C12"""
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    heard = await google.hear(
        "openai-chat", user([image, {"type": "text", "text": "!image"}]), stream=True, model=IMAGE
    )
    assert google.contents[0]["parts"][0] == {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
    assert len(heard.images) == 1


# the form of the answer


@MODELS
async def test_json_by_schema_goes_natively(google: Served, model: str) -> None:
    """D8"""
    response = await google.post(CHAT, '!say {"city": "Rome"}', model=model, response_format=WANTED)
    assert json.loads(response.json()["choices"][0]["message"]["content"]) == {"city": "Rome"}
    assert google.config == {"responseMimeType": "application/json", "responseJsonSchema": SHAPE}


async def test_json_beside_tools_is_asked_for_in_words_of_gemini_2_5(google: Served) -> None:
    """D10"""
    response = await google.post(CHAT, "hi", model=GEMINI_2, response_format=WANTED, tools=chat_tools("f"))
    assert response.status_code == 200, response.text
    assert google.sent["tools"]
    assert "responseMimeType" not in google.config
    assert "city" in google.sent["systemInstruction"]["parts"][0]["text"]


async def test_json_and_tools_both_go_to_gemini_3(google: Served) -> None:
    """D10"""
    response = await google.post(CHAT, "hi", response_format=WANTED, tools=chat_tools("f"))
    assert response.status_code == 200, response.text
    assert google.config["responseMimeType"] == "application/json"


async def test_a_search_stands_beside_functions_of_gemini_3(google: Served) -> None:
    """Pitfall 20"""
    tools = [*messages_tools("f"), {"type": "web_search_20250305", "name": "web_search"}]
    response = await google.post(MESSAGES, "hi", max_tokens=50, tools=tools)
    assert response.status_code == 200, response.text
    assert [next(iter(tool)) for tool in google.sent["tools"]] == ["functionDeclarations", "googleSearch"]
    assert google.sent["toolConfig"]["includeServerSideToolInvocations"] is True


# schemas


@MODELS
async def test_references_stay_references(google: Served, model: str) -> None:
    """F1, as JSON Schema"""
    response = await google.post(CHAT, "hi", model=model, tools=chat_tools("f", schema=REFERRING))
    assert response.status_code == 200, response.text
    assert declared(google)["parametersJsonSchema"] == REFERRING


@MODELS
async def test_only_keywords_that_the_upstream_knows_are_sent(google: Served, model: str) -> None:
    """F3: the fake refuses any other."""
    response = await google.post(CHAT, "hi", model=model, tools=chat_tools("f", schema=RICH))
    assert response.status_code == 200, response.text
    schema = declared(google)["parametersJsonSchema"]
    assert schema["properties"] == {
        "u": {"type": ["string", "null"], "format": "uri"},
        "five": {"enum": [5]},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "more": {"type": "number", "minimum": 0, "description": "(exclusiveMinimum: 0)"},
    }
    assert schema["additionalProperties"] is False


@MODELS
@pytest.mark.parametrize(
    "function",
    [
        {"parameters": {"type": "object", "properties": {"a": {"type": "array"}}}},
        {"parameters": {"type": "array"}},
        {},
        {"parameters": {}},
        {"parameters": None},
        {"parameters": True},
    ],
)
async def test_what_a_schema_leaves_out_is_no_error(google: Served, model: str, function: Any) -> None:
    """F5"""
    tool = {"type": "function", "function": {"name": "f", **function}}
    response = await google.post(CHAT, "hi", model=model, tools=[tool])
    assert response.status_code == 200, response.text


# counts


async def test_the_count_is_the_upstreams_own(google: Served) -> None:
    """I2"""
    body = {"model": GEMINI_3, "messages": [user("one two three")]}
    plain = await google.http.post(f"{MESSAGES}/count_tokens?beta=true", json=body)
    whole = await google.http.post(
        f"{MESSAGES}/count_tokens", json=body | {"system": "Be brief.", "tools": messages_tools("f")}
    )
    assert 0 < plain.json()["input_tokens"] < whole.json()["input_tokens"]
    assert "x-gateway-token-count" not in whole.headers


# errors


@STREAM
@DIALECT
@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("400_invalid_argument", 400),
        ("400_location", 502),
        ("400_key_invalid", 502),
        ("403_key_suspended", 502),
        ("429_per_minute", 429),
        ("404", 404),
    ],
)
async def test_a_refusal_is_a_status_and_never_the_callers_401(
    google: Served, dialect: str, stream: bool, error: str, status: int
) -> None:
    """H1, H2, H6"""
    response = await google.post(DIALECTS[dialect], f"!error {error}", stream=stream, max_tokens=50)
    assert response.status_code == status
    assert ("retry-after" in response.headers) is (status == 429)
    assert "key-1" not in response.text


@DIALECT
async def test_a_pool_of_refused_keys_is_503_and_one_that_rests_429(
    fake_gemini: FakeGemini, tmp_path: Path, dialect: str
) -> None:
    async with public(fake_gemini, tmp_path, "key-1", "key-2") as google:
        resting = await google.post(DIALECTS[dialect], "!error 429_per_minute", max_tokens=50, model=GEMINI_2)
        refused = await google.post(DIALECTS[dialect], "!error 400_key_invalid", max_tokens=50)
    assert (resting.status_code, refused.status_code) == (429, 503)
    assert int(resting.headers["retry-after"]) in range(30, 40)

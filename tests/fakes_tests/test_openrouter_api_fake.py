"""What the fake of OpenRouter gives to be kept, and what it refuses of what comes back; each case is one rule."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fakes.openrouter_api import SENTINEL, FakeOpenRouter

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

GEMINI, CLAUDE, GPT = "google/gemini-3-flash-preview", "anthropic/claude-sonnet-4.5", "openai/gpt-5.2"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
ASKED = "!think hm\n!tool f {}\n!then\n!say done"


class Caller:
    def __init__(self, fake: FakeOpenRouter) -> None:
        self.fake = fake

    async def ask(self, model: str, *messages: Json, **more: Any) -> httpx.Response:
        given = [{"role": "user", "content": ASKED}, *messages]
        body = {"model": model, "messages": given, "tools": [TOOL], **more}
        async with httpx.AsyncClient(headers={"authorization": "Bearer key-1"}) as http:
            return await http.post(f"{self.fake.url}/v1/chat/completions", json=body)

    async def message(self, model: str) -> Json:
        """Give what the model says first."""
        message: Json = (await self.ask(model)).json()["choices"][0]["message"]
        return message

    async def refused(self, model: str, message: Json) -> Json:
        """Bring the result of the calls, and give the error."""
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in message["tool_calls"]]
        response = await self.ask(model, message, *results)
        assert response.status_code == 400, response.text
        error: Json = response.json()["error"]
        return error


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with FakeOpenRouter() as fake:
        yield Caller(fake)


@pytest.mark.parametrize("model", [GEMINI, CLAUDE, GPT])
async def test_what_it_gave_it_takes_back(caller: Caller, model: str) -> None:
    message = await caller.message(model)
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "ok"}
    response = await caller.ask(model, message, result, max_completion_tokens=50)
    assert response.json()["choices"][0]["message"]["content"] == "done"


@pytest.mark.parametrize("model", [GEMINI, CLAUDE, GPT])
async def test_a_stream_gives_the_same(caller: Caller, model: str) -> None:
    whole = await caller.message(model)
    response = await caller.ask(model, stream=True)
    chunks = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    found = [one for delta in deltas for one in delta.get("reasoning_details", ())]
    said = "".join(one.get("text") or one.get("summary") or "" for one in found)
    assert said == whole["reasoning"] == "hm"
    kept = [one for one in found if "data" in one or "signature" in one]
    assert [one["type"] for one in kept] == [
        one["type"] for one in whole["reasoning_details"] if "data" in one or "signature" in one
    ]
    assert all(one.get("data", one.get("signature")) in caller.fake.seals for one in kept)


async def test_a_call_of_gemini_without_its_signature(caller: Caller) -> None:
    message = await caller.message(GEMINI)
    error = await caller.refused(GEMINI, message | {"reasoning_details": []})
    assert (error["message"], error["metadata"]["provider_name"]) == ("Provider returned error", "Google AI Studio")
    assert "missing a thought_signature" in error["metadata"]["raw"]
    named = [one | {"id": "another"} for one in message["reasoning_details"]]
    assert "missing" in (await caller.refused(GEMINI, message | {"reasoning_details": named}))["metadata"]["raw"]


async def test_a_signature_of_gemini_that_is_none(caller: Caller) -> None:
    message = await caller.message(GEMINI)
    wrong = [one | {"data": "x"} if "data" in one else one for one in message["reasoning_details"]]
    error = await caller.refused(GEMINI, message | {"reasoning_details": wrong})
    assert "Corrupted thought signature." in error["metadata"]["raw"]


async def test_the_sentinel_stands_for_one(caller: Caller) -> None:
    message = await caller.message(GEMINI)
    marked = [one | {"data": SENTINEL} if "data" in one else one for one in message["reasoning_details"]]
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "ok"}
    assert (await caller.ask(GEMINI, message | {"reasoning_details": marked}, result)).status_code == 200


@pytest.mark.parametrize("change", [{"signature": "x"}, {"signature": None}, {"text": "ha"}])
async def test_a_thought_of_claude_that_was_changed(caller: Caller, change: Json) -> None:
    message = await caller.message(CLAUDE)
    wrong = [one | change for one in message["reasoning_details"]]
    error = await caller.refused(CLAUDE, message | {"reasoning_details": wrong})
    assert "Invalid `signature` in `thinking` block" in error["metadata"]["raw"]


async def test_a_hidden_thought_of_claude_that_is_none(caller: Caller) -> None:
    message = await caller.message(CLAUDE)
    wrong = [{"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1", "index": 0}]
    error = await caller.refused(CLAUDE, message | {"reasoning_details": wrong})
    assert "Invalid `signature`" in error["metadata"]["raw"]


async def test_a_seal_of_openai_that_is_none(caller: Caller) -> None:
    message = await caller.message(GPT)
    wrong = [one | {"data": "gAAA"} if "data" in one else one for one in message["reasoning_details"]]
    error = await caller.refused(GPT, message | {"reasoning_details": wrong})
    assert "invalid_encrypted_content" in error["metadata"]["raw"]


@pytest.mark.parametrize(
    "detail",
    [
        {"type": "reasoning.thought", "text": "hm"},
        {"type": "reasoning.summary", "text": "hm"},
        {"type": "reasoning.encrypted"},
        {"type": "reasoning.text", "text": 1},
        {"type": "reasoning.text", "text": "hm", "index": "0"},
        {"type": "reasoning.text", "text": "hm", "foo": 1},
    ],
)
async def test_a_detail_of_another_form(caller: Caller, detail: Json) -> None:
    message = await caller.message(GPT)
    error = await caller.refused(GPT, message | {"reasoning_details": [detail]})
    assert "reasoning_details[0]" in (error["message"] + str(error.get("param")))

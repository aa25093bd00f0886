"""Models of other vendors behind Anthropic's API, which want their thoughts back, whoever has dropped them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.fakes.anthropic_api import FakeAnthropic
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

DEEPSEEK, KIMI, CODE = "deepseek-v4-pro", "kimi-k2.6", "kimi-k2.7-code"
USER = {"role": "user", "content": "hi"}
SCHEMA: Json = {"type": "object", "properties": {}}
TOOL: Json = {"name": "f", "input_schema": SCHEMA}
FUNCTION: Json = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
CALL: Json = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
CALLED: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT: Json = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "ok"}, {"type": "text", "text": "!say done"}],
}
ANSWERED: list[Json] = [
    {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    {"role": "user", "content": "!say done"},
]


def called(model: str) -> Json:
    """Give the call as it goes on: Kimi's are counted."""
    return CALL | {"id": "functions.f:0"} if model == KIMI else CALL


def thought(text: str, **more: str) -> Json:
    return {"type": "thinking", "thinking": text, **more}


BLANK = thought(" ", signature="")


@asynccontextmanager
async def before(fake: FakeAnthropic, folder: Path, **over: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway before a server that has both models."""
    fake.models = [DEEPSEEK, KIMI, CODE]
    table: Json = {"type": "anthropic", "base_url": fake.url, "api_key": "key-1", "models": [DEEPSEEK, KIMI, CODE]}
    config: Json = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, "upstream": {"other": table}}
    async with serve(create_app(config | over)) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        yield http


def asked(model: str, *said: Any, **more: Any) -> Json:
    """Write a request of Claude Code's: the model has said this, and called."""
    call = {"role": "assistant", "content": [*said, CALL]}
    return {"model": model, "max_tokens": 2000, "messages": [USER, call, RESULT], "tools": [TOOL], **more}


def calls(fake: FakeAnthropic) -> list[Any]:
    return [call for call in fake.requests if call.method == "messages"]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("model", [DEEPSEEK, KIMI])
async def test_thoughts_that_claude_code_has_dropped_are_blank_ones(model: str, strict: bool, tmp_path: Path) -> None:
    over: Json = {"translate": {"lossy": "strict"}} if strict else {}
    async with FakeAnthropic() as fake, before(fake, tmp_path, **over) as http:
        for _ in range(2):
            response = await http.post("/v1/messages", json=asked(model, {"type": "text", "text": "a"}))
            assert response.status_code == 200, response.text
            assert "done" in response.text
        assert [call.status for call in calls(fake)] == [400, 200, 200]
        said = calls(fake)[-1].request["messages"][1]["content"]
        assert said == [BLANK, {"type": "text", "text": "a"}, called(model)]


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ([thought("hm", signature="f5604e36")], thought("hm", signature="f5604e36")),
        ([thought("hm", signature="")], thought("hm", signature="")),
        ([thought("", signature="")], BLANK),
        ([thought("", signature="f5604e36")], thought("", signature="f5604e36")),
    ],
)
async def test_thoughts_that_are_there_stay(said: list[Json], sent: Json, tmp_path: Path) -> None:
    async with FakeAnthropic() as fake, before(fake, tmp_path) as http:
        for given in ([], said):
            response = await http.post("/v1/messages", json=asked(DEEPSEEK, *given))
            assert response.status_code == 200, response.text
        assert [call.status for call in calls(fake)] == [400, 200, 200]
        assert calls(fake)[-1].request["messages"][1]["content"] == [sent, CALL]


async def test_words_alone_get_a_thought_and_a_model_at_rest_none(tmp_path: Path) -> None:
    said = {"model": DEEPSEEK, "max_tokens": 99, "messages": [USER, {"role": "assistant", "content": "a"}, USER]}
    async with FakeAnthropic() as fake, before(fake, tmp_path) as http:
        for more in ({}, {"thinking": {"type": "disabled"}}):
            assert (await http.post("/v1/messages", json=said | more)).status_code == 200
        thinking, resting = (call.request["messages"][1]["content"] for call in calls(fake)[1:])
        assert thinking == [BLANK, {"type": "text", "text": "a"}]
        assert resting == "a"


@pytest.mark.parametrize(
    ("model", "message", "sent"),
    [
        (DEEPSEEK, {"reasoning_content": "hm"}, thought("hm", signature="")),
        (DEEPSEEK, {}, BLANK),
        (KIMI, {"reasoning_content": "hm"}, thought("hm", signature="")),
        (KIMI, {"reasoning_content": " "}, BLANK),
    ],
)
async def test_thoughts_of_a_chat_caller_go_back(model: str, message: Json, sent: Json, tmp_path: Path) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [CALLED]} | message
    body = {"model": model, "messages": [USER, call, *ANSWERED], "tools": [FUNCTION]}
    async with FakeAnthropic() as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        assert [call.status for call in calls(fake)] == [400, 200, 200]
        assert calls(fake)[-1].request["messages"][1]["content"] == [sent, called(model)]


async def test_a_model_that_always_thinks_is_left_to_it_where_claude_code_turns_thinking_off(tmp_path: Path) -> None:
    said = {"model": CODE, "max_tokens": 99, "messages": [USER], "thinking": {"type": "disabled"}}
    async with FakeAnthropic() as fake, before(fake, tmp_path, translate={"lossy": "strict"}) as http:
        for _ in range(2):
            assert (await http.post("/v1/messages", json=said)).status_code == 200
        assert [call.status for call in calls(fake)] == [400, 200, 200]
        assert "thinking" not in calls(fake)[-1].request


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/chat/completions", {"messages": [USER], "reasoning_effort": "none"}),
        ("/v1/responses", {"input": "hi", "store": False, "reasoning": {"effort": "none"}}),
        (
            "/v1beta/models/{model}:generateContent",
            {
                "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
                "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
            },
        ),
    ],
)
async def test_callers_of_other_dialects_turn_thinking_off_too(path: str, fields: Json, tmp_path: Path) -> None:
    off = {"type": "disabled"}
    async with FakeAnthropic() as fake, before(fake, tmp_path) as http:
        for model, sent in ((KIMI, [off, off]), (CODE, [off, None, None])):
            fake.requests.clear()
            for _ in range(2):
                given = fields if "{model}" in path else fields | {"model": model}
                response = await http.post(path.format(model=model), json=given)
                assert response.status_code == 200, response.text
            assert [call.request.get("thinking") for call in calls(fake)] == sent

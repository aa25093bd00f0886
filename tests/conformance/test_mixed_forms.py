"""A loop of tools as Cursor has it: bodies of three forms at the path of Chat Completions, answered in its chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.gateway.dialects.openai_chat.chat import Stream
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

MODELS = {
    "chat": "gpt-4.1",
    "responses": "gpt-5.2",
    "gemini": "gemini-3-flash-preview",
    "anthropic": "claude-sonnet-4-5",
}
OBJECT: Json = {"type": "object", "properties": {}}
PATCH: Json = {"type": "custom", "name": "ApplyPatch", "description": "patches", "format": {"type": "text"}}
ASKED = '!tool f {}\n!tool ApplyPatch {"input": "*** Begin Patch"}\n!then\n!say done'


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        openai = await stack.enter_async_context(FakeOpenAI())
        gemini = await stack.enter_async_context(FakeGemini())
        anthropic = await stack.enter_async_context(FakeAnthropic())
        key = {"api_key": "key-1"}
        upstream = {
            "chat": {"type": "openai", "base_url": f"{openai.url}/v1", **key},
            "responses": {"type": "openai", "api": "responses", "base_url": f"{openai.url}/v1", **key},
            "gemini": {"base_url": gemini.url, **key},
            "anthropic": {"base_url": anthropic.url, **key},
        }
        config = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, "upstream": upstream}
        url = await stack.enter_async_context(serve(create_app(config)))
        yield await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))


def of_responses(model: str, calls: list[Json]) -> Json:
    items: list[Json] = [{"role": "user", "content": [{"type": "input_text", "text": ASKED}]}]
    items += [{"type": "function_call", "call_id": call["id"], **call["function"]} for call in calls]
    items += [{"type": "function_call_output", "call_id": call["id"], "output": "ok"} for call in calls]
    tools = [{"type": "function", "name": "f", "parameters": OBJECT, "strict": False}, PATCH]
    return {"model": model, "input": items, "tools": tools, "reasoning": {"effort": "low"}, "store": False}


def of_anthropic(model: str, calls: list[Json]) -> Json:
    used = [{"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": {}} for call in calls]
    given = [{"type": "tool_result", "tool_use_id": call["id"], "content": "ok"} for call in calls]
    messages: list[Json] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": ASKED}]
    messages += [{"role": "assistant", "content": used}, {"role": "user", "content": given}] if calls else []
    tools = [{"name": name, "description": "does it", "input_schema": OBJECT} for name in ("f", "ApplyPatch")]
    return {"model": model, "messages": messages, "tools": tools}


def of_chat(model: str, calls: list[Json]) -> Json:
    messages: list[Json] = [{"role": "user", "content": ASKED}]
    if calls:
        messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in calls]
    return {
        "model": model,
        "messages": messages,
        "tools": [{"type": "function", "name": "f", "parameters": OBJECT}, PATCH],
    }


@pytest.mark.parametrize("upstream", MODELS)
@pytest.mark.parametrize("form", [of_responses, of_anthropic, of_chat])
async def test_a_loop_of_tools_comes_to_its_end(form: Any, upstream: str, tmp_path: Path) -> None:
    model = f"{upstream}/{MODELS[upstream]}"
    async with running(tmp_path) as http:
        first = await http.post("/v1/chat/completions", json={**form(model, []), "stream": True})
        assert first.status_code == 200, first.text
        calls = Stream(first.content).message()["tool_calls"]
        assert [(call["type"], call["function"]["name"]) for call in calls] == [
            ("function", "f"),
            ("function", "ApplyPatch"),
        ]
        if form is not of_anthropic:
            assert calls[1]["function"]["arguments"] == "*** Begin Patch"
        kept = [{name: call[name] for name in ("id", "type", "function")} for call in calls]
        second = await http.post("/v1/chat/completions", json=form(model, kept))
        assert second.status_code == 200, second.text
        assert second.json()["object"] == "chat.completion"
        assert second.json()["choices"][0]["message"]["content"] == "done"

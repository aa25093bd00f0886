"""What the demo answers: the last thing that the user says directs it, and anything else is echoed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import ir
from gateway.adapters.demo import Demo
from gateway.app import create_app
from gateway.config import load
from gateway.upstream import Answer, Call, Journey
from tests.clocks import FakeClock
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

WEATHER: Json = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app({"log": {"level": "error"}, "server": {"data_dir": str(tmp_path)}})  # as without configuration
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def chat(http: httpx.AsyncClient, *said: str | Json, **fields: Any) -> httpx.Response:
    messages = [{"role": "user", "content": one} if isinstance(one, str) else one for one in said]
    return await http.post("/v1/chat/completions", json={"model": "demo", "messages": messages, **fields})


async def answer(http: httpx.AsyncClient, *said: str | Json, **fields: Any) -> Json:
    got = await chat(http, *said, **fields)
    assert got.status_code == 200, got.text
    return dict(got.json()["choices"][0])


async def test_it_lists_one_model(http: httpx.AsyncClient) -> None:
    assert [one["id"] for one in (await http.get("/v1/models")).json()["data"]] == ["demo"]


@pytest.mark.parametrize("said", ["hi", " two  words\n\nand a line ", "!thinking is no directive"])
async def test_anything_else_is_echoed_as_it_is(http: httpx.AsyncClient, said: str) -> None:
    got = await answer(http, "before", {"role": "assistant", "content": "!cut"}, said)
    assert (got["message"]["content"], got["finish_reason"]) == (said, "stop")


async def test_of_what_was_said_at_once_the_last_directs(http: httpx.AsyncClient) -> None:
    said = [{"type": "text", "text": one} for one in ("!cut is what a reminder speaks of", "hello")]
    assert (await answer(http, {"role": "user", "content": said}))["message"]["content"] == "hello"


async def test_usage_is_the_estimate(http: httpx.AsyncClient) -> None:
    body = {"model": "demo", "max_tokens": 9, "messages": [{"role": "user", "content": "some words to count"}]}
    counted = (await http.post("/v1/messages/count_tokens", json=body)).json()["input_tokens"]
    usage = (await http.post("/v1/messages", json=body)).json()["usage"]
    assert (usage["input_tokens"], usage["output_tokens"] > 0) == (counted, True)


async def test_think(http: httpx.AsyncClient) -> None:
    got = (await answer(http, "!think about it", reasoning_effort="low"))["message"]
    assert (got["content"], bool(got["reasoning_content"])) == ("about it", True)


async def test_tool(http: httpx.AsyncClient) -> None:
    got = await answer(http, '!tool weather {"city": "Oslo"}', tools=[WEATHER])
    [call] = got["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"city": "Oslo"})
    assert got["finish_reason"] == "tool_calls"
    result = {"role": "tool", "tool_call_id": call["id"], "content": "rain"}
    after = await answer(http, "!tool weather", got["message"], result, tools=[WEATHER])
    assert after["message"]["content"] == "rain"


async def test_image(http: httpx.AsyncClient) -> None:
    body = {"contents": [{"parts": [{"text": "!image"}]}]}
    got = (await http.post("/v1beta/models/demo:generateContent", json=body)).json()
    [part] = got["candidates"][0]["content"]["parts"]
    assert (part["inlineData"]["mimeType"], bool(part["inlineData"]["data"])) == ("image/png", True)


async def test_slow() -> None:
    turn = ir.Turn(role="user", parts=(ir.Text(text="!slow 3"),))
    clock = FakeClock()
    demo = Demo("demo", load({}, environ={}), clock)
    beginning = asyncio.create_task(
        _begin(demo.open(Call(request=ir.Request(model="demo", turns=(turn,)), request_id="r")))
    )
    await clock.advance(2.9)
    assert not beginning.done()
    await clock.advance(0.1)
    assert await (await beginning).read()


async def _begin(journey: Journey) -> Answer:
    return await journey.go()


@pytest.mark.parametrize(("said", "waits"), [("!error 429 7", "7"), ("!error 429", None), ("!error 503 90", "90")])
async def test_error(http: httpx.AsyncClient, said: str, waits: str | None) -> None:
    got = await chat(http, said)
    assert (str(got.status_code), got.headers.get("retry-after")) == (said.split()[1], waits)


@pytest.mark.parametrize(
    "said", ["!error", "!error 200", "!error 600", "!error x", "!error 429 soon", "!slow", "!slow -1"]
)
async def test_what_cannot_be_done_is_refused(http: httpx.AsyncClient, said: str) -> None:
    assert (await chat(http, said)).status_code == 400


async def test_cut(http: httpx.AsyncClient) -> None:
    got = await chat(http, "!cut", stream=True)
    events = [line for line in got.text.splitlines() if line.startswith("data: ")]
    assert (got.status_code, "error" in json.loads(events[-1][6:]), "[DONE]" in got.text) == (200, True, False)
    assert (await chat(http, "!cut")).status_code == 502

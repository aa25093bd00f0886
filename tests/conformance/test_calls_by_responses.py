"""Models that call functions by Responses alone while they think, behind an upstream that is asked for chats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.conformance.travelling import CALLERS
from tests.fakes.azure_api import FakeAzure
from tests.fakes.openai_api import CHAT, RESPONSES, FakeOpenAI
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

APART, LATER, ALONE = "gpt-5.4", "gpt-5.6-terra", "gpt-5-codex"
ASKED = "!think I shall call f\n!tool f {}\n!then\n!say done"
TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
USER: Json = {"role": "user", "content": "!say hi"}


@asynccontextmanager
async def before(fake: FakeOpenAI, folder: Path, **over: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway that knows nothing of others."""
    table: Json = {"type": "openai", "base_url": f"{fake.url}/v1", "api_key": "key-1", "models": [APART, LATER, ALONE]}
    config: Json = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, "upstream": {"openai": table}}
    async with serve(create_app(config | over)) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        yield http


def tried(fake: FakeOpenAI) -> list[tuple[str, int]]:
    return [(call.method, call.status) for call in fake.requests if call.method in (CHAT, RESPONSES)]


@pytest.mark.parametrize("model", [APART, LATER])
@pytest.mark.parametrize("dialect", CALLERS)
async def test_a_loop_of_tools_goes_on_with_thoughts(dialect: str, model: str, tmp_path: Path) -> None:
    """The second turn is of another process."""
    caller = CALLERS[dialect]
    thinks = model == LATER or dialect != "gemini"  # whose caller does not say how much
    async with FakeOpenAI() as fake:
        async with before(fake, tmp_path / "a") as http:
            said = await caller.first(http, model, ASKED)
            assert tried(fake) == ([(CHAT, 400), (RESPONSES, 200)] if thinks else [(CHAT, 200)])
            again = await caller.first(http, model, ASKED)
            assert tried(fake)[-1] == ((RESPONSES if thinks else CHAT), 200)
            assert len(tried(fake)) == (3 if thinks else 2)
            assert len(again) == len(said)
        async with before(fake, tmp_path / "b") as http:
            response = await caller.second(http, model, ASKED, said)
            assert response.status_code == 200, response.text
        if thinks and dialect != "gemini":
            kinds = [item.get("type", "message") for item in fake.calls(RESPONSES)[-1].request["input"]]
            assert kinds == ["message", "reasoning", "function_call", "function_call_output"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chat_caller_reads_a_completion(stream: bool, tmp_path: Path) -> None:
    body = {"model": LATER, "tools": [TOOL], "messages": [USER], "stream": stream, "store": False}
    async with FakeOpenAI() as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
            if stream:
                assert response.text.endswith("data: [DONE]\n\n")
            else:
                assert response.json()["object"] == "chat.completion"
                assert response.json()["choices"][0]["message"]["content"] == "hi"
        assert tried(fake) == [(CHAT, 400), (RESPONSES, 200), (RESPONSES, 200)]
        without = {name: value for name, value in body.items() if name != "tools"}
        response = await http.post("/v1/chat/completions", json=without)
        assert response.status_code == 200, response.text
        assert tried(fake)[-1] == (CHAT, 200)


async def test_what_the_way_loses_is_told(tmp_path: Path) -> None:
    body = {"model": LATER, "tools": [TOOL], "messages": [USER], "seed": 5}
    async with FakeOpenAI() as fake:
        async with before(fake, tmp_path / "a") as http:
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
            assert response.headers["x-gateway-lossy"] == "1"
        async with before(fake, tmp_path / "b", translate={"lossy": "strict"}) as http:
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 400, response.text


async def test_a_model_of_responses_alone_is_asked_there(tmp_path: Path) -> None:
    async with FakeOpenAI() as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json={"model": ALONE, "messages": [USER]})
            assert response.status_code == 200, response.text
            assert response.json()["choices"][0]["message"]["content"] == "hi"
        assert tried(fake) == [(CHAT, 404), (RESPONSES, 200), (RESPONSES, 200)]


async def test_what_responses_cannot_carry_stays_refused(tmp_path: Path) -> None:
    body = {"model": LATER, "tools": [TOOL], "messages": [USER], "n": 2}
    async with FakeOpenAI() as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 400, response.text
            assert "use /v1/responses" in response.json()["error"]["message"]
        assert tried(fake) == [(CHAT, 400)] * 2


@pytest.mark.parametrize("version", ["v1", "2024-10-21"])
async def test_a_deployment_is_asked_by_its_name(version: str, tmp_path: Path) -> None:
    async with FakeAzure() as fake:
        fake.deployments["terra"] = LATER
        table = {
            "type": "azure",
            "endpoint": fake.url,
            "api_key": "key-1",
            "api_version": version,
            "deployments": {"mine": "terra"},
        }
        async with before(fake, tmp_path, upstream={"azure": table}) as http:
            body = {
                "model": "mine",
                "max_tokens": 100,
                "messages": [USER],
                "tools": [{"name": "f", "input_schema": {}}],
            }
            response = await http.post("/v1/messages", json=body)
            assert response.status_code == 200, response.text
            assert tried(fake)[-2:] == [(CHAT, 400), (RESPONSES, 200)]
            assert fake.requests[-1].path == "/openai/v1/responses"
            assert fake.requests[-1].request["model"] == "terra"

"""The tools of Codex before servers with Responses that know functions only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.openai_api import OpenAIServed, before
from tests.fakes.openai_api import FakeOpenAI
from tests.gateway.dialects.openai_responses.responses import Stream

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

GRAMMAR: Json = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/s"}
PATCH: Json = {"type": "custom", "name": "apply_patch", "description": "Patches.", "format": GRAMMAR}
F: Json = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
SPACE: Json = {"type": "namespace", "name": "agents", "description": "Agents.", "tools": [F | {"name": "spawn"}]}
SEARCH: Json = {"type": "web_search"}
TOOLS = [F, PATCH, SPACE, {"type": "tool_search", "execution": "client"}, {"type": "image_generation"}, SEARCH]
SERVERS = {
    "llama.cpp": [400, 400, 200],
    "LM Studio": [400, 400, 200],
    "Bedrock": [400, 400, 200],
    "Ollama": [500, 200],
    "Meta": [400, 200],
}
ONCE_MORE = {"Meta": [400, 200]}  # it wants IDs, too


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def asking(*items: Json, **fields: Any) -> Json:
    return {"model": "gpt-5", "input": list(items), "store": False, "tools": TOOLS, **fields}


async def output(served: OpenAIServed, body: Json, *, stream: bool) -> list[Json]:
    response = await served.http.post("/v1/responses", json=body | {"stream": stream})
    assert response.status_code == 200, response.text
    if not stream:
        return list(response.json()["output"])
    heard = Stream(response.content)
    assert heard.status == "completed"
    return list(heard.response["output"])


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("server", SERVERS)
async def test_tools_of_codex_are_functions_there_and_come_back_as_they_are_here(
    tmp_path: Path, server: str, stream: bool
) -> None:
    said = '!tool apply_patch {"input": "*** Begin"}\n!tool agents__spawn {}\n!then\n!say done'
    async with FakeOpenAI(other=server) as fake, before(fake, tmp_path, "responses") as served:
        calls = await output(served, asking(user(said)), stream=stream)
        assert [call.status for call in served.calls] == SERVERS[server]
        patched, spawned = calls
        assert (patched["type"], patched["name"], patched["input"]) == ("custom_tool_call", "apply_patch", "*** Begin")
        assert (spawned["type"], spawned["namespace"], spawned["name"]) == ("function_call", "agents", "spawn")
        results = [
            {"type": "custom_tool_call_output", "call_id": patched["call_id"], "output": "ok"},
            {"type": "function_call_output", "call_id": spawned["call_id"], "output": "ok"},
        ]
        (message,) = await output(served, asking(user(said), *calls, *results), stream=stream)
        assert message["content"][0]["text"] == "done"
        assert [call.status for call in served.calls] == [*SERVERS[server], *ONCE_MORE.get(server, [200])]
        sent = served.sent
        kinds = ["message", "function_call", "function_call", "function_call_output", "function_call_output"]
        assert [item["type"] for item in sent["input"]] == kinds
        names = [tool.get("name", tool["type"]) for tool in sent["tools"]]
        assert names[:3] == ["f", "apply_patch", "agents__spawn"]
        assert names[3:] == (["web_search"] if len(SERVERS[server]) == 2 else [])


async def test_a_request_with_functions_alone_still_passes(tmp_path: Path) -> None:
    async with FakeOpenAI(other="LM Studio") as fake, before(fake, tmp_path, "responses") as served:
        await output(served, asking(user("!say hi")), stream=False)
        raw = json.dumps(asking(user('!say "custom_tool_call"'), tools=[F]), indent=1).encode()
        response = await served.http.post("/v1/responses", content=raw, headers={"content-type": "application/json"})
        assert response.status_code == 200, response.text
        assert served.calls[-1].raw == raw


async def test_tools_that_join_are_functions_where_an_item_is_refused_without_its_type(tmp_path: Path) -> None:
    joining = {"type": "additional_tools", "role": "developer", "tools": [SPACE]}
    said = user("!tool agents__spawn {}\n!then\n!say done")
    async with FakeOpenAI(other="xAI") as fake, before(fake, tmp_path, "responses") as served:
        (call,) = await output(served, asking(joining, said, tools=[]), stream=True)
        assert (call["namespace"], call["name"]) == ("agents", "spawn")
        assert [call.status for call in served.calls] == [422, 200]


async def test_what_that_loses_is_told_and_refused_in_strict_mode(tmp_path: Path) -> None:
    async with FakeOpenAI(other="llama.cpp") as fake:
        async with before(fake, tmp_path / "a", "responses") as served:
            response = await served.http.post("/v1/responses", json=asking(user("!say hi")))
            assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "4")
        async with before(fake, tmp_path / "b", "responses", translate={"lossy": "strict"}) as served:
            response = await served.http.post("/v1/responses", json=asking(user("!say hi")))
            assert (response.status_code, "tool must be" in response.text) == (400, True)

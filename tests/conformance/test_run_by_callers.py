"""The tools that OpenAI defines and a caller runs, before upstreams that have functions only."""

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

TOOLS: list[Json] = [{"type": "shell", "environment": {"type": "local"}}, {"type": "apply_patch"}]
SAID = """!tool shell {"commands": ["ls", "pwd"]}
!tool apply_patch {"type": "delete_file", "path": "a"}
!then
!say done"""
PROMPT: Json = {"role": "user", "content": SAID}


async def output(served: OpenAIServed, *items: Json, stream: bool, **fields: Any) -> list[Json]:
    body = {"model": "gpt-4.1", "input": [PROMPT, *items], "tools": TOOLS, "stream": stream, **fields}
    response = await served.http.post("/v1/responses", json=body)
    assert response.status_code == 200, response.text
    return list(Stream(response.content).response["output"] if stream else response.json()["output"])


@pytest.mark.parametrize("stream", [True, False])
async def test_what_the_caller_runs_is_called_and_its_results_are_read(tmp_path: Path, stream: bool) -> None:
    async with FakeOpenAI() as fake, before(fake, tmp_path, "chat") as served:
        ran, patched = await output(served, stream=stream)
        assert (ran["type"], ran["action"]["commands"]) == ("shell_call", ["ls", "pwd"])
        assert (patched["type"], patched["operation"]) == ("apply_patch_call", {"type": "delete_file", "path": "a"})
        printed = {"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
        results: list[Json] = [
            {"type": "shell_call_output", "call_id": ran["call_id"], "output": [printed]},
            {"type": "apply_patch_call_output", "call_id": patched["call_id"], "status": "failed", "output": "gone"},
        ]
        (message,) = await output(served, ran, patched, *results, stream=stream)
        assert message["content"][0]["text"] == "done"
        called, *given = served.sent["messages"][1:]
        assert [call["function"]["name"] for call in called["tool_calls"]] == ["shell", "apply_patch"]
        assert json.loads(called["tool_calls"][0]["function"]["arguments"])["commands"] == ["ls", "pwd"]
        assert json.loads(given[0]["content"]) == [printed]
        assert given[1]["content"] == "Error: gone"


async def test_openai_itself_has_them(tmp_path: Path) -> None:
    async with FakeOpenAI() as fake, before(fake, tmp_path, "responses") as served:
        await output(served, stream=False, input="!say hi", store=False)
        assert served.sent["tools"] == TOOLS

"""Thoughts that Claude has signed, and whose words the caller has not seen: the newest models show none by default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway import ir
from tests.conformance.anthropic_api import NEW, OLD, ClaudeServed, before
from tests.conformance.served import CLAUDE, MESSAGES, user
from tests.conformance.upstreams import again, fake_of
from tests.fakes.anthropic_api import FakeAnthropic

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

BUDGET: Json = {"type": "enabled", "budget_tokens": 1024}
TOOLS: list[Json] = [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]


async def called(served: ClaudeServed, model: str) -> tuple[Json, list[Json]]:
    """Let a model think unseen, and call a tool."""
    body = {"model": model, "max_tokens": 4000, "tools": TOOLS, "messages": [user("go")]}
    body["thinking"] = {"type": "adaptive"}
    served.claude.script.push("!think hm\n!tool f {}")
    response = await served.http.post(MESSAGES, json=body)
    assert response.status_code == 200, response.text
    blocks: list[Json] = response.json()["content"]
    assert [block["type"] for block in blocks] == ["thinking", "tool_use"]
    assert (blocks[0]["thinking"], blocks[0]["signature"] != "") == ("", True)
    return body, blocks


def going_on(body: Json, blocks: list[Json], more: list[Json]) -> Json:
    result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "ok"}
    return body | {
        "messages": [*body["messages"], {"role": "assistant", "content": [*more, blocks[-1]]}, user([result])]
    }


@pytest.mark.parametrize("left_out", [False, True])
async def test_a_thought_without_words_goes_back(fake_anthropic: FakeAnthropic, tmp_path: Path, left_out: bool) -> None:
    """LangChain keeps the signature alone, which Anthropic refuses: thinking.thinking, field required."""
    async with before(fake_anthropic, tmp_path) as served:
        body, blocks = await called(served, NEW)
        kept = {name: value for name, value in blocks[0].items() if not (left_out and name == "thinking")}
        served.claude.script.push("!say done")
        response = await served.http.post(MESSAGES, json=going_on(body, blocks, [kept]))
        assert response.status_code == 200, response.text
        assert [call.status for call in served.calls] == [200, 200]
        assert served.sent["messages"][1]["content"][0] == blocks[0]


async def test_a_model_that_wants_the_words_gets_no_such_thought(fake_anthropic: FakeAnthropic, tmp_path: Path) -> None:
    refused = {"type": "invalid_request_error", "message": "messages.1.content.0.thinking: each thinking block must "}
    refused["message"] += "contain thinking"
    async with before(fake_anthropic, tmp_path) as served:
        body, blocks = await called(served, NEW)
        served.claude.script.push("!refuse " + json.dumps({"status": 400, "error": refused}))
        served.claude.script.push("!say done")
        response = await served.http.post(
            MESSAGES, json=going_on(body | {"model": OLD, "thinking": BUDGET}, blocks, [blocks[0]])
        )
        assert response.status_code == 200, response.text
        assert [block["type"] for block in served.sent["messages"][1]["content"]] == ["tool_use"]


async def test_code_assist_gets_no_signature_whose_words_nobody_has(tmp_path: Path) -> None:
    """As another gateway has given it out: Claude goes on without thinking, as Code Assist would refuse it."""
    async with fake_of("v1internal") as fake, again("v1internal", fake, tmp_path) as served:
        text, thinking = "!think hm\n!tool f {}\n!then\n!say done", {"thinking": {**BUDGET, "budget_tokens": 2000}}
        body = {"model": CLAUDE, "max_tokens": 4000, "tools": TOOLS, "messages": [user(text)]} | thinking
        first = await served.http.post(MESSAGES, json=body)
        thought, call = first.json()["content"]
        signature = ir.unseal(thought["signature"])
        assert signature is not None
        bare = thought | {"thinking": "", "signature": signature.value}
        call |= {"id": "toolu_other"}  # else its words are remembered
        response = await served.http.post(MESSAGES, json=going_on(body, [thought, call], [bare]))
        assert response.status_code == 200, response.text
        assert "x-gateway-lossy" in response.headers
        assert [call.status for call in served.calls] == [200, 200]
        assert [list(part) for part in served.contents[1]["parts"]] == [["functionCall"]]

"""Conversations that Anthropic holds: its SDKs' tool runners send a turn alone, and all of it where nobody holds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.conformance.anthropic_api import NEW, ClaudeServed, before
from tests.conformance.served import user
from tests.fakes.anthropic_api import FakeAnthropic

pytestmark = pytest.mark.anyio

BETA = {"anthropic-beta": "message-threads-2026-08-12"}
ROUNDS = 4


async def told_by_runner(served: ClaudeServed) -> str:
    """Have the SDK call a tool several times."""
    asked: list[int] = []

    @anthropic.beta_async_tool
    async def step(n: int) -> str:
        """Take a step."""
        asked.append(n)
        return "taken"

    for n in range(1, ROUNDS + 1):
        served.claude.script.push(f"!tool step {json.dumps({'n': n})}")
    served.claude.script.push("!say enough")

    url = str(served.http.base_url)
    async with anthropic.AsyncAnthropic(api_key="sk-any", base_url=url, max_retries=0) as sdk:
        messages: Any = [user("Take all steps.")]
        runner = sdk.beta.messages.tool_runner(model=NEW, max_tokens=99, messages=messages, tools=[step])
        answer = await runner.until_done()
    assert asked == list(range(1, ROUNDS + 1))
    return str(answer.content[0].to_dict()["text"])


async def test_the_tool_runner_of_the_sdk_sends_each_turn_alone(fake_anthropic: FakeAnthropic, tmp_path: Path) -> None:
    async with before(fake_anthropic, tmp_path) as served:
        assert await told_by_runner(served) == "enough"
    assert [len(call.request["messages"]) for call in served.calls] == [1] * (ROUNDS + 1)


async def test_with_several_keys_it_goes_on_although_each_holds_its_own(
    fake_anthropic: FakeAnthropic, tmp_path: Path
) -> None:
    pool = {"pool": {"strategy": "round_robin", "uses_per_turn": 1}}
    async with before(fake_anthropic, tmp_path, "key-1", "key-2", "key-3", anthropic=pool) as served:
        assert await told_by_runner(served) == "enough"
    assert {call.status for call in served.calls} == {200, 404}


async def test_a_thread_that_is_lost_is_told_as_anthropic_tells_it(
    fake_anthropic: FakeAnthropic, tmp_path: Path
) -> None:
    lost = {"type": "continue", "previous_message_id": "msg_gone"}
    body = {"model": NEW, "max_tokens": 9, "messages": [user("hi")], "thread": lost}
    async with before(fake_anthropic, tmp_path) as served:
        told = await served.http.post("/v1/messages", json=body, headers=BETA)
        after = await served.http.post("/v1/messages", json={**body, "thread": {"type": "create"}}, headers=BETA)
    error = told.json()["error"]
    assert (told.status_code, error["type"]) == (404, "not_found_error")
    assert error["details"] == {"error_code": "thread_not_found"}
    assert after.status_code == 200
    assert len(served.calls) == 2

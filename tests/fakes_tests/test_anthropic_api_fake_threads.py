"""Threads in the fake of the Anthropic API: the official SDK holds one, and what continues none is refused."""

from __future__ import annotations

import json
from typing import Any

import anthropic as official
import pytest

from tests.fakes.anthropic_api import MESSAGES, FakeAnthropic
from tests.fakes_tests.anthropic_api_bodies import FIVE, TOOL, AnthropicClient, result, user

pytestmark = pytest.mark.anyio

BETA = "message-threads-2026-08-12"
CALL = f"!tool f {json.dumps({'q': 'x'})}"
Json = dict[str, Any]


def continued(answer: Json) -> Json:
    return {"thread": {"type": "continue", "previous_message_id": answer["id"]}, "betas": BETA}


async def begun(anthropic: AnthropicClient) -> Json:
    status, answer = await anthropic.ask(CALL, tools=[TOOL], thread={"type": "create"}, betas=BETA)
    assert status == 200, answer
    return dict(answer)


async def test_a_turn_alone_goes_on_where_the_thread_has_the_others(anthropic: AnthropicClient) -> None:
    first = await begun(anthropic)
    (call,) = [block["id"] for block in first["content"] if block["type"] == "tool_use"]
    status, second = await anthropic.ask(result(call), **continued(first))
    assert (status, second["content"][0]["text"]) == (200, '["ok"]')
    status, third = await anthropic.ask("!say more", **continued(second))
    assert (status, third["content"][0]["text"]) == (200, "more")


async def test_what_was_said_before_is_judged_with_it(anthropic: AnthropicClient) -> None:
    status, answer = await anthropic.ask("no result", **continued(await begun(anthropic)))
    assert status == 400
    assert "`tool_use` ids were found without `tool_result` blocks" in answer["error"]["message"]


async def test_what_continues_nothing_is_refused(anthropic: AnthropicClient) -> None:
    first = await begun(anthropic)
    for options in ({"key": "key-2"}, {}):
        if not options:
            anthropic.fake.threads.lose()
        body = {"model": FIVE, "max_tokens": 9, "messages": [user("hi")], "thread": continued(first)["thread"]}
        status, answer = await anthropic.call("/v1/messages", body, headers={"anthropic-beta": BETA}, **options)
        assert (status, answer["error"]["type"]) == (404, "not_found_error")
        assert answer["error"]["details"] == {"error_code": "thread_not_found"}


async def test_an_answer_is_continued_once(anthropic: AnthropicClient) -> None:
    _, first = await anthropic.ask("!say a", thread={"type": "create"}, betas=BETA)
    assert (await anthropic.ask("!say b", **continued(first)))[0] == 200
    status, answer = await anthropic.ask("!say c", **continued(first))
    assert (status, answer["error"]["details"]) == (400, {"error_code": "thread_already_continued"})


@pytest.mark.parametrize("field", [{"system": "Be kind."}, {"tools": [TOOL]}])
async def test_what_the_thread_was_created_with_is_not_sent_again(anthropic: AnthropicClient, field: Json) -> None:
    _, first = await anthropic.ask("!say a", thread={"type": "create"}, betas=BETA)
    status, answer = await anthropic.ask("!say b", **continued(first), **field)
    assert (status, next(iter(field)) in answer["error"]["message"]) == (400, True)


async def test_the_tool_runner_of_the_sdk_holds_one(fake_anthropic: FakeAnthropic) -> None:
    @official.beta_async_tool
    async def f(q: str) -> str:
        """Does f."""
        return f"found {q}"

    async with official.AsyncAnthropic(api_key="key-1", base_url=fake_anthropic.url, max_retries=0) as sdk:
        asked: Any = [user(CALL)]
        runner = sdk.beta.messages.tool_runner(model=FIVE, max_tokens=99, messages=asked, tools=[f])
        answer = await runner.until_done()
    assert answer.content[0].to_dict()["text"] == '["found x"]'
    first, second = fake_anthropic.calls(MESSAGES)
    assert (first.request["thread"], len(second.request["messages"])) == ({"type": "create"}, 1)
    assert second.request["thread"]["type"] == "continue"

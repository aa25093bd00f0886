"""Acceptance cases before Anthropic, by their numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.anthropic_api import NEW, ClaudeServed, before
from tests.conformance.matrix.wishes import PDF
from tests.conformance.served import CHAT, MESSAGES, events, user
from tests.conformance.test_cases_tools import chat_tools, messages_tools
from tests.fakes.anthropic_api import COUNT, FakeAnthropic
from tests.fakes.v1internal_reply import PIXEL

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


def called(*ids: str, content: Any = None) -> Json:
    """Have the model call f, as Chat Completions says it."""
    calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": content, "tool_calls": calls}


async def test_no_parallel_calls_is_a_choice_that_allows_one(claude: ClaudeServed) -> None:
    """B13"""
    response = await claude.post(CHAT, "hi", tools=chat_tools("f"), parallel_tool_calls=False)
    assert response.status_code == 200, response.text
    assert claude.sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


async def test_no_choice_goes_without_tools(claude: ClaudeServed) -> None:
    """B14: the fake refuses one."""
    response = await claude.post(CHAT, "hi", parallel_tool_calls=False)
    assert response.status_code == 200, response.text
    assert "tool_choice" not in claude.sent


FORCED: Json = {"tools": messages_tools("f"), "tool_choice": {"type": "any"}, "max_tokens": 4000}


async def test_a_forced_tool_gives_way_to_thinking_by_a_budget(sonnet: ClaudeServed) -> None:
    """B16"""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    response = await sonnet.post(MESSAGES, "hi", thinking=thinking, **FORCED)
    assert response.status_code == 200, response.text
    assert sonnet.sent["tool_choice"] == {"type": "auto"}
    assert sonnet.sent["thinking"] == thinking
    assert response.headers["x-gateway-lossy"] == "1"


async def test_a_model_that_thinks_as_it_likes_can_be_made_to_call(sonnet: ClaudeServed) -> None:
    response = await sonnet.post(MESSAGES, "!tool f {}", model=NEW, thinking={"type": "adaptive"}, **FORCED)
    assert response.status_code == 200, response.text
    assert sonnet.sent["tool_choice"] == {"type": "any"}
    assert sonnet.sent["thinking"]["type"] == "adaptive"
    assert "x-gateway-lossy" not in response.headers


async def test_a_choice_of_an_undeclared_tool_is_refused(claude: ClaudeServed) -> None:
    """B18"""
    choice = {"type": "function", "function": {"name": "g"}}
    response = await claude.post(CHAT, "hi", tools=chat_tools("f"), tool_choice=choice)
    assert response.status_code == 400
    assert claude.calls == []


async def test_results_follow_their_calls_in_call_order(claude: ClaudeServed) -> None:
    """C1"""
    results = [{"role": "tool", "tool_call_id": one, "content": one} for one in ("c2", "c1")]
    response = await claude.post(CHAT, "!say a", called("c1", "c2"), *results, user("next"), tools=chat_tools("f"))
    assert response.status_code == 200, response.text
    _, calls, answered = claude.sent["messages"]
    assert [one["id"] for one in calls["content"]] == [one["tool_use_id"] for one in answered["content"][:2]]
    assert [one["type"] for one in answered["content"]] == ["tool_result", "tool_result", "text"]


async def test_a_call_without_a_result_does_not_go_alone(claude: ClaudeServed) -> None:
    """C3"""
    response = await claude.post(CHAT, "a", called("c1"), user("hi"), tools=chat_tools("f"))
    assert response.status_code == 200, response.text
    result, words = claude.sent["messages"][-1]["content"]
    assert (result["type"], result["is_error"]) == ("tool_result", True)
    assert words["text"] == "hi"


async def test_results_in_messages_of_their_own_stay_results(claude: ClaudeServed) -> None:
    """The fake takes results in the next message only."""
    calls = [{"type": "tool_use", "id": f"toolu_{one}", "name": "f", "input": {}} for one in "ab"]
    results = [{"type": "tool_result", "tool_use_id": f"toolu_{one}", "content": one} for one in "ab"]
    turns = [{"role": "assistant", "content": calls}, *(user([one]) for one in results)]
    response = await claude.post(MESSAGES, "!say a", *turns, max_tokens=50, tools=messages_tools("f"))
    assert response.status_code == 200, response.text
    assert claude.sent["messages"][-1]["content"] == results


async def test_empty_content_beside_calls_is_no_text(claude: ClaudeServed) -> None:
    """C10"""
    result = {"role": "tool", "tool_call_id": "c1", "content": "4"}
    response = await claude.post(CHAT, "a", called("c1", content=""), result, tools=chat_tools("f"))
    assert response.status_code == 200, response.text
    assert [one["type"] for one in claude.sent["messages"][1]["content"]] == ["tool_use"]


JPEG = "/9j/4AAQSkZJRgABAQ=="


async def test_the_type_of_a_picture_has_its_usual_name(claude: ClaudeServed) -> None:
    """C13"""
    picture = {"type": "image_url", "image_url": {"url": f"data:IMAGE/JPG;charset=utf-8;base64,{JPEG}"}}
    response = await claude.post(CHAT, user([picture, {"type": "text", "text": "!say seen"}]))
    assert response.status_code == 200, response.text
    source = claude.sent["messages"][0]["content"][0]["source"]
    assert source == {"type": "base64", "media_type": "image/jpeg", "data": JPEG}


async def test_an_address_of_a_picture_goes_on(claude: ClaudeServed) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    response = await claude.post(CHAT, user([picture, {"type": "text", "text": "!say seen"}]))
    assert response.status_code == 200, response.text
    source = claude.sent["messages"][0]["content"][0]["source"]
    assert source == {"type": "url", "url": "https://example.com/a.png"}


async def test_a_document_goes_as_one(claude: ClaudeServed) -> None:
    """C20"""
    document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
    response = await claude.post(MESSAGES, user([document, {"type": "text", "text": "hi"}]), max_tokens=50)
    assert response.status_code == 200, response.text
    assert claude.sent["messages"][0]["content"][0]["source"]["data"] == PDF


async def test_a_picture_in_a_tool_result_reaches_the_model(claude: ClaudeServed) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    said = [
        user("!tool f {}\n!then\n!say seen"),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]},
        user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]}]),
    ]
    response = await claude.post(MESSAGES, *said, max_tokens=50, tools=messages_tools("f"))
    assert response.status_code == 200, response.text
    assert json.dumps(claude.sent["messages"][-1]).count(PIXEL) == 1


# parameters


@pytest.mark.parametrize(("defaults", "limit"), [({"max_tokens": 777}, 777), ({}, 64_000)])
async def test_an_answer_without_a_limit_gets_the_models(
    fake_anthropic: FakeAnthropic, tmp_path: Path, defaults: Json, limit: int
) -> None:
    """D2"""
    async with before(fake_anthropic, tmp_path, defaults=defaults) as served:
        assert (await served.post(CHAT, "hi")).status_code == 200
        assert served.sent["max_tokens"] == limit


async def test_the_budget_stays_below_the_limit(sonnet: ClaudeServed) -> None:
    """D4, pitfall 22"""
    response = await sonnet.post(CHAT, "hi", reasoning_effort="high", max_tokens=4000, temperature=0.3)
    assert response.status_code == 200, response.text
    assert 1024 <= sonnet.sent["thinking"]["budget_tokens"] < sonnet.sent["max_tokens"] <= 4000
    assert "temperature" not in sonnet.sent


async def test_an_effort_is_an_effort_where_the_model_knows_one(sonnet: ClaudeServed) -> None:
    response = await sonnet.post(CHAT, "hi", model=NEW, reasoning_effort="high", max_tokens=4000)
    assert response.status_code == 200, response.text
    assert (sonnet.sent["thinking"]["type"], sonnet.sent["output_config"]["effort"]) == ("adaptive", "high")


async def test_several_answers_are_refused_by_name(claude: ClaudeServed) -> None:
    """D11"""
    response = await claude.post(CHAT, "hi", n=2)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "n")
    assert claude.calls == []


async def test_what_is_lost_is_refused_in_strict_mode(fake_anthropic: FakeAnthropic, tmp_path: Path) -> None:
    async with before(fake_anthropic, tmp_path, translate={"lossy": "strict"}) as served:
        response = await served.post(CHAT, "hi", seed=7)
        assert (response.status_code, response.json()["error"]["param"]) == (400, "seed")
        assert served.calls == []


async def test_cached_tokens_are_part_of_the_prompt(claude: ClaudeServed) -> None:
    """G5, pitfall 35"""
    used = {"input_tokens": 100, "cache_read_input_tokens": 800, "cache_creation_input_tokens": 100, "output_tokens": 9}
    said = f"!say a\n!usage {json.dumps(used)}"
    told = (await claude.post(CHAT, said)).json()["usage"]
    assert (told["prompt_tokens"], told["prompt_tokens_details"]["cached_tokens"]) == (1000, 800)
    same = (await claude.post(MESSAGES, said, max_tokens=50)).json()["usage"]
    assert {name: same[name] for name in used} == used


async def test_a_call_streamed_by_pieces_is_one_call(claude: ClaudeServed) -> None:
    """B1"""
    response = await claude.post(CHAT, '!tool f {"a": 1}', tools=chat_tools("f"), stream=True)
    deltas = [one["choices"][0]["delta"] for one in events(response.text)]
    pieces = [delta["tool_calls"][0] for delta in deltas if delta.get("tool_calls")]
    assert {piece["index"] for piece in pieces} == {0}
    assert [piece["function"]["name"] for piece in pieces if piece["function"].get("name")] == ["f"]
    assert json.loads("".join(piece["function"].get("arguments", "") for piece in pieces)) == {"a": 1}


# headers


async def test_a_callers_betas_reach_anthropic_and_nothing_else_of_its_headers(claude: ClaudeServed) -> None:
    """Pitfall 24"""
    sent = [
        ("anthropic-beta", "context-1m-2025-08-07, interleaved-thinking-2025-05-14"),
        ("anthropic-beta", "files-api-2025-04-14"),
        ("anthropic-version", "2023-01-01"),
        ("x-api-key", "the-callers"),
        ("cookie", "a=b"),
        ("user-agent", "somebody/1"),
    ]
    body = {"model": claude.model, "max_tokens": 50, "messages": [user("hi")]}
    response = await claude.http.post(f"{MESSAGES}?beta=true", json=body, headers=sent)
    assert response.status_code == 200, response.text
    got = claude.calls[-1].headers
    assert got["anthropic-beta"].split(",") == [
        "context-1m-2025-08-07",
        "interleaved-thinking-2025-05-14",
        "files-api-2025-04-14",
    ]
    assert (got["anthropic-version"], got["x-api-key"]) == ("2023-06-01", "key-1")
    assert "cookie" not in got
    assert got["user-agent"].startswith("asgi-llm-gateway/")


async def test_betas_are_an_anthropic_callers_alone(claude: ClaudeServed) -> None:
    body = {"model": claude.model, "messages": [user("hi")]}
    response = await claude.http.post(CHAT, json=body, headers={"anthropic-beta": "files-api-2025-04-14"})
    assert response.status_code == 200, response.text
    assert "anthropic-beta" not in claude.calls[-1].headers


# counting


async def test_tokens_are_counted_by_anthropic(claude: ClaudeServed) -> None:
    """I1, I2"""
    plain = {"model": claude.model, "messages": [user("one two three")]}
    more = {**plain, "system": "be brief", "tools": messages_tools("f")}
    counts = []
    for body in (plain, more, plain):
        response = await claude.http.post(f"{MESSAGES}/count_tokens?beta=true", json=body)
        assert "x-gateway-token-count" not in response.headers
        counts.append(response.json()["input_tokens"])
    assert 0 < counts[0] == counts[2] < counts[1]
    assert len(claude.fake.calls(COUNT)) == 3


async def test_other_callers_are_counted_for_too(claude: ClaudeServed) -> None:
    """I2"""
    plain = {"model": claude.model, "input": "one two three"}
    more = {**plain, "instructions": "be brief"}
    counts = []
    for body in (plain, more):
        response = await claude.http.post("/v1/responses/input_tokens", json=body)
        assert "x-gateway-token-count" not in response.headers
        counts.append(response.json()["input_tokens"])
    assert counts[0] < counts[1]


async def test_a_count_that_fails_is_an_estimate(claude: ClaudeServed) -> None:
    """I1"""
    claude.fake.fail("529_overloaded", method=COUNT)
    body = {"model": claude.model, "messages": [user("one two three")]}
    response = await claude.http.post(f"{MESSAGES}/count_tokens", json=body)
    assert response.json()["input_tokens"] > 0
    assert response.headers["x-gateway-token-count"] == "estimate"

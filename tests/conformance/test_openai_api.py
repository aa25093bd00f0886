"""Callers of every dialect before OpenAI, by Chat Completions and by Responses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.openai_api import CALLERS, ENDS, OpenAIServed, Said, Wish, before
from tests.fakes.openai_api import FakeOpenAI

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", CALLERS)


# the pairs that need a translation; the others are in test_passthrough
PAIRS = [(api, dialect) for api in ("chat", "responses") for dialect in CALLERS if dialect != f"openai-{api}"]


@pytest.fixture(params=PAIRS, ids="-".join)
async def pair(
    request: pytest.FixtureRequest, fake_openai: FakeOpenAI, tmp_path: Path
) -> AsyncIterator[tuple[OpenAIServed, str]]:
    """Run a gateway that asks by another API than its caller, and name the caller's dialect."""
    api, dialect = request.param
    async with before(fake_openai, tmp_path, api) as served:
        yield served, dialect


def statuses(served: OpenAIServed) -> list[int]:
    return [call.status for call in served.calls]


@STREAM
@DIALECT
async def test_arguments_that_come_mixed_are_two_calls(chat: OpenAIServed, dialect: str, stream: bool) -> None:
    """Pitfall 86"""
    said = '!tool f {"a": 1, "b": "a long one"}\n!tool g {"a": 2, "b": "another one"}\n!toolsplit'
    heard = await chat.ask(dialect, said, tools=("f", "g"), stream=stream)
    assert [one.arguments["b"] for one in heard.calls] == ["a long one", "another one"]


@STREAM
@pytest.mark.parametrize("dialect", [one for one in CALLERS if one != "openai-responses"])
async def test_thoughts_of_responses_are_heard_where_they_are_asked_for(
    responses: OpenAIServed, dialect: str, stream: bool
) -> None:
    heard = await responses.ask(dialect, "!think ab\n!say c", model="gpt-5", thinks=True, stream=stream)
    assert (heard.thoughts, heard.text) == ("ab", "c")
    assert responses.sent["reasoning"]["effort"] == "low"
    quiet = await responses.ask(dialect, "!think ab\n!say c", model="gpt-5", stream=stream)
    assert (quiet.thoughts, quiet.text) == ("", "c")


@STREAM
@DIALECT
async def test_thoughts_of_a_compatible_server_are_heard(plain: OpenAIServed, dialect: str, stream: bool) -> None:
    heard = await plain.ask(dialect, "!think ab\n!say c", thinks=True, stream=stream)
    assert (heard.thoughts, heard.text) == ("ab", "c")


async def test_any_json_is_asked_for_with_the_word_that_openai_demands(pair: tuple[OpenAIServed, str]) -> None:
    openai, dialect = pair
    wishes: dict[str, Json] = {
        "openai-chat": {"response_format": {"type": "json_object"}},
        "gemini": {"generationConfig": {"responseMimeType": "application/json"}},
        "openai-responses": {"text": {"format": {"type": "json_object"}}},
    }
    heard = await openai.ask(dialect, "!say {}", more=wishes.get(dialect, {}))
    assert (heard.text, statuses(openai)) == ("{}", [200])


@STREAM
@pytest.mark.parametrize("finish", ["content_filter", "refusal"])
async def test_what_is_withheld_is_no_clean_end(pair: tuple[OpenAIServed, str], stream: bool, finish: str) -> None:
    """But for a refusal of the model's own towards OpenAI's callers, who read it beside the content."""
    openai, dialect = pair
    heard = await openai.ask(dialect, f"!say no\n!finish {finish}", stream=stream)
    ends_well = finish == "refusal" and dialect.startswith("openai")
    assert (heard.finish, heard.error) == (ENDS[dialect][0 if ends_well else 3], None)


# errors


@STREAM
@DIALECT
@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("400_policy", 400),
        ("400_context", 400),
        ("401_invalid_key", 502),
        ("403", 502),
        ("403_model", 404),
        ("429_requests", 429),
        ("429_quota", 429),
    ],
)
async def test_a_refusal_is_a_status_and_never_the_callers_401(
    openai: OpenAIServed, dialect: str, stream: bool, error: str, status: int
) -> None:
    """H1, H2, H6"""
    wish = Wish(said=[Said(f"!error {error}")], model="gpt-4.1", stream=stream)
    response = await openai.response(dialect, wish)
    assert response.status_code == status
    assert CALLERS[dialect].whole(response.content).error is not None
    assert ("retry-after" in response.headers) is (status == 429)
    assert "key-1" not in response.text
    assert "org-fake" not in response.text


@DIALECT
async def test_a_busy_upstream_is_overloaded(fake_openai: FakeOpenAI, tmp_path: Path, dialect: str) -> None:
    async with before(fake_openai, tmp_path, "chat", retry={"attempts": 1}) as served:
        wish = Wish(said=[Said("!error 503_overloaded")], model="gpt-4.1")
        assert (await served.response(dialect, wish)).status_code == (529 if dialect == "anthropic" else 503)


@DIALECT
async def test_another_key_serves_when_one_is_refused(fake_openai: FakeOpenAI, tmp_path: Path, dialect: str) -> None:
    async with before(fake_openai, tmp_path, "responses", "nobody", "key-2") as served:
        heard = await served.ask(dialect, "!say a")
    assert (heard.text, statuses(served)) == ("a", [401, 200])


@STREAM
@pytest.mark.parametrize("dialect", [one for one in CALLERS if one != "openai-chat"])
async def test_an_error_event_after_the_first_word_keeps_its_class(
    chat: OpenAIServed, dialect: str, stream: bool
) -> None:
    """Pitfall 37"""
    said = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}]}
    error = {"error": {"message": "Rate limit", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}}
    script = f"!chunk {json.dumps(said)}\n!chunk {json.dumps(error)}"
    wish = Wish(said=[Said(script)], model="gpt-4.1", stream=stream)
    response = await chat.response(dialect, wish)
    assert response.status_code == (200 if stream else 429)
    assert "rate" in response.text.lower() or "RESOURCE_EXHAUSTED" in response.text

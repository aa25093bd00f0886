"""Callers of every dialect before Azure OpenAI, by a dated version and by v1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.conformance.azure_api import VERSIONS, before
from tests.conformance.openai_api import CALLERS, ENDS, OpenAIServed, Said, Wish
from tests.fakes.azure_api import FakeAzure

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", CALLERS)
TRANSLATED = pytest.mark.parametrize("dialect", [name for name in CALLERS if name != "openai-chat"])
WORDS = {
    "openai-chat": ("prompt_tokens", "completion_tokens"),
    "anthropic": ("input_tokens", "output_tokens"),
    "gemini": ("promptTokenCount", "candidatesTokenCount"),
    "openai-responses": ("input_tokens", "output_tokens"),
}


@pytest.fixture(params=VERSIONS)
async def azure(request: pytest.FixtureRequest, fake_azure: FakeAzure, tmp_path: Path) -> AsyncIterator[OpenAIServed]:
    """Run a gateway that asks by this kind of address."""
    async with before(fake_azure, tmp_path, request.param) as served:
        yield served


@pytest.fixture
async def dated(fake_azure: FakeAzure, tmp_path: Path) -> AsyncIterator[OpenAIServed]:
    """Run a gateway that asks by a dated version."""
    async with before(fake_azure, tmp_path, "dated") as served:
        yield served


def statuses(served: OpenAIServed) -> list[int]:
    return [call.status for call in served.calls]


@STREAM
@DIALECT
async def test_verdicts_in_chunks_of_their_own_are_not_heard(
    dated: OpenAIServed, fake_azure: FakeAzure, dialect: str, stream: bool
) -> None:
    """Pitfall 61"""
    fake_azure.asynchronous = True
    heard = await dated.ask(dialect, "!say a text of several chunks", stream=stream)
    assert (heard.text, heard.finish, heard.error) == ("a text of several chunks", ENDS[dialect][0], None)
    assert all(heard.usage[name] > 0 for name in WORDS[dialect])
    assert [call.model for call in dated.calls] == ["chat-prod"]


async def test_pictures_are_answered_in_words(azure: OpenAIServed) -> None:
    """The fake refuses to draw."""
    wish = Wish(
        said=[Said("!say a")], model=azure.model, more={"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}
    )
    response = await azure.response("gemini", wish)
    assert (response.status_code, statuses(azure), response.headers["x-gateway-lossy"]) == (200, [200], "1")


@STREAM
@DIALECT
async def test_the_effort_goes_where_there_is_one(azure: OpenAIServed, dialect: str, stream: bool) -> None:
    heard = await azure.ask(dialect, "!think ab\n!say c", model="gpt-5", thinks=True, stream=stream)
    assert (heard.text, heard.error) == ("c", None)
    assert azure.sent["reasoning_effort"] == "low"
    await azure.ask(dialect, "!say c", model="gpt-5", stream=stream)
    assert "reasoning_effort" not in azure.sent


@STREAM
@DIALECT
async def test_a_limit_is_named_as_the_deployment_s_model_wants_it(
    azure: OpenAIServed, dialect: str, stream: bool
) -> None:
    """Pitfall 14: none is asked twice."""
    heard = await azure.ask(dialect, "!say a\n!finish length", limit=100, stream=stream, model="o4-mini")
    assert (heard.text, heard.finish) == ("a", ENDS[dialect][2])
    assert statuses(azure) == [200]


@DIALECT
async def test_a_deployment_that_refuses_the_limit_is_asked_once_more(dated: OpenAIServed, dialect: str) -> None:
    """Pitfall 14"""
    heard = await dated.ask(dialect, "!say a", limit=100, model="azure/thinker")
    assert heard.text == "a"
    assert statuses(dated) == [400, 200]


NO_PARALLEL: dict[str, Json] = {
    "openai-chat": {"parallel_tool_calls": False},
    "openai-responses": {"parallel_tool_calls": False},
    "anthropic": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
}


@pytest.mark.parametrize("dialect", NO_PARALLEL)
async def test_a_deployment_that_refuses_to_be_told_of_parallel_calls_is_asked_without(
    dated: OpenAIServed, dialect: str
) -> None:
    for _ in range(2):
        heard = await dated.ask(dialect, "!tool f {}", tools=("f",), more=NO_PARALLEL[dialect], model="azure/thinker")
        assert [one.name for one in heard.calls] == ["f"]
    assert statuses(dated)[-3:] == [400, 200, 200]


# prompts that are stopped, errors


@STREAM
@TRANSLATED
async def test_a_prompt_that_is_stopped_is_a_refusal(azure: OpenAIServed, dialect: str, stream: bool) -> None:
    heard = await azure.ask(dialect, "!error 400_content_filter", stream=stream)
    assert (heard.finish, heard.error) == (ENDS[dialect][3], None)


@STREAM
async def test_a_caller_of_the_same_dialect_gets_the_refusal_itself(azure: OpenAIServed, stream: bool) -> None:
    wish = Wish(said=[Said("!error 400_content_filter")], model="gpt-4.1", stream=stream)
    response = await azure.response("openai-chat", wish)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "content_filter")


@STREAM
@DIALECT
@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("400_context", 400),
        ("401_key", 502),
        ("401_token", 502),
        ("403_network", 502),
        ("403_quota", 429),
        ("404_deployment", 404),
        ("404_path", 502),
        ("429_tokens", 429),
    ],
)
async def test_a_refusal_is_a_status_and_never_the_callers_401(
    azure: OpenAIServed, dialect: str, stream: bool, error: str, status: int
) -> None:
    """H1, H2, H6"""
    wish = Wish(said=[Said(f"!error {error}")], model="gpt-4.1", stream=stream)
    response = await azure.response(dialect, wish)
    assert response.status_code == status, response.text
    assert CALLERS[dialect].whole(response.content).error is not None
    assert ("retry-after" in response.headers) is (status == 429)
    assert "key-1" not in response.text


@DIALECT
async def test_another_key_serves_when_one_is_refused(fake_azure: FakeAzure, tmp_path: Path, dialect: str) -> None:
    async with before(fake_azure, tmp_path, "dated", "nobody", "key-2") as served:
        heard = await served.ask(dialect, "!say a")
    assert (heard.text, statuses(served)) == ("a", [401, 200])


async def test_the_model_in_the_path_of_an_azure_client_leads_here(azure: OpenAIServed) -> None:
    path = "/openai/deployments/o4-mini/chat/completions?api-version=2024-10-21"
    response = await azure.http.post(path, json={"messages": [{"role": "user", "content": "!say a"}]})
    assert response.json()["choices"][0]["message"]["content"] == "a"
    assert azure.calls[-1].model == "thinker"
    assert cast(Any, azure.calls[-1].headers)["api-key"] == "key-1"

"""Asking Azure OpenAI: where a call goes, what it says of the model, and what each refusal leads to."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Raw

from gateway import ir
from gateway.config import ConfigError
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NoCredential,
    UpstreamCredential,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from tests.adapters.site import AzureSite, asking
from tests.fakes.azure_api import FakeAzure

pytestmark = pytest.mark.anyio

OLD, NEW = "max_tokens", "max_completion_tokens"
DATED = "/openai/deployments/my%20own/chat/completions?api-version=2024-10-21"
LIMITED = ir.Sampling(max_tokens=20)


@pytest.fixture
async def azure(fake_azure: FakeAzure, tmp_path: Path) -> AsyncIterator[AzureSite]:
    """Give a place for upstreams of type azure; no key may be lent when the test is over."""
    made = AzureSite(fake_azure, tmp_path / "data")
    yield made
    leases = made.adapter.leases if made.adapter is not None else 0
    await made.close()
    assert leases == 0


def limits(site: AzureSite) -> list[str]:
    """Say how the limit was called in each call."""
    return [name for call in site.calls for name in (OLD, NEW) if name in call.request]


# where


@pytest.mark.parametrize(
    ("endpoint", "version", "url"),
    [
        ("https://r.example", "2024-10-21", DATED),
        ("https://r.example/", "2024-10-21", DATED),
        ("https://r.example/openai", "2024-10-21", DATED),
        ("https://r.example", "v1", "/openai/v1/chat/completions"),
        ("https://r.example", "preview", "/openai/v1/chat/completions?api-version=preview"),
        ("https://r.example", "latest", "/openai/v1/chat/completions?api-version=latest"),
        ("https://r.example/openai/v1/", "2024-10-21", "/openai/v1/chat/completions"),
        ("https://r.example/openai/v1", "preview", "/openai/v1/chat/completions?api-version=preview"),
    ],
)
async def test_the_endpoint_and_the_version_say_where_a_call_goes(
    azure: AzureSite, endpoint: str, version: str, url: str
) -> None:
    adapter = azure.made("key-1", endpoint=endpoint, api_version=version, deployments={"gpt-4.1": "my own"})
    journey = adapter.open(asking("hi", "gpt-4.1"))
    outgoing = journey.outgoing()  # type: ignore[attr-defined]  # every journey of ours is Telling
    assert outgoing.url == f"https://r.example{url}"
    assert outgoing.headers["api-key"] == "***"
    assert "authorization" not in outgoing.headers
    assert json.loads(bytes(journey.body()))["model"] == "my own"


@pytest.mark.parametrize("version", ["2025-04-01-preview", "2024-10-01", "v1", "preview"])
async def test_an_answer_comes_by_either_kind_of_address(azure: AzureSite, version: str) -> None:
    await azure.open(api_version=version)
    assert await azure.ask("one two") == "one two"
    (call,) = azure.calls
    assert (call.headers["api-key"], call.model) == ("key-1", "chat-prod")
    assert call.headers["user-agent"].startswith("asgi-llm-gateway/")


async def test_a_model_goes_to_its_deployment_and_another_name_is_one(azure: AzureSite) -> None:
    await azure.open(deployments={"o4-mini": "thinker"})
    await azure.ask(model="o4-mini")
    await azure.ask(model="gpt-4.1")
    assert [call.model for call in azure.calls] == ["thinker", "gpt-4.1"]


async def test_the_models_are_those_that_are_configured_and_nothing_is_asked_for(azure: AzureSite) -> None:
    adapter = await azure.open(deployments={"gpt-5": "five"}, models=["chat-prod", "gpt-5"])
    assert list(adapter.models()) == ["gpt-5", "chat-prod"]
    assert adapter.models()["gpt-5"].max_output == 128_000
    assert adapter.models()["chat-prod"].max_output is None
    assert await adapter.listed() == ""
    assert azure.fake.requests == []


async def test_without_any_model_the_list_is_empty(azure: AzureSite) -> None:
    adapter = await azure.open()
    assert dict(adapter.models()) == {}


async def test_without_a_key_there_is_no_such_upstream(azure: AzureSite) -> None:
    with pytest.raises(ConfigError, match=r"upstream\.google: api_key is required"):
        azure.made("x", api_key=[])


# what a deployment takes


@pytest.mark.parametrize(("model", "field"), [("gpt-4.1", OLD), ("o4-mini", NEW), ("gpt-5", NEW)])
async def test_a_known_model_gets_its_field_at_once(azure: AzureSite, model: str, field: str) -> None:
    await azure.open(deployments={"o4-mini": "thinker", "gpt-5": "five"})
    await azure.ask(model=model, sampling=LIMITED)
    assert limits(azure) == [field]


async def test_a_deployment_of_any_name_is_learnt_from_one_refusal(azure: AzureSite) -> None:
    await azure.open()
    for _ in range(2):
        assert await azure.ask(model="thinker", attempts=1, sampling=LIMITED) == "hi"
    assert limits(azure) == [OLD, NEW, NEW]


@pytest.mark.parametrize(
    "schema", [b'{"type": "array", "items": {"type": "string"}}', b'{"anyOf": [{"type": "string"}]}']
)
async def test_a_deployment_that_answers_with_objects_only_is_asked_for_a_list_in_words(
    azure: AzureSite, schema: bytes
) -> None:
    """No name of a deployment says that the model is one of OpenAI's; callers of Gemini's ask for lists."""
    await azure.open(api_version="v1")
    wanted = ir.Output(kind="schema", schema=Raw(schema))
    for _ in range(2):
        begun = await azure.begin(attempts=1, dialect="gemini", output=wanted)
        begun.answer.close()
        begun.journey.done(None)
        assert [loss.path for loss in begun.journey.losses] == ["response_format"]
    asked = ["response_format" in call.request for call in azure.calls]
    assert asked == [True, False, False]
    assert all("JSON" in json.dumps(call.request["messages"]) for call in azure.calls[1:])


async def test_a_version_that_does_not_know_stream_options_is_asked_without(azure: AzureSite) -> None:
    await azure.open(api_version="2024-06-01")
    assert await azure.ask(attempts=1) == "hi"
    assert await azure.ask(attempts=1) == "hi"
    assert ["stream_options" in call.request for call in azure.calls] == [True, False, False]


async def test_tokens_are_told_although_the_first_chunk_has_no_choices(azure: AzureSite) -> None:
    """Pitfall 61"""
    await azure.open()
    begun = await azure.begin("!say a text of chunks")
    assert isinstance(begun.events[0], ir.Started)
    while await begun.answer.read() is not None:
        pass
    begun.journey.done(None)
    assert begun.answer.usage is not None
    assert begun.answer.usage.output > 0


async def test_verdicts_that_come_by_themselves_say_nothing(azure: AzureSite, fake_azure: FakeAzure) -> None:
    fake_azure.asynchronous = True
    await azure.open()
    assert await azure.ask("!say a text of several chunks") == "a text of several chunks"


# refusals


async def test_a_prompt_that_the_filter_stops_is_an_answer_without_content(azure: AzureSite) -> None:
    await azure.open()
    begun = await azure.begin("!error 400_content_filter")
    begun.journey.done(None)
    end = begun.events[-1]
    assert isinstance(end, ir.Finished)
    assert (end.reason, end.native) == ("content_filter", "content_filter")
    assert end.explanation is not None
    assert end.explanation.endswith("(filtered: violence medium)")
    assert len(azure.calls) == 1


@pytest.mark.parametrize(
    ("error", "kind", "status", "words"),
    [
        ("404_deployment", ModelNotFound, 404, "deployment for this resource does not exist"),
        ("404_path", UpstreamUnavailable, 502, "check its endpoint and api_version: Resource not found"),
        ("401_key", UpstreamCredential, 502, "the API key was rejected"),
        ("401_token", UpstreamCredential, 502, "the API key was rejected"),
        ("401_principal", UpstreamCredential, 502, "the API key was rejected"),
        ("403_network", UpstreamCredential, 502, "Firewall rules"),
        ("403_quota", UpstreamRateLimited, 429, "Out of call volume quota"),
        ("429_tokens", UpstreamRateLimited, 429, "1 credential: 1 cooling until 08:01 UTC"),
        ("408_timeout", UpstreamTimeout, 504, "did not respond in time"),
        ("503_busy", UpstreamOverloaded, 503, "temporarily unable"),
    ],
)
async def test_each_refusal_is_told_as_what_it_is(
    azure: AzureSite, error: str, kind: type[GatewayError], status: int, words: str
) -> None:
    await azure.open()
    azure.fail(error, times=9)
    with pytest.raises(kind, match=words) as caught:
        await azure.ask(attempts=1)
    assert caught.value.status == status
    assert "key-1" not in caught.value.message


@pytest.mark.parametrize("error", ["401_key", "401_token", "403_network", "404_path", "429_tokens", "403_quota"])
async def test_another_key_serves(azure: AzureSite, error: str) -> None:
    await azure.open("key-1", "key-2")
    azure.fail(error, token="key-1")
    assert await azure.ask(attempts=1) == "hi"
    assert [key for key, _ in azure.seen()] == ["key-1", "key-2"]


async def test_a_key_that_is_refused_is_used_no_more(azure: AzureSite) -> None:
    adapter = await azure.open("nobody", "key-2")
    for _ in range(2):
        assert await azure.ask(attempts=1) == "hi"
    assert azure.seen() == [("nobody", 401), ("key-2", 200), ("key-2", 200)]
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"


async def test_a_pool_of_which_none_may_do_it_has_no_credential(azure: AzureSite) -> None:
    await azure.open("key-1", "key-2")
    azure.fail("403_network", times=2)
    with pytest.raises(NoCredential, match="none of 2 credentials"):
        await azure.ask()


async def test_the_wait_is_that_of_the_finer_header(azure: AzureSite) -> None:
    await azure.open()
    azure.fail("429_tokens")
    with pytest.raises(UpstreamRateLimited) as caught:
        await azure.ask(attempts=1)
    assert caught.value.retry_after == pytest.approx(19.5)


async def test_a_busy_service_is_asked_again(azure: AzureSite) -> None:
    await azure.open()
    azure.fail("429_capacity")
    assert await azure.ask_over_pauses() == "hi"
    assert azure.adapter is not None
    assert azure.adapter.state() == "usable: 1 of 1 credentials"


@pytest.mark.parametrize(("version", "words"), [("2024-13-01", "Resource not found"), ("2024-10-2x", "Resource not")])
async def test_an_unknown_version_is_the_operators_to_mend(azure: AzureSite, version: str, words: str) -> None:
    await azure.open(api_version=version)
    with pytest.raises(UpstreamUnavailable, match=f"check its endpoint and api_version: {words}"):
        await azure.ask()


async def test_an_unknown_deployment_is_a_model_that_is_not_there(azure: AzureSite) -> None:
    await azure.open(models=["chat-prod"])
    with pytest.raises(ModelNotFound) as caught:
        await azure.ask(model="chat-pro")
    assert caught.value.message.endswith("lists no model 'chat-pro'; did you mean \"chat-prod\"?")


@pytest.mark.parametrize("version", ["2025-04-01-preview", "v1"])
async def test_a_deployment_that_takes_no_chat_is_asked_by_responses_and_remembered(
    azure: AzureSite, version: str
) -> None:
    """RooCodeInc/Roo-Code#11951: what Azure says of every chat with GPT-5 Codex and Pro."""
    await azure.open(api_version=version, deployments={"gpt-5.3-codex": "thinker"})
    words = (
        "The chatCompletion operation does not work with the specified model, gpt-5.3-codex. Please choose different"
    )
    refusal = {"status": 400, "error": {"code": "OperationNotSupported", "message": words}}
    azure.fake.script.push("!refuse " + json.dumps(refusal))
    for _ in range(2):
        assert await azure.ask(attempts=1, model="gpt-5.3-codex") == "hi"
    assert ["input" in call.request for call in azure.calls] == [False, True, True]

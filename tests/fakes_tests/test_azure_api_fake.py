"""The fake of Azure OpenAI: the official client agrees with it, and each of its checks has a case that it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from tests.fakes.azure_api import FakeAzure

pytestmark = pytest.mark.anyio

VERSION = "2025-04-01-preview"
CHAT = f"/openai/deployments/chat-prod/chat/completions?api-version={VERSION}"
NOT_FOUND = {"error": {"code": "404", "message": "Resource not found"}}


@pytest.fixture
async def sdk(fake_azure: FakeAzure) -> AsyncIterator[AsyncAzureOpenAI]:
    """Give Azure's client for event loops, without retries."""
    made = AsyncAzureOpenAI(api_key="key-1", api_version=VERSION, azure_endpoint=fake_azure.url, max_retries=0)
    async with made as client:
        yield client


@pytest.fixture
async def v1(fake_azure: FakeAzure) -> AsyncIterator[AsyncOpenAI]:
    """Give the plain client at the v1 path, as Azure's own pages have it."""
    base = f"{fake_azure.url}/openai/v1/"
    async with AsyncOpenAI(api_key="key-1", base_url=base, max_retries=0) as client:
        yield client


def user(text: str) -> Any:
    return {"role": "user", "content": text}


async def call(
    fake: FakeAzure, path: str, sent: Any = None, *, headers: dict[str, str] | None = None, verb: str = "POST"
) -> tuple[int, Any]:
    shown = {"api-key": "key-1"} if headers is None else headers
    body = {"messages": [user("hi")]} if sent is None else sent
    async with (
        aiohttp.ClientSession() as session,
        session.request(verb, fake.url + path, headers=shown, json=body if verb == "POST" else None) as response,
    ):
        return response.status, await response.json()


# the official client


async def test_the_client_hears_text(sdk: AsyncAzureOpenAI, v1: AsyncOpenAI) -> None:
    for client in (sdk, v1):
        answer = await client.chat.completions.create(model="chat-prod", messages=[user("!say hello")])
        assert answer.choices[0].message.content == "hello"
        assert answer.model == "gpt-4.1-2025-04-14"
        assert answer.model_extra is not None
        assert answer.model_extra["prompt_filter_results"][0]["prompt_index"] == 0


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_client_hears_a_stream_between_verdicts(
    sdk: AsyncAzureOpenAI, fake_azure: FakeAzure, asynchronous: bool
) -> None:
    fake_azure.asynchronous = asynchronous
    made = await sdk.chat.completions.create(
        model="chat-prod", messages=[user("!say a text of chunks")], stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in made]
    said = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in said if delta) == "a text of chunks"
    assert chunks[0].choices == []
    assert chunks[-1].usage is not None
    assert any(delta is None for delta in said) is asynchronous


async def test_the_client_embeds_and_draws(sdk: AsyncAzureOpenAI, v1: AsyncOpenAI) -> None:
    for client in (sdk, v1):
        made = await client.embeddings.create(model="vectors", input="a")
        assert len(made.data[0].embedding) == 1536
        assert (await client.images.generate(model="painter", prompt="a dot")).data


async def test_the_v1_path_lists_models_that_could_be_deployed(v1: AsyncOpenAI) -> None:
    assert "gpt-4.1" in [model.id async for model in v1.models.list()]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("400_content_filter", openai.BadRequestError),
        ("400_context", openai.BadRequestError),
        ("401_token", openai.AuthenticationError),
        ("403_network", openai.PermissionDeniedError),
        ("404_deployment", openai.NotFoundError),
        ("429_tokens", openai.RateLimitError),
        ("500_server", openai.InternalServerError),
    ],
)
async def test_errors_have_their_classes(sdk: AsyncAzureOpenAI, error: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await sdk.chat.completions.create(model="chat-prod", messages=[user(f"!error {error}")])


async def test_a_stopped_prompt_says_which_filter_it_was(sdk: AsyncAzureOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await sdk.chat.completions.create(model="chat-prod", messages=[user("!error 400_content_filter")])
    assert isinstance(raised.value.body, dict)
    assert raised.value.code == "content_filter"
    assert raised.value.body["innererror"]["content_filter_result"]["violence"]["filtered"] is True


# what it refuses


@pytest.mark.parametrize(
    "path",
    [
        "/openai/deployments/chat-prod/chat/completions",
        "/openai/deployments/chat-prod/chat/completions?api-version=2024-13-01",
        "/openai/deployments/chat-prod/chat/completions?api-version=v1",
        f"/openai/deployments/chat-prod/completions?api-version={VERSION}",
        f"/v1/chat/completions?api-version={VERSION}",
        f"/openai/deployments/chat-prod/responses?api-version={VERSION}",
        "/openai/v1/completions",
    ],
)
async def test_what_there_is_not_is_a_resource_that_is_not_found(fake_azure: FakeAzure, path: str) -> None:
    assert await call(fake_azure, path) == (404, NOT_FOUND)


async def test_a_get_is_not_found_either(fake_azure: FakeAzure) -> None:
    assert await call(fake_azure, CHAT, verb="GET") == (404, NOT_FOUND)


async def test_the_v1_path_takes_no_dated_version(fake_azure: FakeAzure) -> None:
    status, body = await call(fake_azure, "/openai/v1/chat/completions?api-version=2024-10-21")
    assert (status, body["error"]["message"]) == (400, "API version not supported")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer key-1"}])
async def test_the_dated_path_wants_the_key_in_its_own_header(fake_azure: FakeAzure, headers: dict[str, str]) -> None:
    status, body = await call(fake_azure, CHAT, headers=headers)
    assert (status, body["statusCode"]) == (401, 401)
    assert "error" not in body


@pytest.mark.parametrize("path", [CHAT, "/openai/v1/chat/completions"])
async def test_an_unknown_key_is_refused(fake_azure: FakeAzure, path: str) -> None:
    status, body = await call(fake_azure, path, headers={"api-key": "nobody"})
    assert (status, body["error"]["code"]) == (401, "401")
    assert "invalid subscription key" in body["error"]["message"]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (f"/openai/deployments/gpt-9/chat/completions?api-version={VERSION}", {"messages": []}),
        ("/openai/v1/chat/completions", {"model": "gpt-9", "messages": []}),
    ],
)
async def test_an_unknown_deployment_is_refused(fake_azure: FakeAzure, path: str, sent: Any) -> None:
    status, body = await call(fake_azure, path, sent)
    assert (status, body["error"]["code"]) == (404, "DeploymentNotFound")


async def test_the_v1_path_wants_the_model_in_the_body(fake_azure: FakeAzure) -> None:
    status, body = await call(fake_azure, "/openai/v1/chat/completions")
    assert (status, body["error"]["message"]) == (400, "you must provide a model parameter")


@pytest.mark.parametrize(
    ("deployment", "operation", "sent"),
    [
        ("vectors", "chat/completions", {"messages": []}),
        ("chat-prod", "embeddings", {"input": "a"}),
        ("chat-prod", "images/generations", {"prompt": "a"}),
    ],
)
async def test_a_deployment_does_only_what_its_model_can(
    fake_azure: FakeAzure, deployment: str, operation: str, sent: Any
) -> None:
    path = f"/openai/deployments/{deployment}/{operation}?api-version={VERSION}"
    status, body = await call(fake_azure, path, sent)
    assert (status, body["error"]["code"]) == (400, "OperationNotSupported")


@pytest.mark.parametrize("field", ["stream_options", "max_completion_tokens", "reasoning_effort"])
async def test_an_older_version_does_not_know_newer_fields(fake_azure: FakeAzure, field: str) -> None:
    path = CHAT.replace(VERSION, "2024-06-01")
    status, body = await call(fake_azure, path, {"messages": [user("hi")], field: 1})
    assert (status, body["error"]["message"]) == (400, f"Unrecognized request argument supplied: {field}")


async def test_the_model_behind_a_deployment_has_its_own_rules(fake_azure: FakeAzure) -> None:
    path = CHAT.replace("chat-prod", "thinker")
    status, body = await call(fake_azure, path, {"messages": [user("hi")], "max_tokens": 5})
    assert status == 400
    assert "Use 'max_completion_tokens' instead" in body["error"]["message"]


async def test_what_was_withheld_says_by_which_filter(fake_azure: FakeAzure) -> None:
    _, body = await call(fake_azure, CHAT, {"messages": [user("!say no\n!finish content_filter")]})
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["content_filter_results"]["violence"]["filtered"] is True

"""The OpenAI SDK gets embeddings and pictures, whoever makes them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.conformance.making import standing
from tests.conformance.vertex_api import logged_in
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.vertex_api import FakeVertex

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG"
EMBEDDERS = pytest.mark.parametrize(
    ("model", "size"),
    [
        ("openai/text-embedding-3-small", 1536),
        ("azure/text-embedding-3-small", 1536),
        ("gemini/gemini-embedding-001", 3072),
        ("vertex/gemini-embedding-001", 3072),
        ("vertex/gemini-embedding-2", 3072),
        ("vertex/text-embedding-005", 768),
    ],
)
PAINTERS = pytest.mark.parametrize(
    "model",
    [
        "openai/gpt-image-1",
        "azure/painter",
        "gemini/imagen-4.0-generate-001",
        "gemini/gemini-2.5-flash-image",
        "vertex/imagen-4.0-generate-001",
        "vertex/gemini-2.5-flash-image",
    ],
)


@pytest.fixture
async def url(
    fake_openai: FakeOpenAI,
    fake_azure: FakeAzure,
    fake_gemini: FakeGemini,
    fake_vertex: FakeVertex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[str]:
    """Run a gateway before four upstreams that embed and draw, and one that does not."""
    logged_in(fake_vertex, tmp_path, monkeypatch)
    upstream: dict[str, Any] = {
        "openai": {"type": "openai", "base_url": f"{fake_openai.url}/v1", "api_key": "key-1", "models": ["gpt-4.1"]},
        "azure": {
            "type": "azure",
            "endpoint": fake_azure.url,
            "api_key": "key-1",
            "api_version": "2025-04-01-preview",
            "deployments": {"text-embedding-3-small": "vectors"},
        },
        "gemini": {"type": "gemini", "base_url": fake_gemini.url, "api_key": "key-1", "models": ["gemini-2.5-flash"]},
        "vertex": {"type": "vertex", "base_url": fake_vertex.url},
        "demo": {"type": "demo"},
    }
    async with standing(tmp_path / "data", upstream) as http:
        yield str(http.base_url).rstrip("/")


@pytest.fixture
async def sdk(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """Give the SDK for event loops, without retries."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
        yield client


@EMBEDDERS
async def test_embeddings_are_decoded_as_by_default(sdk: openai.AsyncOpenAI, model: str, size: int) -> None:
    """Without a format the SDK asks for base64, and unpacks it."""
    made = await sdk.embeddings.create(model=model, input=["a", "b"])
    plain = await sdk.embeddings.create(model=model, input=["a", "b"], encoding_format="float")
    assert made.model == model
    assert made.usage.prompt_tokens > 0
    for packed, given in zip(made.data, plain.data, strict=True):
        assert len(packed.embedding) == size
        assert packed.embedding == pytest.approx(given.embedding, abs=1e-6)


@EMBEDDERS
async def test_dimensions(sdk: openai.AsyncOpenAI, model: str, size: int) -> None:
    made = await sdk.embeddings.create(model=model, input="a", dimensions=64)
    assert len(made.data[0].embedding) == 64 < size


@PAINTERS
async def test_pictures(sdk: openai.AsyncOpenAI, model: str) -> None:
    drawn = await sdk.images.generate(model=model, prompt="!image", n=2)
    assert drawn.data is not None
    assert [base64.b64decode(one.b64_json or "")[:4] for one in drawn.data] == [PNG, PNG]


@PAINTERS
async def test_a_stream_of_pictures(sdk: openai.AsyncOpenAI, model: str) -> None:
    stream = await sdk.images.generate(model=model, prompt="!image", stream=True)
    *_, last = [event async for event in stream]
    assert last.type == "image_generation.completed"
    assert base64.b64decode(last.b64_json)[:4] == PNG


@pytest.mark.parametrize("model", ["gemini/gemini-2.5-flash-image", "vertex/gemini-2.5-flash-image"])
async def test_a_streamed_picture_has_all_that_its_type_demands(url: str, model: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", _strict_response_validation=True) as client:
        stream = await client.images.generate(model=model, prompt="!image", n=2, stream=True)
        events = [event async for event in stream]
    assert [event.type for event in events] == ["image_generation.completed"] * 2
    assert {event.size for event in events} == {"1x1"}
    first, last = [event.usage.output_tokens for event in events if event.type == "image_generation.completed"]
    assert first == 0 < last


async def test_azures_client_embeds_and_draws(url: str) -> None:
    client = openai.AsyncAzureOpenAI(api_key="k", api_version="2024-10-21", azure_endpoint=url, max_retries=0)
    async with client:
        made = await client.embeddings.create(model="azure/text-embedding-3-small", input="a")
        drawn = await client.images.generate(model="azure/painter", prompt="a dot")
    assert len(made.data[0].embedding) == 1536
    assert drawn.data


@pytest.mark.parametrize("model", ["demo/demo", "demo/x"])
async def test_what_no_upstream_has_is_not_found(sdk: openai.AsyncOpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError, match="which has no embeddings"):
        await sdk.embeddings.create(model=model, input="a")
    with pytest.raises(openai.NotFoundError, match="which has no image generation"):
        await sdk.images.generate(model=model, prompt="a")


async def test_a_refusal_is_a_bad_request_with_its_code(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await sdk.images.generate(model="gemini/imagen-4.0-generate-001", prompt="!withheld")
    assert raised.value.code == "moderation_blocked"

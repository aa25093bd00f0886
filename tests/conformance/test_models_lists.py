"""The model lists: every name that can be used, once, in the form that the caller reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai

from tests.conformance.served import CHAT, Served, settings, standing
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

FLASH = "gemini-2.5-flash"
ALIAS = {"best": [f"google/{FLASH}", "demo"], "qwen3:8b": FLASH, "my-*": FLASH}
NAMES = [
    FLASH,
    "claude-sonnet-4-6",
    "demo",
    "best",
    "qwen3:8b",
    f"{FLASH}-search",
    f"{FLASH}-nothinking",
    f"{FLASH}-maxthinking",
    "claude-sonnet-4-6-search",
    "best-search",
    "qwen3:8b-search",
]
FORMS = [
    ("/v1/models", {}, "data", "id", ""),
    ("/v1/models", {"anthropic-version": "2023-06-01"}, "data", "id", ""),
    ("/v1beta/models", {}, "models", "name", "models/"),
]


@pytest.fixture(scope="module")
async def listing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Run a gateway over two upstreams, with aliases and two keys."""
    async with FakeV1Internal() as fake:
        config = settings(
            fake,
            tmp_path_factory.mktemp("gateway"),
            google={"models": [FLASH, "claude-sonnet-4-6"]},
            models={"alias": ALIAS},
            key=[
                {"name": "all", "secret": "sk-everything"},
                {"name": "some", "secret": "sk-some", "models": ["*-search"]},
            ],
        )
        config["upstream"]["demo"] = {"type": "demo"}
        async with standing(fake, config) as one:
            one.http.headers["authorization"] = "Bearer sk-everything"
            yield one


@pytest.mark.parametrize(("path", "headers", "list_key", "id_key", "prefix"), FORMS)
async def test_the_lists_hold_models_aliases_and_variants_once(
    listing: Served, path: str, headers: Any, list_key: str, id_key: str, prefix: str
) -> None:
    """C16, S4-41: an alias for many names is no name, and the demo has no variants"""
    listed = (await listing.http.get(path, headers=headers)).json()[list_key]
    assert [model[id_key] for model in listed] == [f"{prefix}{name}" for name in NAMES]


@pytest.mark.parametrize(("path", "headers", "list_key", "id_key", "prefix"), FORMS)
@pytest.mark.parametrize(
    "name", [*NAMES, f"google/{FLASH}", f"google/{FLASH}-search", "demo/demo", f"{FLASH}-20250101", "my-own"]
)
async def test_every_name_that_can_be_used_can_be_looked_up(
    listing: Served, path: str, headers: Any, list_key: str, id_key: str, prefix: str, name: str
) -> None:
    found = await listing.http.get(f"{path}/{name}", headers=headers)
    assert (found.status_code, found.json()[id_key]) == (200, f"{prefix}{name}")


@pytest.mark.parametrize(("path", "headers", "list_key", "id_key", "prefix"), FORMS)
@pytest.mark.parametrize("name", ["nothing", "google/nothing", "demo-search-", "claude-sonnet-4-6-nothinking"])
async def test_another_name_is_404(
    listing: Served, path: str, headers: Any, list_key: str, id_key: str, prefix: str, name: str
) -> None:
    found = await listing.http.get(f"{path}/{name}", headers=headers)
    assert found.status_code == 404
    assert "is not served here" in found.json()["error"]["message"]


async def test_a_name_that_is_misspelt_is_told_those_near_it_that_the_key_may_use(listing: Served) -> None:
    async def told(name: str, key: str) -> str:
        found = await listing.http.get(f"/v1/models/{name}", headers={"authorization": f"Bearer {key}"})
        message: str = found.json()["error"]["message"]
        return message.partition("; did you mean ")[2]

    assert (await told("claude-sonet-4-6", "sk-everything")).startswith("claude-sonnet-4-6, ")
    assert "claude-sonnet-4-6" not in (await told("claude-sonet-4-6", "sk-some")).removesuffix("?").split(", ")


async def test_the_openai_client_looks_a_variant_up(listing: Served) -> None:
    async with openai.AsyncOpenAI(api_key="sk-everything", base_url=f"{listing.url}/v1", max_retries=0) as client:
        found = await client.models.retrieve(f"google/{FLASH}-search")
    assert (found.id, found.owned_by) == (f"google/{FLASH}-search", "google")


async def test_azures_client_lists_them_and_looks_one_up(listing: Served) -> None:
    async with openai.AsyncAzureOpenAI(
        api_key="sk-everything", api_version="2024-10-21", azure_endpoint=listing.url, max_retries=0
    ) as client:
        listed = [model.id async for model in client.models.list()]
        found = await client.models.retrieve("qwen3:8b")
    assert (listed, found.id) == (NAMES, "qwen3:8b")


async def test_the_anthropic_client_reads_the_limits_of_a_variant(listing: Served) -> None:
    async with anthropic.AsyncAnthropic(api_key="sk-everything", base_url=listing.url, max_retries=0) as client:
        found = await client.models.retrieve(f"{FLASH}-nothinking")
    assert (found.display_name, found.max_tokens) == ("Gemini 2.5 Flash (nothinking)", 65_535)


async def test_the_google_client_reads_the_limits_of_an_alias(listing: Served) -> None:
    client = genai.Client(api_key="sk-everything", http_options=genai.types.HttpOptions(base_url=listing.url))
    found = await client.aio.models.get(model="best")
    await client.aio.aclose()
    assert (found.name, found.output_token_limit) == ("models/best", 65_535)


async def test_a_key_sees_the_names_that_it_may_use(listing: Served) -> None:
    headers = {"authorization": "Bearer sk-some"}
    listed = (await listing.http.get("/v1/models", headers=headers)).json()["data"]
    assert [model["id"] for model in listed] == [name for name in NAMES if name.endswith("-search")]
    refused = await listing.http.get(f"/v1/models/{FLASH}", headers=headers)
    error = refused.json()["error"]
    assert (refused.status_code, error["param"], error["code"]) == (404, "model", "model_not_found")


@pytest.mark.parametrize(("model", "status"), [(f"{FLASH}-search", 200), (f"models/{FLASH}-search", 200), (FLASH, 403)])
async def test_a_key_uses_the_names_that_it_sees(listing: Served, model: str, status: int) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    response = await listing.http.post(CHAT, json=body, headers={"authorization": "Bearer sk-some"})
    assert response.status_code == status


async def test_without_list_variants_they_work_but_are_not_listed(
    fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    config = settings(fake_v1internal, tmp_path, google={"models": [FLASH]}, models={"list_variants": False})
    async with standing(fake_v1internal, config) as served:
        listed = (await served.http.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == [FLASH]
        assert (await served.post(CHAT, "hi", model=f"{FLASH}-search")).status_code == 200

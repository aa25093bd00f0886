"""Acceptance cases I: token counts and model lists."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai

from tests.conformance.served import GEMINI_3, Served, settings, standing
from tests.conformance.test_cases_tools import NUMBERS, messages_tools
from tests.conformance.upstreams import Upstream, before
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

COUNTED_S, TRIES = 0.2, 20  # the figure is for a machine that has nothing else to do
COUNT = "/v1/messages/count_tokens?beta=true"
MODELS = [GEMINI_3, "claude-sonnet-4-6", "gemini-2.5-flash"]
LISTED = [
    *MODELS,
    f"{GEMINI_3}-search",
    "claude-sonnet-4-6-search",
    "gemini-2.5-flash-search",
    "gemini-2.5-flash-nothinking",
    "gemini-2.5-flash-maxthinking",
]


async def count(served: Served, **fields: Any) -> int:
    response = await served.post(COUNT, "How long is this?", **fields)
    assert response.status_code == 200
    (name, tokens), *rest = response.json().items()
    assert (name, type(tokens), rest) == ("input_tokens", int, [])
    return int(tokens)


async def test_tokens_are_counted_without_a_network(fresh: Served) -> None:
    """I1"""
    await fresh.fake.stop_base("a")
    took_s: list[float] = []
    while not took_s or (min(took_s) >= COUNTED_S and len(took_s) < TRIES):
        began = time.monotonic()
        response = await fresh.post(COUNT, "How long is this?")
        took_s.append(time.monotonic() - began)
        assert (response.status_code, response.json()["input_tokens"] > 0) == (200, True)
        assert response.headers["x-gateway-token-count"] == "estimate"
    assert min(took_s) < COUNTED_S


async def test_tokens_are_counted_without_an_upstream_that_counts(
    fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    """I1"""
    config = settings(fake_v1internal, tmp_path) | {"upstream": {"demo": {"type": "demo"}}}
    async with standing(fake_v1internal, config) as served:
        assert await count(served, model="demo") > 0


@pytest.mark.parametrize("reachable", [True, False])
async def test_instructions_and_tools_count_and_the_same_counts_the_same(fresh: Served, reachable: bool) -> None:
    """I2"""
    if not reachable:
        await fresh.fake.stop_base("a")
    bare = await count(fresh)
    full = await count(fresh, system="Be brief.", tools=messages_tools("add", schema=NUMBERS))
    assert full > bare
    assert await count(fresh) == bare


async def test_counting_costs_no_answer(fresh: Served) -> None:
    """I1: a burst of counts at start-up must not use up what answers need."""
    for _ in range(5):
        await count(fresh)
    assert fresh.calls == []


@pytest.fixture
async def listing(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway with a fixed list of models."""
    async with before(upstream, tmp_path, google={"models": MODELS}) as one:
        yield one


async def test_the_openai_client_lists_models(listing: Served) -> None:
    """I6"""
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{listing.url}/v1", max_retries=0) as client:
        listed = [model async for model in client.models.list()]
        one = await client.models.retrieve(GEMINI_3)
    assert [model.id for model in listed] == LISTED
    assert {(model.object, type(model.created), type(model.owned_by)) for model in listed} == {("model", int, str)}
    assert one.id == GEMINI_3


async def test_the_anthropic_client_lists_models(listing: Served) -> None:
    """I6"""
    async with anthropic.AsyncAnthropic(api_key="k", base_url=listing.url, max_retries=0) as client:
        listed = [model async for model in client.models.list()]
        in_use = [model async for model in client.models.list(lifecycle=["active", "deprecated"])]
        others = [model async for model in client.models.list(lifecycle=["deprecated", "retired"])]
        one = await client.models.retrieve(GEMINI_3)
    assert [model.id for model in listed] == LISTED
    assert (in_use, others) == (listed, [])
    assert {model.type for model in listed} == {"model"}
    assert all(model.display_name and model.created_at for model in listed)
    assert one.id == GEMINI_3


async def test_the_google_client_lists_models(listing: Served) -> None:
    """I6"""
    options = genai.types.HttpOptions(base_url=listing.url)
    client = genai.Client(api_key="k", http_options=options)
    listed = [model async for model in await client.aio.models.list()]
    one = await client.aio.models.get(model=GEMINI_3)
    await client.aio.aclose()
    assert [model.name for model in listed] == [f"models/{name}" for name in LISTED]
    assert one.name == f"models/{GEMINI_3}"


async def test_the_headers_tell_the_lists_apart(listing: Served) -> None:
    """I6"""
    plain = (await listing.http.get("/v1/models")).json()
    messages = (await listing.http.get("/v1/models", headers={"anthropic-version": "2023-06-01"})).json()
    google = (await listing.http.get("/v1beta/models")).json()
    assert plain["object"] == "list"
    assert (messages["has_more"], messages["first_id"], messages["last_id"]) == (False, LISTED[0], LISTED[-1])
    assert [model["name"] for model in google["models"]] == [f"models/{name}" for name in LISTED]

"""Which models are listed, what is known about them, and when the list is fetched."""

import asyncio
from pathlib import Path

import pytest

from gateway import ir
from gateway.adapters.v1internal import V1Internal
from gateway.adapters.v1internal_models import SHIPPED, read_bucket_models, read_models, read_quota
from gateway.upstream import ModelInfo
from tests.adapters.site import Site
from tests.fakes.v1internal_models import GEMINI_CLI

pytestmark = pytest.mark.anyio

CONTROL = Path(__file__).parents[1] / "fixtures" / "v1internal" / "control"
PROMISED = (
    "claude-opus-4-5-thinking",
    "claude-sonnet-4-5",
    "claude-sonnet-4-5-thinking",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-flash-thinking",
    "gemini-3-flash",
    "gemini-3-pro-low",
    "gemini-3-pro-high",
    "gemini-3-pro-image",
)


async def fetched(site: Site, adapter: V1Internal, count: int = 1) -> None:
    """Wait until a list has been fetched and taken."""
    await site.fake.wait_for("fetchAvailableModels", count)
    while not site.clock.sleepers:  # noqa: ASYNC110 - a sleep that begins sets no event
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("other", ["null", '"soon"', '{"displayName": 1}', '{"quotaInfo": []}'])
def test_a_model_of_a_form_that_is_not_known_hides_no_other(other: str) -> None:
    body = f'{{"models": {{"a": {other}, "b": {{"displayName": "B", "quotaInfo": {{"remainingFraction": 0.5}}}}}}}}'
    assert set(read_models(body.encode()).models) == {"b"}
    assert {name: quota.remaining for name, quota in read_quota(body.encode(), 0).items()} == {"b": 0.5}


@pytest.mark.parametrize("name", PROMISED)
def test_the_shipped_table_knows_the_promised_models(name: str) -> None:
    info = SHIPPED[name]
    assert info.max_output is not None
    assert info.thinking is not None


def test_a_fetched_list_is_read_without_what_is_internal() -> None:
    catalogue = read_models((CONTROL / "fetchAvailableModels.json").read_bytes())
    assert list(catalogue.models) == [
        "claude-sonnet-4-6",
        "claude-opus-4-6-thinking",
        "gemini-3-flash",
        "gemini-3.1-flash-image",
        "gpt-oss-120b-medium",
    ]
    assert catalogue.models["claude-sonnet-4-6"] == ModelInfo(
        id="claude-sonnet-4-6",
        display_name="Claude Sonnet 4.6 (Thinking)",
        max_input=200_000,
        max_output=64_000,
        thinking=True,
    )
    assert catalogue.models["gemini-3.1-flash-image"].max_output == SHIPPED["gemini-3.1-flash-image"].max_output
    assert catalogue.renamed == {"gemini-3-pro-high": "gemini-pro-agent"}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"models": 1}', b'{"models": {"a": 1}}', b"[" * 100_000])
def test_a_list_that_cannot_be_read_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_models(body)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"models": {}}', b'{"models": {"tab_x": {"displayName": "tab_x"}, "unnamed": {}}}']
)
def test_an_answer_without_a_model_for_anybody_is_no_list(body: bytes) -> None:
    """S0-41, C16: the shipped table, or the last list, knows more"""
    with pytest.raises(ValueError, match="its list has no models"):
        read_models(body)


async def test_configured_models_are_the_list_with_what_is_known_of_them(site: Site) -> None:
    adapter = await site.open(models=["gemini-3-flash", "brand-new"])
    assert list(adapter.models()) == ["gemini-3-flash", "brand-new"]
    assert adapter.models()["gemini-3-flash"].max_output == 65_536
    assert adapter.models()["brand-new"] == ModelInfo(id="brand-new")
    await site.ask()
    assert site.fake.calls("fetchAvailableModels") == []


async def test_the_shipped_table_is_the_list_until_one_is_fetched(site: Site) -> None:
    site.fake.models = {"gemini-3-flash": 1.0, "gemini-9": 1.0, "tab_x": 1.0}
    site.fake.oauth.hold()
    adapter = await site.open(models=[])
    assert set(PROMISED) <= adapter.models().keys()
    site.fake.oauth.release()
    await fetched(site, adapter)
    assert list(adapter.models()) == ["gemini-3-flash", "gemini-9"]


async def test_the_list_is_fetched_every_hour(site: Site) -> None:
    adapter = await site.open(models=[])
    await fetched(site, adapter)
    site.fake.models = {"gemini-9": 1.0}
    await site.clock.advance(3600)
    await fetched(site, adapter, 2)
    assert list(adapter.models()) == ["gemini-9"]


async def test_a_list_that_cannot_be_fetched_is_asked_for_again(site: Site) -> None:
    site.fake.fail("500_internal", times=2, method="fetchAvailableModels")
    adapter = await site.open(models=[])
    await fetched(site, adapter, 2)
    assert set(PROMISED) <= adapter.models().keys()
    await site.clock.advance(60)
    await fetched(site, adapter, 3)
    assert "gemini-3-flash-agent" in adapter.models()


async def test_a_fetched_list_outlives_a_restart(site: Site) -> None:
    site.fake.models = {"gemini-9": 1.0}
    adapter = await site.open(models=[])
    await fetched(site, adapter)
    site.fake.oauth.hold()
    adapter = await site.open(models=[])
    assert list(adapter.models()) == ["gemini-9"]
    site.fake.oauth.release()


async def test_the_other_client_s_models_are_those_that_have_a_quota(site: Site) -> None:
    site.fake.oauth.accounts["rt-1"].quotas = {"gemini-2.5-pro": 0.25}
    adapter = await site.open(models=[], envelope="gemini-cli")
    assert await adapter.listed() == ""
    assert list(adapter.models()) == list(GEMINI_CLI)
    assert adapter.credentials[0].row.quota["gemini-2.5-pro"].remaining == 0.25
    assert site.fake.calls("fetchAvailableModels") == []


async def test_the_other_client_s_list_waits_for_a_project(site: Site) -> None:
    site.fake.oauth.accounts["rt-1"].state = "not_onboarded"
    adapter = await site.open(models=[], envelope="gemini-cli")
    assert await adapter.listed() == "the account has no project yet"
    assert set(PROMISED) <= adapter.models().keys()
    await site.ask()
    await site.clock.advance(60)
    await site.fake.wait_for("retrieveUserQuota")
    while list(adapter.models()) != list(GEMINI_CLI):  # noqa: ASYNC110 - a list that is taken sets no event
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"buckets": []}', b'{"buckets": [{}]}', b'{"buckets": [{"modelId": 1}]}']
)
def test_buckets_that_name_no_model_are_no_list(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_bucket_models(body)


async def test_fetching_takes_no_turn(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2", models=[], pool={"uses_per_turn": 1})
    await fetched(site, adapter)
    await site.ask()
    await site.ask()
    assert [token for _, token, _ in site.seen()] == ["rt-1", "rt-2"]


async def test_a_retired_model_is_asked_for_by_its_new_id(site: Site) -> None:
    site.fake.models = {"gemini-pro-agent": 1.0}
    adapter = await site.open(models=[])
    await fetched(site, adapter)
    await site.ask(model="gemini-3-pro-high")
    assert site.fake.calls()[-1].body["model"] == "gemini-pro-agent"


@pytest.mark.parametrize("tiered", ["gemini-3.8-flash-tiered", "gemini-3.8-flash"])
async def test_a_model_that_is_listed_by_its_tiers_is_asked_for_without_one(site: Site, tiered: str) -> None:
    site.fake.models = {tiered: 1.0, "gemini-3.8-flash-high": 1.0}
    adapter = await site.open(models=[])
    await fetched(site, adapter)
    level = ir.Reasoning(mode="level", level="low", visible=True)
    await site.ask(model="gemini-3.8-flash", reasoning=level)
    assert site.fake.calls()[-1].body["model"] == tiered
    config = site.fake.calls()[-1].request["generationConfig"]
    assert config["thinkingConfig"] == {"includeThoughts": True, "thinkingLevel": "low"}


async def test_a_listed_model_is_never_renamed(site: Site) -> None:
    adapter = await site.open(models=[])
    await fetched(site, adapter)
    await site.ask(model="gemini-3-pro-high")
    assert site.fake.calls()[-1].body["model"] == "gemini-3-pro-high"


async def test_the_output_limit_of_the_model_holds(site: Site) -> None:
    await site.open()
    await site.ask(model="claude-sonnet-4-5", sampling=ir.Sampling(max_tokens=131_072))
    assert site.fake.calls()[-1].request["generationConfig"]["maxOutputTokens"] == 64_000

"""The models of Anthropic: what is known of them by name, and the list that it gives."""

import pytest

from gateway.adapters.anthropic_models import SHIPPED, described, traits_of
from gateway.upstream import ModelInfo
from tests.adapters.site import AnthropicSite

pytestmark = pytest.mark.anyio


async def test_the_list_is_fetched_with_a_key_and_kept_over_a_restart(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open(models=[])
    assert await adapter.listed() == ""
    assert list(adapter.models()) == list(anthropic.fake.models)
    listed = anthropic.fake.calls("models.list")[0]
    assert listed.headers["x-api-key"] == "key-1"
    assert listed.headers["anthropic-version"] == "2023-06-01"
    anthropic.fake.models = []
    anthropic.fake.fail("500_internal", method="models.list")
    adapter = await anthropic.open(models=[])
    assert "claude-opus-4-6" in adapter.models()


async def test_every_page_of_a_long_list_is_read(anthropic: AnthropicSite) -> None:
    anthropic.fake.models = [f"claude-opus-5-{number}" for number in range(1003)]
    adapter = await anthropic.open(models=[])
    assert await adapter.listed() == ""
    assert len(adapter.models()) == 1003
    assert len(anthropic.fake.calls("models.list")) == 2


async def test_the_list_says_how_much_a_model_takes(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open(models=[])
    await adapter.listed()
    info = adapter.models()["claude-sonnet-4-5-20250929"]
    assert (info.max_input, info.max_output, info.thinking) == (200_000, 64_000, True)
    assert info.display_name == "Claude Sonnet 4.5"


async def test_a_model_that_is_listed_with_its_date_is_known_without_it(anthropic: AnthropicSite) -> None:
    anthropic.fake.models = ["claude-opus-4-6", "claude-haiku-4-5-20251001", "claude-3-7-sonnet-20250219"]
    adapter = await anthropic.open(models=[])
    await adapter.listed()
    assert adapter.renamed() == {"claude-haiku-4-5": "claude-haiku-4-5"}


async def test_configured_models_are_not_asked_for(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open(models=["mine"])
    assert list(adapter.models()) == ["mine"]
    assert anthropic.fake.requests == []


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-opus-4-1", 32_000),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-3-haiku-20240307", 4096),
        ("m-2", None),
    ],
)
@pytest.mark.parametrize("listed", [True, False], ids=["configured", "not listed"])
async def test_what_the_name_of_a_model_tells_holds_where_no_list_does(
    anthropic: AnthropicSite, model: str, limit: int | None, listed: bool
) -> None:
    adapter = anthropic.made("key-1", models=[model] if listed else ["mine"])
    assert adapter.info(model).max_output == limit
    assert not listed or adapter.models()[model].max_output == limit


async def test_a_list_that_is_refused_says_why(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open("nobody", models=[])
    assert "invalid x-api-key" in await adapter.listed()
    assert adapter.state() == "no credential: 1 disabled: the API key was rejected"


@pytest.mark.parametrize(
    ("base_url", "names"),
    [("", list(SHIPPED)), ("https://api.anthropic.com", list(SHIPPED)), ("http://127.0.0.1:9", [])],
)
async def test_only_anthropic_itself_has_a_list_that_is_shipped(
    anthropic: AnthropicSite, base_url: str, names: list[str]
) -> None:
    assert list(anthropic.made("key-1", models=[], base_url=base_url).models()) == names


@pytest.mark.parametrize(
    ("model", "adaptive", "sampling", "both", "system_turns"),
    [
        ("claude-3-7-sonnet-20250219", False, True, True, False),
        ("claude-sonnet-4-20250514", False, True, True, False),
        ("claude-sonnet-4@20250514", False, True, True, False),
        ("claude-opus-4-1-20250805", False, True, False, False),
        ("claude-sonnet-4-5", False, True, False, False),
        ("claude-haiku-4-5@20251001", False, True, False, False),
        ("claude-opus-4-6", True, True, False, False),
        ("claude-opus-4-7", True, False, False, False),
        ("claude-opus-4-8", True, False, False, True),
        ("claude-sonnet-5-5", True, False, False, True),
        ("anthropic.claude-opus-4-8", True, False, False, True),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", False, True, False, False),
        ("anthropic/claude-sonnet-4.5", False, True, False, False),
        ("anthropic/claude-opus-4.6", True, True, False, False),
        ("glm-4.6", False, True, True, False),
    ],
)
def test_what_a_model_takes_goes_by_its_name(
    model: str, adaptive: bool, sampling: bool, both: bool, system_turns: bool
) -> None:
    traits = traits_of(model)
    assert (traits.adaptive, traits.sampling, traits.both, traits.system_turns) == (
        adaptive,
        sampling,
        both,
        system_turns,
    )


@pytest.mark.parametrize(
    ("model", "rests"), [("claude-fable-5-2", False), ("claude-opus-5-5", False), ("claude-opus-5", True)]
)
def test_some_models_always_think(model: str, rests: bool) -> None:
    assert traits_of(model).rests is rests


@pytest.mark.parametrize(
    ("model", "output"),
    [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-opus-4-20250514", 32_000),
        ("claude-opus-4-1", 32_000),
        ("claude-opus-4-5-20251101", 64_000),
        ("claude-opus-4-6", 128_000),
        ("claude-sonnet-4-6", 64_000),
        ("anthropic.claude-opus-4-6-v1", 128_000),
        ("anthropic/claude-haiku-4.5", 64_000),
        ("claude-opus-9", None),
    ],
)
def test_limits_that_a_list_leaves_out_are_known_by_name(model: str, output: int | None) -> None:
    assert described(ModelInfo(id=model)).max_output == output
    assert described(ModelInfo(id=model, max_output=7)).max_output == 7


def test_nothing_in_the_shipped_list_is_retired() -> None:
    retired = ("claude-3", "claude-2", "claude-opus-4-0", "claude-mythos-preview", "claude-opus-4-1")
    assert not [name for name in SHIPPED if name.startswith(retired)]

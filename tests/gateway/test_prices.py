"""What tokens cost: the operator's prices first, in order, then the list that is shipped."""

import tomllib
from datetime import date
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import ir
from gateway.config import PriceConfig
from gateway.prices import Price, Prices
from tests.clocks import FakeClock

pytestmark = pytest.mark.anyio

LISTED, NEW_YEAR = 1_795_824_000.0, 1_798_761_600.0  # 2026-11-28 and 2027-01-01, at 0:00 UTC
USED = ir.Usage(input=1_000_000, cache_read=400_000, cache_write=100_000, output=500_000, reasoning=200_000)


def listed() -> dict[str, Any]:
    return tomllib.loads(files("gateway").joinpath("prices.toml").read_text("utf-8"))


def price_of(model: str, prices: Prices | None = None) -> Price:
    price = (prices or Prices.of({}, FakeClock(wall=LISTED))).find("any", model)
    assert price is not None
    return price


def test_cached_tokens_have_a_price_of_their_own_and_writes_that_of_input() -> None:
    price = price_of("m", Prices.of({"m": PriceConfig(input=2.0, cached=0.5, output=8.0)}))
    assert price.usd(USED) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)


def test_more_cached_than_read_costs_no_less_than_nothing() -> None:
    price = price_of("m", Prices.of({"m": PriceConfig(input=2.0, cached=0.5)}))
    assert price.usd(ir.Usage(input=10, cache_read=20)) == pytest.approx(5e-6)


def test_without_a_price_of_its_own_what_is_cached_costs_as_input() -> None:
    price = price_of("m", Prices.of({"m": PriceConfig(input=2.0, output=8.0)}))
    assert (price.input, price.cached, price.output) == (2.0, 2.0, 8.0)


def test_the_share_of_another_model_costs_what_that_model_does() -> None:
    prices = Prices.of({"asks": PriceConfig(input=1.0, output=2.0), "advises": PriceConfig(input=10.0, output=20.0)})
    share = ir.Usage(input=400_000, cache_read=100_000, cache_write=50_000, cache_write_long=50_000, output=100_000)
    whole = ir.Usage(
        input=1_000_000,
        cache_read=300_000,
        cache_write=50_000,
        cache_write_long=50_000,
        output=500_000,
        shares=(ir.Share("advises", share),),
    )
    assert prices.usd("any", "asks", whole) == pytest.approx(0.6 * 1 + 0.4 * 2 + 0.4 * 10 + 0.1 * 20)
    unknown = replace(whole, shares=(ir.Share("nobody's", share),))
    assert prices.usd("any", "asks", unknown) == pytest.approx(1 * 1 + 0.5 * 2)
    assert prices.usd("any", "nobody's", whole) is None


@pytest.mark.parametrize(
    ("written", "long", "usd"),
    [
        (100_000, 0, 0.9 * 3 + 0.1 * 3.75),  # for five minutes
        (100_000, 100_000, 0.9 * 3 + 0.1 * 6),  # for an hour
        (100_000, 40_000, 0.9 * 3 + 0.06 * 3.75 + 0.04 * 6),
        (100_000, 400_000, 0.9 * 3 + 0.1 * 6),  # more than was written
        (2_000_000, 0, 3.75),  # more than was read
    ],
)
def test_what_is_written_into_the_cache_costs_by_how_long_it_stays(written: int, long: int, usd: float) -> None:
    usage = ir.Usage(input=1_000_000, cache_write=written, cache_write_long=long)
    assert price_of("claude-sonnet-4-6").usd(usage) == pytest.approx(usd)


def test_what_openai_writes_into_its_cache_costs_more_than_input_in_its_newest_models_only() -> None:
    usage = ir.Usage(input=200_000, cache_write=200_000, cache_write_long=100_000)
    assert price_of("gpt-5.6").usd(usage) == pytest.approx(0.1 * 5 + 0.1 * 10)
    assert price_of("gpt-5.5").usd(usage) == pytest.approx(0.2 * 5)


def test_what_was_read_from_the_cache_was_not_written() -> None:
    usage = ir.Usage(input=1_000_000, cache_read=900_000, cache_write=200_000)
    assert price_of("claude-sonnet-4-6").usd(usage) == pytest.approx(0.9 * 0.3 + 0.1 * 3.75)


@pytest.mark.parametrize(
    ("model", "most", "short", "long"),
    [
        ("gemini-3.1-pro-preview", 200_000, (2.0, 0.2, 12.0), (4.0, 0.4, 18.0)),
        ("gemini-2.5-pro", 200_000, (1.25, 0.125, 10.0), (2.5, 0.25, 15.0)),
        ("gpt-5.5", 272_000, (5.0, 0.5, 30.0), (10.0, 1.0, 45.0)),
        ("claude-sonnet-4-5@20250929", 200_000, (3.0, 0.3, 15.0), (6.0, 0.6, 22.5)),
        ("claude-haiku-5-5", 100_000, (0.1, 0.01, 0.5), (0.5, 0.05, 2.5)),
        ("claude-sonnet-4-6", 200_000, (3.0, 0.3, 15.0), (3.0, 0.3, 15.0)),  # the same at any length
    ],
)
def test_a_whole_request_costs_more_where_its_prompt_is_long(
    model: str, most: int, short: tuple[float, float, float], long: tuple[float, float, float]
) -> None:
    price = price_of(model)
    for size, (read, cached, said) in ((most, short), (most + 1, long)):
        usage = ir.Usage(input=size, cache_read=50_000, output=1000)
        assert price.usd(usage) == pytest.approx(((size - 50_000) * read + 50_000 * cached + 1000 * said) / 1_000_000)


def test_what_a_long_prompt_writes_into_the_cache_costs_more_too() -> None:
    usage = ir.Usage(input=200_000, cache_write=200_000, cache_write_long=100_000)
    assert price_of("claude-haiku-5-5").usd(usage) == pytest.approx(0.1 * 0.625 + 0.1 * 1.0)


@pytest.mark.parametrize(
    ("model", "tier", "usd"),
    [
        ("gpt-5", "", 1.25 + 10),
        ("gpt-5", "flex", 0.625 + 5),
        ("gpt-5", "priority", 2.5 + 20),
        ("gpt-5", "fast", 1.25 + 10),  # what has no price of its own
        ("claude-opus-5-5", "fast", 8 + 40),
        ("gemini-3.5-flash", "priority", 2.7 + 16.2),
        ("gemini-2.5-pro", "flex", 1.25 + 7.5),  # a long prompt
        ("gpt-6.1-sol", "ultrafast", 24 + 90),
        ("gpt-4-turbo", "flex", 10 + 30),
    ],
)
def test_a_tier_has_its_price(model: str, tier: ir.Tier, usd: float) -> None:
    usage = ir.Usage(input=1_000_000, output=1_000_000, tier=tier)
    assert price_of(model).usd(usage) == pytest.approx(usd)


@pytest.mark.parametrize("model", ["gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash"])
@pytest.mark.parametrize(("tier", "usd"), [("", 0.75 + 3.75), ("flex", 0.375 + 1.875), ("priority", 1.35 + 6.75)])
async def test_the_day_decides_where_the_vendor_has_said_when_a_price_changes(
    model: str, tier: ir.Tier, usd: float
) -> None:
    """Half price through December 31, 2026: https://ai.google.dev/gemini-api/docs/pricing, BerriAI/litellm#39357."""
    clock = FakeClock(wall=NEW_YEAR - 1)
    prices = Prices.of({}, clock)
    usage = ir.Usage(input=1_000_000, output=1_000_000, tier=tier)
    assert prices.usd("any", model, usage) == pytest.approx(usd)
    await clock.advance(1)
    assert prices.usd("any", model, usage) == pytest.approx(2 * usd)
    shared = ir.Usage(input=1_000_000, output=1_000_000, shares=(ir.Share(model, usage),))
    assert prices.usd("any", "gpt-4", shared) == pytest.approx(2 * usd)
    again = prices.find("any", model)
    assert again is not None
    assert again.usd(ir.Usage(input=1_000_000, cache_read=1_000_000)) == pytest.approx(0.15)


async def test_a_later_price_changes_all_that_it_says() -> None:
    long = Price(4.0, 0.4, 18.0)
    price = Price(2.0, 0.2, 12.0, 2.5, 5.0, long, 200_000, {"flex": Price(1.0, 0.1, 6.0)}, later=None)
    assert price.times(2) == Price(
        4.0, 0.4, 24.0, 5.0, 10.0, Price(8.0, 0.8, 36.0), 200_000, {"flex": Price(2.0, 0.2, 12.0)}
    )


def test_an_operators_price_does_not_change_with_the_day() -> None:
    prices = Prices.of({"gemini-3.8-flash": PriceConfig(input=1.0)}, FakeClock(wall=NEW_YEAR))
    assert prices.usd("any", "gemini-3.8-flash", ir.Usage(input=1_000_000)) == 1.0


def test_a_price_of_the_operator_is_the_same_for_prompts_of_any_length_and_in_any_tier() -> None:
    price = price_of("gpt-5.5", Prices.of({"gpt-5*": PriceConfig(input=1.0)}))
    assert price.usd(ir.Usage(input=1_000_000, tier="priority")) == 1.0


def test_what_the_operator_says_of_cached_tokens_holds() -> None:
    price = price_of("m", Prices.of({"m": PriceConfig(input=2.0, cached=0.25)}))
    assert price.usd(USED) == pytest.approx(0.6 * 2 + 0.4 * 0.25)


def test_the_first_glob_that_fits_the_model_or_the_upstream_and_the_model_wins() -> None:
    prices = Prices.of(
        {"local/*": PriceConfig(), "gpt-4.1-mini": PriceConfig(input=1.0), "gpt-4.1*": PriceConfig(input=3.0)}
    )
    found = [prices.find(*of) for of in (("local", "gpt-4.1"), ("openai", "gpt-4.1-mini"), ("openai", "gpt-4.1-nano"))]
    assert [price and price.input for price in found] == [0.0, 1.0, 3.0]


def test_what_the_operator_does_not_name_has_its_list_price() -> None:
    price = price_of("gpt-4.1", Prices.of({"x": PriceConfig()}))
    assert (price.input, price.cached, price.output) == (2.0, 0.5, 8.0)


@pytest.mark.parametrize(
    "model",
    [
        *("demo", "gpt-4o-audio-preview", "gemini-2.5-flash-image", "llama-4", ""),
        *("gemini-2.5-flash-preview-tts", "gemini-2.5-pro-preview-tts"),
        "gemini-2.5-flash-preview-native-audio-dialog",
    ],
)
def test_what_nobody_names_has_no_price(model: str) -> None:
    assert Prices.of({}).find("any", model) is None


@pytest.mark.parametrize(
    ("model", "output"),
    [
        ("claude-sonnet-4-5@20250929", 15.0),
        ("claude-opus-4-5-thinking", 25.0),
        ("claude-opus-4-20250514", 75.0),
        ("claude-opus-4-1-20250805", 75.0),
        ("gpt-5-mini-2025-08-07", 2.0),
        ("gpt-5-2025-08-07", 10.0),
        ("o3-mini", 4.4),
        ("gemini-3-pro-high", 12.0),
        ("gemini-2.5-pro-preview-06-05", 10.0),
        ("gemini-2.5-flash-preview-09-2025", 2.5),
        ("gpt-5.6-sol", 20.0),
        ("gpt-5.5-cyber-preview", 75.0),
        ("gpt-6-luna", 0.5),
        ("claude-fable-5-2", 40.0),
        ("claude-mythos-5-2", 40.0),
        ("gpt-rosalind-research", 25.0),
        ("claude-opus-5@default", 25.0),
        ("gemini-3.8-flash", 3.75),
    ],
)
def test_names_with_a_date_or_a_suffix_have_the_price_of_their_model(model: str, output: float) -> None:
    assert price_of(model).output == output


def test_the_list_says_from_which_day_it_is_and_where_it_comes_from() -> None:
    assert isinstance(listed()["date"], date)
    assert listed()["source"]


def test_no_price_of_the_list_stands_behind_a_glob_that_hides_it() -> None:
    globs = list(listed()["price"])
    hidden = [one for place, one in enumerate(globs) if any(fnmatchcase(one, other) for other in globs[:place])]
    assert hidden == []


def test_what_is_cached_never_costs_more_than_what_is_not() -> None:
    assert [glob for glob, price in listed()["price"].items() if price.get("cached", 0) > price["input"]] == []


def test_every_claude_has_prices_for_what_is_written_into_the_cache() -> None:
    claudes = {glob: price for glob, price in listed()["price"].items() if glob.startswith("claude-")}
    assert claudes
    for glob, price in claudes.items():
        assert price["input"] < price["written"] < price["written_long"] == 2 * price["input"], glob


@pytest.mark.parametrize("part", ["long", "later", "tier.flex", "tier.priority", "tier.ultrafast", "tier.fast"])
def test_what_stands_beside_a_price_has_the_glob_of_one(part: str) -> None:
    found = listed()
    for name in part.split("."):
        found = found[name]
    assert found
    assert set(found) <= set(listed()["price"])


def test_flex_costs_less_than_usual_and_what_is_fast_costs_more() -> None:
    usual, tiers = listed()["price"], listed()["tier"]
    assert [glob for glob, price in tiers["flex"].items() if price["output"] >= usual[glob]["output"]] == []
    for tier in tiers.keys() - {"flex"}:
        assert [glob for glob, price in tiers[tier].items() if price["output"] <= usual[glob]["output"]] == []

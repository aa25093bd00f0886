"""Suffixes of model names: cut, carried along, and never sent upstream."""

from typing import Any

import pytest

from gateway.config import load
from gateway.errors import ModelNotFound
from gateway.resolution import Resolver
from tests.scripted import Scripted

FLASH = "google/gemini-2.5-flash"
OFF = "-nothinking"
MAX = "-maxthinking"
LISTED = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-flash", "my-search", "claude-sonnet-4-5-thinking"]


def resolver(**models: Any) -> Resolver:
    """Make a resolver over `google`, which lists models, and `open`, which lists others."""
    upstream = {"google": {"type": "v1internal"}, "open": {"type": "demo"}}
    config = load({"upstream": upstream, "models": models}, environ={}).config
    adapters = {
        "google": Scripted([], name="google", models=LISTED),
        "open": Scripted([], name="open", models=["o-1"]),
    }
    return Resolver(config, adapters)


def found(rules: Resolver, name: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(target.label, target.variants) for target in rules.resolve(name).targets]


@pytest.mark.parametrize(
    ("name", "label", "suffixes"),
    [
        ("gemini-2.5-flash-search", FLASH, ("-search",)),
        ("gemini-2.5-flash-nothinking", FLASH, (OFF,)),
        ("gemini-2.5-pro-maxthinking", "google/gemini-2.5-pro", (MAX,)),
        ("gemini-2.5-flash-search-nothinking", FLASH, (OFF, "-search")),
        ("gemini-2.5-flash-nothinking-search", FLASH, ("-search", OFF)),
        ("gemini-3-flash-search", "google/gemini-3-flash", ("-search",)),
        ("models/gemini-2.5-flash-search", FLASH, ("-search",)),
        ("google/gemini-2.5-flash-search", FLASH, ("-search",)),
        ("google/gemini-2.5-flash-search-maxthinking", FLASH, (MAX, "-search")),
        ("google/gemini-9-search", "google/gemini-9", ("-search",)),
        ("gemini-2.5-flash-20250101-search", FLASH, ("-search",)),
        ("gemini-2.5-flash-search-20250101", FLASH, ("-search",)),
        ("gemini-2.5-flash-search@20250101", FLASH, ("-search",)),
        ("google/gemini-2.5-flash-search-20250101", FLASH, ("-search",)),
    ],
)
def test_a_suffix_is_cut_and_travels_with_the_target(name: str, label: str, suffixes: tuple[str, ...]) -> None:
    assert found(resolver(), name) == [(label, suffixes)]


@pytest.mark.parametrize("name", ["my-search", "google/my-search", "claude-sonnet-4-5-thinking"])
def test_a_listed_name_keeps_its_end(name: str) -> None:
    assert found(resolver(), name) == [(f"google/{name.removeprefix('google/')}", ())]


@pytest.mark.parametrize("name", ["gemini-3-flash-nothinking", "o-1-maxthinking", "claude-sonnet-4-5-nothinking"])
def test_a_model_without_the_variant_is_unknown_under_that_name(name: str) -> None:
    with pytest.raises(ModelNotFound, match=f"the model '{name}' is not served here; did you mean"):
        resolver(unknown="reject").resolve(name)


@pytest.mark.parametrize("name", ["gemini-3-flash-nothinking", "gemini-3-flash-maxthinking"])
def test_an_unknown_variant_is_passed_on_whole_where_names_are_passed_on(name: str) -> None:
    assert found(resolver(default_upstream="google"), name) == [(f"google/{name}", ())]


@pytest.mark.parametrize("name", ["gemini-2.5-flash-search-search", "google/gemini-2.5-flash-search-search"])
def test_a_suffix_counts_once(name: str) -> None:
    [(label, suffixes)] = found(resolver(default_upstream="google"), name)
    assert (label, suffixes) == ("google/gemini-2.5-flash-search", ("-search",))


@pytest.mark.parametrize("name", ["-search", "google/-search"])
def test_a_suffix_alone_is_a_name(name: str) -> None:
    assert found(resolver(default_upstream="google"), name) == [("google/-search", ())]


def test_an_alias_wins_over_a_suffix() -> None:
    assert found(resolver(alias={"gemini-2.5-flash-search": "open/o-1"}), "gemini-2.5-flash-search") == [
        ("open/o-1", ())
    ]


def test_what_a_suffix_leaves_meets_the_aliases_again() -> None:
    rules = resolver(alias={"quick": ["google/gemini-2.5-flash", "open/o-1"]})
    assert found(rules, "quick-search") == [(FLASH, ("-search",)), ("open/o-1", ("-search",))]


@pytest.mark.parametrize("target", ["gemini-2.5-flash-search", "google/gemini-2.5-flash-search"])
def test_the_target_of_an_alias_may_have_a_suffix(target: str) -> None:
    assert found(resolver(alias={"quick": target}), "quick") == [(FLASH, ("-search",))]


def test_the_same_suffix_on_a_name_and_behind_its_alias_is_cut_twice() -> None:
    rules = resolver(alias={"quick": "gemini-2.5-flash-search"})
    assert found(rules, "quick-search") == [(FLASH, ("-search", "-search"))]


def test_a_suffix_goes_before_a_family_and_an_upstreams_alias() -> None:
    rules = resolver(family={"haiku": "gemini-2.5-flash"})
    assert found(rules, "a-haiku-search") == [(FLASH, ("-search",))]
    assert found(rules, "gpt-3.5-turbo-search") == [(FLASH, ("-search",))]


def test_the_longest_suffix_is_cut() -> None:
    rules = resolver(variant={"-deep-search": {"thinking": "max"}})
    assert found(rules, "gemini-3-flash-deep-search") == [("google/gemini-3-flash", ("-deep-search",))]


def test_the_step_is_a_decision_with_its_key() -> None:
    decision = resolver().resolve("gemini-2.5-flash-search").decisions[0]
    assert (decision.name, decision.gives) == ("gemini-2.5-flash-search", "gemini-2.5-flash")
    assert decision.path == ("models", "variant", "-search")


def test_suggestions_name_variants_too() -> None:
    with pytest.raises(ModelNotFound, match=r"did you mean .*gemini-2\.5-flash-nothinking"):
        resolver().resolve("gemini-2.5-flsh-nothinkin")

"""The resolution list of model names, rule by rule."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.config import load
from gateway.errors import ModelNotFound
from gateway.resolution import Resolver
from tests.scripted import Scripted


def resolver(models: dict[str, Any] | None = None, pick: Any = None, alias: dict[str, str] | None = None) -> Resolver:
    upstream = {
        "antigravity": {"type": "v1internal", **({"alias": alias} if alias is not None else {})},
        "openai": {"type": "openai", "base_url": "http://127.0.0.1:1/v1"},  # an open list
    }
    config = load({"upstream": upstream, "models": models or {}}, environ={}).config
    lists = {
        "antigravity": ["claude-sonnet-4-5", "gemini-2.5-flash", "shared"],
        "openai": ["gpt-4o", "gpt-4.1", "shared"],
    }
    return Resolver(config, {name: Scripted([], name=name, models=lists[name]) for name in lists}, pick)


def labels(rules: Resolver, name: str) -> list[str]:
    return [target.label for target in rules.resolve(name).targets]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("claude-sonnet-4-5", "antigravity/claude-sonnet-4-5"),
        ("models/gemini-2.5-flash", "antigravity/gemini-2.5-flash"),
        ("gpt-4o", "openai/gpt-4o"),
        ("shared", "antigravity/shared"),
        ("openai/anything/at-all", "openai/anything/at-all"),
        ("claude-sonnet-4-5-20250929", "antigravity/claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "antigravity/claude-sonnet-4-5"),
        (
            "gpt-4-turbo",
            "antigravity/claude-sonnet-4-5",
        ),  # the upstream's own alias: only for unlisted names
        ("gpt-3.5-turbo", "antigravity/gemini-2.5-flash"),
    ],
)
def test_without_rules(name: str, label: str) -> None:
    assert labels(resolver(), name) == [label]


def test_an_alias_wins_over_a_listed_name() -> None:
    assert labels(resolver({"alias": {"gpt-4o": "claude-sonnet-4-5"}}), "gpt-4o") == ["antigravity/claude-sonnet-4-5"]


def test_exact_aliases_win_over_globs_and_globs_go_top_to_bottom() -> None:
    rules = resolver({"alias": {"g*": "gpt-4o", "gp*": "gpt-4.1", "gpt-x": "claude-sonnet-4-5"}})
    assert labels(rules, "gpt-x") == ["antigravity/claude-sonnet-4-5"]
    assert labels(rules, "gpt-y") == ["openai/gpt-4o"]


def test_a_chain_keeps_its_order() -> None:
    rules = resolver({"alias": {"best": ["openai/o9", "claude-sonnet-4-5"]}})
    assert labels(rules, "best") == ["openai/o9", "antigravity/claude-sonnet-4-5"]


def test_weights_choose_one() -> None:
    asked: list[tuple[Sequence[str], Sequence[float]]] = []

    def pick(names: Sequence[str], weights: Sequence[float]) -> str:
        asked.append((names, weights))
        return names[1]

    rules = resolver({"alias": {"any": {"openai/gpt-4.1": 3, "antigravity/shared": 1}}}, pick)
    assert labels(rules, "any") == ["antigravity/shared"]
    assert [list(part) for part in asked[0]] == [["openai/gpt-4.1", "antigravity/shared"], [3, 1]]


def test_a_family_word_holds_only_for_unlisted_names() -> None:
    rules = resolver({"family": {"sonnet": "openai/gpt-4.1"}})
    assert labels(rules, "claude-3-5-Sonnet-20241022") == ["openai/gpt-4.1"]
    assert labels(rules, "claude-sonnet-4-5") == ["antigravity/claude-sonnet-4-5"]


def test_family_wins_over_an_upstreams_alias() -> None:
    rules = resolver({"family": {"haiku": "gpt-4.1"}}, alias={"*haiku*": "gemini-2.5-flash"})
    assert labels(rules, "claude-haiku") == ["openai/gpt-4.1"]


def test_an_unknown_name_goes_to_the_default_upstream() -> None:
    assert labels(resolver({"default_upstream": "openai"}), "o9-mini") == ["openai/o9-mini"]


@pytest.mark.parametrize("models", [{}, {"default_upstream": "openai", "unknown": "reject"}])
def test_an_unknown_name_without_a_default_is_refused_with_suggestions(models: dict[str, Any]) -> None:
    with pytest.raises(ModelNotFound, match="did you mean gpt-4o"):
        resolver(models).resolve("gpt4o")


def test_the_only_upstream_takes_every_name() -> None:
    rules = Resolver(load({}, environ={}).config, {"demo": Scripted([])})
    assert labels(rules, "whatever") == ["demo/whatever"]


def test_each_decision_names_the_key_that_made_it() -> None:
    resolution = resolver({"alias": {"a": "shared"}}).resolve("a")
    assert [decision.key for decision in resolution.decisions] == ["models.alias.'a'", "upstream.antigravity.models"]


def test_the_listing_has_each_name_once_and_exact_aliases() -> None:
    listing = resolver({"alias": {"best": "gpt-4o", "x*": "gpt-4o"}}).listing()
    assert list(listing) == [
        "claude-sonnet-4-5",
        "gemini-2.5-flash",
        "shared",
        "gpt-4o",
        "gpt-4.1",
        "best",
    ]


def test_what_a_rule_gives_is_resolved_again() -> None:
    rules = resolver({"alias": {"mine": "some-haiku"}, "family": {"haiku": "gpt-4-turbo"}})
    assert labels(rules, "mine") == ["antigravity/claude-sonnet-4-5"]


def test_a_loop_that_only_later_lists_make_ends() -> None:
    rules = resolver({"family": {"haiku": "a-haiku-b"}}, alias={})
    with pytest.raises(ModelNotFound):
        rules.resolve("haiku")

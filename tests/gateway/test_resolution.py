"""The resolution list of model names, rule by rule."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from gateway.errors import InvalidRequest, ModelNotFound
from gateway.resolution import Resolver
from tests.scripted import Scripted


def resolver(models: dict[str, Any] | None = None, pick: Any = None, alias: dict[str, str] | None = None) -> Resolver:
    """Make a resolver over the upstreams `antigravity` and `openai`."""
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


def test_a_member_that_leads_nowhere_leaves_it_to_the_others() -> None:
    """Chains are for the day on which an upstream takes a model off its list."""
    rules = {"best": ["old", "gpt-4o"], "tail": ["gpt-4o", "old"], "none": ["old", "older"]}
    ways = resolver({"unknown": "reject", "alias": rules, "family": {"opus": rules["best"]}})
    for name in ("best", "tail", "my-opus"):
        assert labels(ways, name) == ["openai/gpt-4o"]
    assert ("old", "nowhere", "models.alias.best") in [
        (one.name, one.gives, one.key) for one in ways.resolve("best").decisions
    ]
    with pytest.raises(ModelNotFound, match="'none' leads nowhere: the model 'old' is not served"):
        labels(ways, "none")


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


def test_a_family_word_holds_however_it_is_written() -> None:
    assert labels(resolver({"family": {"Haiku": "gpt-4.1"}}), "my-HAIKU-3") == ["openai/gpt-4.1"]


def test_family_wins_over_an_upstreams_alias() -> None:
    rules = resolver({"family": {"haiku": "gpt-4.1"}}, alias={"*haiku*": "gemini-2.5-flash"})
    assert labels(rules, "claude-haiku") == ["openai/gpt-4.1"]


@pytest.mark.parametrize("name", ["m" * 513, "openai/" + "m" * 506])
def test_a_name_that_is_too_long_leads_nowhere(name: str) -> None:
    """It would stand in headers and logs, and be remembered, as long as a body may be."""
    rules = resolver({"default_upstream": "openai"})
    with pytest.raises(ModelNotFound, match="at most 512 characters"):
        rules.resolve(name)
    assert rules.describe(name) is None
    assert labels(rules, name[:512])


@pytest.mark.parametrize("name", ["m\r\nx: y", "m\0", "openai/m\n", "models/m\x7f", "m\u2028"])
def test_a_name_has_no_control_characters(name: str) -> None:
    with pytest.raises(InvalidRequest, match="model: a name may not contain control characters"):
        resolver({"default_upstream": "openai"}).resolve(name)


@pytest.mark.parametrize("name", ["..", "openai/../../v1beta/files", "models/../x", "openai/a/..", "a\\..\\b"])
def test_a_name_leads_nowhere_upwards(name: str) -> None:
    with pytest.raises(ModelNotFound, match="a name may not contain `..`"):
        resolver({"default_upstream": "openai"}).resolve(name)


def test_two_dots_within_a_name_lead_nowhere_else() -> None:
    assert resolver({"default_upstream": "openai"}).resolve("a..b").targets


@pytest.mark.parametrize("models", [{}, {"default_upstream": "openai"}])
def test_an_upstreams_name_alone_names_no_model(models: dict[str, Any]) -> None:
    with pytest.raises(ModelNotFound, match=r"the model 'openai/' is not served here"):
        resolver(models).resolve("openai/")


def test_an_unknown_name_goes_to_the_default_upstream() -> None:
    assert labels(resolver({"default_upstream": "openai"}), "o9-mini") == ["openai/o9-mini"]


@pytest.mark.parametrize("models", [{}, {"default_upstream": "openai", "unknown": "reject"}])
@pytest.mark.parametrize("name", ["gpt4o", "GPT-4O"])
def test_an_unknown_name_without_a_default_is_refused_with_suggestions(models: dict[str, Any], name: str) -> None:
    with pytest.raises(ModelNotFound, match="did you mean gpt-4o") as refused:
        resolver(models).resolve(name)
    assert refused.value.param == "model"


def test_a_name_is_not_suggested_in_its_own_place() -> None:
    """An alias is listed, but none leads to another."""
    with pytest.raises(ModelNotFound, match=r"'best' is not served here; did you mean (?!best\b)"):
        resolver({"alias": {"bests": "best", "best": ["openai/o9"]}}).resolve("bests")


def test_the_only_upstream_takes_every_name() -> None:
    rules = Resolver(load({}, environ={}).config, {"demo": Scripted([])})
    assert labels(rules, "whatever") == ["demo/whatever"]


def test_each_decision_names_the_key_that_made_it() -> None:
    resolution = resolver({"alias": {"a": "shared"}}).resolve("a")
    assert [decision.key for decision in resolution.decisions] == ["models.alias.a", "upstream.antigravity.models"]


def test_what_a_rule_gives_is_resolved_again() -> None:
    rules = resolver({"alias": {"mine": "some-haiku"}, "family": {"haiku": "gpt-4-turbo"}})
    assert labels(rules, "mine") == ["antigravity/claude-sonnet-4-5"]


def test_a_loop_that_only_later_lists_make_ends() -> None:
    rules = resolver({"family": {"haiku": "a-haiku-b"}}, alias={})
    with pytest.raises(ModelNotFound):
        rules.resolve("haiku")


def test_a_circle_behind_a_default_upstream_ends_too() -> None:
    rules = resolver({"family": {"haiku": "a-haiku-b"}, "default_upstream": "openai"}, alias={})
    with pytest.raises(ModelNotFound, match="form a loop"):
        rules.resolve("haiku")


def test_a_member_that_leads_in_a_circle_leaves_it_to_the_others() -> None:
    """It has the word of its own family, and the upstream has taken it off its list."""
    rules = resolver({"family": {"opus": ["claude-opus-4-5", "claude-sonnet-4-5"]}}, alias={})
    assert labels(rules, "claude-opus-9") == ["antigravity/claude-sonnet-4-5"]
    assert labels(rules, "claude-opus-4-5") == ["antigravity/claude-sonnet-4-5"]


def test_an_alias_that_leads_nowhere_says_so() -> None:
    with pytest.raises(ModelNotFound, match="'mine' leads nowhere: the model 'gpt4o' is not served"):
        resolver({"alias": {"mine": "gpt4o"}}).resolve("mine")


class Retiring(Scripted):
    """An upstream that knows what its old models are called now."""

    def renamed(self) -> Mapping[str, str]:
        return {"gemini-old": "gemini-new", "still": "gemini-new"}


def retiring() -> Resolver:
    config = load({"upstream": {"google": {"type": "v1internal"}, "other": {"type": "demo"}}}, environ={}).config
    google = Retiring([], name="google", models=["gemini-new", "still"])
    return Resolver(config, {"other": Scripted([], name="other"), "google": google})


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("gemini-old", "google/gemini-new"),
        ("gemini-old-20250101", "google/gemini-new"),
        ("google/gemini-old", "google/gemini-new"),
        ("gemini-old-search", "google/gemini-new"),
        ("still", "google/still"),
        ("google/still", "google/still"),
    ],
)
def test_a_retired_model_is_asked_for_by_its_new_name(name: str, label: str) -> None:
    assert labels(retiring(), name) == [label]


def test_a_decision_shows_the_new_name_of_a_retired_model() -> None:
    [decision] = retiring().resolve("gemini-old").decisions
    assert (decision.name, decision.gives, decision.key) == (
        "gemini-old",
        "google/gemini-new",
        "upstream.google.models",
    )


@pytest.mark.parametrize(
    ("models", "name", "keys"),
    [
        ({}, "shared", ["upstream.antigravity.models"]),
        ({}, "shared-20250101", ["upstream.antigravity.models"]),
        ({}, "openai/x", ["upstream.openai"]),
        ({"alias": {"a*": "shared"}}, "ab", ['models.alias."a*"', "upstream.antigravity.models"]),
        ({}, "shared-search", ["models.variant.-search", "upstream.antigravity.models"]),
        ({"family": {"big": "openai/x"}}, "my-big-one", ["models.family.big", "upstream.openai"]),
        ({}, "gpt-3.5", ['upstream.antigravity.alias."gpt-3.5*"', "upstream.antigravity.models"]),
        ({"default_upstream": "openai"}, "new", ["models.default_upstream"]),
    ],
)
def test_every_rule_is_named_by_its_key(models: dict[str, Any], name: str, keys: list[str]) -> None:
    assert [decision.key for decision in resolver(models).resolve(name).decisions] == keys


def test_the_only_upstream_takes_an_unknown_name_because_of_models_unknown() -> None:
    rules = Resolver(load({}, environ={}).config, {"demo": Scripted([])})
    assert [decision.key for decision in rules.resolve("new").decisions] == ["models.unknown"]


def test_the_key_of_a_decision_finds_its_line(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[models.alias]\n"gem*" = "demo/demo"\n[upstream.demo]\n')
    loaded = load(file, environ={}, dotenv=False)
    decisions = Resolver(loaded.config, {"demo": Scripted([])}).resolve("gemini").decisions
    assert [loaded.source(decision.path).line for decision in decisions] == [2, 3]


def test_a_name_leads_to_the_upstreams_of_its_targets() -> None:
    rules = resolver({"alias": {"best": ["openai/o9", "claude-sonnet-4-5"], "any": {"openai/x": 1, "shared": 1}}})
    led = [rules.leads_to(name, ["antigravity"]) for name in ("best", "any", "openai/o9", "shared", "nothing-like-it")]
    assert led == [True, True, False, True, False]


def test_a_draw_of_which_nothing_fits_is_made_among_all() -> None:
    rules = resolver({"alias": {"any": {"openai/a": 1, "openai/b": 1}}})
    assert rules.resolve("any", ["antigravity"]).targets[0].adapter.name == "openai"


@pytest.mark.parametrize("among", ["openai", "antigravity"])
def test_a_draw_whose_member_leads_in_a_circle_is_made_among_the_others(among: str) -> None:
    """It has the word of its own family, and no list has it."""
    opus = {"claude-opus-4-5": 3, "openai/gpt-4o": 1, "antigravity/shared": 1}
    rules = resolver({"family": {"opus": opus}}, alias={})
    assert [target.adapter.name for target in rules.resolve("claude-opus-9", [among]).targets] == [among]
    assert rules.leads_to("claude-opus-9", [among])


def test_an_upstreams_name_in_front_wins_over_a_name_that_another_lists() -> None:
    config = load({"upstream": {name: {"type": "demo"} for name in ("router", "openai")}}, environ={}).config
    router = Scripted([], name="router", models=["openai/gpt-4o"])
    rules = Resolver(config, {"router": router, "openai": Scripted([], name="openai", models=[])})
    assert labels(rules, "openai/gpt-4o") == ["openai/gpt-4o"]
    assert labels(rules, "router/openai/gpt-4o") == ["router/openai/gpt-4o"]


def test_a_date_is_cut_at_the_end_only() -> None:
    with pytest.raises(ModelNotFound):
        resolver().resolve("gpt-20250101-4o")
    with pytest.raises(ModelNotFound):
        resolver(alias={}).resolve("gpt-4-20250101o")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("claude-sonnet-4-5[1m]", "antigravity/claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929[1m]", "antigravity/claude-sonnet-4-5"),
        ("models/gemini-2.5-flash[1m]", "antigravity/gemini-2.5-flash"),
        ("mine[1m]", "openai/gpt-4o"),
        ("openai/o9[1m]", "openai/o9"),
        ("wide[1m]", "antigravity/shared"),
        ("claude-opus-9[1m]", "openai/gpt-4.1"),
    ],
)
def test_claude_desktops_mark_of_a_long_context_is_no_part_of_the_name(name: str, label: str) -> None:
    rules = resolver({"alias": {"mine": "gpt-4o", "wide[1m]": "shared"}, "family": {"opus": "gpt-4.1"}})
    assert labels(rules, name) == [label]


def test_a_name_that_an_upstream_lists_keeps_its_mark() -> None:
    config = load({"upstream": {"one": {"type": "demo"}}, "models": {"unknown": "reject"}}, environ={}).config
    rules = Resolver(config, {"one": Scripted([], name="one", models=["a[1m]", "a"])})
    assert [labels(rules, name) for name in ("a[1m]", "one/a[1m]", "a")] == [["one/a[1m]"], ["one/a[1m]"], ["one/a"]]
    with pytest.raises(ModelNotFound, match=r"'b\[1m\]' leads nowhere: the model 'b' is not served"):
        labels(rules, "b[1m]")


def test_of_two_family_words_the_first_in_the_file_wins() -> None:
    words = {"mini": "openai/gpt-4.1", "haiku": "antigravity/shared"}
    assert labels(resolver({"family": words}), "haiku-mini") == ["openai/gpt-4.1"]
    turned = dict(reversed(words.items()))
    assert labels(resolver({"family": turned}), "haiku-mini") == ["antigravity/shared"]


@pytest.mark.parametrize("order", [["a", "b"], ["b", "a"]])
def test_of_two_upstreams_aliases_the_first_in_the_file_wins(order: list[str]) -> None:
    upstream = {name: {"type": "demo", "alias": {"gpt*": f"{name}/mine"}} for name in order}
    config = load({"upstream": upstream}, environ={}).config
    rules = Resolver(config, {name: Scripted([], name=name, models=[]) for name in order})
    assert labels(rules, "gpt-9") == [f"{order[0]}/mine"]

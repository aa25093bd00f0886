"""Which names the model lists show, and what is known of a name that they do not show."""

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.config import load
from gateway.resolution import Resolver
from gateway.upstream import ModelInfo
from tests.scripted import Scripted

FLASH = ModelInfo(id="gemini-2.5-flash", display_name="Gemini 2.5 Flash", max_output=65535, thinking=True)


class Describing(Scripted):
    """An upstream that says something of its models."""

    def models(self) -> Mapping[str, ModelInfo]:
        return {"gemini-2.5-flash": FLASH, "claude-x": ModelInfo(id="claude-x")}


def resolver(aliases: Mapping[str, str] | None = None, **models: Any) -> Resolver:
    google = {"type": "v1internal"} | ({"alias": aliases} if aliases else {})
    upstream = {"google": google, "demo": {"type": "demo"}, "local": {"type": "v1internal"}}
    config = load({"upstream": upstream, "models": models}, environ={}).config
    local = Scripted([], name="local", models=[])
    demo = Scripted([], name="demo", models=["demo", "claude-x"])
    return Resolver(config, {"google": Describing([], name="google"), "demo": demo, "local": local})


def test_models_come_first_then_aliases_then_variants() -> None:
    assert list(resolver(alias={"best": "claude-x", "b*": "claude-x"}).listing()) == [
        "gemini-2.5-flash",
        "claude-x",
        "demo",
        "best",
        "gemini-2.5-flash-search",
        "gemini-2.5-flash-nothinking",
        "gemini-2.5-flash-maxthinking",
        "claude-x-search",
        "best-search",
    ]


def test_exact_aliases_of_an_upstream_are_listed_where_no_upstream_lists_the_name() -> None:
    """C16: the union of upstreams, aliases and variants, each once."""
    rules = resolver(
        aliases={"gpt-4o": "gemini-2.5-flash", "gpt-*": "claude-x", "demo": "claude-x", "best": "demo"},
        alias={"best": "claude-x"},
        list_variants=False,
    )
    listing = rules.listing()
    assert list(listing) == ["gemini-2.5-flash", "claude-x", "demo", "best", "gpt-4o"]
    assert listing["gpt-4o"] == ModelInfo(id="gpt-4o", max_output=65535, thinking=True)


def test_what_nobody_can_ask_for_is_not_listed() -> None:
    local = Scripted([], name="local", models=["llama", "a\nb", "\x1b[31mred", "\u202eback"])
    config = load({"upstream": {"local": {"type": "v1internal"}}}, environ={}).config
    names = list(Resolver(config, {"local": local}).listing())
    assert names == ["llama", "llama-search"]
    assert all(Resolver(config, {"local": local}).resolve(name) for name in names)


def test_variants_are_not_listed_where_list_variants_is_off() -> None:
    assert list(resolver(list_variants=False).listing()) == ["gemini-2.5-flash", "claude-x", "demo"]


@pytest.mark.parametrize(
    ("methods", "listed"),
    [
        ((), True),
        (("generateContent", "countTokens"), True),
        (("embedContent",), False),
        (("predict",), False),
        (("generateAnswer",), False),
    ],
)
def test_only_models_that_answer_have_variants(methods: tuple[str, ...], *, listed: bool) -> None:
    config = load({"upstream": {"google": {"type": "gemini"}}, "models": {"alias": {"mine": "x"}}}, environ={}).config
    google = Scripted([], name="google")
    google._models = {"x": ModelInfo(id="x", methods=methods)}
    found = Resolver(config, {"google": google}).listing()
    assert [name for name in found if name.endswith("-search")] == (["x-search", "mine-search"] if listed else [])


def test_the_models_of_a_demo_have_no_variants() -> None:
    config = load({"models": {"alias": {"mine": "demo"}}}, environ={}).config
    assert list(Resolver(config, {"demo": Scripted([])}).listing()) == ["demo", "mine"]


def test_a_listed_name_that_looks_like_a_variant_stays_what_it_is() -> None:
    config = load({"upstream": {"google": {"type": "v1internal"}}}, environ={}).config
    listing = Resolver(config, {"google": Scripted([], name="google", models=["x", "x-search"])}).listing()
    assert list(listing) == ["x", "x-search", "x-search-search"]
    assert listing["x-search"].id == "x-search"


def test_a_variant_has_the_limits_of_its_model() -> None:
    listing = resolver().listing()
    assert listing["gemini-2.5-flash-nothinking"] == ModelInfo(
        id="gemini-2.5-flash-nothinking",
        display_name="Gemini 2.5 Flash (nothinking)",
        max_output=65535,
        thinking=False,
    )
    assert listing["gemini-2.5-flash-search"].thinking is True


def test_an_alias_has_the_limits_of_the_first_model_that_it_leads_to() -> None:
    listing = resolver(alias={"best": ["gemini-2.5-flash", "demo"], "any": {"gemini-2.5-flash": 1}}).listing()
    for name in ("best", "any"):
        assert listing[name] == ModelInfo(id=name, max_output=65535, thinking=True)


def test_an_alias_that_leads_nowhere_yet_is_listed() -> None:
    assert resolver(alias={"later": "not-yet"}).listing()["later"] == ModelInfo(id="later")


@pytest.mark.parametrize(
    "name",
    [
        "gemini-2.5-flash",
        "models/gemini-2.5-flash",
        "google/gemini-2.5-flash",
        "google/gemini-2.5-flash-search",
        "gemini-2.5-flash-20250101",
        "gemini-2.5-flash-search-nothinking",
        "quick",
        "quick-search",
        "my-own",
    ],
)
@pytest.mark.parametrize("list_variants", [True, False])
def test_a_name_that_can_be_used_is_described(name: str, list_variants: bool) -> None:
    rules = resolver(list_variants=list_variants, alias={"quick": "gemini-2.5-flash", "my-*": "gemini-2.5-flash"})
    info = rules.describe(name)
    assert info is not None
    assert info.max_output == 65535


@pytest.mark.parametrize("name", ["nothing", "google/nothing", "claude-x-nothinking", "other/x"])
def test_a_name_that_nobody_lists_is_not_described(name: str) -> None:
    assert resolver(default_upstream="google").describe(name) is None


def test_an_upstream_without_any_list_may_have_every_model() -> None:
    assert resolver().describe("local/anything") == ModelInfo(id="anything")

"""What is filled in: the caller's words first, then the suffix, then the policies; and each from which key."""

from typing import Any

import pytest
from msgspec import Raw
from msgspec.json import decode, encode

from gateway import ir
from gateway.config import Decision, load
from gateway.errors import InvalidRequest
from gateway.policy import prepare
from gateway.routes import DialectName
from gateway.upstream import ModelInfo

FLASH = "gemini-2.5-flash"
UPSTREAMS = {"google": {"type": "v1internal"}, "demo": {"type": "demo"}}
FUNCTION = ir.Tool(name="add", path="tools[0]")
SEARCH = ir.Tool(name="web_search", builtin="web_search", path="model")


def request(**fields: Any) -> ir.Request:
    return ir.Request(model="asked", turns=(ir.Turn(role="user", parts=(ir.Text(text="hi"),)),), **fields)


def prepared(
    *suffixes: str,
    model: str = FLASH,
    upstream: str = "google",
    dialect: DialectName = "openai-chat",
    info: ModelInfo | None = None,
    notes: list[Decision] | None = None,
    config: dict[str, Any] | None = None,
    **fields: Any,
) -> ir.Request:
    return prepare(
        request(**fields),
        upstream=upstream,
        model=model,
        info=info,
        dialect=dialect,
        config=load({"upstream": UPSTREAMS, **(config or {})}, environ={}).config,
        variants=suffixes,
        notes=notes,
    )


def noted(*suffixes: str, **fields: Any) -> list[tuple[str, str, str]]:
    notes: list[Decision] = []
    prepared(*suffixes, notes=notes, **fields)
    return [(note.name, note.gives, note.key) for note in notes]


def test_the_model_is_the_upstreams_own_name() -> None:
    assert prepared().model == FLASH


# variants


def test_search_adds_the_search() -> None:
    assert prepared("-search").tools == (SEARCH,)


def test_search_leaves_functions_where_they_are() -> None:
    assert prepared("-search", tools=(FUNCTION,)).tools == (FUNCTION, SEARCH)


def test_a_search_that_the_caller_asked_for_is_not_added_again() -> None:
    own = ir.Tool(name="mine", builtin="web_search", path="tools[0]")
    assert prepared("-search", tools=(own,)).tools == (own,)


def test_nothinking_is_off_and_hidden() -> None:
    assert prepared("-nothinking").reasoning == ir.Reasoning(mode="off", visible=False)


def test_maxthinking_is_shown_to_chat_callers() -> None:
    assert prepared("-maxthinking").reasoning == ir.Reasoning(mode="level", level="max", visible=True)


def test_maxthinking_is_hidden_from_callers_who_read_thoughts_only_when_they_ask() -> None:
    reasoning = prepared("-maxthinking", dialect="anthropic", reasoning=ir.Reasoning(visible=False)).reasoning
    assert reasoning == ir.Reasoning(mode="level", level="max", visible=False)


def test_a_variant_holds_for_every_type_of_upstream() -> None:
    assert prepared("-nothinking", upstream="demo").reasoning.mode == "off"


@pytest.mark.parametrize("mode", ["off", "auto", "level", "budget"])
@pytest.mark.parametrize("suffix", ["-nothinking", "-maxthinking"])
def test_what_the_caller_asked_for_goes_before_the_suffix(mode: Any, suffix: str) -> None:
    asked = ir.Reasoning(mode=mode, level="low", budget=2000, visible=True)
    assert prepared(suffix, reasoning=asked).reasoning == asked


def test_of_two_suffixes_about_thinking_the_last_of_the_name_holds() -> None:
    assert prepared("-nothinking", "-maxthinking").reasoning.mode == "off"


def test_a_variant_of_ones_own_changes_what_it_says() -> None:
    variant = {"-deep": {"tools": ["google_search"], "thinking": "max"}}
    changed = prepared("-deep", model="claude-x", config={"models": {"variant": variant}})
    assert (changed.tools, changed.reasoning.level) == ((SEARCH,), "max")


# the thinking policy


@pytest.mark.parametrize(
    ("model", "budget", "include"),
    [
        ("gemini-3-flash", -1, True),
        ("gemini-2.5-pro", -1, True),
        ("claude-sonnet-4-5-thinking", 1024, True),
        ("claude-sonnet-4-5", 0, False),
    ],
)
def test_the_first_glob_of_the_thinking_table_holds(model: str, budget: int, include: bool) -> None:
    reasoning = prepared(model=model).reasoning
    assert (reasoning.mode, reasoning.budget, reasoning.include, reasoning.visible) == (
        "budget",
        budget,
        include,
        include,
    )


@pytest.mark.parametrize(
    "model",
    [
        "gpt-oss-120b-medium",
        "tab_flash",
        "gemini-3-pro-image",
        "gemini-3.1-flash-image",
        "gemini-3-pro-low",
        "gemini-3-pro-high",
        "gemini-3.5-flash-extra-low",
        "claude-x-high",
        "claude-x-medium",
        "gemini-4-flash-minimal",
    ],
)
def test_other_models_and_names_that_end_in_a_level_have_no_policy(model: str) -> None:
    assert prepared(model=model).reasoning == ir.Reasoning()


def test_the_policy_is_for_v1internal_only() -> None:
    assert prepared(upstream="demo", model="claude-sonnet-4-5").reasoning == ir.Reasoning()


@pytest.mark.parametrize("mode", ["off", "auto", "level", "budget"])
def test_the_policy_is_for_callers_who_asked_for_nothing(mode: Any) -> None:
    asked = ir.Reasoning(mode=mode, level="low", budget=2000)
    assert prepared(model="claude-sonnet-4-5", reasoning=asked).reasoning == asked


@pytest.mark.parametrize(("visible", "paths"), [(True, ["google.thinking_config"]), (False, []), (None, [])])
def test_thoughts_that_the_policy_does_not_let_be_are_told(visible: bool | None, paths: list[str]) -> None:
    asked: dict[str, Any] = {
        "reasoning": ir.Reasoning(visible=visible),
        "paths": {"thinking": "google.thinking_config"},
    }
    given = prepared(model="claude-sonnet-4-6", **asked)
    assert [(loss.path, loss.severity) for loss in given.losses] == [(path, "hint") for path in paths]


def test_a_suffix_goes_before_the_policy() -> None:
    assert prepared("-nothinking", model="claude-a-thinking").reasoning.budget is None


def test_thoughts_of_the_policy_are_hidden_from_anthropic_callers() -> None:
    reasoning = prepared(model="claude-a-thinking", dialect="anthropic").reasoning
    assert (reasoning.visible, reasoning.include, reasoning.budget) == (False, True, 1024)


# the output limit that Anthropic's callers may leave out


@pytest.mark.parametrize(
    ("asked", "defaults", "limit", "expected"),
    [
        (5, {"max_tokens": 6}, 7, 5),
        (None, {"max_tokens": 6}, 7, 6),
        (None, {}, 7, 7),
        (None, {}, None, 8192),
    ],
)
def test_max_tokens_of_an_anthropic_caller(asked: int | None, defaults: Any, limit: int | None, expected: int) -> None:
    info = ModelInfo(id=FLASH, max_output=limit)
    sampling = ir.Sampling(max_tokens=asked)
    filled = prepared(dialect="anthropic", info=info, sampling=sampling, config={"defaults": defaults})
    assert filled.sampling.max_tokens == expected


# a Gemini caller's own words


def own(body: Any, *suffixes: str, only: ir.Loss | None = None, **fields: Any) -> ir.Request:
    native = ir.Native(dialect="gemini", body=Raw(encode(body)), only=only)
    fields.setdefault("reasoning", ir.Reasoning(visible=False))
    return prepared(*suffixes, dialect="gemini", native=native, **fields)


def body_of(changed: ir.Request) -> Any:
    assert changed.native is not None
    return decode(changed.native.body)


CONTENTS = {"contents": [{"parts": [{"text": "hi"}]}]}


def test_without_a_suffix_they_stay_byte_for_byte() -> None:
    changed = own(CONTENTS | {"safety_settings": []}, config={"defaults": {"temperature": 0.5}})
    assert changed.native == ir.Native(dialect="gemini", body=Raw(encode(CONTENTS | {"safety_settings": []})))
    assert changed.sampling == ir.Sampling(temperature=0.5)  # the edits of the dialect write it down


def test_the_search_joins_them() -> None:
    changed = own(CONTENTS | {"safetySettings": [1]}, "-search")
    assert body_of(changed) == CONTENTS | {"safetySettings": [1], "tools": [{"googleSearch": {}}]}
    assert changed.tools == (SEARCH,)


@pytest.mark.parametrize(
    ("suffix", "config"),
    [
        ("-nothinking", {"includeThoughts": False, "thinkingBudget": 0}),
        ("-maxthinking", {"includeThoughts": False, "thinkingBudget": 24576}),
    ],
)
def test_thinking_joins_them(suffix: str, config: Any) -> None:
    said = CONTENTS | {"generation_config": {"temperature": 1}}
    assert body_of(own(said, suffix)) == CONTENTS | {"generationConfig": {"temperature": 1, "thinkingConfig": config}}


def test_their_own_thinking_goes_before_the_suffix() -> None:
    said = CONTENTS | {"generationConfig": {"thinkingConfig": {"thinkingBudget": 7}}}
    asked = ir.Reasoning(mode="budget", budget=7, visible=False)
    assert body_of(own(said, "-nothinking", reasoning=asked)) == said


@pytest.mark.parametrize(
    ("suffix", "config"),
    [
        ("-nothinking", {"includeThoughts": False, "thinkingBudget": 0}),
        ("-maxthinking", {"includeThoughts": True, "thinkingBudget": 24576}),
    ],
)
def test_a_caller_who_only_wants_to_see_thoughts_leaves_how_many_to_the_suffix(suffix: str, config: Any) -> None:
    """S4-39, S4-40: as Gemini CLI asks for a model whose name it does not know"""
    said = CONTENTS | {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    shown = ir.Reasoning(mode="auto", visible=True)
    assert body_of(own(said, suffix, reasoning=shown))["generationConfig"]["thinkingConfig"] == config


@pytest.mark.parametrize("suffix", ["-nothinking", "-maxthinking"])
def test_a_budget_that_is_left_to_the_model_goes_before_the_suffix(suffix: str) -> None:
    said = CONTENTS | {"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": -1}}}
    asked = ir.Reasoning(mode="auto", budget=-1, visible=True)
    assert body_of(own(said, suffix, reasoning=asked)) == said


def test_what_only_this_dialect_carries_goes_along_with_a_suffix() -> None:
    only = ir.Loss("cachedContent", "stays at Google", "content")
    assert body_of(own(CONTENTS | {"cachedContent": "c"}, "-search", only=only))["cachedContent"] == "c"


def test_what_only_this_dialect_carries_is_refused_elsewhere() -> None:
    with pytest.raises(InvalidRequest, match="cachedContent: stays at Google; 'demo'"):
        own(CONTENTS, upstream="demo", only=ir.Loss("cachedContent", "stays at Google", "content"))


# which key said so


@pytest.mark.parametrize(
    ("suffixes", "fields", "expected"),
    [
        (("-search",), {}, [("tools", "web_search", "models.variant.-search")]),
        (("-nothinking",), {}, [("thinking", "off", "models.variant.-nothinking")]),
        (
            ("-nothinking",),
            {"reasoning": ir.Reasoning(mode="auto")},
            [("thinking", "already as asked for", "models.variant.-nothinking")],
        ),
        ((), {}, [("thinking", "include True, budget -1", 'thinking."gemini-*"')]),
        ((), {"reasoning": ir.Reasoning(mode="auto")}, []),
        ((), {"upstream": "demo", "config": {"defaults": {"top_k": 4}}}, [("top_k", "4", "defaults.top_k")]),
        ((), {"upstream": "demo", "dialect": "anthropic"}, [("max_tokens", "8192", "defaults.max_tokens")]),
    ],
)
def test_all_that_is_filled_in_is_noted(suffixes: Any, fields: Any, expected: Any) -> None:
    found = noted(*suffixes, **fields)
    assert [note for note in found if note[2] != 'thinking."gemini-*"' or not suffixes] == expected

"""How much a model may think, by family and generation."""

from typing import Any

import pytest

from gateway import ir
from gateway.dialects.gemini.thinking import Plan, generation_of, plan

OFF, AUTO, UNSET = ir.Reasoning(mode="off"), ir.Reasoning(mode="auto"), ir.Reasoning()


def level(name: str) -> ir.Reasoning:
    return ir.Reasoning(mode="level", level=name)


def budget(tokens: int, **fields: Any) -> ir.Reasoning:
    return ir.Reasoning(mode="budget", budget=tokens, **fields)


def planned(model: str, reasoning: ir.Reasoning, max_tokens: int | None = None, **fields: Any) -> Plan:
    given = {"limit": None, "conflict": "clamp"} | fields
    return plan(reasoning, max_tokens, model=model, family=ir.family_of(model), **given)


def shown(**fields: Any) -> dict[str, Any]:
    return {"includeThoughts": True} | fields


def hidden(**fields: Any) -> dict[str, Any]:
    return {"includeThoughts": False} | fields


FLASH, PRO = "gemini-3-flash", "gemini-3-pro-preview"
GEMINI = [
    (FLASH, UNSET, None),
    (FLASH, OFF, hidden(thinkingLevel="minimal")),
    (FLASH, AUTO, shown()),
    (FLASH, level("none"), hidden(thinkingLevel="minimal")),
    (FLASH, level("low"), shown(thinkingLevel="low")),
    (FLASH, level("medium"), shown(thinkingLevel="medium")),
    (FLASH, level("max"), shown(thinkingLevel="high")),
    (FLASH, level("unheard-of"), shown()),
    (FLASH, budget(-1), shown()),
    (FLASH, budget(0), hidden(thinkingLevel="minimal")),
    (FLASH, budget(512), shown(thinkingLevel="minimal")),
    (FLASH, budget(1024), shown(thinkingLevel="low")),
    (FLASH, budget(8192), shown(thinkingLevel="medium")),
    (FLASH, budget(8193), shown(thinkingLevel="high")),
    (PRO, OFF, hidden(thinkingLevel="low")),
    (PRO, level("minimal"), shown(thinkingLevel="low")),
    (PRO, level("medium"), shown(thinkingLevel="high")),
    ("gemini-3.1-pro-preview", level("medium"), shown(thinkingLevel="medium")),
    ("gemini-3.6-flash", OFF, hidden(thinkingLevel="minimal")),
    ("gemini-3.7-flash", OFF, hidden(thinkingLevel="low")),
    ("gemini-3.8-flash", level("minimal"), shown(thinkingLevel="low")),
    ("gemini-3.8-flash-tiered", level("medium"), shown(thinkingLevel="medium")),
    ("gemini-3.10-flash", OFF, hidden(thinkingLevel="low")),
    ("gemini-4-flash", OFF, hidden(thinkingLevel="low")),
    ("gemini-4-hydrogen", level("max"), shown(thinkingLevel="xhigh")),
    ("gemini-4-neon", level("xhigh"), shown(thinkingLevel="xhigh")),
    ("gemini-4-neon", OFF, hidden(thinkingLevel="low")),
    ("gemini-4-carbon", level("xhigh"), shown(thinkingLevel="high")),
    ("gemini-3-pro-high", level("low"), shown()),
    ("gemini-3.5-flash-extra-low", OFF, hidden()),
    ("gemini-pro-agent", level("high"), shown()),
    ("gemini-flash-latest", level("high"), shown()),
    ("gemini-2.5-flash", OFF, hidden(thinkingBudget=0)),
    ("gemini-2.5-flash", AUTO, shown(thinkingBudget=-1)),
    ("gemini-2.5-flash", level("none"), hidden(thinkingBudget=0)),
    ("gemini-2.5-flash", level("low"), shown(thinkingBudget=1024)),
    ("gemini-2.5-flash", level("high"), shown(thinkingBudget=24576)),
    ("gemini-2.5-flash", level("max"), shown(thinkingBudget=24576)),
    ("gemini-2.5-flash", budget(7), shown(thinkingBudget=7)),
    ("gemini-2.5-flash-lite", budget(7), shown(thinkingBudget=512)),
    ("gemini-2.5-flash-lite", OFF, hidden(thinkingBudget=0)),
    ("gemini-2.5-pro", OFF, hidden(thinkingBudget=128)),
    ("gemini-2.5-pro", level("max"), shown(thinkingBudget=32768)),
    ("gemini-2.5-pro", budget(-1), shown(thinkingBudget=-1)),
    ("gemini-2.5-pro", ir.Reasoning(visible=True), shown()),
    ("gemini-2.0-flash", level("high"), None),
    ("gemini-3-pro-image", level("high"), None),
    ("gpt-oss-120b-medium", level("high"), None),
    ("gemma-4-31b-it", OFF, hidden(thinkingLevel="minimal")),
    ("gemma-4-31b-it", level("low"), shown(thinkingLevel="minimal")),
    ("gemma-4-26b-a4b-it", level("medium"), shown(thinkingLevel="high")),
    ("gemma-4-31b-it", AUTO, shown()),
    ("gemma-3-27b-it", OFF, None),
    ("gemma-3n-e4b-it", level("high"), None),
]


@pytest.mark.parametrize(("model", "reasoning", "expected"), GEMINI)
def test_each_generation_is_told_in_its_words(model: str, reasoning: ir.Reasoning, expected: object) -> None:
    assert planned(model, reasoning).config == expected


@pytest.mark.parametrize("model", ["gemini-2.0-flash", "gemini-3-pro-image", "gpt-oss-120b-medium"])
def test_model_without_the_option_is_told(model: str) -> None:
    assert planned(model, level("high")).losses == (ir.Loss("thinking", "this model has no thinking option", "hint"),)
    assert planned(model, OFF).losses == ()


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (budget(-1, visible=False), False),
        (budget(-1, visible=False, include=True), True),
        (budget(-1, visible=True, include=False), False),
        (ir.Reasoning(mode="off", visible=True), False),
        (ir.Reasoning(visible=True), True),
    ],
)
def test_thoughts_are_asked_for_when_somebody_reads_them(reasoning: ir.Reasoning, expected: bool) -> None:
    config = planned(FLASH, reasoning).config
    assert config
    assert config["includeThoughts"] is expected


def test_caller_who_wants_no_thoughts_and_no_thinking_changes_nothing() -> None:
    assert planned(FLASH, ir.Reasoning(visible=False)).config is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gemini-3-flash", (3, 0)),
        ("gemini-2.5-pro", (2, 5)),
        ("gemini-10-pro", (10, 0)),
        ("gemini-pro-agent", None),
        ("gemini-exp-1206", None),
        ("claude-opus-4-6", None),
    ],
)
def test_generation_is_read_off_the_name(name: str, expected: tuple[int, int] | None) -> None:
    assert generation_of(name) == expected


def test_a_policy_of_no_thinking_is_said_to_claude_in_figures() -> None:
    reasoning = ir.Reasoning(mode="budget", budget=0, include=False, visible=False)
    assert planned("claude-sonnet-4-5", reasoning).config == {"includeThoughts": False, "thinkingBudget": 0}


# Claude: (reasoning, max_tokens, conflict, limit) → (budget, maxOutputTokens)

CLAUDE = [
    (UNSET, 100, "clamp", 64000, (None, 100)),
    (OFF, 100, "clamp", 64000, (None, 100)),
    (budget(0), None, "clamp", 64000, (None, None)),
    (budget(1024), None, "clamp", 64000, (1024, 9216)),
    (budget(1), None, "clamp", 64000, (1024, 9216)),
    (AUTO, None, "clamp", None, (24576, 32768)),
    (budget(-1), None, "clamp", None, (24576, 32768)),
    (level("low"), None, "clamp", 64000, (1024, 9216)),
    (level("max"), None, "clamp", 64000, (55808, 64000)),
    (level("max"), 60000, "clamp", 64000, (55808, 60000)),
    (budget(32000), 40192, "clamp", 64000, (32000, 40192)),
    (budget(32000), 4000, "clamp", 64000, (3999, 4000)),
    (level("high"), 4000, "clamp", 64000, (3999, 4000)),
    (budget(1024), 1025, "clamp", 64000, (1024, 1025)),
    (budget(1024), 1024, "clamp", 64000, (None, 1024)),
    (budget(1024), 16, "clamp", 64000, (None, 16)),
    (budget(1024), 16, "raise", 64000, (1024, 9216)),
    (budget(32000), 4000, "raise", 64000, (32000, 40192)),
    (budget(63000), 4000, "raise", 64000, (63000, 64000)),
    (budget(90000), 4000, "raise", 64000, (63999, 64000)),
    (budget(32000), 4000, "drop", 64000, (None, 4000)),
    (budget(32000), 40000, "drop", 64000, (32000, 40000)),
    (budget(4096), None, "clamp", 8192, (4096, 8192)),
    (budget(6000), None, "clamp", 8192, (4096, 8192)),
    (budget(6000), None, "clamp", 1024, (None, 1024)),
]


@pytest.mark.parametrize(("reasoning", "max_tokens", "conflict", "limit", "expected"), CLAUDE)
def test_claudes_budget_stays_below_the_output_limit(
    reasoning: ir.Reasoning, max_tokens: int | None, conflict: Any, limit: int | None, expected: tuple[Any, Any]
) -> None:
    found = planned("claude-opus-4-6-thinking", reasoning, max_tokens, conflict=conflict, limit=limit)
    tokens, most = expected
    assert found.config == (tokens and {"includeThoughts": True, "thinkingBudget": tokens})
    assert found.max_tokens == most


@pytest.mark.parametrize(("max_tokens", "severities"), [(40000, []), (4000, ["hint"]), (1024, ["change"])])
def test_conflict_of_budget_and_limit_is_told(max_tokens: int, severities: list[str]) -> None:
    found = planned("claude-opus-4-6-thinking", budget(32000), max_tokens)
    assert [loss.severity for loss in found.losses] == severities


def test_thinking_that_only_the_configuration_wants_is_no_loss_to_the_caller() -> None:
    found = planned("claude-opus-4-6-thinking", budget(1024, include=True), 16)
    assert found.config is None
    assert [loss.severity for loss in found.losses] == ["hint"]

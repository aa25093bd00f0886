"""How much a model may think, in the words that it takes.

Gemini 3 and later take a level, or a budget where a server does not know levels, Gemini 2.5 a budget, never both; a
name that ends in a level has made the choice. Gemma 4 takes the lowest and the highest level, and no budget.
Claude takes a budget that must stay below the output limit. Older models and gpt-oss take nothing.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gateway import ir

__all__ = [
    "BUDGETS",
    "Conflict",
    "Generation",
    "Plan",
    "generation_of",
    "is_latest",
    "level_of",
    "nearest",
    "plain",
    "plan",
]

Conflict = Literal["clamp", "raise", "drop"]
Generation = tuple[int, int]

_FIRST_TO_THINK: Final[Generation] = (2, 5)
_LATEST: Final[Generation] = (3, 0)

_T = TypeVar("_T")

_DYNAMIC: Final = -1
BUDGETS: Final = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 128_000,
}
_RANKS: Final = {"minimal": 0, "low": 1, "medium": 2, "high": 3, "xhigh": 4, "max": 5}
_STEPS: Final = ((512, "minimal"), (1024, "low"), (8192, "medium"))  # a budget up to this is that level

_GENERATION: Final = re.compile(r"gemini-(\d{1,3})(?:\.(\d{1,3}))?(?!\d)")
_GEMMA: Final = re.compile(r"gemma-?(\d{1,3})")
_GEMMA_THAT_THINKS: Final = 4
_LEVEL_IN_NAME: Final = re.compile(r"-(?:minimal|low|medium|high|agent)$")
# The first pattern found in the name holds.
_LEVELS: Final = (
    (_GEMMA, ("minimal", "high")),
    (re.compile(r"gemini-3(?:\.0)?-pro"), ("low", "high")),
    (re.compile(r"gemini-4-(?:hydrogen|neon)\b"), ("low", "medium", "high", "xhigh")),
    (re.compile(r"gemini-(?:3\.(?:[7-9]|\d\d)|[4-9])\b.*flash"), ("low", "medium", "high")),
    (re.compile(r"flash"), ("minimal", "low", "medium", "high")),
    (re.compile(r""), ("low", "medium", "high")),
)
# Lowest and highest budget, and the one that means off: of Gemini 2.5, and of what came later, which always thinks.
_RANGES: Final = (
    (re.compile(r"flash-lite"), (512, 24576, 0)),
    (re.compile(r"flash"), (1, 24576, 0)),
    (re.compile(r""), (128, 32768, 128)),
)
_LATER_RANGES: Final = (
    (re.compile(r"-pro\b"), (128, 32768, 128)),
    (re.compile(r""), (1, 65535, 1)),
)

_CLAUDE_LEAST: Final = 1024
_CLAUDE_OUTPUT: Final = 64000
_ANSWER: Final = 8192  # room for the answer behind the thoughts


class Plan(Struct, frozen=True, kw_only=True):
    """The `thinkingConfig` to send, None for none, and the output limit that goes with it."""

    config: Mapping[str, object] | None = None
    max_tokens: int | None = None
    losses: tuple[ir.Loss, ...] = ()

    @property
    def thinks(self) -> bool:
        """Whether Claude thinks: a configuration may also say that it does not."""
        return self.config is not None and bool(self.config["includeThoughts"])


@lru_cache(maxsize=1024)
def plan(
    reasoning: ir.Reasoning,
    max_tokens: int | None,
    *,
    model: str,
    family: ir.Family,
    limit: int | None,
    conflict: Conflict,
    configured: bool = True,
    levels: bool = True,
) -> Plan:
    """Choose the thinking of one request; `max_tokens` is already within the model's `limit`.

    `configured`: whether the model takes a configuration of it. `levels`: whether the server knows them, where the
    model should.
    """
    if family == "claude" and reasoning.include is False and reasoning.budget == 0:  # the policy says so in figures
        return Plan(config={"includeThoughts": False, "thinkingBudget": 0}, max_tokens=max_tokens)
    reasoning = plain(reasoning)
    shown = reasoning.visible if reasoning.include is None else reasoning.include
    if reasoning.mode == "unset" and not shown:
        return Plan(max_tokens=max_tokens)
    if family == "claude":
        return _claude(reasoning, max_tokens, limit or _CLAUDE_OUTPUT, conflict)
    generation, gemma = generation_of(model), _GEMMA.search(model)
    if family != "gemini" or not configured or _thinks_never(model):
        lost = () if reasoning.mode in ("unset", "off") else (_loss("this model has no thinking option", "hint"),)
        return Plan(max_tokens=max_tokens, losses=lost)
    config: dict[str, object] = {"includeThoughts": reasoning.mode != "off" and shown is not False}
    if generation and generation < _LATEST:
        return _budgeted(config, reasoning, max_tokens, _first(_RANGES, model))
    level = level_of(reasoning) if reasoning.mode != "auto" else None
    if level is None or not (generation or gemma) or _LEVEL_IN_NAME.search(model) or (gemma and not levels):
        return Plan(config=config, max_tokens=max_tokens)
    if not levels:
        return _budgeted(config, reasoning, max_tokens, _first(_LATER_RANGES, model))
    config["thinkingLevel"] = nearest(level, _first(_LEVELS, model))
    return Plan(config=config, max_tokens=max_tokens)


@lru_cache(maxsize=256)
def generation_of(model: str) -> Generation | None:
    """Read a Gemini model's generation off its name; None when it does not say."""
    found = _GENERATION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else None


@lru_cache(maxsize=256)
def is_latest(model: str) -> bool:
    """Tell whether a Gemini model is of the third generation or later; one that does not say is, but for Gemma."""
    return "gemma" not in model and (generation_of(model) or _LATEST) >= _LATEST


def _thinks_never(model: str) -> bool:
    generation, gemma = generation_of(model), _GEMMA.search(model)
    if gemma is not None:
        return int(gemma[1]) < _GEMMA_THAT_THINKS
    return "image" in model or (generation is not None and generation < _FIRST_TO_THINK)


def plain(reasoning: ir.Reasoning) -> ir.Reasoning:
    """Say `off` and `auto` by their mode, however the caller put it."""
    if reasoning.mode == "budget" and (reasoning.budget or 0) <= 0:
        return replace(reasoning, mode="auto" if reasoning.budget == _DYNAMIC else "off")
    if reasoning.mode == "level" and reasoning.level not in _RANKS:
        return replace(reasoning, mode="off" if reasoning.level == "none" else "auto")
    return reasoning


def level_of(reasoning: ir.Reasoning) -> str | None:
    """Give the wanted level, also of a budget; None leaves it to the model."""
    if reasoning.mode == "off":
        return "minimal"
    if reasoning.mode == "budget":
        budget = reasoning.budget or 0
        return next((level for most, level in _STEPS if budget <= most), "high")
    return reasoning.level if reasoning.mode == "level" else None


def nearest(level: str, levels: tuple[str, ...]) -> str:
    """Give the level of these that is next to the wanted one, of two the higher."""
    wanted = _RANKS[level]
    return min(levels, key=lambda one: (abs(_RANKS[one] - wanted), -_RANKS[one]))


def _budget(reasoning: ir.Reasoning) -> int | None:
    """Give the wanted budget; None leaves it to the model."""
    if reasoning.mode == "level":
        return BUDGETS[reasoning.level or "none"]
    return reasoning.budget if reasoning.mode == "budget" else None


def _budgeted(
    config: dict[str, object], reasoning: ir.Reasoning, max_tokens: int | None, limits: tuple[int, int, int]
) -> Plan:
    least, most, off = limits
    budget = _budget(reasoning)
    if reasoning.mode == "off":
        config["thinkingBudget"] = off
    elif reasoning.mode != "unset":
        config["thinkingBudget"] = _DYNAMIC if budget is None else min(max(budget, least), most)
    return Plan(config=config, max_tokens=max_tokens)


def _claude(reasoning: ir.Reasoning, max_tokens: int | None, limit: int, conflict: Conflict) -> Plan:
    if reasoning.mode in ("unset", "off"):
        return Plan(max_tokens=max_tokens)
    budget = max(_budget(reasoning) or BUDGETS["high"], _CLAUDE_LEAST)
    if max_tokens is None or reasoning.mode != "budget":
        budget = min(budget, max(limit - _ANSWER, limit // 2, _CLAUDE_LEAST))
    if max_tokens is None or (max_tokens <= budget and conflict == "raise"):
        max_tokens = min(budget + _ANSWER, limit)
    if max_tokens > budget:
        return _thinking(budget, max_tokens)
    if conflict == "drop" or max_tokens <= _CLAUDE_LEAST:
        severity: ir.Severity = (
            "change" if reasoning.include is None else "hint"
        )  # the configuration's wish, or the caller's
        lost = _loss(f"thinking is off: a budget of {budget} does not fit into {max_tokens} tokens", severity)
        return Plan(max_tokens=max_tokens, losses=(lost,))
    lost = _loss(f"the budget of {budget} tokens was cut to stay below max_tokens, {max_tokens}", "hint")
    return _thinking(max_tokens - 1, max_tokens, lost)


def _thinking(budget: int, max_tokens: int, *losses: ir.Loss) -> Plan:
    # Without a budget Claude does not think; without includeThoughts no signature comes back.
    config: dict[str, object] = {"includeThoughts": True, "thinkingBudget": budget}
    return Plan(config=config, max_tokens=max_tokens, losses=losses)


def _first(table: tuple[tuple[re.Pattern[str], _T], ...], model: str) -> _T:
    return next(value for pattern, value in table if pattern.search(model))


def _loss(reason: str, severity: ir.Severity) -> ir.Loss:
    return ir.Loss("thinking", reason, severity)

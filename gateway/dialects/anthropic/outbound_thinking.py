"""How much Claude is told to think: by a budget below the output limit, or by an effort, never by both."""

from typing import Final

from msgspec import Struct

from gateway import ir
from gateway.dialects.gemini.thinking import BUDGETS, level_of, nearest, plain
from gateway.dialects.gemini.thinking import plan as plan_budget

from .outbound_target import AnthropicTarget

__all__ = ["NEAREST", "Thinking", "plan"]

_FALLBACK: Final = 8192  # of an answer whose limit nobody knows
_UPPER: Final = ("xhigh", "max")
_DISABLED: Final[dict[str, object]] = {"type": "disabled"}
_BETWEEN: Final[dict[str, object]] = {"type": "between_tools"}
_UPDATES: Final = "thinking-display-updates-2026-08-18"
_ALWAYS: Final = "this model always thinks; its minimum is {}"
_AWAKE: Final = "this model always thinks"
_CLAUDE: Final = "claude"  # models of others, behind the same API, think unless told not to
NEAREST: Final = "the nearest value that this model accepts is {}"


class Thinking(Struct, frozen=True, kw_only=True):
    """What is written of thinking, and the output limit that goes with it. `beta`: what a display needs, "" = none."""

    max_tokens: int
    config: dict[str, object] | None = None
    effort: str | None = None
    beta: str = ""
    losses: tuple[ir.Loss, ...] = ()

    @property
    def on(self) -> bool:
        """Whether the model is told to think."""
        return self.config is not None and self.config != _DISABLED

    @property
    def budgeted(self) -> bool:
        """Whether it thinks by a budget."""
        return self.config is not None and "budget_tokens" in self.config


def plan(request: ir.Request, target: AnthropicTarget, *, thoughts: bool = True) -> Thinking:
    """Choose the thinking of one request; `thoughts`: whether there may be any."""
    wanted, limit = request.sampling.max_tokens, target.max_output
    limited = wanted if wanted is None or limit is None else min(wanted, limit)
    losses = () if limited == wanted else (_hint("max_tokens", f"cut to the model's limit of {limited}"),)
    most = limited or limit or _FALLBACK
    if not thoughts:
        config = _resting(target) if target.adaptive else None
        return Thinking(max_tokens=most, config=config, losses=losses)
    if target.adaptive:
        return _adaptive(request.reasoning, target, most, losses)
    return _budgeted(request.reasoning, target, limited, most, losses)


def _effort(level: str, efforts: tuple[str, ...]) -> str:
    """Give the effort for a level: what is above `high` only where the model has just that (dialects.md §1.6)."""
    return nearest("high" if level in _UPPER and level not in efforts else level, efforts)


def _adaptive(
    reasoning: ir.Reasoning, target: AnthropicTarget, max_tokens: int, losses: tuple[ir.Loss, ...]
) -> Thinking:
    given, reasoning = reasoning, plain(reasoning)
    if reasoning.mode == "unset" and not _shown(reasoning):
        return Thinking(max_tokens=max_tokens, losses=losses)
    resting = _resting(target) if reasoning.mode == "off" else None
    if resting is not None:
        return Thinking(max_tokens=max_tokens, config=resting, losses=losses)
    level = level_of(reasoning)
    effort = None if level is None or not target.efforts else _effort(level, target.efforts)
    asked = given.include is None
    if reasoning.mode == "off" and asked:
        losses += (_hint("thinking", _ALWAYS.format(effort)),)
    elif level is not None and asked and (reasoning.mode == "budget" or effort != level):
        losses += (_hint("thinking", NEAREST.format(effort or "its own")),)
    display = _display(reasoning)
    config: dict[str, object] = {"type": "adaptive", "display": display}
    beta = _UPDATES if display == "updates" else ""
    return Thinking(max_tokens=max_tokens, config=config, effort=effort, beta=beta, losses=losses)


def _resting(target: AnthropicTarget) -> dict[str, object] | None:
    """Keep a model from thinking; None when it always does."""
    if target.rests:
        return _DISABLED
    return _BETWEEN if target.between else None


def _display(reasoning: ir.Reasoning) -> str:
    """Say what comes of the thoughts; without a word newer models show none, and only sign them."""
    if reasoning.display is not None:
        return reasoning.display
    return "omitted" if _shown(reasoning) is False else "summarized"


def _shown(reasoning: ir.Reasoning) -> bool | None:
    return reasoning.visible if reasoning.include is None else reasoning.include


def _budgeted(
    reasoning: ir.Reasoning,
    target: AnthropicTarget,
    limited: int | None,
    max_tokens: int,
    losses: tuple[ir.Loss, ...],
) -> Thinking:
    found = plan_budget(
        reasoning,
        limited,
        model=target.model,
        family="claude",
        limit=target.max_output,
        conflict=target.thinking_conflict,
    )
    losses += found.losses
    if reasoning.mode == "unset" and reasoning.include is None and reasoning.visible:
        losses += (_hint("thinking", "there are no thoughts to show: this model thinks only with a level or budget"),)
    if reasoning.display == "updates":
        losses += (_hint("display", "this model gives no progress updates"),)
    if not found.thinks or found.config is None:
        resting = None
        if reasoning.mode == "off" and _CLAUDE not in target.model.lower():
            resting = _resting(target)
            losses += () if resting else (_hint("thinking", _AWAKE),)
        return Thinking(max_tokens=found.max_tokens or max_tokens, config=resting, losses=losses)
    if limited is not None or target.max_output is None:
        max_tokens = found.max_tokens or max_tokens
    budget = found.config["thinkingBudget"]
    wanted = BUDGETS.get(reasoning.level or "") if reasoning.mode == "level" else reasoning.budget
    if reasoning.include is None and not found.losses and wanted and wanted > 0 and wanted != budget:
        losses += (_hint("thinking", NEAREST.format(budget)),)
    config: dict[str, object] = {"type": "enabled", "budget_tokens": budget}
    if _display(reasoning) == "omitted":
        config["display"] = "omitted"
    return Thinking(max_tokens=max_tokens, config=config, losses=losses)


def _hint(path: str, reason: str) -> ir.Loss:
    return ir.Loss(path, reason, "hint")

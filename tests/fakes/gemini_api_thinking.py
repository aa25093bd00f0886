"""Checks of thinking in the words of the public API; the rules are those of `v1internal_thinking`."""

from __future__ import annotations

import base64

from tests.fakes.v1internal_call import Call
from tests.fakes.v1internal_errors import invalid
from tests.fakes.v1internal_signatures import SENTINEL, decodes
from tests.fakes.v1internal_thinking import has_both, unknown_level, wrong_budget

__all__ = [
    "SENTINELS",
    "budget_in_range",
    "level_known",
    "level_or_budget",
    "pictures_signed",
    "signatures_readable",
    "thinking_known",
]

# https://ai.google.dev/gemini-api/docs/thought-signatures; the SDK sends them as bytes, in base64 once more
_SPELLED = (SENTINEL, "context_engineering_is_the_way_to_go")
SENTINELS = frozenset(_SPELLED) | {base64.b64encode(text.encode()).decode() for text in _SPELLED}


def thinking_known(call: Call) -> None:
    """The model thinks at all."""
    if call.thinking and call.model.budget is None:
        raise invalid(f"Thinking is not enabled for models/{call.model.name}")


def level_or_budget(call: Call) -> None:
    """Thinking has a level or a budget."""
    if has_both(call):
        raise invalid("You can only set only one of thinking budget and thinking level.")


def level_known(call: Call) -> None:
    """The model knows levels, and this one."""
    level = unknown_level(call)
    if level is None:
        return
    if not (call.levels_known and call.model.levels):
        raise invalid("Thinking level is not supported for this model.")
    raise invalid(f"Thinking level {level} is not supported for this model. Please retry with other thinking level.")


def budget_in_range(call: Call) -> None:
    """The budget is dynamic, or one the model takes; zero only where thinking can be off. Gemma 4 takes none."""
    if not call.model.budgets and "thinkingBudget" in call.thinking:
        raise invalid("Thinking budget is not supported for this model.")
    budget = wrong_budget(call)
    if budget is None or call.model.budget is None:
        return
    if budget == 0:
        raise invalid("Budget 0 is invalid. This model only works in thinking mode.")
    low, high = call.model.budget
    raise invalid(f"The thinking budget ({budget}) is invalid. Please choose a value between {low} and {high}.")


def signatures_readable(call: Call) -> None:
    """A signature is base64 and Gemini's; what stands for one does so on a function call."""
    for path, part in call.parts:
        value = part.get("thoughtSignature")
        if value is None:
            continue
        if not decodes(value):
            raise invalid(
                f"Invalid value at '{call.root}{path}.thought_signature' (TYPE_BYTES), "
                f'Base64 decoding failed for "{value[:80]}"'
            )
        if value in SENTINELS and "functionCall" in part:
            continue
        if value in SENTINELS or value.startswith("R"):  # Claude's begin so
            raise invalid("Thought signature is not valid.")
        if value in call.signatures.revoked:
            raise invalid("Corrupted thought signature.")


def pictures_signed(call: Call) -> None:
    """A model that draws and thinks gets back what it has said as it signed it: what came first, and each picture.

    https://ai.google.dev/gemini-api/docs/gemini-3#thought_signatures, "Image generation/editing (Strict)"; the words
    are those of langchain-ai/langchain-google#1431 and lobehub/lobehub#10404, which count from one.
    """
    if not (call.model.draws and call.model.signed_calls):
        return
    for turn in call.turns:
        said = [(place, part) for place, part in enumerate(turn.parts, 1) if not part.get("thought")]
        for place, part in said if turn.role == "model" else ():
            kind = "Image" if "inlineData" in part else "Text"
            if (kind == "Image" or place == said[0][0]) and not part.get("thoughtSignature"):
                at = f"content position {turn.index + 1}, part position {place}"
                raise invalid(f"{kind} part is missing a thought_signature in {at}.")

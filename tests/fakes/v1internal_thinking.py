"""Checks of thinking: `thinkingConfig` by model, and the signatures that Gemini wants back."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fakes.v1internal_call import Call, Json, Turn
from tests.fakes.v1internal_errors import LEARN_MORE, google, invalid, recorded
from tests.fakes.v1internal_signatures import SENTINEL, decodes

DYNAMIC = -1


def thinking_known(call: Call) -> None:
    """The model thinks at all."""
    if call.thinking and call.model.budget is None:
        raise invalid(f"Unable to submit request because thinking is not supported by this model. {LEARN_MORE}")


def level_or_budget(call: Call) -> None:
    """Thinking has a level or a budget."""
    if has_both(call):
        raise invalid(
            "Unable to submit request because thinking_budget and thinking_level are not supported together. "
            f"{LEARN_MORE}"
        )


def level_known(call: Call) -> None:
    """The model knows levels, and this one."""
    level = unknown_level(call)
    if level is None:
        return
    wanted = f"thinking_level {level}" if call.levels_known and call.model.levels else "thinking_level"
    raise invalid(f"Unable to submit request because {wanted} is not supported by this model. {LEARN_MORE}")


def budget_in_range(call: Call) -> None:
    """The budget is dynamic, or one the model takes; zero only where thinking can be off."""
    if wrong_budget(call) is None or call.model.budget is None:
        return
    low, high = call.model.budget
    raise invalid(
        "Unable to submit request because thinking_budget is out of range; "
        f"supported values are integers from {low} to {high}. {LEARN_MORE}"
    )


def has_both(call: Call) -> bool:
    """Say whether both a level and a budget are given."""
    return "thinkingLevel" in call.thinking and "thinkingBudget" in call.thinking


def unknown_level(call: Call) -> str | None:
    """Give the level, where the model does not know it."""
    level: str | None = call.thinking.get("thinkingLevel")
    return None if call.levels_known and level in call.model.levels else level


def wrong_budget(call: Call) -> int | None:
    """Give the budget, where the model does not take it; Claude's is judged elsewhere."""
    budget: int | None = call.thinking.get("thinkingBudget")
    if budget is None or call.model.budget is None or call.model.is_claude:
        return None
    low, high = call.model.budget
    taken = budget == DYNAMIC or low <= budget <= high or (budget == 0 and call.model.zero)
    return None if taken else budget


def signatures_readable(call: Call) -> None:
    """A signature is Gemini's base64, or the sentinel on a function call; Claude's and revoked ones are refused."""
    for _, part in call.parts:
        value = part.get("thoughtSignature")
        if value is None or (value == SENTINEL and "functionCall" in part):
            continue
        if value == SENTINEL or not decodes(value) or value in call.signatures.revoked:
            raise invalid("Corrupted thought signature.")
        if value.startswith("R"):
            raise recorded("400_array_wrapped")


def calls_signed(call: Call) -> None:
    """The first call of each step since the last plain user text carries a signature."""
    for turn, place, part in _first_calls(call) if call.model.signed_calls else ():
        if not part.get("thoughtSignature"):
            raise _missing_signature(turn, place, part)


def _first_calls(call: Call) -> Iterator[tuple[Turn, int, Json]]:
    turns = call.turns
    spoken = max((turn.index for turn in turns if turn.is_plain), default=-1)
    for turn in turns[spoken + 1 :]:
        calls = turn.holding("functionCall")
        if calls:
            yield (turn, *calls[0])


def _missing_signature(turn: Turn, place: int, part: Json) -> Exception:
    words = recorded("400_gemini_missing_thought_signature").body["error"]["message"].partition(" Additional data")
    position = turn.index + place + 1
    name = part["functionCall"]["name"]
    return google(400, f"{words[0]} Additional data, function call `default_api:{name}` , position {position}.")

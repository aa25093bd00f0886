"""A conversation in the order that OpenAI and its like demand.

    system, user ─► assistant [thoughts, words, calls] ─► one result for each call, in call order ─► system, user ─► …

Assistant turns in a row become one; results are found by their id wherever they stand before the next assistant turn.
A call that nobody answered gets a result that says so, unless the conversation ends with it: the caller is still at it.
Where the model has shown a picture beside it, it does not end so: the user shows that.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.gemini.executed import executed
from gateway.dialects.gemini.history import EMPTY, NOT_OURS, SHOWN, SHOWN_BACK, answers, orphan, unique
from gateway.dialects.renaming import recounted

__all__ = ["Step", "Taken", "arrange"]

_BY_MODEL: Final[dict[type, bool]] = {ir.Thinking: True, ir.ToolCall: True, ir.ToolResult: False}

Role = Literal["system", "user", "assistant", "results"]
Taken = Callable[[ir.Thinking], bool]

_Identify = Callable[[ir.ToolCall], str]

_STRAY: Final[tuple[Role, int]] = ("user", -1)  # a turn of its own, which no turn of the caller's has


class Step(Struct, frozen=True):
    """What one speaker says; `results`: one ir.ToolResult for each call of the assistant step before it.

    Of an assistant step, `places`: where the thoughts and signatures of each part stood; `turns`: each one's turn.
    """

    role: Role
    parts: tuple[ir.Part, ...]
    places: tuple[tuple[str, ...], ...] = ()
    turns: tuple[int, ...] = ()


class _Said(Struct, frozen=True):
    """A part of one turn. `turn`: its role and its number."""

    part: ir.Part
    places: tuple[str, ...]
    model: bool
    turn: tuple[Role, int]


def arrange(
    turns: Sequence[ir.Turn], taken: Taken, losses: list[ir.Loss], called: Callable[[str], str] | None = None
) -> list[Step]:
    """Order the turns, mend what is missing, make the call ids legal and unique; `taken`: whether a thought goes back.

    `called`: what a model calls a tool whose ids of calls are to be counted, as Kimi's are.
    Empty texts are left out; all signatures but those of thoughts too, which are told. Where the user has the last
    word, and it is empty, the model is not to go on with its own.
    """
    said = [one for number, turn in enumerate(turns) for one in _kept(turn, number, taken, losses)]
    identify = _legally() if called is None else _counting(turns, called)
    steps: list[Step] = []
    for model, others in _runs(said):
        calls = [(one.part, identify(one.part)) for one in model if isinstance(one.part, ir.ToolCall)]
        pictures = tuple(one.part for one in model if isinstance(one.part, ir.Media))
        results, words = _results(calls, others, losses)
        losses += [ir.Loss(one.path or "messages", SHOWN_BACK, "change") for one in pictures]
        shown: tuple[ir.Part, ...] = (SHOWN, *pictures) if pictures else ()
        given = (_spoken(model, calls), Step("results", results), Step("user", shown))
        steps += [step for step in (*given, *_others(words)) if step.parts]
    if steps and steps[-1].role == "assistant" and turns[-1].role == "user":
        steps.append(Step("user", (EMPTY,)))
    return steps


def _legally() -> _Identify:
    used: dict[str, int] = {}
    return lambda call: unique(call.id, used)


def _counting(turns: Iterable[ir.Turn], called: Callable[[str], str]) -> _Identify:
    ids = recounted(part.id for turn in turns for part in turn.parts if isinstance(part, ir.ToolCall))
    return lambda call: call.id if ids is None else ids.call(call.id, called(call.name))


def _kept(turn: ir.Turn, number: int, taken: Taken, losses: list[ir.Loss]) -> Iterator[_Said]:
    """Give what goes on of a turn, and tell which thoughts and signatures do not."""
    known = len(turn.places) == len(turn.parts)
    for index, given in enumerate(turn.parts):
        part = (executed(given, losses) or given) if isinstance(given, ir.Opaque) else given
        thought = isinstance(part, ir.Thinking)
        back = not isinstance(part, ir.Thinking) or taken(part)
        places = turn.places[index] if known else ("messages",) if _sealed(part) else ()
        if not back or (not thought and _signed(part)):
            losses += [ir.Loss(place, NOT_OURS, "hint") for place in places]
        if back and not (isinstance(part, ir.Text) and not part.text):
            model = _BY_MODEL.get(type(part), turn.role == "assistant")
            yield _Said(part, places, model, ("assistant" if model else turn.role, number))


def _signed(part: ir.Part) -> bool:
    return not isinstance(part, ir.ToolResult | ir.Opaque) and part.signature is not None


def _sealed(part: ir.Part) -> bool:
    return isinstance(part, ir.Thinking) and part.redacted is not None


def _runs(said: Iterable[_Said]) -> Iterator[tuple[list[_Said], list[_Said]]]:
    """Give what the model says, each time with what the others say to it."""
    model: list[_Said] = []
    for by_model, group in groupby(said, lambda one: one.model):
        if by_model:
            model = list(group)
        else:
            yield model, list(group)
            model = []
    if model:
        yield model, []


def _spoken(model: Iterable[_Said], calls: Iterable[tuple[ir.ToolCall, str]]) -> Step:
    ids = iter(calls)
    said = [one for one in model if not isinstance(one.part, ir.Media)]
    parts = (replace(one.part, id=next(ids)[1]) if isinstance(one.part, ir.ToolCall) else one.part for one in said)
    return Step("assistant", tuple(parts), tuple(one.places for one in said), tuple(one.turn[1] for one in said))


def _results(
    calls: list[tuple[ir.ToolCall, str]], others: list[_Said], losses: list[ir.Loss]
) -> tuple[tuple[ir.Part, ...], list[_Said]]:
    """Give one result for each call, and what else is said; results of unknown calls are words, where they stood."""
    ids = {call.id for call, _ in calls}
    found: list[ir.Part] = []
    words: list[_Said] = []
    for one in others:
        if not isinstance(one.part, ir.ToolResult):
            words.append(one)
        elif one.part.id in ids:
            found.append(one.part)
        else:
            words += [_Said(part, (), model=False, turn=_STRAY) for part in orphan(one.part, losses)]
    return answers(calls, found, losses)[0], words


def _others(words: Iterable[_Said]) -> Iterator[Step]:
    for (role, _), group in groupby(words, lambda one: one.turn):
        yield Step("user" if role == "assistant" else role, tuple(one.part for one in group))

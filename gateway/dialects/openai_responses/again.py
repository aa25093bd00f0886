"""Results whose client says again, before them, what a kept response knows already: Semantic Kernel's agents do.

said before                    sent now                     read as
user, "I look", call           user, "I look", result       user, "I look", user, "I look", call, result
user, call, result, "done"     result, user                 user, call, result, "done", user

OpenAI finds the call of a result by its ID, wherever the two stand; models that others serve want them side by side.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from gateway import ir

__all__ = ["side_by_side"]

_WITH_CALLS: Final = (ir.ToolCall, ir.Thinking)


def side_by_side(turns: Sequence[ir.Turn]) -> tuple[ir.Turn, ...]:
    """Put calls in front of their results; a result that is only said again is left out."""
    joined = _Joined()
    for turn in turns:
        joined.add(turn)
    return tuple(turn for turn in joined.turns if turn.parts or turn.role != "assistant")


class _Joined:
    """The turns so far; `run` is where the last answer of the model begins."""

    def __init__(self) -> None:
        self.turns: list[ir.Turn] = []
        self.run = 0
        self._calls: dict[str, int] = {}  # where each stands
        self._results: dict[str, ir.ToolResult] = {}

    def add(self, turn: ir.Turn) -> None:
        """Take the next turn."""
        if turn.role == "assistant":
            self._answer(turn)
            return
        news = [place for place, part in enumerate(turn.parts) if not self._is_known(part)]
        late = [part.id for part in turn.parts if isinstance(part, ir.ToolResult) and self._is_late(part)]
        for place in dict.fromkeys(self._calls[call_id] for call_id in late):
            self._fetch(place, late)
        self._results |= {part.id: part for part in turn.parts if isinstance(part, ir.ToolResult)}
        if news or not turn.parts:
            self.turns.append(_with(turn, news))

    def _answer(self, turn: ir.Turn) -> None:
        if not self.turns or self.turns[-1].role != "assistant":
            self.run = len(self.turns)
        calls = [part.id for part in turn.parts if isinstance(part, ir.ToolCall)]
        self._calls |= dict.fromkeys(calls, len(self.turns))
        for one in calls:  # of an ID that was used before
            self._results.pop(one, None)
        self.turns.append(turn)

    def _is_late(self, result: ir.ToolResult) -> bool:
        return self._calls.get(result.id, self.run) < self.run and result.id not in self._results

    def _is_known(self, part: ir.Part) -> bool:
        if not isinstance(part, ir.ToolResult) or part.id not in self._results:
            return False
        return _placeless(self._results[part.id]) == _placeless(part)

    def _fetch(self, place: int, late: Sequence[str]) -> None:
        """Let the model make its calls last of all it has said, with the thoughts that led to no others."""
        turn = self.turns[place]
        calls = [at for at, part in enumerate(turn.parts) if isinstance(part, ir.ToolCall)]
        goes = [at for at, part in enumerate(turn.parts) if isinstance(part, ir.ToolCall) and part.id in late]
        if goes == calls:
            goes = [at for at, part in enumerate(turn.parts) if isinstance(part, _WITH_CALLS)]
        self.turns[place] = _with(turn, [at for at in range(len(turn.parts)) if at not in goes])
        self._answer(_with(turn, goes))


def _placeless(result: ir.ToolResult) -> ir.ToolResult:
    """Give a result without where it stands."""
    parts = tuple(replace(one, path="", detail_path="") if isinstance(one, ir.Media) else one for one in result.parts)
    return replace(result, parts=parts, path="")


def _with(turn: ir.Turn, places: Sequence[int]) -> ir.Turn:
    """Give a turn with the parts that stand there."""
    if len(places) == len(turn.parts):
        return turn
    return replace(
        turn,
        parts=tuple(turn.parts[at] for at in places),
        places=tuple(turn.places[at] for at in places) if turn.places else (),
    )

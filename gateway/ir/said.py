"""The words of an answer, kept until it ends, to be counted where an upstream has not counted them."""

from collections.abc import Sequence
from itertools import compress
from typing import Final

from msgspec.structs import replace

from .estimate import estimate, estimate_text
from .events import Alternative, ArgumentsDelta, BlockStarted, Event, TextDelta, ThinkingDelta, Usage
from .request import Request

__all__ = ["Said"]

_TELLS: Final = frozenset({Alternative, ArgumentsDelta, BlockStarted, TextDelta, ThinkingDelta}).__contains__


class Said:
    """Hears the events of one answer."""

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        self._heard: list[Event] = []

    def hear(self, events: Sequence[Event]) -> None:
        """Keep what was said."""
        self._heard.extend(compress(events, map(_TELLS, map(type, events))))

    def usage(self, told: Usage | None, request: Request, *, whole: bool) -> Usage | None:
        """Give what the upstream has told, where the answer is whole; what was asked and said, where it has not."""
        known = told or Usage()
        output = known.output if whole and known.output else max(known.output, self._output())
        if whole and known.input and output == known.output:
            return known
        if request.thread is not None and request.thread.background:
            return None  # it is told once the answer is made
        return replace(known, input=known.input or estimate(request), output=output, total=None, estimated=True)

    def _output(self) -> int:
        return estimate_text("".join(map(_words, self._heard)))


def _words(event: Event) -> str:
    if isinstance(event, TextDelta | ThinkingDelta):
        return event.text
    if isinstance(event, ArgumentsDelta):
        return event.json
    if isinstance(event, Alternative):
        return _words(event.event)
    return (event.name or "") if isinstance(event, BlockStarted) else ""

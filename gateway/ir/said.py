"""The words of an answer, kept until it ends, to be counted where an upstream has not counted them."""

from collections.abc import Sequence

from msgspec.structs import replace

from .estimate import estimate, estimate_text
from .events import ArgumentsDelta, BlockStarted, Event, TextDelta, ThinkingDelta, Usage
from .request import Request

__all__ = ["Said"]


class Said:
    """Hears the events of one answer."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words: list[str] = []

    def hear(self, events: Sequence[Event]) -> None:
        """Keep what was said."""
        for event in events:
            if type(event) is TextDelta or type(event) is ThinkingDelta:
                self._words.append(event.text)
            elif type(event) is ArgumentsDelta:
                self._words.append(event.json)
            elif type(event) is BlockStarted and event.name:
                self._words.append(event.name)

    def usage(self, told: Usage | None, request: Request, *, whole: bool) -> Usage | None:
        """Give what the upstream has told, where the answer is whole; else at least what was asked and said."""
        if whole and told is not None and (told.input or told.output):
            return told
        if request.thread is not None and request.thread.background:
            return None  # it is told once the answer is made
        known = told or Usage()
        output = max(known.output, estimate_text("".join(self._words)))
        return replace(known, input=known.input or estimate(request), output=output, total=None, estimated=True)

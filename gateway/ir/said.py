"""The words of an answer, to be counted where an upstream has not counted them; the last are kept until it ends."""

from collections.abc import Sequence
from itertools import compress
from typing import Final

from msgspec.structs import replace

from gateway.errors import UpstreamMalformed

from .estimate import estimate, estimate_text
from .events import Alternative, ArgumentsDelta, BlockStarted, Event, TextDelta, ThinkingDelta, Usage
from .request import Request

__all__ = ["Said"]

_KEPT: Final = 1024  # events; what a long answer has said before them is a number
_PARTS: Final = 100_000  # calls, and whatever else an answer has several of
_MOST: Final = 4_000_000  # tokens: no model says as much, and some callers' answers are put together in memory
_TELLS: Final = frozenset({Alternative, ArgumentsDelta, BlockStarted, TextDelta, ThinkingDelta}).__contains__


class Said:
    """Hears the events of one answer."""

    __slots__ = ("_counted", "_heard", "_parts")

    def __init__(self) -> None:
        self._heard: list[Event] = []
        self._counted = self._parts = 0

    def hear(self, events: Sequence[Event]) -> None:
        """Keep what was said; raise UpstreamMalformed for an answer that seems to have no end."""
        self._heard.extend(compress(events, map(_TELLS, map(type, events))))
        if len(self._heard) > _KEPT:
            self._count()

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
        return self._counted + estimate_text("".join(map(_words, self._heard)))

    def _count(self) -> None:
        """Count what was said so far, but for the word that it may have ended in."""
        self._parts += sum(map(_begins, self._heard))
        if self._parts > _PARTS:
            raise UpstreamMalformed(f"the upstream's response does not end: it has more than {_PARTS:,} parts")
        words = "".join(map(_words, self._heard))
        end = words.rfind(" ") + 1 or len(words)
        self._counted += estimate_text(words[:end])
        self._heard = [TextDelta(words[end:])]
        if self._counted > _MOST:
            raise UpstreamMalformed(f"the upstream's response does not end: it has more than {_MOST:,} tokens")


def _begins(event: Event) -> bool:
    return isinstance(event.event if isinstance(event, Alternative) else event, BlockStarted)


def _words(event: Event) -> str:
    if isinstance(event, TextDelta | ThinkingDelta):
        return event.text
    if isinstance(event, ArgumentsDelta):
        return event.json
    if isinstance(event, Alternative):
        return _words(event.event)
    return (event.name or "") if isinstance(event, BlockStarted) else ""

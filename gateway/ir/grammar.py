"""The grammar of an event stream as a table.

IDLE  --Started-->  OPEN
OPEN  --BlockStarted(kind)-->  BLOCK(kind)  --deltas that this kind may hold-->  BLOCK(kind)
BLOCK --BlockEnded-->  OPEN
OPEN  --UsageReported-->  TAIL  (only UsageReported or a terminal event from here)
OPEN, TAIL  --Finished-->  END;   any state but END  --Failed-->  END,  --OpaqueEvent-->  itself
any state  --Passed-->  itself
OPEN, BLOCK  --Alternative-->  itself; what it brings is an answer by this table from OPEN on, without UsageReported
"""

from collections.abc import Iterable

from . import events as ev

__all__ = ["Grammar", "GrammarError", "check"]

_HOLDS: dict[ev.BlockKind, tuple[type, ...]] = {
    "text": (ev.TextDelta, ev.SignatureDelta, ev.CitationDelta, ev.LogprobsDelta),
    "thinking": (ev.ThinkingDelta, ev.SignatureDelta),
    "tool_call": (ev.ArgumentsDelta, ev.SignatureDelta),
    "media": (ev.MediaChunk, ev.SignatureDelta),
}


class GrammarError(ValueError):
    """An event stood where the grammar has no place for it."""


class Grammar:
    """Check events one by one; `ended` tells whether the terminal event has come."""

    def __init__(self) -> None:
        self._state = "idle"
        self._holds: tuple[type, ...] = ()
        self._others: dict[int, Grammar] = {}

    @property
    def ended(self) -> bool:
        """Whether Finished or Failed has been seen."""
        return self._state == "end"

    def feed(self, event: ev.Event) -> None:
        """Take one event; raise GrammarError when it may not stand here."""
        if isinstance(event, ev.Alternative):
            self._alternative(event)
        else:
            self._state = self._next(event)

    def _next(self, event: ev.Event) -> str:
        state = self._state
        match event:
            case ev.Passed():
                return state
            case ev.Failed() if state != "end":
                return "end"
            case ev.OpaqueEvent() if state != "end":
                return state
            case ev.Started() if state == "idle":
                return "open"
            case ev.BlockStarted(kind=kind) if state == "open":
                self._holds = _HOLDS[kind]
                return "block"
            case ev.BlockEnded() if state == "block":
                return "open"
            case ev.UsageReported() if state in ("open", "tail"):
                return "tail"
            case ev.Finished() if state in ("open", "tail") and all(one.ended for one in self._others.values()):
                return "end"
            case _ if state == "block" and isinstance(event, self._holds):
                return state
            case _:
                pass
        raise GrammarError(f"{type(event).__name__} in state {state}")

    def _alternative(self, event: ev.Alternative) -> None:
        place, said = event.place, event.event
        if self._state not in ("open", "block") or place < 1:
            raise GrammarError(f"alternative {place} in state {self._state}")
        if isinstance(said, ev.UsageReported | ev.Failed | ev.Passed | ev.Alternative):
            raise GrammarError(f"{type(said).__name__} in an alternative")
        if place not in self._others:
            self._others[place] = Grammar()
            self._others[place].feed(ev.Started())
        self._others[place].feed(said)


def check(events: Iterable[ev.Event]) -> None:
    """Raise GrammarError unless `events` is one complete stream."""
    grammar = Grammar()
    for event in events:
        grammar.feed(event)
    if not grammar.ended:
        raise GrammarError("no terminal event")

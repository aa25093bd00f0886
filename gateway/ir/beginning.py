"""Where an answer begins: with the first thing that it says. Until then it may be asked for again."""

from collections.abc import Iterable
from typing import Final

from .events import (
    Alternative,
    BlockEnded,
    BlockStarted,
    Event,
    Failed,
    Finished,
    OpaqueEvent,
    Passed,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    UsageReported,
)

__all__ = ["begins"]


def begins(events: Iterable[Event], *, hidden: bool = False) -> bool:
    """Tell whether any of these says something; an empty block does not. `hidden`: thoughts are not for the caller."""
    for event in events:
        if type(event) is TextDelta:
            if event.text:
                return True
        elif type(event) not in _SILENT and _says(event, hidden=hidden):
            return True
    return False


_SILENT: Final = frozenset({Started, UsageReported, BlockEnded, Finished, Failed, Passed})


def _says(event: Event, *, hidden: bool) -> bool:
    match event:
        case BlockStarted(kind=kind):
            return kind == "tool_call"
        case ThinkingDelta(text=said):
            return bool(said) and not hidden
        case SignatureDelta():  # sealed thoughts; what else is signed has said something
            return not hidden
        case OpaqueEvent(dialect=dialect):
            return dialect != "gemini"  # these are the sources of words, the others are blocks
        case Alternative(event=other):
            return begins((other,), hidden=hidden)
        case _:
            return True

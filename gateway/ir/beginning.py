"""Where an answer begins: with the first thing that it says. Until then it may be asked for again."""

from collections.abc import Iterable

from .events import (
    Alternative,
    BlockStarted,
    CitationDelta,
    Event,
    LogprobsDelta,
    MediaChunk,
    OpaqueEvent,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)

__all__ = ["begins"]


def begins(events: Iterable[Event], *, hidden: bool = False) -> bool:
    """Tell whether any of these says something; an empty block does not. `hidden`: thoughts are not for the caller."""
    return any(_says(event, hidden=hidden) for event in events)


def _says(event: Event, *, hidden: bool) -> bool:
    match event:
        case TextDelta(text=said):
            return bool(said)
        case ThinkingDelta(text=said):
            return bool(said) and not hidden
        case SignatureDelta():  # sealed thoughts; what else is signed has said something
            return not hidden
        case BlockStarted(kind=kind):
            return kind == "tool_call"
        case OpaqueEvent(dialect=dialect):
            return dialect != "gemini"  # these are the sources of words, the others are blocks
        case Alternative(event=other):
            return _says(other, hidden=hidden)
        case MediaChunk() | CitationDelta() | LogprobsDelta():
            return True
        case _:
            return False

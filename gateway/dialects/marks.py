"""Marks up to which a prompt may be cached, as callers write them; see `outbound_marks` for who takes them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, TypeVar

from msgspec import Raw
from msgspec.json import Decoder
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.known import Closed, understood
from gateway.dialects.place import Place

__all__ = ["CONTROL", "marked", "marks_of", "read_control", "uncarried", "with_mark"]

CONTROL: Final = "cache_control"  # Anthropic's

_Marked = ir.Text | ir.Media | ir.ToolCall | ir.ToolResult

_NOT_MARKED: Final = "marks for the prompt cache are not carried"
_KINDS: Final = (ir.Text, ir.Media, ir.ToolCall, ir.ToolResult)
_NOTHING: Final = "there is nothing here that could be cached"

_P = TypeVar("_P", bound=ir.Part)
_Given = TypeVar("_Given", ir.Text, ir.Media, ir.Text | ir.Media)


class _Control(Closed):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


_CONTROL: Final = Decoder(_Control)


def read_control(raw: Raw, place: Place) -> ir.Mark | None:
    """Read Anthropic's mark, which other servers take from callers of OpenAI's dialects, too."""
    said = understood(raw, _CONTROL, place)
    return None if said is None else ir.Mark(path=place.path, ttl=said.ttl)


def with_mark(part: _Given, mark: ir.Mark | None, losses: list[ir.Loss]) -> _Given:
    """Give a part its mark; words that are none are left out, and it with them."""
    if mark is None:
        return part
    if isinstance(part, ir.Text) and not part.text:
        losses.append(ir.Loss(mark.path, _NOTHING, "hint"))
    return replace(part, mark=mark)


def marked(parts: Sequence[_P], mark: ir.Mark | None, losses: list[ir.Loss]) -> tuple[_P, ...]:
    """Give the mark of a whole message to the last of its parts that may have one."""
    given = list(parts)
    if mark is None:
        return tuple(given)
    for place in reversed(range(len(given))):
        part = given[place]
        if isinstance(part, _KINDS) and part.mark is None:
            given[place] = replace(part, mark=mark)
            return tuple(given)
        if isinstance(part, _KINDS):
            break
    losses.append(ir.Loss(mark.path, _NOTHING if not given else "the last part has one already", "hint"))
    return tuple(given)


def marks_of(tools: Iterable[ir.Tool], system: Iterable[ir.Text], turns: Iterable[ir.Turn]) -> tuple[ir.Mark, ...]:
    """Give all marks, in the order in which a prompt is cached."""
    found = [tool.mark for tool in tools if tool.mark is not None]
    found += [text.mark for text in system if text.mark is not None]
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ir.ToolResult):
                found += [inner.mark for inner in part.parts if inner.mark is not None]
            if isinstance(part, _Marked) and part.mark is not None:
                found.append(part.mark)
    return tuple(found)


def uncarried(request: ir.Request) -> Iterator[ir.Loss]:
    """Tell that none of them goes on."""
    return (ir.Loss(mark.path, _NOT_MARKED, "hint") for mark in request.marks)

"""Blocks that say nothing to the model themselves, but change what it is shown, or which tools it is offered.

    compaction                    stands for all that was said before it
    tool_addition, tool_removal   hold from where they stand
    fallback                      not one of these: it tells of the answer that it is in (`blocks`)

Few conversations have any, so they are looked for only where a conversation cannot be read as it is.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from msgspec import Raw, Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from gateway.dialects.content import limit_depth
from gateway.dialects.place import Place
from gateway.dialects.raw import FIELDS, NULL, TEXT, Fields, read

from .wire import Message

__all__ = ["Change", "Directed", "Placed", "direct"]

Placed = tuple[int, Message]  # with its number in the caller's conversation

_COMPACTION: Final = "compaction"
_CHANGES: Final = {"tool_addition": True, "tool_removal": False}
_SAYING: Final = frozenset({"user", "assistant"})  # Anthropic refuses a compaction of the system
_NOTHING: Final = Raw(b'{"type":"text","text":""}')  # in the place of a block, so that those after it keep theirs


class Change(NamedTuple):
    """A tool that is offered, or no longer, from here on."""

    adds: bool
    tool: Raw
    place: Place


class Directed(Struct, frozen=True):
    """A conversation without these blocks, and the changes of the tools in it."""

    messages: Sequence[Placed]
    changes: Sequence[Change]


class _Compaction(Struct):
    """What a server has made of a conversation; without content it has failed, and does nothing."""

    content: str | None = None
    tool_changes: list[Raw] | None = None


class _ToolChange(Struct):
    tool: Raw


_READ: Final = Decoder(_Compaction)
_CHANGE: Final = Decoder(_ToolChange)
_KIND: Final = Decoder(Literal["tool_addition", "tool_removal"])
_COMPACTED: Final = frozenset(("type", *_Compaction.__struct_fields__))
_CHANGED: Final = frozenset(("type", *_ToolChange.__struct_fields__))


def direct(messages: Iterable[Message], place: Place) -> Directed | None:
    """Do what the blocks of a conversation say; None where it has none of them."""
    reader = _Reader(place)
    for number, message in enumerate(messages):
        reader.take(number, message)
    return Directed(reader.kept, reader.changes) if reader.found else None


class _Reader:
    def __init__(self, place: Place) -> None:
        self.kept: list[Placed] = []
        self.changes: list[Change] = []
        self.found = False
        self._place = place

    def take(self, number: int, message: Message) -> None:
        given = message.content
        if not isinstance(given, list):
            self.kept.append((number, message))
            return
        at = self._place.at(f"messages[{number}].content")
        left: list[Raw] = []
        for index, raw in enumerate(given):
            limit_depth(raw)
            fields = read(raw, FIELDS) or {}
            kind = read(fields.get("type", NULL), TEXT) or ""
            if kind in _CHANGES:
                self._change(kind, raw, fields, at.item(index))
            elif kind != _COMPACTION or message.role not in _SAYING:
                left.append(raw)
                continue
            elif self._compact(number, raw, fields, at.item(index)):
                left = [_NOTHING] * index
            self.found = True
            left.append(_NOTHING)
        if any(raw is not _NOTHING for raw in left) or not given:
            self.kept.append((number, replace(message, content=left)))
        elif message.output_config is not None:
            self.kept.append((number, replace(message, content=None)))

    def _change(self, kind: str, raw: Raw, fields: Fields, at: Place) -> None:
        at.lose_unknown(fields, _CHANGED)
        self.changes.append(Change(_CHANGES[kind], at.read(raw, _CHANGE).tool, at.at("tool")))

    def _compact(self, number: int, raw: Raw, fields: Fields, at: Place) -> bool:
        """Let a summary stand for what was said; tell whether there is one."""
        block = at.read(raw, _READ)
        if not block.content:
            return False
        at.lose_unknown(fields, _COMPACTED)
        self.kept = [(number, Message(role="user", content=block.content))]
        if block.tool_changes is not None:  # those of all that was before it; else they are still to be seen there
            self.changes = []
            for index, change in enumerate(block.tool_changes):
                inner = at.at("tool_changes").item(index)
                members = inner.fields(change)
                self._change(inner.read(members.get("type", NULL), _KIND, "type"), change, members, inner)
        return True

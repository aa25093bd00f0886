"""The ids of calls in a conversation that an Anthropic caller sends to Anthropic, or to a server with its API."""

import re
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.gemini.names import map_id
from gateway.dialects.raw import Fields, name_of
from gateway.dialects.renaming import Renaming, counts_calls, recounted

from .edits_walk import Conversed, blocks_of, has_tools, kind_of, mend_blocks
from .outbound_target import PLAIN

__all__ = ["legal"]

_USE: Final = "tool_use"
_IDS: Final = {_USE: "id", "tool_result": "tool_use_id"}
_LEGAL: Final = re.compile(r"[A-Za-z0-9_-]+")
_encode: Final = msgspec.json.Encoder().encode


def legal(words: Conversed) -> None:
    """Write ids of calls as the model takes them, the same for the call and its result."""
    if not has_tools(words):
        return
    if not counts_calls(words.target.model) or PLAIN in words.target.refused:
        _mend(words, _Own().write)
    elif (ids := recounted(name_of(block, "id") for block in _calls(words))) is not None:
        _mend(words, lambda given, block: _counted(given, block, ids))


def _mend(words: Conversed, write: Callable[[str, Fields], str]) -> None:
    def mend(block: Fields, _: str) -> Fields:
        place = _IDS.get(kind_of(block), "")
        given = name_of(block, place) if place else ""
        new = write(given, block) if given else given
        return block if new == given else {**block, place: Raw(_encode(new))}

    mend_blocks(words, mend)


class _Own:
    """Ids that are legal and of one call each; results for calls of one id are in the order of the calls."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}  # how often each was asked for
        self._waiting: dict[str, list[str]] = {}  # of calls since the last result, by what they are called here
        self._answering = False

    def write(self, given: str, block: Fields) -> str:
        """Give the id of a call or of its result."""
        if kind_of(block) == _USE:
            return self._call(given)
        self._answering = True
        waiting = self._waiting.get(given)
        if waiting is None:
            return _legalised(given)
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def _call(self, given: str) -> str:
        if self._answering:
            self._waiting, self._answering = {}, False
        first = new = _legalised(given)
        while new in self._used:
            self._used[first] += 1
            new = f"{first}_{self._used[first]}"
        self._used[new] = 1
        self._waiting.setdefault(given, []).append(new)
        return new


def _legalised(given: str) -> str:
    return given if _LEGAL.fullmatch(given) else map_id(given)


def _counted(given: str, block: Fields, ids: Renaming) -> str:
    return ids.call(given, name_of(block, "name")) if kind_of(block) == _USE else ids.result(given)


def _calls(words: Conversed) -> list[Fields]:
    return [block for one in words.many("messages") for block in blocks_of(one) if kind_of(block) == _USE]

"""The ids of calls in a conversation that an Anthropic caller sends to Anthropic, or to a server with its API."""

from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.gemini.history import unique
from gateway.dialects.gemini.names import map_id
from gateway.dialects.raw import Fields, name_of
from gateway.dialects.renaming import Renaming, counts_calls, recounted

from .edits_sketch import LEGAL, sketch_of
from .edits_walk import Conversed, blocks_of, has_tools, kind_of, mend_blocks
from .outbound_target import PLAIN

__all__ = ["legal"]

_USE: Final = "tool_use"
_IDS: Final = {_USE: "id", "tool_result": "tool_use_id"}
_encode: Final = msgspec.json.Encoder().encode


def legal(words: Conversed) -> None:
    """Write ids of calls as the model takes them, the same for the call and its result."""
    if not has_tools(words):
        return
    ids: Renaming | None
    if not counts_calls(words.target.model) or PLAIN in words.target.refused:
        ids = None if sketch_of(words).is_paired else _own()
    else:
        ids = recounted(name_of(block, "id") for block in _calls(words))
    if ids is not None:
        _mend(words, ids)


def _mend(words: Conversed, ids: Renaming) -> None:
    def mend(block: Fields, _: str) -> Fields:
        kind = kind_of(block)
        place = _IDS.get(kind, "")
        given = name_of(block, place) if place else ""
        if not given:
            return block
        new = ids.call(given, name_of(block, "name")) if kind == _USE else ids.result(given)
        return block if new == given else {**block, place: Raw(_encode(new))}

    mend_blocks(words, mend)


def _own() -> Renaming:
    """Give what makes ids legal, and of one call each."""
    used: dict[str, int] = {}
    return Renaming(lambda given, _name, _place: unique(_legalised(given), used, _legalised), _legalised)


def _legalised(given: str) -> str:
    return given if LEGAL.fullmatch(given) else map_id(given)


def _calls(words: Conversed) -> list[Fields]:
    return [block for one in words.many("messages") for block in blocks_of(one) if kind_of(block) == _USE]

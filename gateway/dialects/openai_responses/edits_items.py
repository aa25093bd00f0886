"""What Codex, newer callers and SDKs put into an input, for a server that has refused it: as older servers know it.

additional_tools ─► among the tools      configuration_update ─► among the options      metadata of an item ─► nowhere
an empty description of a tool ─► its name         parsed_arguments, parsed, status ─► nowhere
arguments that are no object ─► one          messages of the system's ─► the developer's
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.content import arguments
from gateway.dialects.edits import Words
from gateway.dialects.outbound import (
    ADDED_TOOLS,
    ARGUMENTS,
    ITEM_METADATA,
    REMNANTS,
    SYSTEM_ITEMS,
    UNDESCRIBED,
    UPDATES,
    OpenAITarget,
)
from gateway.dialects.raw import FIELDS, MANY, NO_TEXT, NULL, RAWS, TEXT, Fields, name_of, read

__all__ = ["developed", "rephrase"]

_Words = Words[OpenAITarget]

_TOOLS: Final = "tools"
_INPUT: Final = "input"
_DESCRIPTION: Final = "description"
_UPDATED: Final = (("reasoning", "effort"), ("text", "format"))  # what an update may set
_JOINED: Final = "this upstream has no tools that join later: they are declared from the beginning"
_SET: Final = "this upstream has no settings within a conversation: the last ones are those of the request"
_NOT_KNOWN: Final = "this upstream does not know it"
_ASIDE: Final = ("status", "parsed_arguments")
_PARSED: Final = "parsed"
# those that need no status
_PLAIN: Final = (
    None,
    "message",
    "reasoning",
    *(f"{call}{of}" for call in ("function_call", "custom_tool_call") for of in ("", "_output")),
)
_encode: Final = msgspec.json.Encoder().encode


def rephrase(words: _Words) -> None:
    """Say otherwise what this server has refused of an input."""
    refused = words.target.refused
    items = given = words.get(_INPUT, RAWS) or []
    if UNDESCRIBED in refused:
        items = [_described(raw, of=ADDED_TOOLS) for raw in given]
        tools = words.get(_TOOLS, RAWS) or []
        described = [*map(_described, tools)]
        if described != tools:
            words.put(_TOOLS, described)
    if REMNANTS in refused:
        items = [*map(_cleared, items)]
    if ARGUMENTS in refused:
        items = [*map(_argued, items)]
    if SYSTEM_ITEMS in refused:
        items = [*map(developed, items)]
    left_out = {place for kind, say in _OTHERWISE.items() if kind in refused for place in say(words, items)}
    mend = _bare if ITEM_METADATA in refused else _as_it_is
    kept = [mend(raw, place, words) for place, raw in enumerate(items) if place not in left_out]
    if kept != given:
        words.put(_INPUT, kept)


def _described(raw: Raw, of: str = "") -> Raw:
    """Let tools that say nothing of themselves say their names, and those within them; `of`: within this type alone."""
    fields = read(raw, FIELDS)
    if fields is None or (of and read(fields.get("type", NULL), TEXT) != of):
        return raw
    said: dict[str, object] = {}
    if fields.get(_DESCRIPTION) == NO_TEXT:
        said[_DESCRIPTION] = fields.get("name", NO_TEXT)
    within = read(fields.get(_TOOLS, NULL), RAWS) or []
    tools = [*map(_described, within)]
    if tools != within:
        said[_TOOLS] = tools
    return Raw(_encode({**fields, **said})) if said else raw


def _cleared(raw: Raw) -> Raw:
    """Take out what an SDK has written beside an item, and how far the item came."""
    fields = read(raw, FIELDS)
    if fields is None or read(fields.get("type", NULL), TEXT) not in _PLAIN:
        return raw
    kept = {name: value for name, value in fields.items() if name not in _ASIDE}
    parts: list[Fields] = read(kept.get("content", NULL), MANY) or []
    if any(_PARSED in part for part in parts):
        said = [{name: value for name, value in part.items() if name != _PARSED} for part in parts]
        kept["content"] = Raw(_encode(said))
    return raw if kept == fields else Raw(_encode(kept))


def _argued(raw: Raw) -> Raw:
    """Let a call be made with an object; what is none stands in one."""
    fields = read(raw, FIELDS)
    if fields is None or name_of(fields, "type") != "function_call":
        return raw
    given = name_of(fields, ARGUMENTS)
    sound = bytes(arguments(given)).decode()
    return raw if sound == given else Raw(_encode({**fields, ARGUMENTS: sound}))


def developed(raw: Raw) -> Raw:
    """Let the developer say what the system says."""
    fields = read(raw, FIELDS)
    if fields is None or name_of(fields, "role") != "system":
        return raw
    return Raw(_encode({**fields, "role": "developer"}))


def _joined(words: _Words, items: Sequence[Raw]) -> Collection[int]:
    """Put tools that join later among the others; of two with one name the last counts."""
    found = _of_kind(items, ADDED_TOOLS)
    if found:
        tools = {_called(raw): raw for raw in words.get(_TOOLS, RAWS) or []}
        for place, fields in found.items():
            tools |= {_called(raw): raw for raw in read(fields.get(_TOOLS, NULL), RAWS) or []}
            words.lose(f"{_INPUT}[{place}]", _JOINED)
        words.put(_TOOLS, [*tools.values()])
    return found


def _called(tool: Raw) -> tuple[str | None, ...]:
    """Tell tools apart: by their type, and the name if they have one."""
    fields = read(tool, FIELDS) or {}
    return tuple(read(fields.get(name, NULL), TEXT) for name in ("type", "name"))


def _updated(words: _Words, items: Sequence[Raw]) -> Collection[int]:
    """Write the settings that hold at the end as those of the request."""
    found = _of_kind(items, UPDATES)
    for place, fields in found.items():
        for member, name in _UPDATED:
            value = (read(fields.get(member, NULL), FIELDS) or {}).get(name)
            if value is not None:
                before: Fields = words.get(member, FIELDS) or {}
                words.put(member, {**before, name: value})
        words.lose(f"{_INPUT}[{place}]", _SET)
    return found


def _as_it_is(raw: Raw, _place: int, _words: _Words) -> Raw:
    return raw


def _bare(raw: Raw, place: int, words: _Words) -> Raw:
    """Take out what Codex notes beside an item."""
    fields = read(raw, FIELDS)
    if fields is None or ITEM_METADATA not in fields:
        return raw
    words.lose(f"{_INPUT}[{place}].{ITEM_METADATA}", _NOT_KNOWN)
    return Raw(_encode({name: value for name, value in fields.items() if name != ITEM_METADATA}))


def _of_kind(items: Sequence[Raw], kind: str) -> dict[int, Fields]:
    """Give the items of a type, by their places."""
    read_items = ((place, read(raw, FIELDS) or {}) for place, raw in enumerate(items))
    return {place: fields for place, fields in read_items if read(fields.get("type", NULL), TEXT) == kind}


_OTHERWISE: Final[dict[str, Callable[[_Words, Sequence[Raw]], Collection[int]]]] = {
    ADDED_TOOLS: _joined,
    UPDATES: _updated,
}

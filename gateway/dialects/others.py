"""The models that a request names besides the one that it is for: an upstream of its dialect may ask them, too.

Anthropic     fallbacks, unless it is left to Anthropic which; the advisor among tools, also where a message adds them
Chat          models and plugins (OpenRouter), fallbacks (LiteLLM)
Responses     tools that draw, also where an item adds them
Interactions  agent

Names of fields are told apart without their case: servers written in Go read `Model` as they read `model`.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Raw

from gateway.dialects.raw import FIELDS, NULL, RAWS, TEXT, Fields, read

__all__ = ["others"]

_MODEL: Final = "model"
_BESIDE: Final = frozenset({_MODEL, "models", "fallbacks", "agent"})  # a name, or names, or objects that have one
_HOLDING: Final = frozenset({"tools", "plugins"})
_WITHIN: Final = _BESIDE | {"parameters"}  # of a tool
_ADDED: Final = frozenset({"tools", "tool", "tool_changes", "definition"})  # by a message
_SAID: Final = frozenset({"messages", "input"})
_ADDING: Final = (b"definition", b"tools", b"\\u")  # without any of these no message adds a tool
_LEFT_TO_THEM: Final = ("fallbacks", "default")
_DEEP: Final = 6  # a compaction's: tool_changes, one of them, its tool, its definition, its model


def others(body: bytes | Raw) -> Iterator[tuple[str, str]]:
    """Give the path and the name of each of them."""
    for name, value in (read(body, FIELDS) or {}).items():
        folded = name.casefold()
        if folded in _SAID and any(word in bytes(value) for word in _ADDING):
            for path, part in _parts(name, value):
                yield from _within(path, part, _ADDED, _DEEP)
        elif name != _MODEL and (folded in _BESIDE or folded in _HOLDING):
            found = _named(name, value, _DEEP, is_name=folded in _BESIDE)
            yield from (one for one in found if one != _LEFT_TO_THEM)


def _named(path: str, value: Raw, deep: int, *, is_name: bool) -> Iterator[tuple[str, str]]:
    """Read what is a name, a list or an object."""
    if is_name and (name := read(value, TEXT)) is not None:
        yield path, name
    elif deep and (several := read(value, RAWS)) is not None:
        for index, one in enumerate(several):
            yield from _named(f"{path}[{index}]", one, deep - 1, is_name=is_name)
    elif deep and (fields := read(value, FIELDS)) is not None:
        yield from _within(path, fields, _ADDED | _WITHIN, deep - 1)


def _within(path: str, fields: Fields, wanted: frozenset[str], deep: int) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if (folded := name.casefold()) in wanted:
            yield from _named(f"{path}.{name}", value, deep, is_name=folded in _BESIDE)


def _parts(path: str, said: Raw) -> Iterator[tuple[str, Fields]]:
    """Give the messages or items of a conversation, and the parts of their content."""
    for index, raw in enumerate(_list(said)):
        fields, at = read(raw, FIELDS) or {}, f"{path}[{index}]"
        yield at, fields
        for number, part in enumerate(_list(fields.get("content", NULL))):
            yield f"{at}.content[{number}]", read(part, FIELDS) or {}


def _list(raw: Raw) -> list[Raw]:
    return read(raw, RAWS) or []

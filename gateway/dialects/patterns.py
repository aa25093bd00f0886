"""Regular expressions in schemas: some servers read them with Python's `re`, and refuse what only JavaScript knows.

Claude Code has a tool with Unicode classes in a pattern: OpenAI and DeepSeek answer 400 to it, whatever else is asked.
"""

import re
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Final

import msgspec

from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.modern_schema import written_within
from gateway.dialects.rewriting import rewriting

__all__ = [
    "BOUNDS",
    "CHOICES",
    "PATTERNS",
    "is_pattern",
    "readable",
    "unbounded",
    "unchosen",
    "without_defaults",
    "without_foreign",
]

PATTERNS: Final = "patterns that only JavaScript reads became part of the descriptions"
CHOICES: Final = "the values to choose from became part of the descriptions"
BOUNDS: Final = "how long text and lists may be, and patterns, became part of the descriptions"
_BOUNDS: Final = ("pattern", "minLength", "maxLength", "minItems", "maxItems")
# what re reads a pattern with: to compile one takes a millisecond for each class of characters, and callers write them
_read: Final[Callable[[str], object]] = import_module("re._parser").parse
# the parser's time grows with the square of what alternatives begin with, and a number may have 4,300 digits at most
_LONGEST: Final = 4096


def is_pattern(value: object) -> bool:
    """Tell whether Python's `re` reads a regular expression, which takes no longer than such things are."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return False
    with warnings.catch_warnings(action="ignore"):
        try:
            _read(value)
        except (re.error, RecursionError, OverflowError):
            return False
    return True


def without_foreign(node: object) -> object:
    """Say a pattern in words where it is none for Python; one that names properties goes with what it says of them."""
    if not is_object(node):
        return node
    written = written_within(node, without_foreign)
    if "pattern" in node and not is_pattern(node["pattern"]):
        del written["pattern"]
        if isinstance(node["pattern"], str):
            _say(written, f"pattern: {node['pattern']}")
    named = written.get("patternProperties")
    if is_object(named):
        written["patternProperties"] = {pattern: schema for pattern, schema in named.items() if is_pattern(pattern)}
    return written


def _without_bounds(node: object) -> object:
    """Say in words what llama.cpp's grammars cannot hold: its parser refuses a text of up to 2,000 characters."""
    if not is_object(node):
        return node
    written = written_within(node, _without_bounds)
    given = [name for name in _BOUNDS if name in node]
    if given:
        _say(written, ", ".join(f"{name}: {written.pop(name)}" for name in given))
    return written


def _without_choices(node: object) -> object:
    """Say in words which values there are: Google counts their letters, of all tools together."""
    if not is_object(node):
        return node
    written = written_within(node, _without_choices)
    values = node.get("enum")
    if is_list(values) and len(values) > 1:
        del written["enum"]
        if "type" not in node and all(isinstance(value, str) for value in values):
            written["type"] = "string"
        _say(written, "one of: " + ", ".join(msgspec.json.encode(value).decode() for value in values))
    return written


def without_defaults(node: object) -> object:
    """Say in words what a property is if nothing is said of it; null says no more."""
    if not is_object(node):
        return node
    written = written_within(node, without_defaults)
    if "default" in node and written.pop("default") is not None:
        _say(written, f"default: {msgspec.json.encode(node['default']).decode()}")
    return written


def _say(written: dict[str, object], words: str) -> None:
    """Put words behind the description of a schema."""
    said = written.get("description")
    written["description"] = f"{said} ({words})" if said else f"({words})"


readable: Final = rewriting(without_foreign)
unbounded: Final = rewriting(_without_bounds)
unchosen: Final = rewriting(_without_choices)

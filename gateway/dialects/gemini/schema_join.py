"""JSON Schemas as they are, joined: what several of them say at once, said by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeGuard

from gateway.dialects.gemini.schema_facets import is_list, is_object

__all__ = ["Schema", "allow_null", "is_number", "join", "kinds_of", "listed", "required_of"]

Schema = dict[str, object]

_NULL: Final[Schema] = {"type": "null"}


def join(whole: Schema, part: Schema) -> None:
    """Add a part that holds, too; of two words on one thing the later holds, unless both can be kept."""
    for keyword, value in part.items():
        both = _JOINS.get(keyword)
        whole[keyword] = value if both is None or keyword not in whole else both(whole[keyword], value)


def required_of(schema: Schema) -> list[str]:
    """Name the required properties that there are, also those that say so themselves, as draft 3 had it."""
    properties = schema.get("properties")
    if not is_object(properties):
        return []
    named = [name for name in listed(schema.get("required")) if isinstance(name, str) and name in properties]
    marked = [name for name, inner in properties.items() if is_object(inner) and inner.get("required") is True]
    return list(dict.fromkeys([*named, *marked]))


def allow_null(schema: Schema) -> None:
    """Say `nullable`, which JSON Schema has not, in its own words."""
    kinds = schema.get("type")
    if kinds is not None and "null" not in kinds_of(schema):
        schema["type"] = [*listed(kinds), "null"]
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword)
        if kinds is None and is_list(branches) and _NULL not in branches:
            schema[keyword] = [*branches, {**_NULL}]
    values = schema.get("enum")
    if is_list(values) and None not in values:
        schema["enum"] = [*values, None]


def kinds_of(schema: Schema) -> set[object]:
    """Give its types."""
    return {kind for kind in listed(schema.get("type")) if isinstance(kind, str)}


def listed(value: object) -> list[object]:
    """Give a list as it is, one value as a list, and nothing as none."""
    if is_list(value):
        return value
    return [] if value is None else [value]


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _union(first: object, second: object) -> object:
    if is_object(first) and is_object(second):
        return {**first, **second}
    if is_list(first) and is_list(second):
        return [*first, *(one for one in second if one not in first)]
    return second


def _common(first: object, second: object) -> object:
    """Give what both share, or the first where that is nothing."""
    return [one for one in listed(first) if one in listed(second)] or first


def _words(first: object, second: object) -> object:
    if isinstance(first, str) and isinstance(second, str):
        return first if second in first else f"{first} {second}"
    return second


_JOINS: Final[Mapping[str, Callable[[object, object], object]]] = {
    "properties": _union,
    "required": _union,
    "type": _common,
    "enum": _common,
    "description": _words,
}

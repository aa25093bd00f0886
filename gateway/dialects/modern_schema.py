"""Schemas in the words of JSON Schema draft 2020-12, which vendors check them against."""

from collections.abc import Callable
from typing import Final

from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.gemini.schema_join import Schema, is_number, listed, required_of

__all__ = ["modern", "written_within"]

_BELOW: Final = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties"}
)
_LISTS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_VALUES: Final = frozenset({"const", "default"})  # which may be null
_BOUNDS: Final = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def modern(node: object) -> object:
    """Say in the words of draft 2020-12 what older drafts had others for; a keyword that is null says nothing."""
    if not is_object(node):
        return node
    said = {keyword: value for keyword, value in node.items() if value is not None or keyword in _VALUES}
    written = written_within(said, modern)
    if is_list(node.get("items")):
        written["prefixItems"] = [modern(one) for one in listed(node["items"])]
        del written["items"]
    for keyword, inclusive in _BOUNDS.items():
        if isinstance(node.get(keyword), bool):
            del written[keyword]
            if node[keyword] and is_number(written.get(inclusive)):
                written[keyword] = written.pop(inclusive)
    if any(is_object(one) and "required" in one and not is_list(one["required"]) for one in _members(node)):
        written["required"] = required_of(node) or node.get("required")
    required = written.get("required")
    if is_list(required):
        written["required"] = list(dict.fromkeys(name for name in required if isinstance(name, str)))
    elif "required" in written:
        del written["required"]
    return written


def _members(node: Schema) -> list[object]:
    properties = node.get("properties")
    return list(properties.values()) if is_object(properties) else []


def written_within(node: Schema, write: Callable[[object], object]) -> Schema:
    """Write anew each schema that stands in this one; the rest stays."""
    written = dict(node)
    for keyword, value in node.items():
        if keyword in _BELOW:
            written[keyword] = write(value)
        elif keyword in _LISTS and is_list(value):
            written[keyword] = list(map(write, value))
        elif keyword in _MAPS and is_object(value):
            written[keyword] = dict(zip(value, map(write, value.values()), strict=True))
    return written

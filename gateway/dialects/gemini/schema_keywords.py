"""What each JSON Schema keyword adds to `Facets`: one function a keyword, one table of them.

Nothing here looks into a sub-schema; it becomes a `Source`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.dialects.gemini.schema_facets import TYPES, Facets, Source, brief, is_list, is_object

__all__ = ["READERS", "SILENT", "add_branch", "is_property_map", "read_unknown"]

# What zod writes for "any integer": a limit that says nothing.
_SAFE_INTEGER = 2**53 - 1

_Read = Callable[[Facets, str, object], None]


def add_branch(facets: Facets, source: Source) -> None:
    """Add one alternative; null is no type of its own, and ``false`` never holds."""
    if _is_null(source.schema):
        facets.nullable = True
    elif source.schema is not False:
        facets.union.append(source)


def read_unknown(facets: Facets, keyword: str, _value: object) -> None:
    """Record a keyword that has no place upstream, and the type it implies."""
    facets.implied = facets.implied or _IMPLIED.get(keyword)
    facets.note(keyword)


def is_property_map(schema: Mapping[str, object]) -> bool:
    """Tell ``{"a": {"type": …}}``, properties without their wrapper, as some MCP servers send it."""
    for value in schema.values():
        if not isinstance(value, dict):
            return False
    return not (schema.keys() & _HOLD_SCHEMAS) and any(
        is_object(value) and not (value.keys().isdisjoint(_SCHEMA_MARKS))
        for name, value in schema.items()
        if name not in _HOLD_VALUES and not name.startswith("x-")
    )


def _is_null(schema: object) -> bool:
    if not is_object(schema):
        return False
    if "const" in schema and schema["const"] is None:
        return True
    kind = schema.get("type")
    if is_list(kind) and len(kind) == 1:
        kind = kind[0]
    return schema.get("enum") == [None] or (isinstance(kind, str) and kind.lower() == "null")


def _read_type(facets: Facets, keyword: str, value: object) -> None:
    if isinstance(value, str) and value in TYPES:  # nearly always
        facets.types = [value]
        return
    for name in value if is_list(value) else [value]:
        kind = name.lower() if isinstance(name, str) else ""
        if kind == "null":
            facets.nullable = True
        elif kind not in TYPES:
            facets.note(keyword)
        elif kind not in facets.types:
            facets.types.append(kind)


def _read_title(facets: Facets, keyword: str, value: object) -> None:
    if isinstance(value, str):
        facets.title = value
    else:
        facets.note(keyword)


def _read_description(facets: Facets, keyword: str, value: object) -> None:
    if not isinstance(value, str):
        facets.note(keyword)
    elif value:
        facets.texts.append(value)


def _read_format(facets: Facets, keyword: str, value: object) -> None:
    if isinstance(value, str):
        facets.format = value
    else:
        facets.note(keyword)


def _read_nullable(facets: Facets, _keyword: str, value: object) -> None:
    facets.nullable = facets.nullable or value is True


def _read_enum(facets: Facets, keyword: str, value: object) -> None:
    values = value if is_list(value) else []
    facets.nullable = facets.nullable or None in values
    scalars: list[object] = [item for item in values if isinstance(item, str | int | float)]
    if not scalars or any(isinstance(item, dict | list) for item in values):
        facets.note(keyword)
        facets.implied = "object" if any(isinstance(item, dict) for item in values) else facets.implied
    elif facets.enum is None or keyword == "const":
        facets.enum, facets.enum_keyword = scalars, keyword


def _read_const(facets: Facets, keyword: str, value: object) -> None:
    _read_enum(facets, keyword, [value])


def _read_properties(facets: Facets, keyword: str, value: object) -> None:
    facets.implied = "object"
    if not is_object(value):
        facets.note(keyword)
        return
    for name, schema in value.items():
        facets.properties[name] = [facets.source(schema, f"properties.{name}.")]


def _read_required(facets: Facets, _keyword: str, value: object) -> None:
    if is_list(value):
        facets.implied = facets.implied or "object"
        facets.required += [name for name in value if isinstance(name, str)]


def _read_closed(facets: Facets, keyword: str, value: object) -> None:
    facets.implied = facets.implied or "object"
    if value is False:
        facets.closed = True
    elif value is not True and value != {}:
        facets.note(keyword)


def _read_order(facets: Facets, _keyword: str, value: object) -> None:
    facets.order = [name for name in value if isinstance(name, str)] if is_list(value) else []


def _read_items(facets: Facets, keyword: str, value: object) -> None:
    facets.implied = "array"
    if facets.items and keyword == "items":
        if is_object(value) and value:  # what follows a tuple: its first element speaks for all
            facets.note(keyword)
        return
    if is_list(value):
        if len(value) > 1:
            facets.note(keyword)
        value = value[0] if value else None
    # An element of any type becomes a string: the upstream refuses `true` and `{}` as items.
    item = value if is_object(value) and value else {"type": "string"}
    facets.items = [facets.source(item, f"{keyword}.")]


def _read_union(facets: Facets, keyword: str, value: object) -> None:
    if not is_list(value) or facets.union:
        facets.note(keyword)
        return
    facets.union_keyword = keyword
    for index, branch in enumerate(value):
        add_branch(facets, facets.source(branch, f"{keyword}.{index}."))


def _read_hint(facets: Facets, keyword: str, value: object) -> None:
    facets.implied = facets.implied or _IMPLIED.get(keyword)
    if value is False and keyword in _FLAGS:
        return
    text = None if value in (_SAFE_INTEGER, -_SAFE_INTEGER) else brief(value)
    facets.note(keyword, None if text is None else f"{keyword}: {text}")


def _pass(_facets: Facets, _keyword: str, _value: object) -> None:
    """Leave out what says nothing about a value, and what is read with the whole schema."""


_FLAGS = frozenset(("uniqueItems", "deprecated", "readOnly", "writeOnly"))
_IMPLIED = {
    **dict.fromkeys(("minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
    **dict.fromkeys(("minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"), "array"),
    **dict.fromkeys(
        ("minProperties", "maxProperties", "patternProperties", "propertyNames", "unevaluatedProperties"),
        "object",
    ),
}
_HINTED = (
    *(keyword for keyword in _IMPLIED if keyword.startswith(("min", "max", "exclusive", "content"))),
    *("pattern", "multipleOf", "default", "example", "examples", *_FLAGS),
)
SILENT = (
    "$schema",
    "$id",
    "id",
    "$anchor",
    "$comment",
    "$vocabulary",
    "$defs",
    "definitions",
    "$ref",
    "allOf",
)
READERS: Mapping[str, _Read] = {
    **dict.fromkeys(_HINTED, _read_hint),
    **dict.fromkeys(SILENT, _pass),
    "type": _read_type,
    "title": _read_title,
    "description": _read_description,
    "format": _read_format,
    "nullable": _read_nullable,
    "enum": _read_enum,
    "const": _read_const,
    "properties": _read_properties,
    "required": _read_required,
    "additionalProperties": _read_closed,
    "propertyOrdering": _read_order,
    "items": _read_items,
    "prefixItems": _read_items,
    "anyOf": _read_union,
    "oneOf": _read_union,
}
# Keywords whose value is a schema or an object of schemas: their presence makes an object a schema itself.
_HOLD_SCHEMAS = frozenset(
    (
        *("$defs", "definitions", "properties", "patternProperties", "additionalProperties", "propertyNames"),
        *("dependentSchemas", "dependencies", "items", "additionalItems", "contains", "unevaluatedItems"),
        *("unevaluatedProperties", "not", "if", "then", "else", "contentSchema"),
    )
)
_HOLD_VALUES = frozenset(("default", "const", "example"))
_SCHEMA_MARKS = frozenset(("type", "$ref", "properties", "items", "enum", "const", "anyOf", "oneOf", "allOf"))

"""A Schema of Google's proto as JSON Schema: the OpenAPI subset in which Gemini callers describe parameters.

Types are upper-case there, or numbers, null is `nullable`, int64 are strings, names come in camelCase or snake_case,
and the order of properties is a list of its own. Names of properties are data and stay as they are.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.place import ANY, Place

from .inbound_wire import camel, named
from .schema_facets import is_list, is_object

__all__ = ["json_schema", "schema_of"]

_Node = dict[str, object]

_NUMBERS: Final = frozenset(
    {
        *("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
        *("minimum", "maximum"),
    }
)
_NUMBER: Final[msgspec.json.Decoder[int | float]] = msgspec.json.Decoder(int | float)
_RENAMED: Final = {"ref": "$ref", "defs": "$defs", "example": "examples"}
_READ_APART: Final = frozenset({"nullable", "propertyOrdering"})
_LISTS: Final = frozenset({"anyOf", "enum", "required"})
_VALUES: Final = frozenset({"default", "example"})  # null is a value there
_TYPES: Final = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_NO_TYPE: Final = "type_unspecified"


def schema_of(raw: Raw, place: Place, key: str, *, googles: bool = False) -> Raw:
    """Read the schema at the key, `googles` or JSON Schema already; raise InvalidRequest for what is no object."""
    if not bytes(raw).startswith(b"{"):
        raise place.refuse("must be a schema, an object", key)
    return Raw(msgspec.json.encode(json_schema(place.at(key).read(raw, ANY)))) if googles else raw


def json_schema(schema: object) -> object:
    """Convert a schema with all that is within it."""
    if not is_object(schema):
        return schema
    given = {name: value for key, value in schema.items() if _is_said(name := camel(key), value)}
    node: _Node = {
        _RENAMED.get(key, key): _CONVERT.get(key, _same)(value)
        for key, value in given.items()
        if key not in _READ_APART
    }
    if node.get("type") == _NO_TYPE:
        del node["type"]
    if given.get("nullable") is True:
        _allow_null(node)
    _order(node, given.get("propertyOrdering"))
    return node


def _is_said(name: str, value: object) -> bool:
    """Tell whether a field is given: in proto JSON null is as good as absent, and a list that is empty, too."""
    return name in _VALUES or not (value is None or (name in _LISTS and value == []))


def _allow_null(node: _Node) -> None:
    kind, branches, values = node.get("type"), node.get("anyOf"), node.get("enum")
    if isinstance(kind, str):
        node["type"] = [kind, "null"]
    if is_list(branches):
        node["anyOf"] = [*branches, {"type": "null"}]
    if is_list(values):
        node["enum"] = [*values, None]


def _order(node: _Node, names: object) -> None:
    properties = node.get("properties")
    if is_list(names) and is_object(properties):
        first = {name: properties[name] for name in names if isinstance(name, str) and name in properties}
        node["properties"] = {**first, **properties}


def _same(value: object) -> object:
    return value


def _type(value: object) -> object:
    kind = named(value, _TYPES) if isinstance(value, str | int) and value is not True else None
    return value if kind is None else kind.lower()


def _number(value: object) -> object:
    """Read a number, which may be a string in proto JSON; what is none stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return _NUMBER.decode(value)
    except ValueError:
        return value


def _each(value: object) -> object:
    return [json_schema(one) for one in value] if is_list(value) else value


def _named(value: object) -> object:
    return {name: json_schema(one) for name, one in value.items()} if is_object(value) else value


def _only(value: object) -> object:
    return [value]


_CONVERT: Final[Mapping[str, Callable[[object], object]]] = {
    "type": _type,
    "items": json_schema,
    "additionalProperties": json_schema,
    "anyOf": _each,
    "properties": _named,
    "defs": _named,
    "$defs": _named,
    "example": _only,
    **dict.fromkeys(_NUMBERS, _number),
}

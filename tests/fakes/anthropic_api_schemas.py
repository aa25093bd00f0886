"""Schemas: those of tools are objects of draft 2020-12, those that are enforced keep to a subset.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fakes.anthropic_api_errors import bad
from tests.fakes.anthropic_api_shapes import Betas, joined
from tests.fakes.json_schema import well_formed

__all__ = ["input_schema", "strict_schema"]

Json = dict[str, Any]

LEARN_MORE = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). Learn "
    "more about tool use at https://docs.claude.com/en/docs/tool-use."
)
NULLABLE = ("properties", "required")  # of the root, as the types of the SDK say; its helper for MCP writes such a null
TOP_LEVEL = "input_schema does not support oneOf, allOf, or anyOf at the top level"

UNSUPPORTED = {
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems"),
    "object": ("patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired"),
}
NEVER = ("oneOf", "not", "if", "then", "else", "dependentSchemas")
FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)


def input_schema(value: Any, path: str, _: Betas) -> None:
    """Take the schema of a tool's input."""
    if not isinstance(value, dict):
        raise bad(path, "Input should be an object")
    if "type" not in value:
        raise bad(joined(path, "type"), "Field required")
    if value["type"] != "object":
        raise bad(joined(path, "type"), "Input should be 'object'")
    if value.keys() & {"oneOf", "allOf", "anyOf"}:
        raise bad(path, TOP_LEVEL)
    given = {name: one for name, one in value.items() if one is not None or name not in NULLABLE}
    if not well_formed(given, patterns=False):  # those of JavaScript are taken
        raise bad(path, LEARN_MORE)


def strict_schema(schema: Any, path: str) -> None:
    """Take a schema that answers will be held to."""
    if not well_formed(schema, patterns=False):
        raise bad(path, LEARN_MORE)
    _not_circular(schema, path)
    for node in _nodes(schema):
        _enforceable(node, path)


def _enforceable(node: Json, path: str) -> None:
    for keyword in NEVER:
        if keyword in node:
            raise bad(path, f"Schema type '{keyword}' is not supported")
    for kind in _types(node):
        refused = sorted(keyword for keyword in UNSUPPORTED.get(kind, ()) if keyword in node)
        if len(refused) == 1:
            raise bad(path, f"For '{kind}' type, property '{refused[0]}' is not supported")
        if refused:
            raise bad(path, f"For '{kind}' type, properties {', '.join(refused)} are not supported")
    if "object" in _types(node) and node.get("additionalProperties") is not False:
        raise bad(path, "For 'object' type, 'additionalProperties' must be explicitly set to false")
    if node.get("minItems", 0) not in (0, 1):
        raise bad(path, "For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if "format" in node and node["format"] not in FORMATS:
        raise bad(path, f"For 'string' type, format '{node['format']}' is not supported")


def _types(node: Json) -> list[str]:
    kind = node.get("type", "object" if "properties" in node else [])
    return kind if isinstance(kind, list) else [kind]


def _nodes(schema: Any) -> Iterator[Json]:
    """Walk the schemas within a schema; names of properties are not keywords."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword in ("properties", "$defs", "definitions"):
        for inner in schema.get(keyword, {}).values():
            yield from _nodes(inner)
    for keyword in ("anyOf", "allOf"):
        for inner in schema.get(keyword, []):
            yield from _nodes(inner)
    yield from _nodes(schema.get("items"))


def _not_circular(schema: Json, path: str) -> None:
    definitions = {
        f"#/{keyword}/{name}": inner
        for keyword in ("$defs", "definitions")
        for name, inner in schema.get(keyword, {}).items()
    }
    uses = {name: _referred(inner) for name, inner in definitions.items()}
    for name, used in uses.items():
        met, ahead = set[str](), set(used)
        while ahead:
            step = ahead.pop()
            met.add(step)
            ahead |= set(uses.get(step, ())) - met
        if name in met:
            chain = name.rpartition("/")[2]
            raise bad(path, f"Circular reference detected in schema definitions: {chain} -> {chain}")


def _referred(schema: Any) -> list[str]:
    return [node["$ref"] for node in _nodes(schema) if "$ref" in node]

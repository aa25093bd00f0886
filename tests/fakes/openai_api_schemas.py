"""What OpenAI asks of the schema of a function or of an answer: an object; in strict mode, what it can force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.json_schema import well_formed
from tests.fakes.openai_api_errors import OpenAIRefusal, bad

__all__ = ["function_schema", "response_schema"]

Json = dict[str, Any]
Refuse = Callable[[str], OpenAIRefusal]
Context = tuple[str, ...]

# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
_FORBIDDEN = frozenset(
    {
        "allOf",
        "not",
        "dependentRequired",
        "dependentSchemas",
        "if",
        "then",
        "else",
        "oneOf",
        "patternProperties",
        "propertyNames",
        "unevaluatedProperties",
        "uniqueItems",
        "contains",
        "minContains",
        "maxContains",
        "prefixItems",
        "default",
    }
)
_DEEPEST = 10


def function_schema(name: str, schema: Any, path: str, *, strict: bool) -> None:
    """Judge the parameters of a function; none at all are allowed."""

    def refuse(problem: str) -> OpenAIRefusal:
        return bad(
            f"Invalid schema for function '{name}': {problem}", param=f"{path}", code="invalid_function_parameters"
        )

    if schema is None or schema == {}:
        if strict and schema is not None:
            raise refuse("In context=(), 'additionalProperties' is required to be supplied and to be false.")
        return
    _judge(schema, refuse, strict=strict)
    if schema.get("properties") is None and not schema.keys() & {"anyOf", "$ref"}:
        raise refuse("In context=(), object schema missing properties.")


def response_schema(name: str, schema: Any, path: str, *, strict: bool) -> None:
    """Judge the schema of an answer."""

    def refuse(problem: str) -> OpenAIRefusal:
        return bad(f"Invalid schema for response_format '{name}': {problem}", param=path)

    _judge(schema, refuse, strict=strict)


def _judge(schema: Any, refuse: Refuse, *, strict: bool) -> None:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind != "object":
        raise refuse(f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'.")
    if not well_formed(schema):
        raise refuse("schema is not valid under any of the given schemas.")
    for context, node in _nodes(schema):
        _sound(node, context, refuse)
        if strict:
            _forcible(node, context, refuse)


def _nodes(schema: Json, context: Context = ()) -> Iterator[tuple[Context, Json]]:
    """Walk the schemas within a schema."""
    yield context, schema
    for keyword in ("properties", "$defs", "definitions"):
        for name, inner in (schema.get(keyword) or {}).items():
            if isinstance(inner, dict):
                yield from _nodes(inner, (*context, keyword, name))
    for place, inner in enumerate(schema.get("anyOf") or []):
        if isinstance(inner, dict):
            yield from _nodes(inner, (*context, "anyOf", str(place)))
    if isinstance(schema.get("items"), dict):
        yield from _nodes(schema["items"], (*context, "items"))


def _shown(context: Context) -> str:
    return f"({', '.join(repr(step) for step in context)}{',' if len(context) == 1 else ''})"


def _has(node: Json, kind: str) -> bool:
    given = node.get("type")
    return kind in given if isinstance(given, list) else given == kind


def _sound(node: Json, context: Context, refuse: Refuse) -> None:
    """An array says what is in it, also where nothing is forced."""
    if _has(node, "array") and "items" not in node:
        raise refuse(f"In context={_shown(context)}, array schema missing items.")


def _forcible(node: Json, context: Context, refuse: Refuse) -> None:
    where = f"In context={_shown(context)}"
    for keyword in node.keys() & _FORBIDDEN:
        raise refuse(f"{where}, '{keyword}' is not permitted.")
    if not node.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
        raise refuse(f"{where}, schema must have a 'type' key.")
    if "$ref" in node and len(node) > 1:
        raise refuse(f"{where}, $ref cannot have keywords {sorted(node.keys() - {'$ref'})}.")
    if context.count("properties") > _DEEPEST:
        raise refuse(f"{where}, too many levels of nesting.")
    if not _has(node, "object"):
        return
    if node.get("additionalProperties") is not False:
        raise refuse(f"{where}, 'additionalProperties' is required to be supplied and to be false.")
    properties, required = node.get("properties") or {}, node.get("required")
    lacking = [name for name in properties if name not in (required or [])]
    if lacking or (properties and required is None):
        raise refuse(
            f"{where}, 'required' is required to be supplied and to be an array including every key in properties. "
            f"Missing '{lacking[0]}'."
        )
    for name in required or []:
        if name not in properties:
            raise refuse(f"{where}, 'required' is required to be an array of keys of properties. Extra '{name}'.")

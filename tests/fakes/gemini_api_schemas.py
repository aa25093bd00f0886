"""Checks of `parametersJsonSchema` and `responseJsonSchema`: the part of JSON Schema that the public API reads.

The keywords are those of `JSONSchema` in google-genai. A reference is local, leads somewhere, and has only
`description` and `default` beside it. What is too much together is refused without a word about it
(googleapis/python-genai, issues 2133 and 2170).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.json_schema import well_formed
from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_errors import invalid

__all__ = [
    "choices_few",
    "items_few",
    "keywords_known",
    "parameters_are_objects",
    "references_alone",
    "references_lead",
    "schemas_valid",
]

MOST_ITEMS = 960
MOST_LETTERS = 3000

KEYWORD = re.compile(
    r"type|format|title|description|default|items|minItems|maxItems|uniqueItems|enum|properties|required"
    r"|minProperties|maxProperties|additionalProperties|minimum|maximum|minLength|maxLength|pattern|anyOf|oneOf"
    r"|propertyOrdering"  # not JSON Schema's, but named beside these words in the SDK
    r"|\$ref|\$defs|\$schema"  # the last one in the declarations of Google's own CLI
)
BESIDE_REF = frozenset({"$ref", "description", "default"})


def schemas_valid(call: Call) -> None:
    """A schema is an object, and one of draft 2020-12."""
    for path, schema in _schemas(call):
        if not isinstance(schema, dict) or not well_formed(schema):
            raise _wrong(path, "is not a valid JSON Schema")


def parameters_are_objects(call: Call) -> None:
    """The arguments of a function are an object."""
    for path, declaration in call.declarations:
        schema = declaration.get("parametersJsonSchema")
        if isinstance(schema, dict) and "$ref" not in schema and schema.get("type") != "object":
            raise _wrong(f"{path}.parameters_json_schema.type", "must be object")


def keywords_known(call: Call) -> None:
    """A schema uses only the keywords that are read."""
    for path, node in _nodes(call):
        for keyword in node:
            if not KEYWORD.fullmatch(keyword):
                raise _wrong(path, f"keyword '{keyword}' is not supported")


def references_alone(call: Call) -> None:
    """A reference has nothing beside it that would change its meaning; the root may hold the definitions."""
    for path, node in _nodes(call):
        if "$ref" in node and set(node) - BESIDE_REF - {"$defs"}:
            name = node["$ref"].rpartition("/")[2]
            raise _wrong(
                path,
                f"$ref '{name}' was set alongside unsupported fields. "
                "If a schema node has $ref set, then only description and default can be set alongside it",
            )


def references_lead(call: Call) -> None:
    """A reference leads to a definition of the same schema."""
    for root_path, root in _schemas(call):
        for path, node in _below(root_path, root):
            target = node.get("$ref")
            if target is not None and not _leads(root, target):
                raise _wrong(path, f"reference to undefined schema at {target}")


def items_few(call: Call) -> None:
    """All lists together do not hold too much."""
    if sum(node.get("maxItems", 0) for _, node in _nodes(call)) > MOST_ITEMS:
        raise invalid("Request contains an invalid argument.")


def choices_few(call: Call) -> None:
    """Where a call is forced, the values to choose from are not too long, all together."""
    mode = ((call.request.get("toolConfig") or {}).get("functionCallingConfig") or {}).get("mode")
    schemas = [one.get("parametersJsonSchema", one.get("parameters")) for _, one in call.declarations]
    if mode == "ANY" and _letters(schemas) > MOST_LETTERS:
        raise invalid("Request contains an invalid argument.")


def _letters(schema: Any) -> int:
    """Count the letters of the values to choose from."""
    if isinstance(schema, list):
        return sum(map(_letters, schema))
    if not isinstance(schema, dict):
        return 0
    values = schema.get("enum")
    own = sum(len(str(value)) for value in values) if isinstance(values, list) else 0
    return own + sum(map(_letters, schema.values()))


def _leads(root: Json, pointer: str) -> bool:
    if not pointer.startswith("#"):
        return False
    found: Any = root
    for step in pointer.split("/")[1:]:
        if not isinstance(found, dict) or step not in found:
            return False
        found = found[step]
    return isinstance(found, dict)


def _schemas(call: Call) -> Iterator[tuple[str, Any]]:
    for path, declaration in call.declarations:
        for field, shown in (
            ("parametersJsonSchema", "parameters_json_schema"),
            ("responseJsonSchema", "response_json_schema"),
        ):
            if field in declaration:
                yield f"{path}.{shown}", declaration[field]
    if "responseJsonSchema" in call.config:
        yield "generation_config.response_json_schema", call.config["responseJsonSchema"]


def _nodes(call: Call) -> Iterator[tuple[str, Json]]:
    for path, schema in _schemas(call):
        yield from _below(path, schema)


def _below(path: str, node: Any) -> Iterator[tuple[str, Json]]:
    """Visit a schema and those inside it; `additionalProperties` may be a mere boolean."""
    if not isinstance(node, dict):
        return
    yield path, node
    for name in ("properties", "$defs"):
        for key, inner in (node.get(name) or {}).items():
            yield from _below(f"{path}.{name}[{key}]", inner)
    for name in ("items", "additionalProperties"):
        yield from _below(f"{path}.{name}", node.get(name))
    for name in ("anyOf", "oneOf"):
        for place, inner in enumerate(node.get(name) or []):
            yield from _below(f"{path}.{name}[{place}]", inner)


def _wrong(path: str, what: str) -> Exception:
    return invalid(f"* GenerateContentRequest.{path}: {what}\n")

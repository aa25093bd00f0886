"""Schemas for upstreams that know a part of JSON Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.served import user, values
from tests.conformance.test_cases_tools import messages_tools
from tests.fakes.json_schema import well_formed
from tests.pitfalls.gateways import GOOGLE, TRANSLATING, At, each

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

EACH_SCHEMA = (*GOOGLE, "v1internal-claude")
TRANSLATED = pytest.mark.parametrize("dialect", TRANSLATING)


def declared(dialect: str, schema: Any) -> Json:
    """Declare a function of this schema."""
    if dialect == "openai-chat":
        return {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]}
    if dialect == "anthropic":
        return {"tools": [{"name": "f", "input_schema": schema}]}
    return {"tools": [{"type": "function", "name": "f", "parameters": schema, "strict": False}]}


def sent_schema(at: At) -> Json:
    """Give the schema as the upstream received it."""
    (function,) = at.sent["tools"][0]["functionDeclarations"]
    schema: Json = function.get("parametersJsonSchema") or function["parameters"]
    return schema


async def sent(at: At, dialect: str, schema: Any) -> Json:
    """Declare a function; the upstream takes it."""
    at.push("!say ok")
    response = await at.response(dialect, more=declared(dialect, schema))
    assert response.status_code == 200, response.text
    return sent_schema(at)


TREE: Json = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/Tree"}},
}
REFERRING: dict[str, Json] = {
    "$defs": {
        "$defs": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
    },
    "definitions": {
        "definitions": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/A"}},
    },
    "properties": {
        "type": "object",
        "properties": {
            "b": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "a": {"$ref": "#/properties/b"},
        },
    },
    "cycle": {"$defs": {"Tree": TREE}, "type": "object", "properties": {"a": {"$ref": "#/$defs/Tree"}}},
    "root cycle": {"type": "object", "properties": {"n": {"type": "integer"}, "a": {"$ref": "#"}}},
    "nowhere": {"type": "object", "properties": {"a": {"$ref": "#/$defs/Nothing"}}},
}


@pytest.mark.parametrize("schema", REFERRING)
@TRANSLATED
@each("v1internal", "v1internal-claude")
async def test_pitfall_54_no_reference_is_left(at: At, dialect: str, schema: str) -> None:
    told = await sent(at, dialect, REFERRING[schema])
    text = json.dumps(told)
    assert not any(word in text for word in ('"$ref"', '"$defs"', '"definitions"'))
    assert "a" in told["properties"]


@pytest.mark.parametrize("schema", REFERRING)
@TRANSLATED
@each("gemini", "vertex")
async def test_pitfall_54_where_references_are_known_each_leads_somewhere(at: At, dialect: str, schema: str) -> None:
    """JSON Schema is taken there, with `$ref` into `$defs` alone."""
    told = await sent(at, dialect, REFERRING[schema])
    known = {f"#/$defs/{name}" for name in told.get("$defs", {})} | {"#"}
    assert {*values("$ref", told)} <= known
    assert "a" in told["properties"]


UNKNOWN: Json = {
    "type": "object",
    "x-order": 1,
    "propertyNames": {"pattern": "^[a-z]+$"},
    "properties": {
        "a": {"const": "five"},
        "b": {"type": "string", "encrypted": True, "x-secret": 1},
        "c": {"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"type": "integer"}},
    },
}


@TRANSLATED
@each(*EACH_SCHEMA)
async def test_pitfall_55_what_google_does_not_know_is_left_out(at: At, dialect: str) -> None:
    told = await sent(at, dialect, UNKNOWN)
    for name in ("const", "propertyNames", "encrypted", "if", "then", "else", "x-order", "x-secret"):
        assert values(name, told) == []
    assert told["properties"]["a"]["enum"] == ["five"]
    assert {*told["properties"]} >= {"a", "b", "c"}


@TRANSLATED
@each(*EACH_SCHEMA)
async def test_pitfall_56_an_array_gets_items(at: At, dialect: str) -> None:
    told = await sent(at, dialect, {"type": "object", "properties": {"a": {"type": "array"}}})
    assert told["properties"]["a"]["type"].lower() == "array"
    assert told["properties"]["a"]["items"]


MCP: dict[str, Any] = {
    "draft 4": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "properties": {"a": {"type": "number", "minimum": 0, "exclusiveMinimum": True}},
    },
    "no type": {"properties": {"a": {"type": "string"}}},
    "nothing": {},
    "one of": {"oneOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "string"}}}]},
    "tuple": {"type": "object", "properties": {"a": {"type": "array", "items": [{"type": "string"}]}}},
    "nullable": {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a", "z"]},
    "definitions": {"type": "object", "definitions": {"A": {}}, "properties": {"a": {"$ref": "#/definitions/A"}}},
}


@pytest.mark.parametrize("schema", MCP)
@TRANSLATED
@each("v1internal-claude")
async def test_pitfall_57_a_schema_for_claude_is_an_object_of_draft_2020_12(at: At, dialect: str, schema: str) -> None:
    told = await sent(at, dialect, MCP[schema])
    assert well_formed(told)
    assert told["type"] == "object"
    assert not {"anyOf", "oneOf", "allOf"} & told.keys()


NAMED: Json = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "format": {"type": "string"},
        "const": {"type": "integer"},
        "required": {"type": "boolean"},
    },
    "required": ["title", "required"],
}
ARGUMENTS: Json = {"title": "y", "format": "x", "const": 1, "required": True}


@TRANSLATED
@each(*EACH_SCHEMA)
async def test_pitfall_58_properties_may_be_called_as_keywords_are(at: At, dialect: str) -> None:
    told = await sent(at, dialect, NAMED)
    assert list(told["properties"]) == ["title", "format", "const", "required"]
    assert told["required"] == ["title", "required"]


@each(*EACH_SCHEMA)
async def test_pitfall_58_so_may_arguments(at: At) -> None:
    at.push("!say ok")
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": ARGUMENTS}
    answer = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "4"}
    said = [user("go"), {"role": "assistant", "content": [use]}, user([answer])]
    await at.messages(*said, tools=messages_tools("f"))
    assert values("args", at.turns) == [ARGUMENTS]

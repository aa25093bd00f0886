"""Acceptance cases F: JSON Schemas of tools, as the upstream takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.served import CHAT, CLAUDE, GEMINI_2, GEMINI_3, MESSAGES, Served, user, values
from tests.conformance.test_cases_tools import chat_tools, messages_tools

pytestmark = pytest.mark.anyio

MODELS = pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3, CLAUDE])

# the fields of google.cloud.aiplatform's Schema
ALLOWED = {
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "default",
    "items",
    "minItems",
    "maxItems",
    "enum",
    "properties",
    "propertyOrdering",
    "required",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
}
REFERRING = {
    "$defs": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/A"}},
}
RICH = {
    "type": "object",
    "properties": {
        "u": {"type": ["string", "null"], "format": "uri"},
        "five": {"const": 5},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "more": {"type": "number", "exclusiveMinimum": 0},
    },
    "additionalProperties": False,
    "propertyNames": {"pattern": "^[a-z]+$"},
}


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Visit a schema and those within it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), schema.get("items")]
    for one in inner:
        if one is not None:
            yield from nodes(one)


def declarations(served: Served) -> list[dict[str, Any]]:
    (tool,) = served.sent["tools"]
    found: list[dict[str, Any]] = tool["functionDeclarations"]
    return found


@MODELS
async def test_references_are_resolved(served: Served, model: str) -> None:
    """F1"""
    response = await served.post(CHAT, "hi", model=model, tools=chat_tools("f", schema=REFERRING))
    assert response.status_code == 200, response.text
    (declaration,) = declarations(served)
    assert not values("$ref", declaration)
    assert not values("$defs", declaration)
    assert declaration["parameters"]["properties"]["a"]["properties"]["n"]["type"].lower() == "integer"


@MODELS
async def test_only_keywords_that_the_upstream_knows_are_sent(served: Served, model: str) -> None:
    """F3"""
    response = await served.post(CHAT, "hi", model=model, tools=chat_tools("f", schema=RICH))
    assert response.status_code == 200, response.text
    parameters = declarations(served)[0]["parameters"]
    assert {key for node in nodes(parameters) for key in node} <= ALLOWED
    assert set(parameters["properties"]) == {"u", "five", "either", "more"}


@MODELS
@pytest.mark.parametrize(
    "function",
    [
        {"parameters": {"type": "object", "properties": {"a": {"type": "array"}}}},
        {"parameters": {"type": "array"}},
        {},
        {"parameters": {}},
        {"parameters": None},
        {"parameters": True},
    ],
)
async def test_what_a_schema_leaves_out_is_no_error(served: Served, model: str, function: Any) -> None:
    """F5"""
    tool = {"type": "function", "function": {"name": "f", **function}}
    response = await served.post(CHAT, "hi", model=model, tools=[tool])
    assert response.status_code == 200, response.text
    assert [declaration["name"] for declaration in declarations(served)] == ["f"]


async def test_arguments_of_earlier_calls_are_left_alone(every: Served) -> None:
    """F6"""
    arguments = {"format": "x", "title": "y", "const": 1}
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in arguments}}
    used = {"type": "tool_use", "id": "t1", "name": "f", "input": arguments}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "done"}
    history = [user("go"), {"role": "assistant", "content": [used]}, user([result])]
    tools = messages_tools("f", schema=schema)
    response = await every.post(MESSAGES, *history, tools=tools, max_tokens=50)
    assert response.status_code == 200, response.text
    assert values("args", every.contents) == [arguments]
    (declared,) = declarations(every)
    sent = declared.get("parameters") or declared["parametersJsonSchema"]
    assert set(sent["properties"]) == set(arguments)

"""Schemas that say no more than other vendors ask for."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.anthropic.outbound_schema import parameters as claude_parameters
from gateway.dialects.anthropic.outbound_schema import strict
from gateway.dialects.gemini.schema import SchemaCache
from gateway.dialects.outbound_schema import mended, parameters
from gateway.dialects.rewriting import is_of_objects
from gateway.errors import InvalidRequest

ARRAY: dict[str, Any] = {"type": "array"}
FILLED: dict[str, Any] = {"type": "array", "items": {}}
NODE = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}


def mend(schema: Any) -> Any:
    return msgspec.json.decode(mended(Raw(msgspec.json.encode(schema))))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"type": "object"}),
        ({"properties": {}}, {"type": "object", "properties": {}}),
        ({"anyOf": [{}]}, {"anyOf": [{}]}),
        ({"$ref": "#/$defs/a", "$defs": {"a": ARRAY}}, {"$ref": "#/$defs/a", "$defs": {"a": FILLED}}),
        (True, True),
        (
            {"$ref": "#/$defs/node", "$defs": {"node": NODE}, "title": "Tree"},
            {**NODE, "$defs": {"node": NODE}, "title": "Tree"},
        ),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b", "title": "A"}, "b": {"properties": {}}}},
            {
                "type": "object",
                "properties": {},
                "title": "A",
                "$defs": {"a": {"$ref": "#/$defs/b", "title": "A"}, "b": {"properties": {}}},
            },
        ),
        *(
            (left, left)
            for left in (
                {"$ref": "#"},
                {"$ref": "#/$defs/nowhere"},
                {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
                {"$ref": "#/$defs/a", "$defs": {"a": NODE}, "required": ["more"]},
            )
        ),
    ],
)
def test_root_is_an_object(given: Any, expected: Any) -> None:
    assert mend(given) == expected


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: {"type": "object", "properties": {"items": inner}},
        lambda inner: {"type": "object", "additionalProperties": inner},
        lambda inner: {"type": "object", "anyOf": [True, inner]},
        lambda inner: {"type": "array", "items": inner},
    ],
)
def test_array_anywhere_says_what_it_holds(around: Any) -> None:
    assert mend(around(ARRAY)) == around(FILLED)
    assert mend(around({"type": ["array", "null"]})) == around({"type": ["array", "null"], "items": {}})


def test_data_within_a_schema_stays_as_it_is() -> None:
    data = {"type": "object", "default": ARRAY, "enum": [ARRAY], "const": ARRAY, "properties": 5, "anyOf": 5}
    assert mend(data) == data


def test_schema_that_needs_nothing_keeps_its_bytes() -> None:
    schema = Raw(b'{"type": "object",  "properties": {"a": {"type": "array", "items": {}}}}')
    assert mended(schema) == schema


def test_alternatives_at_the_root_keep_what_tells_them_apart() -> None:
    """As zod and pydantic write unions: one property, of which each branch has its own value."""
    kinds = [{"type": "string", "const": name} for name in ("circle", "square")]
    union = {"oneOf": [{"type": "object", "properties": {"kind": kind}, "required": ["kind"]} for kind in kinds]}
    given = msgspec.json.decode(parameters(Raw(msgspec.json.encode(union))))
    assert given == {"type": "object", "properties": {"kind": {"anyOf": kinds}}, "required": ["kind"]}


A: dict[str, Any] = {"type": "object", "properties": {"a": {}, "x": {}}, "required": ["a", "x"]}
B: dict[str, Any] = {"type": "object", "properties": {"b": {}, "x": {}}, "required": ["x"]}
BOTH: dict[str, Any] = {"type": "object", "properties": {"a": {}, "b": {}, "x": {}}, "required": ["x"]}
DEFINED: dict[str, Any] = {"$defs": {"A": A, "B": {**B, "allOf": [{"$ref": "#/$defs/B"}]}}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "object", "properties": None}, {"type": "object", "properties": {}}),
        (
            {"type": "object", "additionalProperties": ARRAY},
            {**mend({"additionalProperties": ARRAY}), "properties": {}},
        ),
        ({"a": {"type": "string"}}, {"type": "object", "properties": {"a": {"type": "string"}}}),
        ({"anyOf": [A, B]}, BOTH),
        ({"oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], **DEFINED}, {**BOTH, **DEFINED}),
        ({"$ref": "#/$defs/A", **DEFINED}, {**A, **DEFINED}),
        ({"$ref": "#", "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        (True, True),
    ],
)
def test_parameters_are_one_object_with_properties(given: Any, expected: Any) -> None:
    """MCP has no need of them; OpenAI: "object schema missing properties", and no alternatives "at the top level"."""
    assert msgspec.json.decode(parameters(Raw(msgspec.json.encode(given)))) == expected


def test_parameters_that_need_nothing_keep_their_bytes() -> None:
    schema = Raw(b'{"type": "object",  "properties": {"a": {"anyOf": [{}]}}, "$defs": {}}')
    assert parameters(schema) == schema


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"type": "array", "items": [{"type": "string"}, {"type": "array"}]},
            {"type": "array", "prefixItems": [{"type": "string"}, FILLED], "items": {}},
        ),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 0}),
        (
            {"type": "object", "properties": {"b": {"type": "string", "required": True}}},
            {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
        ),
        (
            {"type": "object", "properties": {"b": {}}, "required": ["b", "b"]},
            {"type": "object", "properties": {"b": {}}, "required": ["b"]},
        ),
        (
            {"type": "object", "properties": {"b": {"const": None, "enum": None, "items": None}}, "description": None},
            {"type": "object", "properties": {"b": {"const": None}}},
        ),
        ({"type": "object", "properties": None, "additionalProperties": None}, {"type": "object"}),
        ({"type": "object", "properties": {"b": {}}, "required": None}, {"type": "object", "properties": {"b": {}}}),
    ],
)
def test_older_drafts_are_said_in_the_words_of_the_newest(given: Any, expected: Any) -> None:
    assert mend({"type": "object", "properties": {"a": given}}) == {"type": "object", "properties": {"a": expected}}


@pytest.mark.parametrize("number", ["1e400", "9" * 5000])
@pytest.mark.parametrize("schema", ['{"type":"object","properties":{"a":{"type":"number","maximum":@}}}', '{"type":@}'])
@pytest.mark.parametrize(
    "write", [mended, parameters, claude_parameters, strict, is_of_objects, SchemaCache().light_raw]
)
def test_number_that_nothing_holds_is_refused(write: Callable[[Raw], object], schema: str, number: str) -> None:
    with pytest.raises(InvalidRequest, match="out of range"):
        write(Raw(schema.replace("@", number).encode()))


@pytest.mark.parametrize("write", [parameters, claude_parameters])
def test_references_at_the_root_do_not_say_the_same_without_end(write: Callable[[Raw], object]) -> None:
    wide = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(1000)}}
    whole = {"$defs": {"Wide": wide}, "allOf": [{"$ref": "#/$defs/Wide", "title": str(number)} for number in range(90)]}
    write(Raw(msgspec.json.encode(whole)))
    whole["allOf"] = [{"$ref": "#/$defs/Wide", "title": str(number)} for number in range(110)]
    with pytest.raises(InvalidRequest, match="add more than 100000 properties"):
        write(Raw(msgspec.json.encode(whole)))

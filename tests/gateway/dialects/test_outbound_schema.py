"""Schemas that say no more than other vendors ask for."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.outbound_schema import mended

ARRAY: dict[str, Any] = {"type": "array"}
FILLED: dict[str, Any] = {"type": "array", "items": {}}


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

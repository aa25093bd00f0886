"""What holds for every schema, sensible or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.gemini.schema import Cleaned, Profile, clean, response_schema
from tests.fakes.json_schema import well_formed

from .examples import EXAMPLES, share

TOOL_KEYS = {"type", "title", "description", "enum", "properties", "required", "items"}
ALLOWED = {
    Profile.GEMINI: TOOL_KEYS | {"format", "nullable", "anyOf"},
    Profile.CLAUDE: TOOL_KEYS,
}
RESPONSE_KEYS = ALLOWED[Profile.GEMINI] | {"propertyOrdering", "additionalProperties"}
TYPES = {"array", "boolean", "integer", "number", "object", "string"}
BOTH = pytest.mark.parametrize("profile", list(Profile))

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
names = st.sampled_from(["a", "b", "title", "format", "const", "required", "$ref", "type", "items", "default", "enum"])
types = st.sampled_from(sorted(TYPES | {"null", "STRING", "any"}))
refs = st.sampled_from(["#", "#/$defs/A", "#/$defs/B", "#/definitions/C", "#/properties/a", "#/$defs/Gone", "x.json"])


def _keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=3)
    maps = st.dictionaries(names, inner, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": types | st.lists(types, max_size=3),
            "properties": maps,
            "required": st.lists(names, max_size=3) | st.booleans(),
            "items": inner | lists,
            "prefixItems": lists,
            "anyOf": lists,
            "oneOf": lists,
            "allOf": lists,
            "$ref": refs,
            "enum": st.lists(scalars, max_size=4),
            "const": json_values,
            "title": st.text(max_size=5),
            "description": st.text(max_size=5),
            "format": st.sampled_from(["date-time", "enum", "int32", "double", "uri"]),
            "nullable": st.booleans(),
            "default": json_values,
            "minLength": st.integers(),
            "pattern": st.text(max_size=90),
            "additionalProperties": st.booleans() | inner,
            "propertyOrdering": st.lists(names, max_size=3),
            "not": inner,
            "x-vendor": json_values,
        },
    )


plain = st.recursive(st.booleans() | st.just({}) | st.fixed_dictionaries({"type": types}), _keywords, max_leaves=12)
schemas = st.builds(
    lambda root, a, b, c: {**root, "$defs": {"A": a, "B": b}, "definitions": {"C": c}} if root else a,
    _keywords(plain),
    plain,
    plain,
    plain,
)
anything = schemas | json_values
relaxed = settings(EXAMPLES, max_examples=share(0.5))


def _nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk the schema positions; names of properties are none."""
    yield schema
    for inner in [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]:
        yield from _nodes(inner)
    if "items" in schema:
        yield from _nodes(schema["items"])


def _all_nodes(cleaned: Cleaned) -> list[dict[str, Any]]:
    return list(_nodes(cleaned.schema)) if cleaned.schema is not None else []


def _check_node(node: dict[str, Any], allowed: set[str]) -> None:
    assert node.keys() <= allowed
    if "anyOf" in node:
        assert node.keys() <= {"anyOf", "description", "nullable"}
        assert len(node["anyOf"]) > 1
        return
    assert node["type"] in TYPES
    assert ("items" in node) == (node["type"] == "array")
    assert set(node.get("required", ())) <= node.get("properties", {}).keys()
    assert node.get("required") != []
    assert all(isinstance(value, str) and value for value in node.get("enum", ()))
    assert node.get("properties") != {}
    assert "enum" not in node or (node["type"] == "string" and node["enum"])


@BOTH
@given(schema=anything)
@relaxed
def test_only_what_is_allowed_comes_out(profile: Profile, schema: object) -> None:
    for node in _all_nodes(clean(schema, profile)):
        _check_node(node, ALLOWED[profile])


@given(schema=anything)
@relaxed
def test_only_what_is_allowed_comes_out_for_responses(schema: object) -> None:
    for node in _all_nodes(response_schema(schema)):
        _check_node(node, RESPONSE_KEYS)
        assert node.get("propertyOrdering", []) == list(node.get("properties", {}))
        assert node.get("additionalProperties", False) is False


@BOTH
@given(schema=anything)
@relaxed
def test_cleaning_twice_changes_nothing(profile: Profile, schema: object) -> None:
    once = clean(schema, profile).schema
    assert clean(once, profile).schema == once


@given(schema=anything)
@relaxed
def test_cleaning_a_response_schema_twice_changes_nothing(schema: object) -> None:
    once = response_schema(schema).schema
    assert response_schema(once).schema == once


@BOTH
@given(schema=anything)
@relaxed
def test_root_is_an_object_with_properties(profile: Profile, schema: object) -> None:
    cleaned = clean(schema, profile)
    if cleaned.schema is None:
        assert profile is Profile.GEMINI
    else:
        assert cleaned.schema["type"] == "object"
        assert cleaned.schema["properties"]


@given(schema=anything)
@relaxed
def test_claude_gets_no_object_without_properties(schema: object) -> None:
    assert all("properties" in node for node in _all_nodes(clean(schema, Profile.CLAUDE)) if node["type"] == "object")


@given(schema=anything)
@relaxed
def test_claude_gets_valid_draft_2020_12(schema: object) -> None:
    assert well_formed(clean(schema, Profile.CLAUDE).schema)


@BOTH
@given(properties=st.dictionaries(st.text(), st.booleans() | st.fixed_dictionaries({"type": types}), min_size=1))
@relaxed
def test_names_of_properties_survive(profile: Profile, properties: dict[str, object]) -> None:
    cleaned = clean({"type": "object", "properties": properties}, profile).schema
    assert cleaned is not None
    kept: Any = cleaned["properties"]
    assert list(kept) == list(properties)


@BOTH
@given(links=st.dictionaries(st.sampled_from("ABCDEF"), st.lists(st.sampled_from("ABCDEF"), max_size=6)))
@relaxed
def test_any_graph_of_references_ends(profile: Profile, links: dict[str, list[str]]) -> None:
    definitions = {
        name: {
            "type": "object",
            "properties": {f"to{n}": {"$ref": f"#/$defs/{to}"} for n, to in enumerate(targets)},
        }
        for name, targets in links.items()
    }
    cleaned = clean({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": definitions}, profile)
    nodes = _all_nodes(cleaned)
    assert all(node.keys() <= ALLOWED[profile] for node in nodes)
    assert len(nodes) < 25_000

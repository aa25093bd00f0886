"""JSON Schema as the Gemini API reads it: what is kept, what is rewritten, what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.gemini.schema import SchemaCache, light
from gateway.dialects.gemini.schema_facets import Dropped
from tests.gateway.dialects.gemini.schemas import GEMINI


def written(schema: Any) -> Any:
    return light(schema).schema


def parameters(schema: Any) -> Any:
    return light(schema, parameters=True).schema


def prop(schema: Any) -> Any:
    """Write a schema as that of the property `a`."""
    return parameters({"type": "object", "properties": {"a": schema}})["properties"]["a"]


KEPT = [
    {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^a", "format": "date-time"},
    {"type": "integer", "minimum": -1, "maximum": 5, "default": 3},
    {"type": ["string", "null"], "description": "d", "title": "t"},
    {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 2, "uniqueItems": True},
    {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1, "maxProperties": 2},
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"anyOf": [{"type": "string"}, {"type": "null"}]},
    {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    {"enum": [1, "a", None, True]},
]


@pytest.mark.parametrize("schema", KEPT, ids=str)
def test_what_the_api_reads_stays_as_it_is(schema: Any) -> None:
    assert light({"type": "object", "properties": {"a": schema}}, parameters=True).dropped == ()
    assert prop(schema) == schema


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "STRING"}, {"type": "string"}),
        ({"type": ["string"]}, {"type": "string"}),
        ({"type": "any"}, {}),
        ({"const": 5}, {"enum": [5]}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"anyOf": [{"type": "string"}], "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
        ({"type": "integer", "exclusiveMaximum": 9}, {"type": "integer", "maximum": 8}),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"type": "integer", "minimum": 1}),
        (
            {"type": "number", "description": "d", "exclusiveMinimum": 0},
            {"type": "number", "description": "d (exclusiveMinimum: 0)", "minimum": 0},
        ),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "array", "items": True}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "array", "items": [{"type": "integer"}]}, {"type": "array", "items": {"type": "integer"}}),
        (
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
            {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
        ),
        ({"minLength": 1.0, "maxLength": -1}, {"minLength": 1}),
        ({"type": "string", "pattern": "(["}, {"type": "string"}),
        (True, {}),
        (None, {}),
    ],
)
def test_what_it_reads_otherwise_is_said_so(schema: Any, expected: Any) -> None:
    assert prop(schema) == expected


@pytest.mark.parametrize(
    "keyword",
    [
        "not",
        "if",
        "patternProperties",
        "propertyNames",
        "readOnly",
        "examples",
        "contentEncoding",
        "x-vendor",
        "multipleOf",
    ],
)
def test_what_it_does_not_read_is_left_out_and_named(keyword: str) -> None:
    cleaned = light({"type": "object", "properties": {"a": {"type": "string", keyword: {}}}}, parameters=True)
    assert cleaned.schema == {"type": "object", "properties": {"a": {"type": "string"}}}
    assert cleaned.dropped == (Dropped(f"properties.a.{keyword}", keyword, hint=False),)


def test_what_says_nothing_is_left_out_without_a_word() -> None:
    schema = {"$schema": "s", "$id": "i", "$comment": "c", "type": "object", "properties": {"a": {}}}
    assert light(schema, parameters=True).dropped == ()
    assert parameters(schema) == {"type": "object", "properties": {"a": {}}}


def test_what_is_dropped_within_an_array_is_named_by_its_place() -> None:
    schema = {"type": "array", "items": {"type": "array", "items": {"type": "string", "not": {}}}}
    assert [one.path for one in light(schema).dropped] == ["items.items.not"]


@pytest.mark.parametrize(
    ("schema", "dropped"),
    [
        ({"type": "string"}, (Dropped("type", "type", hint=False),)),
        ({"type": ["object", "null"]}, (Dropped("type", "type", hint=False),)),
        ({"type": "OBJECT"}, ()),
        ({"type": "object", "properties": {"a": 5}}, (Dropped("properties.a", "schema", hint=False),)),
        ({"type": "object", "properties": {"a": True}}, ()),
    ],
)
def test_what_parameters_cannot_be_is_named(schema: object, dropped: object) -> None:
    assert light(schema, parameters=True).dropped == dropped


def test_names_of_properties_are_data() -> None:
    names = {"title", "format", "const", "required", "$ref", "type", "default", "allOf"}
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    assert set(parameters(schema)["properties"]) == names


def test_only_properties_are_required_and_one_may_say_so_itself() -> None:
    schema = {"properties": {"a": {}, "b": {"required": True}}, "required": ["a", "gone"]}
    assert parameters(schema)["required"] == ["a", "b"]


# references


def test_a_reference_stays_one_with_its_definition_below_defs() -> None:
    schema = {"definitions": {"A": {"type": "integer"}, "Unused": {}}, "properties": {"a": {"$ref": "#/definitions/A"}}}
    assert parameters(schema) == {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "integer"}},
    }


def test_a_recursive_schema_stays_recursive() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    schema = {"$defs": {"Node": node}, "properties": {"list": {"$ref": "#/$defs/Node"}}}
    assert parameters(schema)["$defs"] == {"Node": node}


def test_a_reference_to_the_root_or_a_property_gets_a_definition() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/properties/a"}, "c": {"$ref": "#"}},
    }
    found = parameters(schema)
    assert found["properties"]["b"] == {"$ref": "#/$defs/a"}
    assert found["$defs"]["a"] == {"type": "integer"}
    assert found["$defs"]["root"]["properties"]["c"] == {"$ref": "#/$defs/root"}


def test_two_definitions_of_one_name_are_kept_apart() -> None:
    schema = {
        "$defs": {"A": {"type": "integer"}},
        "definitions": {"A": {"type": "string"}},
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/definitions/A"}},
    }
    found = parameters(schema)
    names = [found["properties"][name]["$ref"].rpartition("/")[2] for name in "ab"]
    assert [found["$defs"][name]["type"] for name in names] == ["integer", "string"]


def test_a_description_may_stand_beside_a_reference() -> None:
    schema = {"$defs": {"A": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/A", "description": "d"}}}
    assert parameters(schema)["properties"]["a"] == {"$ref": "#/$defs/A", "description": "d"}


def test_more_beside_a_reference_is_joined_with_what_it_leads_to() -> None:
    schema = {
        "$defs": {"A": {"type": "integer", "minimum": 1}},
        "properties": {"a": {"$ref": "#/$defs/A", "maximum": 9}},
    }
    assert parameters(schema)["properties"]["a"] == {"type": "integer", "minimum": 1, "maximum": 9}


def test_an_optional_reference_is_one_of_two() -> None:
    """As OpenAPI 3.0 writes it; expanded, a tree of such nodes would have no end."""
    node = {"type": "object", "properties": {"left": {"allOf": [{"$ref": "#/$defs/N"}], "nullable": True}}}
    schema = {"$defs": {"N": node}, "properties": {"tree": {"$ref": "#/$defs/N"}}}
    left = parameters(schema)["$defs"]["N"]["properties"]["left"]
    assert left == {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}


@pytest.mark.parametrize("ref", ["#/$defs/Gone", "https://example.invalid/x.json", 5])
def test_a_reference_that_leads_nowhere_is_an_object(ref: object) -> None:
    assert prop({"$ref": ref}) == {"type": "object"}


def test_a_root_that_is_a_reference_is_what_it_leads_to() -> None:
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"x": {"type": "string"}}}}}
    assert parameters(schema) == {"type": "object", "properties": {"x": {"type": "string"}}}


def test_all_of_one_is_that_one_and_of_several_their_sum() -> None:
    assert prop({"allOf": [{"type": "string"}], "description": "d"}) == {"type": "string", "description": "d"}
    both = {"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}]}
    assert parameters(both) == {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a", "b"]}


def test_all_of_a_part_that_is_properties_without_their_wrapper_is_wrapped() -> None:
    assert prop({"allOf": [{"b": {"type": "string"}}, {"description": "d"}]}) == {
        "properties": {"b": {"type": "string"}},
        "description": "d",
    }


@pytest.mark.parametrize("pattern", ["[", 5])
def test_a_pattern_that_is_none_is_left_out_and_named(pattern: object) -> None:
    schema = {"type": "string", "pattern": pattern}
    assert written(schema) == {"type": "string"}
    assert [one.keyword for one in light(schema).dropped] == ["pattern"]


def test_patterns_are_read_as_far_as_their_letters_are_affordable() -> None:
    many = {f"p{n}": {"type": "string", "pattern": "a" * 4_000} for n in range(60)}
    schema = {"type": "object", "properties": many}
    kept = ["pattern" in one for one in written(schema)["properties"].values()]
    assert (kept[0], kept[-1]) == (True, False)
    assert len(light(schema).dropped) >= kept.count(False)


def test_a_reference_into_a_list_leads_to_its_element() -> None:
    schema = {"anyOf": [{"type": "string"}, {"$ref": "#/anyOf/0"}, {"$ref": "#/anyOf/7"}]}
    read = written(schema)
    assert read["anyOf"][1:] == [{"$ref": "#/$defs/0"}, {"type": "object"}]
    assert read["$defs"] == {"0": {"type": "string"}}


def test_a_definition_that_is_itself_ends() -> None:
    schema = {"$defs": {"A": {"$ref": "#/$defs/A", "type": "object"}}, "$ref": "#/$defs/A"}
    assert light(schema, parameters=True).schema is None


# the whole


@pytest.mark.parametrize("schema", [None, {}, True, {"type": "object"}, {"type": "object", "properties": None}])
def test_parameters_that_say_nothing_are_left_out(schema: object) -> None:
    assert parameters(schema) is None


def test_properties_without_their_wrapper_are_wrapped() -> None:
    assert parameters({"a": {"type": "string"}}) == {"type": "object", "properties": {"a": {"type": "string"}}}


def test_an_answer_may_be_of_any_type() -> None:
    assert written({"type": "array", "items": {"type": "integer"}}) == {"type": "array", "items": {"type": "integer"}}


def test_a_tree_that_never_ends_is_cut() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(200):
        schema = {"type": "object", "properties": {"a": schema}}
    cleaned = light(schema, parameters=True)
    assert [drop.keyword for drop in cleaned.dropped] == ["depth"]


def test_the_cache_keeps_it_apart_from_the_full_pass() -> None:
    cache, raw = SchemaCache(), b'{"properties":{"a":{"type":"string","minLength":1}}}'
    assert cache.light_raw(raw) is cache.light_raw(raw)
    assert cache.light_raw(raw) != cache.clean_raw(raw, GEMINI)


@pytest.mark.parametrize("where", ["$defs", "definitions"])
def test_reference_that_may_be_null_keeps_what_it_leads_to(where: str) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": f"#/{where}/C", "nullable": True}},
        where: {"C": {"type": "string"}},
    }
    assert parameters(schema) == {
        "type": "object",
        "properties": {"a": {"anyOf": [{"$ref": "#/$defs/C"}, {"type": "null"}]}},
        "$defs": {"C": {"type": "string"}},
    }
    assert light(schema, parameters=True).dropped == ()


@pytest.mark.parametrize("rest", [{}, {"items": False}, {"items": True}, {"items": {}}])
def test_a_tuple_holds_the_kinds_of_its_elements(rest: dict[str, object]) -> None:
    point = {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], **rest}
    assert prop(point) == {"type": "array", "items": {"type": "number"}}
    pair = {"prefixItems": [{"type": "string"}, {"type": "integer"}], **rest}
    assert prop(pair) == {"items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}


def test_what_may_follow_a_tuple_is_one_of_its_kinds() -> None:
    schema = {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}}
    assert prop(schema) == {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}


def test_the_order_of_a_tuple_is_named_as_lost() -> None:
    schema = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}
    assert light(schema).dropped == (Dropped("prefixItems", "prefixItems", hint=False),)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"minimum": 5, "exclusiveMinimum": 0}, {"minimum": 5}),
        ({"exclusiveMinimum": 7, "minimum": 5}, {"minimum": 8}),
        ({"maximum": 5, "exclusiveMaximum": 9}, {"maximum": 5}),
        ({"maximum": 9, "exclusiveMaximum": 5}, {"maximum": 4}),
    ],
)
def test_of_two_bounds_the_tighter_holds(bounds: dict[str, object], expected: dict[str, object]) -> None:
    assert prop({"type": "integer", **bounds}) == {"type": "integer", **expected}


def test_an_open_bound_tighter_than_the_closed_one_takes_its_place() -> None:
    said = {"type": "number", "minimum": 0.5, "description": "(exclusiveMinimum: 0.5)"}
    assert prop({"type": "number", "minimum": 0, "exclusiveMinimum": 0.5}) == said


def test_two_that_extend_the_same_lose_nothing() -> None:
    base = {"properties": {"id": {"type": "string"}}}
    extending = {
        name: {"allOf": [{"$ref": "#/$defs/Base"}, {"properties": {name: {"type": "string"}}}]} for name in "ab"
    }
    schema = {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {"Base": base, **extending}}
    names = {name: {"type": "string"} for name in ("id", "a", "b")}
    assert light(schema, parameters=True).schema == {"type": "object", "properties": names}
    assert light(schema, parameters=True).dropped == ()


def test_a_schema_within_itself_stays_so_with_a_title_beside_it() -> None:
    node = {"type": "object", "properties": {"child": {"$ref": "#/$defs/N", "title": "Child"}}}
    cleaned = light({"$ref": "#/$defs/N", "$defs": {"N": node}}, parameters=True)
    assert cleaned.dropped == ()
    assert cleaned.schema is not None
    child: Any = cleaned.schema["properties"]
    assert child["child"] == {"title": "Child", "anyOf": [{"$ref": "#/$defs/N"}]}


def test_alternatives_of_which_nothing_is_left_are_left_out() -> None:
    schema = {"type": "object", "properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    cleaned = light(schema, parameters=True)
    assert cleaned.schema == {"type": "object", "properties": {"a": {}, "b": {}}}
    assert [one.path for one in cleaned.dropped] == ["anyOf.0.required", "anyOf.1.required", "anyOf"]


def test_many_definitions_of_one_name_are_kept_apart() -> None:
    definitions = {f"A{place}": {"x": {"type": "string", "title": f"{place}"}} for place in range(50)}
    properties = {f"p{place}": {"$ref": f"#/$defs/A{place}/x"} for place in range(50)}
    given = written({"properties": properties, "$defs": definitions})
    names = [one["$ref"].removeprefix("#/$defs/") for one in given["properties"].values()]
    assert [given["$defs"][name]["title"] for name in names] == [f"{place}" for place in range(50)]

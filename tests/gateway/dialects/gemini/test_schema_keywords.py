"""What the cleaner makes of types, values and constraints, by hand."""

from __future__ import annotations

import pytest

from gateway.dialects.gemini.schema import Cleaned, Dropped, Profile, clean
from tests.gateway.dialects.gemini.schemas import BOTH, CLAUDE, GEMINI, object_of, property_of

# Types.


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "STRING"}, "string"),
        ({"type": ["Integer"]}, "integer"),
        ({"type": "any"}, "string"),
        ({"type": 5}, "string"),
        ({"description": "d"}, "string"),
        ({"properties": {}}, "object"),
        ({"additionalProperties": {"type": "string"}}, "object"),
        ({"required": []}, "object"),
        ({"items": {"type": "string"}}, "array"),
        ({"minItems": 1}, "array"),
        ({"minimum": 1}, "number"),
        ({"format": "int64"}, "integer"),
        ({"enum": ["a"]}, "string"),
        ({"enum": [1, 2]}, "integer"),
        ({"enum": [1.5]}, "number"),
        ({"enum": [True]}, "boolean"),
        ({"enum": [1, "a"]}, "string"),
        ({"enum": [{"a": 1}]}, "object"),
        ({}, "object"),
        (True, "object"),
        (None, "object"),
        ([1], "object"),
    ],
)
@BOTH
def test_type_is_normalised_or_inferred(schema: object, kind: str, profile: Profile) -> None:
    assert property_of(schema, profile)["type"] == kind


def test_list_of_types_becomes_any_of() -> None:
    schema = {"type": ["string", "integer", "null"], "description": "d", "minLength": 1}
    assert property_of(schema, GEMINI) == {
        "anyOf": [{"type": "string"}, {"type": "integer"}],
        "nullable": True,
        "description": "d (minLength: 1)",
    }


def test_each_type_of_a_list_takes_its_own_keywords() -> None:
    schema = {
        "type": ["object", "array"],
        "properties": {"a": {"type": "string"}},
        "items": {"type": "integer"},
    }
    assert property_of(schema, GEMINI) == {
        "anyOf": [object_of(a={"type": "string"}), {"type": "array", "items": {"type": "integer"}}],
    }


def test_list_of_types_becomes_the_richest_for_claude() -> None:
    schema = {"type": ["string", "array"], "items": {"type": "string"}, "description": "d"}
    expected = {"type": "array", "items": {"type": "string"}, "description": "d (or string)"}
    assert property_of(schema, CLAUDE) == expected


@BOTH
def test_enum_narrows_a_list_of_types(profile: Profile) -> None:
    assert property_of({"type": ["string", "integer"], "enum": ["a"]}, profile) == {
        "type": "string",
        "enum": ["a"],
    }


# Values.


@BOTH
def test_const_becomes_an_enum_of_one(profile: Profile) -> None:
    assert property_of({"const": "x"}, profile) == {"type": "string", "enum": ["x"]}


@BOTH
def test_values_of_a_string_enum_are_strings(profile: Profile) -> None:
    schema = {"type": "string", "enum": ["a", 1, True, 1.5, "1"]}
    assert property_of(schema, profile)["enum"] == ["a", "1", "true", "1.5"]


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("integer", [1, 2], "(enum: 1 | 2)"),
        ("number", [0.5], "(enum: 0.5)"),
        ("boolean", [True], "(enum: true)"),
    ],
)
@BOTH
def test_enum_of_another_type_goes_into_words(kind: str, values: list[object], words: str, profile: Profile) -> None:
    assert property_of({"type": kind, "enum": values}, profile) == {"type": kind, "description": words}


def test_null_in_an_enum_is_nullable() -> None:
    assert property_of({"enum": ["a", None]}, GEMINI) == {"type": "string", "enum": ["a"], "nullable": True}


@BOTH
def test_empty_member_of_an_enum_is_left_out(profile: Profile) -> None:
    expected = {"type": "string", "enum": ["a"], "description": "(may be empty)"}
    assert property_of({"enum": ["", "a"]}, profile) == expected


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("string", "date-time"),
        ("string", "enum"),
        ("number", "float"),
        ("number", "double"),
        ("integer", "int32"),
        ("integer", "int64"),
    ],
)
def test_format_of_the_proto_is_kept_for_gemini_only(kind: str, name: str) -> None:
    schema = {"type": kind, "format": name}
    assert property_of(schema, GEMINI) == schema
    assert property_of(schema, CLAUDE) == {"type": kind, "description": f"(format: {name})"}


@pytest.mark.parametrize(("kind", "name"), [("string", "uri"), ("integer", "date-time"), ("string", "int32")])
def test_other_format_becomes_a_hint(kind: str, name: str) -> None:
    expected = {"type": kind, "description": f"(format: {name})"}
    assert property_of({"type": kind, "format": name}, GEMINI) == expected


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("minLength", 1, "minLength: 1"),
        ("maxLength", 9, "maxLength: 9"),
        ("pattern", "^a$", "pattern: ^a$"),
        ("minItems", 1, "minItems: 1"),
        ("maxItems", 2, "maxItems: 2"),
        ("uniqueItems", True, "uniqueItems: true"),
        ("minimum", 0, "minimum: 0"),
        ("maximum", 1.5, "maximum: 1.5"),
        ("exclusiveMinimum", 0, "exclusiveMinimum: 0"),
        ("exclusiveMaximum", True, "exclusiveMaximum: true"),
        ("multipleOf", 2, "multipleOf: 2"),
        ("minProperties", 1, "minProperties: 1"),
        ("maxProperties", 1, "maxProperties: 1"),
        ("default", "a", "default: a"),
        ("default", None, "default: null"),
        ("default", "", 'default: ""'),
        ("default", [], "default: []"),
        ("default", {}, "default: {}"),
        ("default", False, "default: false"),
        ("examples", ["a", 1], "examples: a | 1"),
        ("deprecated", True, "deprecated: true"),
        ("readOnly", True, "readOnly: true"),
        ("contentMediaType", "text/html", "contentMediaType: text/html"),
    ],
)
@BOTH
def test_constraint_becomes_a_hint(keyword: str, value: object, words: str, profile: Profile) -> None:
    schema = {"type": "string", "description": "d", keyword: value}
    assert property_of(schema, profile) == {"type": "string", "description": f"d ({words})"}


def test_hints_share_one_pair_of_parentheses() -> None:
    schema = {"type": "string", "minLength": 1, "pattern": "^a$"}
    assert property_of(schema, GEMINI)["description"] == "(minLength: 1, pattern: ^a$)"


def test_hints_are_bounded_and_the_rest_is_reported() -> None:
    schema = object_of(p={"type": "string", "pattern": "a" * 300, "default": "b" * 150, "minLength": 1})
    cleaned = clean(schema, GEMINI)
    assert cleaned.schema == object_of(p={"type": "string", "description": f"(default: {'b' * 150}, minLength: 1)"})
    assert Dropped("properties.p.pattern", "pattern", hint=False) in cleaned.dropped


@pytest.mark.parametrize("limit", [2**53 - 1, 1 - 2**53])
def test_limit_of_safe_integers_is_no_hint(limit: int) -> None:
    assert property_of({"type": "integer", "maximum": limit}, GEMINI) == {"type": "integer"}


@pytest.mark.parametrize(
    "keyword",
    [
        *("not", "if", "then", "else", "dependentSchemas", "dependentRequired", "patternProperties"),
        *("propertyNames", "unevaluatedProperties", "unevaluatedItems", "contains", "contentSchema"),
        *("$dynamicRef", "x-order", "encrypted", "prefill", "enumDescriptions", "minContains"),
        *("additionalItems", "cache_control", "strict"),
    ],
)
@BOTH
def test_keyword_without_a_place_is_dropped_and_reported(keyword: str, profile: Profile) -> None:
    cleaned = clean(object_of(p={"type": "string", keyword: {"a": 1}}), profile)
    assert cleaned.schema == object_of(p={"type": "string"})
    assert [(drop.path, drop.keyword) for drop in cleaned.dropped] == [(f"properties.p.{keyword}", keyword)]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *(
            ("title", 5),
            ("description", ["d"]),
            ("format", 5),
            ("properties", [1]),
            ("anyOf", 5),
            ("$ref", {}),
        ),
        *(("type", "date"), ("enum", "a"), ("enum", [["a"]])),
    ],
)
@BOTH
def test_keyword_of_the_wrong_form_is_dropped_and_reported(keyword: str, value: object, profile: Profile) -> None:
    dropped = clean(object_of(p={"type": "string", keyword: value}, q={"type": "string"}), profile).dropped
    assert dropped == (Dropped(f"properties.p.{keyword}", keyword, hint=False),)


@pytest.mark.parametrize("keyword", ["$schema", "$id", "$comment", "$anchor", "$defs", "definitions"])
@BOTH
def test_keyword_that_says_nothing_goes_without_a_word(keyword: str, profile: Profile) -> None:
    schema = {**object_of(p={"type": "string"}), keyword: "x"}
    assert clean(schema, profile) == Cleaned(object_of(p={"type": "string"}))


@BOTH
def test_title_and_description_are_kept(profile: Profile) -> None:
    schema = {
        **object_of(p={"type": "string", "title": "P", "description": "d"}),
        "title": "T",
        "description": "D",
    }
    assert clean(schema, profile).schema == schema

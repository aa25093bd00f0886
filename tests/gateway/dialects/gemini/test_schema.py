"""What the cleaner makes of whole schemas and of their objects and arrays, by hand."""

from __future__ import annotations

import pytest

from gateway.dialects.gemini.schema import (
    Cleaned,
    Dropped,
    Profile,
    clean,
    response_schema,
    strip_placeholders,
)
from tests.gateway.dialects.gemini.schemas import BOTH, CLAUDE, FREE, GEMINI, object_of, property_of

# Whole schemas.


@BOTH
def test_reference_into_defs_is_inlined(profile: Profile) -> None:
    definition = {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    schema = {"$defs": definition, **object_of(a={"$ref": "#/$defs/A"})}
    expected = object_of(a=object_of(n={"type": "integer"}))
    assert clean(schema, profile) == Cleaned(expected)


MIXED = {
    **object_of(
        s={"type": ["string", "null"]},
        c={"const": 5},
        o={"oneOf": [{"type": "string"}, {"type": "integer"}]},
        m={"type": "integer", "exclusiveMinimum": 0},
        u={"type": "string", "format": "uri"},
    ),
    "additionalProperties": False,
    "propertyNames": {"pattern": "^[a-z]+$"},
}


def test_mixed_keywords_for_gemini() -> None:
    assert clean(MIXED, GEMINI).schema == object_of(
        s={"type": "string", "nullable": True},
        c={"type": "integer", "description": "(const: 5)"},
        o={"anyOf": [{"type": "string"}, {"type": "integer"}]},
        m={"type": "integer", "description": "(exclusiveMinimum: 0)"},
        u={"type": "string", "description": "(format: uri)"},
    )


def test_mixed_keywords_for_claude() -> None:
    assert clean(MIXED, CLAUDE).schema == object_of(
        s={"type": "string", "description": "(nullable)"},
        c={"type": "integer", "description": "(const: 5)"},
        o={"type": "string", "description": "(or integer)"},
        m={"type": "integer", "description": "(exclusiveMinimum: 0)"},
        u={"type": "string", "description": "(format: uri)"},
    )


def test_every_lost_keyword_is_named_with_its_place() -> None:
    dropped = clean(MIXED, GEMINI).dropped
    assert set(dropped) == {
        Dropped("properties.c.const", "const", hint=True),
        Dropped("properties.m.exclusiveMinimum", "exclusiveMinimum", hint=True),
        Dropped("properties.u.format", "format", hint=True),
        Dropped("propertyNames", "propertyNames", hint=False),
        Dropped("additionalProperties", "additionalProperties", hint=False),
    }


@pytest.mark.parametrize("profile", [GEMINI, CLAUDE])
@pytest.mark.parametrize(
    ("schema", "dropped"),
    [
        ({"description": "anything"}, (Dropped("properties.a.type", "type", hint=False),)),
        ({"minLength": 1}, (Dropped("properties.a.minLength", "minLength", hint=True),)),
        ({"enum": ["x"]}, ()),
        ({"format": "date-time", "description": "d"}, None),
        (5, (Dropped("properties.a", "schema", hint=False),)),
        (True, ()),
    ],
)
def test_a_type_that_had_to_be_chosen_is_named(profile: Profile, schema: object, dropped: object) -> None:
    found = clean({"type": "object", "properties": {"a": schema}}, profile).dropped
    if dropped is None:
        assert "type" not in {drop.keyword for drop in found}
    else:
        assert found == dropped


@pytest.mark.parametrize("schema", [None, True, False, {}, [], "x", 5, {"type": "object"}, {"type": "string"}])
def test_no_parameters_are_omitted_for_gemini(schema: object) -> None:
    assert clean(schema, GEMINI).schema is None


@pytest.mark.parametrize("schema", [None, True, {}, [], "x", {"type": "object", "properties": {}}])
def test_no_parameters_become_a_placeholder_for_claude(schema: object) -> None:
    cleaned = clean(schema, CLAUDE)
    assert cleaned.placeholder
    assert cleaned.schema == {
        "type": "object",
        "properties": {"reason": {"type": "string", "description": "Why the tool is called"}},
        "required": ["reason"],
    }


def test_own_property_called_reason_is_no_placeholder() -> None:
    assert not clean(object_of(reason={"type": "string"}), CLAUDE).placeholder


def test_hint_of_an_omitted_schema_reaches_nobody() -> None:
    dropped = clean({"type": "object", "minProperties": 1}, GEMINI).dropped
    assert dropped == (Dropped("minProperties", "minProperties", hint=False),)


@BOTH
def test_bare_property_map_is_wrapped(profile: Profile) -> None:
    schema = {"a": {"type": "string"}, "type": {"type": "integer"}}
    assert clean(schema, profile).schema == object_of(a={"type": "string"}, type={"type": "integer"})


@BOTH
def test_extension_alone_is_no_property_map(profile: Profile) -> None:
    assert property_of({"x-ui": {"type": "slider"}}, profile) == {"type": "string"}


# Properties.


NAMES = (
    "title",
    "format",
    "default",
    "const",
    "required",
    "$ref",
    "type",
    "enum",
    "properties",
    "items",
    "anyOf",
)


@pytest.mark.parametrize("name", NAMES)
@BOTH
def test_property_named_like_a_keyword_survives(name: str, profile: Profile) -> None:
    schema = {**object_of(**{name: {"type": "string"}}), "required": [name]}
    assert clean(schema, profile).schema == schema


@BOTH
def test_required_holds_only_properties(profile: Profile) -> None:
    cleaned = clean({**object_of(a={"type": "string"}), "required": ["a", "b", "a", 5]}, profile)
    assert cleaned.schema == {**object_of(a={"type": "string"}), "required": ["a"]}
    assert cleaned.dropped == (Dropped("required", "required", hint=False),)


@BOTH
def test_empty_required_is_removed(profile: Profile) -> None:
    assert clean({**object_of(a={"type": "string"}), "required": []}, profile).schema == object_of(a={"type": "string"})


@BOTH
def test_required_inside_a_property_is_promoted(profile: Profile) -> None:
    schema = object_of(a={"type": "string", "required": True}, b={"type": "string", "required": False})
    expected = {**object_of(a={"type": "string"}, b={"type": "string"}), "required": ["a"]}
    assert clean(schema, profile).schema == expected


def test_nested_object_without_properties_stays_an_object_for_gemini() -> None:
    assert property_of({"type": "object", "properties": {}}, GEMINI) == {"type": "object"}


def test_nested_object_without_properties_gets_one_for_claude() -> None:
    assert property_of({"type": "object", "properties": {}}, CLAUDE) == FREE


@BOTH
def test_open_additional_properties_lose_nothing(profile: Profile) -> None:
    assert clean({**object_of(a={"type": "string"}), "additionalProperties": True}, profile).dropped == ()


# Arrays.


@pytest.mark.parametrize(
    ("schema", "items"),
    [
        ({"type": "array"}, {"type": "string"}),
        ({"type": "array", "items": True}, {"type": "string"}),
        ({"type": "array", "items": {}}, {"type": "string"}),
        ({"type": "array", "items": []}, {"type": "string"}),
        ({"items": [{"type": "integer"}, {"type": "string"}]}, {"type": "integer"}),
        ({"prefixItems": [{"type": "integer"}, {"type": "string"}]}, {"type": "integer"}),
        ({"prefixItems": [{"type": "integer"}], "items": False}, {"type": "integer"}),
        ({"items": {"type": "string"}, "prefixItems": [{"type": "integer"}]}, {"type": "integer"}),
        ({"items": {"type": "array"}}, {"type": "array", "items": {"type": "string"}}),
    ],
)
@BOTH
def test_array_has_items(schema: object, items: object, profile: Profile) -> None:
    assert property_of(schema, profile) == {"type": "array", "items": items}


# Placeholders in arguments.


def test_placeholder_at_the_root_is_taken_out_of_the_arguments() -> None:
    assert strip_placeholders({"reason": "because", "x": 1}, clean({}, CLAUDE)) == {"x": 1}


def test_own_property_called_reason_stays_in_the_arguments() -> None:
    own = object_of(reason={"type": "string", "description": "Why the tool is called"})
    assert strip_placeholders({"reason": "because"}, clean(own, CLAUDE)) == {"reason": "because"}


def test_placeholder_further_down_is_taken_out_of_the_arguments() -> None:
    schema = object_of(env={"type": "object"}, rows={"type": "array", "items": {"type": "object"}})
    arguments = {"env": {"_placeholder": True, "A": "1"}, "rows": [{"_placeholder": True}, {"b": 2}]}
    expected = {"env": {"A": "1"}, "rows": [{}, {"b": 2}]}
    assert strip_placeholders(arguments, clean(schema, CLAUDE)) == expected


@pytest.mark.parametrize("arguments", [{"a": {"_placeholder": 1}}, {"_placeholder": 1}, {"a": 5, "b": [1]}, [1], None])
def test_arguments_without_placeholders_stay_as_they_are(arguments: object) -> None:
    cleaned = clean(object_of(a=object_of(c={"type": "string"})), CLAUDE)
    assert strip_placeholders(arguments, cleaned) == arguments


# Response schemas.


def test_response_keeps_order_and_closed_objects() -> None:
    schema: dict[str, object] = {
        **object_of(b={"type": "string"}, a={"type": "string"}),
        "additionalProperties": False,
    }
    assert response_schema(schema) == Cleaned({**schema, "propertyOrdering": ["b", "a"]})


def test_response_follows_the_order_the_client_asked_for() -> None:
    schema = {**object_of(b={"type": "string"}, a={"type": "string"}), "propertyOrdering": ["a", "gone"]}
    cleaned = response_schema(schema).schema
    assert cleaned is not None
    assert cleaned["propertyOrdering"] == ["a", "b"]


def test_response_may_be_of_any_type() -> None:
    schema: dict[str, object] = {"type": "array", "items": {"type": "string"}}
    assert response_schema(schema) == Cleaned(schema)


def test_response_schema_that_says_nothing_is_omitted() -> None:
    assert response_schema({}).schema is None


def test_what_holds_for_all_alternatives_is_said_by_each() -> None:
    """Nothing may stand beside them."""
    branches = [object_of(x={"type": "string"}), object_of(x={"type": "integer"}, y={"type": "string"})]
    shape = {"type": "object", "required": ["x"], "additionalProperties": False, "anyOf": branches}
    cleaned = clean(object_of(n=shape), GEMINI)
    assert cleaned.schema == object_of(n={"anyOf": [{**branch, "required": ["x"]} for branch in branches]})
    assert [one.keyword for one in cleaned.dropped] == ["additionalProperties", "additionalProperties"]


def test_order_of_properties_is_not_sent_for_tools() -> None:
    cleaned = clean({**object_of(a={"type": "string"}), "propertyOrdering": ["a"]}, GEMINI)
    assert cleaned.schema == object_of(a={"type": "string"})


@BOTH
def test_values_of_several_types_become_words_which_is_named(profile: Profile) -> None:
    cleaned = clean(object_of(a={"enum": [1, "auto"]}, b={"type": "string", "enum": [1, "auto"]}), profile)
    words = {"type": "string", "enum": ["1", "auto"]}
    assert cleaned == Cleaned(object_of(a=words, b=words), dropped=(Dropped("properties.a.enum", "enum", hint=False),))

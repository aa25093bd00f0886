"""References and compositions: inlined, merged, cut; all by hand."""

from __future__ import annotations

import msgspec
import pytest

from gateway.dialects.gemini.schema import Cleaned, Dropped, Profile, clean
from tests.gateway.dialects.gemini.schemas import BOTH, CLAUDE, GEMINI, free, object_of, property_of

# References.


@pytest.mark.parametrize(
    "ref", ["#/definitions/A", "#/$defs/B", "#/%24defs/B", "#/properties/q", "#/allOf/0", "#/$defs/x~1y~0z"]
)
@BOTH
def test_local_reference_of_any_form_is_resolved(ref: str, profile: Profile) -> None:
    target = {"type": "integer"}
    schema = {
        **object_of(p={"$ref": ref}, q=target),
        "definitions": {"A": target},
        "$defs": {"B": target, "x/y~z": target},
        "allOf": [target],
    }
    cleaned = clean(schema, profile).schema
    assert cleaned is not None
    assert cleaned["properties"] == {"p": target, "q": target}


@BOTH
def test_description_beside_a_reference_is_kept(profile: Profile) -> None:
    schema = {"$ref": "#/$defs/A", "description": "mine"}
    definition = {"A": {"type": "integer", "description": "its own"}}
    assert property_of(schema, profile, **{"$defs": definition}) == {"type": "integer", "description": "mine"}


@BOTH
def test_recursion_is_cut_where_a_reference_repeats(profile: Profile) -> None:
    definition = {"Node": object_of(next={"$ref": "#/$defs/Node"})}
    expected = object_of(next=free(profile, "(recursive Node)"))
    assert property_of({"$ref": "#/$defs/Node"}, profile, **{"$defs": definition}) == expected


@BOTH
def test_reference_to_the_root_is_recursion(profile: Profile) -> None:
    assert property_of({"$ref": "#"}, profile) == free(profile, "(recursive root)")


@BOTH
def test_same_reference_twice_side_by_side_is_no_recursion(profile: Profile) -> None:
    schema = {
        **object_of(a={"$ref": "#/$defs/A"}, b={"$ref": "#/$defs/A"}),
        "$defs": {"A": {"type": "integer"}},
    }
    assert clean(schema, profile) == Cleaned(object_of(a={"type": "integer"}, b={"type": "integer"}))


@pytest.mark.parametrize("ref", ["#/$defs/Gone", "other.json#/$defs/Gone", "https://example.com/Gone"])
@BOTH
def test_dangling_or_external_reference_becomes_an_object(ref: str, profile: Profile) -> None:
    cleaned = clean(object_of(p={"$ref": ref}), profile)
    assert cleaned.schema == object_of(p=free(profile, "(unresolved reference Gone)"))
    assert cleaned.dropped == (Dropped("properties.p.$ref", "$ref", hint=True),)


def test_fan_out_of_references_ends() -> None:
    wide = {
        f"D{level}": object_of(**{f"p{n}": {"$ref": f"#/$defs/D{level + 1}"} for n in range(30)}) for level in range(30)
    }
    cleaned = clean({"$ref": "#/$defs/D0", "$defs": wide}, GEMINI)
    assert len(msgspec.json.encode(cleaned.schema)) < 4_000_000
    assert any(drop.keyword == "size" for drop in cleaned.dropped)


def test_heavy_definition_is_not_copied_without_end() -> None:
    heavy = {"type": "string", "enum": [f"value {n}" for n in range(5_000)]}
    schema = {**object_of(**{f"p{n}": {"$ref": "#/$defs/H"} for n in range(5_000)}), "$defs": {"H": heavy}}
    assert len(msgspec.json.encode(clean(schema, GEMINI).schema)) < 8_000_000


@BOTH
def test_deep_schema_is_cut_with_a_hint(profile: Profile) -> None:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(40):
        schema = object_of(a=schema)
    cleaned = clean(schema, profile)
    text = msgspec.json.encode(cleaned.schema).decode()
    assert text.count('"a":') == 33
    assert text.count("(nested too deeply)") == 1
    assert [drop.keyword for drop in cleaned.dropped] == ["depth"]


@pytest.mark.parametrize("keyword", ["properties", "items", "anyOf", "allOf", "enum", "default", "not", "x-deep"])
@BOTH
def test_depth_near_the_limit_of_the_decoder_does_not_raise(keyword: str, profile: Profile) -> None:
    schema: object = {}
    for _ in range(400):
        schema = {keyword: {"a": schema} if keyword == "properties" else [schema]}
    assert isinstance(clean(schema, profile), Cleaned)


# Compositions.


@BOTH
def test_all_of_is_merged(profile: Profile) -> None:
    schema = {
        "allOf": [
            {
                **object_of(a={"type": "string"}, b={"type": "string"}),
                "required": ["a"],
                "description": "first",
            },
            {**object_of(b={"type": "integer"}), "required": ["b"], "description": "second"},
        ],
        "description": "own",
    }
    assert property_of(schema, profile) == {
        **object_of(a={"type": "string"}, b={"type": "integer"}),
        "required": ["a", "b"],
        "description": "own first second",
    }


@BOTH
def test_all_of_around_one_reference_is_the_reference(profile: Profile) -> None:
    schema = {"allOf": [{"$ref": "#/$defs/A"}]}
    assert property_of(schema, profile, **{"$defs": {"A": {"enum": ["a"]}}}) == {
        "type": "string",
        "enum": ["a"],
    }


def test_enums_that_all_hold_are_intersected() -> None:
    schema = {"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}
    assert property_of(schema, GEMINI) == {"type": "string", "enum": ["b"]}


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_null_branch_becomes_nullable_and_one_branch_is_inlined(keyword: str) -> None:
    schema = {keyword: [{"type": "integer"}, {"type": "null"}], "description": "d"}
    assert property_of(schema, GEMINI) == {"type": "integer", "nullable": True, "description": "d"}
    assert property_of(schema, CLAUDE) == {"type": "integer", "description": "d (nullable)"}


@pytest.mark.parametrize("null", [{"type": "null"}, {"type": ["NULL"]}, {"const": None}, {"enum": [None]}])
def test_null_is_known_in_each_spelling(null: object) -> None:
    assert property_of({"anyOf": [null, {"type": "integer"}]}, GEMINI) == {
        "type": "integer",
        "nullable": True,
    }


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_any_of_has_no_siblings_but_words_and_nullable(keyword: str) -> None:
    schema = {
        keyword: [{"type": "string"}, {"type": "integer"}, {"type": "null"}],
        "title": "T",
        "description": "d",
        "default": 1,
    }
    cleaned = clean(object_of(p=schema), GEMINI)
    assert cleaned.schema == object_of(
        p={
            "anyOf": [{"type": "string"}, {"type": "integer"}],
            "nullable": True,
            "description": "d (default: 1)",
        }
    )
    assert Dropped("properties.p.title", "title", hint=False) in cleaned.dropped


def test_branches_inherit_the_type_beside_them() -> None:
    schema = {"type": "number", "anyOf": [{"minimum": 5}, {"maximum": 1}]}
    assert property_of(schema, GEMINI) == {
        "anyOf": [
            {"type": "number", "description": "(minimum: 5)"},
            {"type": "number", "description": "(maximum: 1)"},
        ]
    }


@BOTH
def test_properties_beside_any_of_are_merged_with_the_branches(profile: Profile) -> None:
    schema = {
        **object_of(a={"type": "string"}),
        "required": ["a"],
        "anyOf": [{**object_of(b={"type": "string"}), "required": ["b"]}, {"required": ["a"]}],
    }
    expected = {**object_of(b={"type": "string"}, a={"type": "string"}), "required": ["a"]}
    assert property_of(schema, profile) == expected


@BOTH
def test_alternatives_at_the_root_are_merged_with_shared_requirements(profile: Profile) -> None:
    schema = {
        "oneOf": [
            {**object_of(a={"type": "string"}, b={"type": "string"}), "required": ["a", "b"]},
            {**object_of(a={"type": "string"}, c={"type": "integer"}), "required": ["a", "c"]},
        ]
    }
    cleaned = clean(schema, profile)
    expected = object_of(a={"type": "string"}, b={"type": "string"}, c={"type": "integer"})
    assert cleaned.schema == {**expected, "required": ["a"]}
    assert cleaned.dropped == (Dropped("oneOf", "oneOf", hint=False),)


@BOTH
def test_branch_at_the_root_that_is_no_object_is_a_hint(profile: Profile) -> None:
    schema = {"anyOf": [{"type": "string"}, object_of(a={"type": "string"})]}
    assert clean(schema, profile).schema == {**object_of(a={"type": "string"}), "description": "(or string)"}


def test_richest_branch_is_taken_for_claude() -> None:
    schema = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "d",
    }
    cleaned = clean(object_of(p=schema), CLAUDE)
    expected = {"type": "array", "items": {"type": "string"}, "description": "d (or string)"}
    assert cleaned.schema == object_of(p=expected)
    assert cleaned.dropped == (Dropped("properties.p.anyOf", "anyOf", hint=True),)


def test_branches_of_one_type_are_widened_for_claude() -> None:
    schema = {
        "oneOf": [
            {**object_of(kind={"const": "a"}, x={"type": "string"}), "required": ["kind", "x"]},
            {**object_of(kind={"const": "b"}), "required": ["kind"]},
        ]
    }
    expected = object_of(kind={"type": "string", "enum": ["a", "b"]}, x={"type": "string"})
    assert property_of(schema, CLAUDE) == {**expected, "required": ["kind"]}


def test_union_of_constants_is_one_enum_for_claude_and_loses_nothing() -> None:
    cleaned = clean(object_of(p={"anyOf": [{"const": "a"}, {"const": "b"}]}), CLAUDE)
    assert cleaned == Cleaned(object_of(p={"type": "string", "enum": ["a", "b"]}))


@BOTH
def test_second_union_is_dropped_and_reported(profile: Profile) -> None:
    either = [object_of(a={"type": "string"}), object_of(b={"type": "string"})]
    cleaned = clean({"anyOf": either, "oneOf": either}, profile)
    assert Dropped("oneOf", "oneOf", hint=False) in cleaned.dropped


@BOTH
def test_second_union_of_all_of_is_dropped_and_reported(profile: Profile) -> None:
    either = {"anyOf": [object_of(a={"type": "string"}), object_of(b={"type": "string"})]}
    cleaned = clean({"allOf": [either, either]}, profile)
    assert Dropped("allOf.1.anyOf", "anyOf", hint=False) in cleaned.dropped


def test_formats_that_differ_between_branches_are_reported() -> None:
    schema = {
        "type": "object",
        "properties": {},
        "items": {},
        "anyOf": [{"format": "date-time"}, {"format": "enum"}],
    }
    dropped = clean(object_of(p={**schema, "type": "string"}), GEMINI).dropped
    places = {drop.path for drop in dropped if drop.keyword == "format"}
    assert places == {"properties.p.anyOf.0.format", "properties.p.anyOf.1.format"}


def test_branch_that_never_holds_is_left_out() -> None:
    assert property_of({"anyOf": [False, {"type": "integer"}]}, GEMINI) == {"type": "integer"}

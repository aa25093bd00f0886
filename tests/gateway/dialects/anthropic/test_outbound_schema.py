"""Schemas as Claude takes them."""

from typing import Any

import pytest
from msgspec import Raw
from msgspec.json import decode, encode

from gateway.dialects.anthropic.outbound_schema import parameters, strict

Json = dict[str, Any]
WORDS = {"type": "string"}


def parameters_of(schema: Json) -> Json:
    found: Json = decode(parameters(Raw(encode(schema))))
    return found


def strict_of(schema: Json) -> Any:
    found = strict(Raw(encode(schema)))
    return None if found is None else found.schema


def of(**properties: Any) -> Json:
    return {"type": "object", "properties": properties}


def closed(**properties: Any) -> Json:
    return of(**properties) | {"additionalProperties": False}


def test_sound_parameters_keep_their_bytes() -> None:
    given = Raw(b'{ "type":"object", "properties": {"a": {"type":"string"}} }')
    assert parameters(given) == given


@pytest.mark.parametrize("schema", [{}, {"type": ["object", "null"]}, {"type": "string"}])
def test_parameters_are_an_object(schema: Json) -> None:
    assert parameters_of(schema) == {"type": "object"}


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_alternatives_at_the_root_become_one_object(keyword: str) -> None:
    branches = [of(a=WORDS, b=WORDS) | {"required": ["a", "b"]}, of(a=WORDS, c=WORDS) | {"required": ["a", "c"]}]
    assert parameters_of({keyword: branches}) == of(a=WORDS, b=WORDS, c=WORDS) | {"required": ["a"]}


def test_what_tells_alternatives_apart_takes_the_word_of_each() -> None:
    branches = [of(kind={"const": name}, **{name: WORDS}) | {"required": ["kind", name]} for name in ("a", "b", "a")]
    kind = {"anyOf": [{"const": "a"}, {"const": "b"}]}
    assert parameters_of({"oneOf": branches}) == of(kind=kind, a=WORDS, b=WORDS) | {"required": ["kind"]}


def test_what_must_hold_all_at_once_is_joined() -> None:
    schema = {"allOf": [of(a=WORDS) | {"required": ["a"]}, of(b=WORDS) | {"required": ["b"]}]}
    assert parameters_of(schema) == of(a=WORDS, b=WORDS) | {"required": ["a", "b"]}


def test_alternatives_below_the_root_stay() -> None:
    schema = of(a={"anyOf": [WORDS, {"type": "null"}]})
    assert parameters_of(schema) == schema


def test_older_drafts_are_said_in_the_words_of_the_newest() -> None:
    schema = of(
        n={"type": "number", "minimum": 0, "exclusiveMinimum": True},
        m={"type": "number", "maximum": 9, "exclusiveMaximum": False},
        pair={"type": "array", "items": [WORDS, WORDS]},
        needed={"type": "string", "required": True},
    )
    assert parameters_of(schema) == of(
        n={"type": "number", "exclusiveMinimum": 0},
        m={"type": "number", "maximum": 9},
        pair={"type": "array", "prefixItems": [WORDS, WORDS]},
        needed=WORDS,
    ) | {"required": ["needed"]}


def test_pitfall_58_properties_named_like_keywords_stay() -> None:
    schema = of(required=WORDS, items=WORDS, anyOf=WORDS, type=WORDS)
    assert parameters_of(schema) == schema


# strict


def test_every_object_is_closed() -> None:
    assert strict_of(of(a=of(b=WORDS))) == closed(a=closed(b=WORDS))


def test_alternatives_are_any_of_them() -> None:
    assert strict_of(of(a={"oneOf": [WORDS, {"type": "null"}]})) == closed(a={"anyOf": [WORDS, {"type": "null"}]})


def test_several_types_are_alternatives() -> None:
    schema = of(a={"type": ["string", "null"], "description": "Where.", "enum": ["x", None]})
    branches = [{"type": "string", "enum": ["x"]}, {"type": "null"}]
    assert strict_of(schema) == closed(a={"description": "Where.", "anyOf": branches})


def test_other_keywords_are_mentioned() -> None:
    found = strict(Raw(encode(of(n={"type": "integer", "description": "How many.", "minimum": 1, "maximum": 9}))))
    assert found is not None
    said = {"type": "integer", "description": "How many.\n\n{minimum: 1, maximum: 9}"}
    assert found.schema == closed(n=said)
    assert [one.path for one in found.dropped] == ["properties.n.minimum", "properties.n.maximum"]


def test_keywords_that_are_null_say_nothing() -> None:
    """Some serializers write out what is not set; Anthropic refuses `"description": null` and its like."""
    nothing = dict.fromkeys(("description", "title", "enum", "$ref", "items", "format", "anyOf"))
    said = {"type": "string", **nothing}
    both = {"type": ["string", "null"], **nothing}
    given = of(a=said, b=both, c=WORDS | {"default": None}) | dict.fromkeys(("required", "description"))
    held = strict(Raw(encode(given)))
    assert held is not None
    defaulted = WORDS | {"description": "{default: null}"}
    assert held.schema == closed(a=WORDS, b={"anyOf": [WORDS, {"type": "null"}]}, c=defaulted)
    assert [lost.path for lost in held.dropped] == ["properties.c.default"]


def test_a_format_that_is_no_word_is_mentioned() -> None:
    held = strict_of(of(a={"type": "string", "format": {}}))
    assert held == closed(a={"type": "string", "description": "{format: {}}"})


def test_what_is_required_is_there() -> None:
    assert strict_of(of(a=WORDS) | {"required": ["a", "b"]}) == closed(a=WORDS) | {"required": ["a"]}


def test_what_must_hold_all_at_once_below_the_root_stays() -> None:
    schema = of(a={"allOf": [WORDS, {"type": "string", "enum": ["b"]}]})
    assert strict_of(schema) == closed(a={"allOf": [WORDS, {"type": "string", "enum": ["b"]}]})


def test_references_stay() -> None:
    schema = of(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": of(n=WORDS)}}
    assert strict_of(schema) == closed(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": closed(n=WORDS)}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": WORDS},
        of(a={}),
        of(a=True),
        of(a={"$ref": "#/$defs/B"}),
        of(a={"$ref": "#"}),
        of(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": of(a={"$ref": "#/$defs/A"})}},
        of(a={"type": "unheard_of"}),
        of(a={"type": {}}),
        of(a={"type": [[]]}),
        of(a=WORDS) | {"additionalProperties": WORDS},
        of(a=WORDS) | {"type": ["object", "null"], "$defs": {"A": WORDS}},
    ],
)
def test_what_leaves_anything_open_cannot_be_held_to(schema: Json) -> None:
    assert strict_of(schema) is None


def test_an_object_that_is_closed_may_be_empty() -> None:
    schema = {"type": "object", "additionalProperties": False}
    assert strict_of(schema) == schema | {"properties": {}}


def test_a_definition_that_many_refer_to_is_looked_into_once() -> None:
    """Every level refers to the next one twice: written out it would be a trillion schemas."""
    twice = [of(**{name: {"$ref": f"#/$defs/A{level + 1}"} for name in "ab"}) for level in range(40)]
    definitions: Json = {f"A{level}": schema for level, schema in enumerate([*twice, WORDS])}
    held = strict_of(of(a={"$ref": "#/$defs/A0"}) | {"$defs": definitions})
    assert held["$defs"]["A40"] == WORDS


def test_a_long_way_of_references_is_followed() -> None:
    def deep(inner: Json) -> Json:
        for _ in range(20):
            inner = {"type": "array", "items": inner}
        return inner

    definitions: Json = {f"A{level}": deep({"$ref": f"#/$defs/A{level + 1}"}) for level in range(60)}
    schema = of(a={"$ref": "#/$defs/A0"}) | {"$defs": definitions | {"A60": WORDS}}
    assert strict_of(schema) == closed(a={"$ref": "#/$defs/A0"}) | {"$defs": schema["$defs"]}


def test_types_within_types_are_written_once_each() -> None:
    """A type for which a keyword says nothing does not repeat what the keyword holds: a level more would double it."""
    schema: Json = WORDS
    for _ in range(30):
        schema = of(a=schema) | {"type": ["object", "array"], "items": WORDS}
    found = strict_of(of(a=schema))["properties"]["a"]
    assert found["anyOf"][1] == {"type": "array", "items": WORDS}
    assert found["anyOf"][0].keys() == {"type", "properties", "additionalProperties"}


@pytest.mark.parametrize(
    "schema",
    [
        of(a={"type": ["string", "integer"], "anyOf": [{"minLength": 1}]}),
        of(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": of(default={"$ref": "#/$defs/A"})}},
        of(a=WORDS) | {"$defs": {"A": of(a={"$ref": "#/$defs/A"})}},
        of(a={"$ref": "#/oneOf/0"}) | {"oneOf": [of(b=WORDS)]},
    ],
)
def test_what_cannot_be_written_out_cannot_be_held_to(schema: Json) -> None:
    assert strict_of(schema) is None


def test_what_says_of_itself_that_it_is_required_is() -> None:
    schema = of(a=WORDS | {"required": True}, b=of(c=WORDS | {"required": False}) | {"required": True})
    assert strict_of(schema) == closed(a=WORDS, b=closed(c=WORDS)) | {"required": ["a", "b"]}

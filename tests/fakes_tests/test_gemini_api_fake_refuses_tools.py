"""What the fake of the public API refuses of tools and of the two kinds of schemas."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import gemini_api_checks as checks
from tests.fakes import gemini_api_schemas as schemas
from tests.fakes import gemini_api_tools as own_tools
from tests.fakes import v1internal_tools as functions
from tests.fakes.gemini_api_messages import PROTO
from tests.fakes.gemini_api_models import describe
from tests.fakes.v1internal_errors import Refusal
from tests.fakes_tests.gemini_api_bodies import GEMINI_2, GEMINI_3, OBJECT, GeminiClient, body, inside, refusal
from tests.fakes_tests.test_gemini_api_fake_refuses import ROWS as OTHER_ROWS
from tests.fakes_tests.test_gemini_api_fake_refuses import configured
from tests.fakes_tests.v1internal_bodies import calling, message, tools

MIXED = "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling."
PARAMETERS = "* GenerateContentRequest.tools[0].function_declarations[0].parameters"
JSON_PARAMETERS = f"{PARAMETERS}_json_schema"
SEARCH: Any = {"googleSearch": {}}
FLAG = {"includeServerSideToolInvocations": True}
REFERENCE = "If a schema node has $ref set, then only description and default can be set alongside it"


def declared(node: Any) -> Any:
    return body(tools=tools(node))


def with_json(node: Any) -> Any:
    return body(tools=tools(node, field="parametersJsonSchema"))


# check, model, body, words
BOUNDED: Any = {"type": "array", "items": {"type": "string"}, "maxItems": 500}
LISTS: Any = {"name": "f", "parametersJsonSchema": {"type": "object", "properties": {"a": BOUNDED}}}
NAMES: Any = {"type": "string", "enum": [f"a_name_that_is_rather_long_{place}" for place in range(200)]}

ROWS: list[tuple[Any, str, Any, str]] = [
    (functions.tools_filled, GEMINI_3, body(tools=[{}]), "tools[0].tool_type: required one_of 'tool_type'"),
    (
        own_tools.one_kind_a_tool,
        GEMINI_3,
        body(tools=[tools(OBJECT)[0] | SEARCH], toolConfig=FLAG),
        ("Invalid value at 'tools[0]' (oneof), oneof field 'tool_type' is already set. Cannot set 'googleSearch'"),
    ),
    (functions.declaration_names, GEMINI_3, body(tools=tools(OBJECT, name="1f")), "Invalid function name."),
    (functions.names_unique, GEMINI_3, body(tools=tools(OBJECT) * 2), "Duplicate function declaration found: f"),
    *(
        (own_tools.tools_combined, GEMINI_3, body(tools=[*tools(OBJECT), {built_in: {}}]), MIXED)
        for built_in in ("googleSearch", "urlContext", "codeExecution", "google_maps", "fileSearch")
    ),
    (
        own_tools.tools_combined,
        GEMINI_2,
        body(tools=[*tools(OBJECT), SEARCH], toolConfig=FLAG),
        "Tool use with function calling is unsupported by the model.",
    ),
    (
        functions.one_schema,
        GEMINI_3,
        body(tools=[{"functionDeclarations": [{"name": "f", "parameters": OBJECT, "parametersJsonSchema": OBJECT}]}]),
        "parameters and parameters_json_schema are mutually exclusive",
    ),
    (own_tools.parameters_are_objects, GEMINI_3, declared({"type": "string"}), f"{PARAMETERS}.type: must be OBJECT"),
    (
        own_tools.parameters_are_objects,
        GEMINI_3,
        declared({"type": "object", "properties": {}}),
        f"{PARAMETERS}.properties: should be non-empty for OBJECT type",
    ),
    (
        functions.arrays_have_items,
        GEMINI_3,
        declared(inside({"type": "array"})),
        f"{PARAMETERS}.properties[b].items: missing field.",
    ),
    (
        functions.required_defined,
        GEMINI_3,
        declared(OBJECT | {"required": ["z"]}),
        f"{PARAMETERS}.required[0]: property is not defined",
    ),
    (functions.types_given, GEMINI_3, declared(inside({})), "schema didn't specify the schema type field."),
    (
        functions.any_of_alone,
        GEMINI_3,
        declared(inside({"type": "string", "anyOf": [{"type": "string"}]})),
        "When using any_of, it must be the only field set.",
    ),
    (
        own_tools.formats_known,
        GEMINI_3,
        declared(inside({"type": "string", "format": "uri"})),
        f"{PARAMETERS}.properties[b].format: only 'enum' and 'date-time' are supported for STRING type",
    ),
    (
        own_tools.formats_known,
        GEMINI_3,
        configured(responseMimeType="application/json", responseSchema={"type": "number", "format": "x"}),
        "generation_config.response_schema.format: only 'float' and 'double' are supported for NUMBER type",
    ),
    (
        own_tools.enums_of_strings,
        GEMINI_3,
        declared(inside({"type": "integer", "enum": ["1"]})),
        f"{PARAMETERS}.properties[b].enum: only allowed for STRING type",
    ),
    (
        own_tools.enums_of_strings,
        GEMINI_3,
        declared(inside({"type": "string", "enum": ["a", ""]})),
        f"{PARAMETERS}.properties[b].enum[1]: cannot be empty",
    ),
    (
        own_tools.enums_of_strings,
        GEMINI_3,
        declared(inside({"type": "string", "format": "enum", "enum": []})),
        f"{PARAMETERS}.properties[b].enum: should be non-empty for STRING type with enum format",
    ),
    (schemas.schemas_valid, GEMINI_3, with_json([]), f"{JSON_PARAMETERS}: is not a valid JSON Schema"),
    (schemas.schemas_valid, GEMINI_3, with_json(inside({"type": "text"})), "is not a valid JSON Schema"),
    (
        schemas.schemas_valid,
        GEMINI_3,
        configured(responseMimeType="application/json", responseJsonSchema={"type": "OBJECT"}),
        "generation_config.response_json_schema: is not a valid JSON Schema",
    ),
    (
        schemas.parameters_are_objects,
        GEMINI_3,
        with_json({"type": "string"}),
        f"{JSON_PARAMETERS}.type: must be object",
    ),
    *(
        (
            schemas.keywords_known,
            GEMINI_3,
            with_json(OBJECT | {keyword: value}),
            f"{JSON_PARAMETERS}: keyword '{keyword}' is not supported",
        )
        for keyword, value in (
            ("$id", "https://example.invalid/a"),
            ("$comment", "c"),
            ("x-order", 1),
            ("allOf", [{"type": "object"}]),
            ("not", {"type": "string"}),
            ("patternProperties", {}),
            ("definitions", {}),
        )
    ),
    *(
        (
            schemas.keywords_known,
            GEMINI_3,
            with_json(inside({"type": "string"} | keyword)),
            f"{JSON_PARAMETERS}.properties[b]: keyword '{next(iter(keyword))}' is not supported",
        )
        for keyword in ({"const": "x"}, {"examples": ["x"]}, {"deprecated": True}, {"exclusiveMinimum": 0})
    ),
    *(
        (
            schemas.keywords_known,
            GEMINI_3,
            with_json(OBJECT | {name: inner}),
            f"{JSON_PARAMETERS}.{name}{place}: keyword",
        )
        for name, inner, place in (
            ("$defs", {"d": {"const": 1}}, "[d]"),
            ("additionalProperties", {"const": 1}, ""),
            ("anyOf", [{"const": 1}], "[0]"),
            ("oneOf", [{"const": 1}], "[0]"),
            ("items", {"const": 1}, ""),
        )
    ),
    (
        schemas.references_alone,
        GEMINI_3,
        with_json(inside({"$ref": "#/$defs/D", "type": "string"}) | {"$defs": {"D": {"type": "string"}}}),
        f"{JSON_PARAMETERS}.properties[b]: $ref 'D' was set alongside unsupported fields. {REFERENCE}",
    ),
    *(
        (
            schemas.references_lead,
            GEMINI_3,
            with_json(inside({"$ref": pointer})),
            f"{JSON_PARAMETERS}.properties[b]: reference to undefined schema at {pointer}",
        )
        for pointer in ("#/$defs/D", "https://example.invalid/a", "#/properties/b/$ref")
    ),
    (
        functions.mode_has_functions,
        GEMINI_3,
        body(toolConfig=calling("ANY")),
        "Function calling config is set without function_declarations.",
    ),
    (
        schemas.items_few,
        GEMINI_3,
        body(tools=[{"functionDeclarations": [LISTS, LISTS | {"name": "g"}]}]),
        "Request contains an invalid argument.",
    ),
    (
        schemas.choices_few,
        GEMINI_3,
        body(tools=tools({"type": "object", "properties": {"a": NAMES}}), toolConfig=calling("ANY")),
        "Request contains an invalid argument.",
    ),
    (
        functions.allowed_names_declared,
        GEMINI_3,
        body(tools=tools(OBJECT), toolConfig=calling("ANY", "g")),
        "allowed_function_names[0]: `g` is not a declared function.",
    ),
    (
        functions.allowed_names_in_mode,
        GEMINI_3,
        body(tools=tools(OBJECT), toolConfig=calling("AUTO", "f")),
        "should only be set when the mode is ANY or VALIDATED",
    ),
]


@pytest.mark.parametrize(
    ("_", "model", "sent", "words"), ROWS, ids=[f"{row[0].__name__}-{n}" for n, row in enumerate(ROWS)]
)
async def test_refuses(gemini: GeminiClient, _: Any, model: str, sent: Any, words: str) -> None:
    assert words in await refusal(await gemini.post("generateContent", sent, model))


@pytest.mark.parametrize(("check", "model", "sent", "words"), [*ROWS, *OTHER_ROWS])
def test_the_check_refuses_by_itself(check: Any, model: str, sent: Any, words: str) -> None:
    request = PROTO.decode("GenerateContentRequest", sent)
    with pytest.raises(Refusal) as refused:
        checks.judged(request, describe(model), [check])
    assert words in message(refused.value.body)


def test_an_object_may_have_no_properties() -> None:
    request = PROTO.decode("GenerateContentRequest", declared({"type": "object"}))
    checks.judged(request, describe(GEMINI_3), [own_tools.parameters_are_objects])


def test_each_check_is_made_to_refuse() -> None:
    assert set(checks.CHECKS) == {row[0] for row in (*ROWS, *OTHER_ROWS)}

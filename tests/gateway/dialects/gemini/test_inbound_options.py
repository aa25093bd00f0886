"""What a Gemini caller asks of the answer: sampling, form, thinking, tools."""

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.gemini.inbound_schema import json_schema
from gateway.errors import InvalidRequest

from .caller import ask

SCHEMA = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}
JSON = "application/json"


def config(**fields: Any) -> ir.Request:
    return ask(generationConfig=fields)


@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_sampling(name: str) -> None:
    given: Any = {
        "temperature": 0.5,
        "topP": 0.9,
        "top_k": 40.0,
        "maxOutputTokens": "100",
        "stopSequences": ["END", ""],
        "seed": 7,
        "presencePenalty": 0.1,
        "frequency_penalty": 0.2,
        "candidateCount": 2,
    }
    fields: dict[str, Any] = {name: given}
    assert ask(**fields).sampling == ir.Sampling(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        max_tokens=100,
        stop=("END",),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        n=2,
    )


def test_what_says_nothing_is_nothing() -> None:
    given = config(candidateCount=1, maxOutputTokens=0, topK=0, stopSequences=[])
    assert given.sampling == ir.Sampling()


def test_a_single_stop_sequence() -> None:
    assert config(stopSequences="END").sampling.stop == ("END",)


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ({}, ir.Output()),
        ({"responseMimeType": "text/plain"}, ir.Output()),
        ({"responseMimeType": JSON}, ir.Output(kind="json")),
        ({"responseSchema": SCHEMA}, ir.Output()),
    ],
)
def test_the_form_of_the_answer(given: Any, output: ir.Output) -> None:
    assert config(**given).output == output


@pytest.mark.parametrize(
    ("name", "given", "schema"),
    [
        ("responseSchema", SCHEMA, {"type": "object", "properties": {"n": {"type": "integer"}}}),
        ("responseJsonSchema", {"type": "string", "const": "a"}, {"type": "string", "const": "a"}),
        ("response_json_schema", {"anyOf": []}, {"anyOf": []}),
    ],
)
def test_a_schema_of_the_answer(name: str, given: Any, schema: Any) -> None:
    output = config(**{"responseMimeType": JSON, name: given}).output
    assert (output.kind, output.schema and json.loads(bytes(output.schema))) == ("schema", schema)


@pytest.mark.parametrize("kind", [JSON, "APPLICATION_JSON"])
def test_the_newer_way_to_say_the_form_of_the_answer(kind: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    given = config(response_format=[{"text": {"mime_type": kind, "schema": schema}}])
    assert given.output.kind == "schema"
    assert given.output.schema is not None
    assert json.loads(bytes(given.output.schema)) == schema
    assert given.losses == ()
    at = "generationConfig.responseFormat[0].text"
    assert (given.paths["response_format"], given.paths["schema"]) == (f"{at}.mimeType", f"{at}.schema")


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ({}, ir.Output()),
        ({"mimeType": "text/plain"}, ir.Output()),
        ({"mimeType": "TEXT_PLAIN"}, ir.Output()),
        ({"mimeType": JSON}, ir.Output(kind="json")),
    ],
)
def test_the_newer_form_without_a_schema(text: Any, output: ir.Output) -> None:
    given = config(responseFormat={"text": text})
    assert (given.output, given.losses) == (output, ())


@pytest.mark.parametrize(
    ("given", "reasoning"),
    [
        ({}, ir.Reasoning(visible=False)),
        ({"includeThoughts": True}, ir.Reasoning(mode="auto", visible=True)),
        ({"includeThoughts": False}, ir.Reasoning(visible=False)),
        ({"thinkingBudget": 0}, ir.Reasoning(mode="off", visible=False)),
        ({"thinkingBudget": 0, "includeThoughts": True}, ir.Reasoning(mode="off", visible=False)),
        ({"thinking_budget": -1}, ir.Reasoning(mode="auto", budget=-1, visible=False)),
        ({"thinkingBudget": "512", "include_thoughts": True}, ir.Reasoning(mode="budget", budget=512, visible=True)),
        ({"thinkingLevel": "HIGH"}, ir.Reasoning(mode="level", level="high", visible=False)),
        ({"thinkingLevel": "low", "includeThoughts": True}, ir.Reasoning(mode="level", level="low", visible=True)),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, ir.Reasoning(visible=False)),
    ],
)
def test_thinking(given: Any, reasoning: ir.Reasoning) -> None:
    assert config(thinkingConfig=given).reasoning == reasoning


def test_another_form_of_the_answer_is_told() -> None:
    given = config(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["a"]})
    assert given.output == ir.Output()
    assert [(loss.path, loss.severity) for loss in given.losses] == [
        ("generationConfig.responseMimeType", "change"),
        ("generationConfig.responseSchema", "change"),
    ]


def test_what_is_not_carried_is_told() -> None:
    said = {"speechConfig": {"languageCode": "de-DE"}, "routingConfig": {}, "never": 1}
    given = config(**said, topK=1.5, mediaResolution="MEDIA_RESOLUTION_MEDIUM")
    assert {(loss.path, loss.severity) for loss in given.losses} == {
        ("generationConfig.speechConfig", "change"),
        ("generationConfig.routingConfig", "hint"),
        ("generationConfig.never", "hint"),
        ("generationConfig.topK", "hint"),
        ("generationConfig.mediaResolution", "hint"),
    }


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"temperature": "hot"}, "generationConfig.temperature"),
        ({"maxOutputTokens": 1.5}, "generationConfig.maxOutputTokens"),
        ({"stopSequences": [1]}, "generationConfig.stopSequences[0]"),
        ({"thinkingConfig": {"thinkingLevel": "BIT"}}, "generationConfig.thinkingConfig.thinkingLevel"),
        ({"temperature": "NaN"}, "generationConfig.temperature"),
        ({"top_p": "nan"}, "generationConfig.topP"),
        ({"topK": "NaN"}, "generationConfig.topK"),
        ({"topK": "-Infinity"}, "generationConfig.topK"),
        ({"presence_penalty": "Infinity"}, "generationConfig.presencePenalty"),
        ({"frequencyPenalty": "-inf"}, "generationConfig.frequencyPenalty"),
        ({"thinkingConfig": []}, "generationConfig.thinkingConfig"),
        ({"responseMimeType": JSON, "responseSchema": "{}"}, "generationConfig.responseSchema"),
        ({"responseMimeType": JSON, "responseJsonSchema": True}, "generationConfig.responseJsonSchema"),
        ({"responseFormat": [{"text": {"mimeType": 1}}]}, "generationConfig.responseFormat[0].text.mimeType"),
        ({"responseFormat": {"text": {"mimeType": JSON, "schema": 1}}}, "generationConfig.responseFormat.text.schema"),
    ],
)
def test_a_wrong_option_is_named(given: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        config(**given)
    assert caught.value.param == param


# tools


def functions(*declarations: Any) -> list[Any]:
    return [{"functionDeclarations": list(declarations)}]


def schema_of(tool: ir.Tool) -> Any:
    return None if tool.schema is None else json.loads(bytes(tool.schema))


@pytest.mark.parametrize(
    ("given", "schema"),
    [
        ({}, None),
        ({"parameters": SCHEMA}, {"type": "object", "properties": {"n": {"type": "integer"}}}),
        ({"parametersJsonSchema": {"$schema": "s", "type": "object"}}, {"$schema": "s", "type": "object"}),
        ({"parameters_json_schema": {"type": "object"}}, {"type": "object"}),
    ],
)
def test_a_function(given: Any, schema: Any) -> None:
    (tool,) = ask(tools=functions({"name": "f", "description": "d", **given})).tools
    assert (tool.name, tool.description, schema_of(tool)) == ("f", "d", schema)
    assert tool.path == "tools[0].functionDeclarations[0]"


@pytest.mark.parametrize(
    "tools",
    [
        [{"functionDeclarations": [{"name": "f"}]}, {"functionDeclarations": [{"name": "g"}]}],
        [{"function_declarations": [{"name": "f"}, {"name": "g"}, {"name": "f"}]}],
        {"functionDeclarations": [{"name": "f"}, {"name": "g"}]},
    ],
)
def test_functions_in_every_form(tools: Any) -> None:
    assert [tool.name for tool in ask(tools=tools).tools] == ["f", "g"]


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        ("googleSearch", "web_search"),
        ("google_search", "web_search"),
        ("googleSearchRetrieval", "web_search"),
        ("urlContext", "web_fetch"),
        ("codeExecution", "code_execution"),
        ("googleMaps", "googleMaps"),
    ],
)
def test_a_service_of_google_s(kind: str, builtin: str) -> None:
    (tool,) = ask(tools=[{kind: {}}]).tools
    assert tool.builtin == builtin


def test_options_of_a_service_are_told() -> None:
    given = ask(tools=[{"googleSearch": {"blockingConfidence": "BLOCK_HIGH_AND_ABOVE"}}])
    path = "tools[0].googleSearch.blockingConfidence"
    assert [(loss.path, loss.severity) for loss in given.losses] == [(path, "change")]


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({}, None),
        ({"mode": "MODE_UNSPECIFIED"}, None),
        ({"mode": "AUTO"}, ir.ToolChoice(mode="auto")),
        ({"mode": "VALIDATED"}, ir.ToolChoice(mode="auto")),
        ({"mode": "none"}, ir.ToolChoice(mode="none")),
        ({"mode": "ANY"}, ir.ToolChoice(mode="required")),
        ({"mode": "ANY", "allowedFunctionNames": ["g"]}, ir.ToolChoice(mode="named", names=("g",))),
        ({"mode": "ANY", "allowed_function_names": "g"}, ir.ToolChoice(mode="named", names=("g",))),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ir.ToolChoice(mode="required", names=("f", "g"))),
    ],
)
def test_the_choice_of_tools(calling: Any, choice: ir.ToolChoice | None) -> None:
    given = ask(tools=functions({"name": "f"}, {"name": "g"}), toolConfig={"functionCallingConfig": calling})
    assert given.tool_choice == choice


def test_the_rest_of_the_tool_config_is_told() -> None:
    given = ask(tools=functions({"name": "f"}), toolConfig={"includeServerSideToolInvocations": True})
    assert given.tool_choice is None
    assert [loss.path for loss in given.losses] == ["toolConfig.includeServerSideToolInvocations"]


def test_there_is_no_choice_without_functions() -> None:
    given = ask(tools=[{"googleSearch": {}}], tool_config={"function_calling_config": {"mode": "ANY"}})
    assert given.tool_choice is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": functions({})}, "tools[0].functionDeclarations[0].name"),
        ({"tools": functions({"name": "f", "parameters": []})}, "tools[0].functionDeclarations[0].parameters"),
        (
            {"tools": functions({"name": "f", "parametersJsonSchema": "s"})},
            "tools[0].functionDeclarations[0].parametersJsonSchema",
        ),
        (
            {"tools": functions({"name": "f", "parameters": {}, "parametersJsonSchema": {}})},
            "tools[0].functionDeclarations[0].parametersJsonSchema",
        ),
        (
            {"tools": functions({"name": "f"}, {"name": "f", "description": "d"})},
            "tools[0].functionDeclarations[1].name",
        ),
        (
            {"tools": functions({"name": "f"}), "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            {
                "tools": functions({"name": "f"}),
                "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["h"]}},
            },
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
    ],
)
def test_tools_that_cannot_be_are_named(fields: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(**fields)
    assert caught.value.param == param


def test_a_mode_that_nobody_knows_is_told_beside_those_that_are_known() -> None:
    with pytest.raises(InvalidRequest, match="'SOME' is not one of AUTO, VALIDATED, ANY, NONE"):
        ask(tools=functions({"name": "f"}), toolConfig={"functionCallingConfig": {"mode": "SOME"}})


# schemas


@pytest.mark.parametrize(
    ("given", "schema"),
    [
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "STRING", "nullable": False}, {"type": "string"}),
        ({"type": "STRING", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"any_of": [{"type": "STRING"}], "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": "1", "max_items": 2},
            {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 2},
        ),
        ({"type": "TYPE_UNSPECIFIED", "description": "d"}, {"description": "d"}),
        ({"format": "date-time", "example": "e"}, {"format": "date-time", "examples": ["e"]}),
        ({"additional_properties": {"type": "STRING"}}, {"additionalProperties": {"type": "string"}}),
        (
            {"ref": "#/$defs/A", "defs": {"A": {"type": "STRING"}}},
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}},
        ),
        (
            {"type": "NUMBER", "minimum": "-1", "maximum": "1.5"},
            {"type": "number", "minimum": -1, "maximum": 1.5},
        ),
        ({"minItems": "9" * 5000, "maximum": "1e400"}, {"minItems": "9" * 5000, "maximum": "1e400"}),
        (True, True),
        (
            {"properties": 5, "anyOf": 5, "items": [5], "minItems": "x", "type": 5.5},
            {"properties": 5, "anyOf": 5, "items": [5], "minItems": "x", "type": 5.5},
        ),
    ],
)
def test_a_schema_of_the_proto_is_json_schema(given: Any, schema: Any) -> None:
    assert json_schema(given) == schema


def test_what_is_null_or_empty_in_a_schema_of_the_proto_is_not_said() -> None:
    unsaid = dict.fromkeys(("ref", "title", "description", "min_items", "properties", "items", "defs", "format"))
    empty = {name: list[str]() for name in ("any_of", "enum", "required", "property_ordering")}
    assert json_schema({"type": "STRING", **unsaid, **empty, "default": None}) == {"type": "string", "default": None}


def test_no_servers_of_tools_are_no_servers() -> None:
    assert [tool.name for tool in ask(tools=[{**functions({"name": "f"})[0], "mcpServers": []}]).tools] == ["f"]


def test_names_of_properties_stay_as_they_are() -> None:
    names = ("any_of", "type", "nullable", "min_items", "propertyOrdering")
    given = {"type": "OBJECT", "properties": {name: {"type": "STRING"} for name in names}, "required": ["any_of"]}
    assert json_schema(given) == {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": ["any_of"],
    }


def test_the_order_of_properties_is_theirs() -> None:
    given = {"properties": {"a": {}, "b": {}, "c": {}}, "propertyOrdering": ["c", "gone", "a", "c"]}
    ordered = json_schema(given)
    assert isinstance(ordered, dict)
    assert list(ordered["properties"]) == ["c", "a", "b"]
    assert "propertyOrdering" not in ordered


# google-generativeai 0.8 over REST, and what is built on it, write values of enumerations as their numbers
@pytest.mark.parametrize("number", range(5))
def test_a_mode_may_be_a_number(number: int) -> None:
    """As google.ai.generativelanguage 0.12.1 numbers them."""
    name = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")[number]
    tools = [{"functionDeclarations": [{"name": "f"}]}]
    modes = [ask(tools=tools, toolConfig={"functionCallingConfig": {"mode": mode}}) for mode in (number, name)]
    assert modes[0].tool_choice == modes[1].tool_choice


def test_a_number_that_no_mode_has_is_refused() -> None:
    tools = [{"functionDeclarations": [{"name": "f"}]}]
    with pytest.raises(InvalidRequest, match="is not one of AUTO") as caught:
        ask(tools=tools, toolConfig={"functionCallingConfig": {"mode": 9}})
    assert caught.value.param == "toolConfig.functionCallingConfig.mode"


def test_types_of_a_schema_may_be_numbers() -> None:
    kinds = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
    numbered = {"type": 6, "properties": {kind: {"type": place} for place, kind in enumerate(("", *kinds)) if kind}}
    spelt = {"type": "object", "properties": {kind: {"type": kind.lower()} for kind in kinds}}
    assert json_schema(numbered) == spelt
    assert json_schema({"type": 0}) == {}


def test_what_the_answer_consists_of_may_be_numbers() -> None:
    assert config(responseModalities=[1, 2]).output.modalities == ("text", "image")
    assert config(responseModalities=2).output.modalities == ("image",)
    native = config(responseModalities=[3]).native
    assert native is not None
    assert native.only is not None
    assert [loss.path for loss in config(mediaResolution=9).losses][:1] == ["generationConfig.mediaResolution"]


def test_how_pictures_are_to_be() -> None:
    given = config(imageConfig={"aspect_ratio": "16:9", "imageSize": "2K", "personGeneration": "ALLOW_ALL"})
    assert given.output.shape == ir.Shape(ratio="16:9", size="2K", path="generationConfig.imageConfig")
    assert [loss.path for loss in given.losses] == ["generationConfig.imageConfig.personGeneration"]
    assert config(imageConfig={}).output.shape is None

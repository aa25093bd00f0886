"""What the fake refuses of turns and tools, in the words of the service."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import v1internal_tools as functions
from tests.fakes import v1internal_turns as turns
from tests.fakes_tests.v1internal_bodies import (
    CLAUDE,
    GEMINI_2,
    GEMINI_3,
    GEMINI_SIGNATURE,
    GPT,
    SCHEMA,
    Client,
    body,
    call,
    calling,
    message,
    result,
    said,
    tools,
    user,
)

COUNTS_DIFFER = (
    "Please ensure that the number of function response parts is equal to the number of function call parts "
    "of the function call turn."
)
CALL_MISPLACED = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
RESPONSE_MISPLACED = "Please ensure that function response turn comes immediately after a function call turn."
NO_DATA = "required oneof field 'data' must have one initialized field"
NO_SCHEMA = "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12"
MISSING_SIGNATURE = "Function call is missing a thought_signature in functionCall parts."
SIGNED = call("f", "1", GEMINI_SIGNATURE)
PLAIN_CALL = call("f", "a")


def schema(node: Any) -> Any:
    return {"type": "object", "properties": {"a": {"type": "string"}, "b": node}}


def picture(data: str = "AAAA", mime_type: str = "image/png") -> Any:
    return {"inlineData": {"mimeType": mime_type, "data": data}}


ROWS: list[tuple[Any, Any, str]] = [
    (turns.contents_present, {"model": GEMINI_3, "project": "p", "request": {}}, "contents is not specified"),
    (turns.contents_present, {"model": GEMINI_3, "project": "p"}, "contents is not specified"),
    (turns.parts_present, body(GEMINI_3, user()), "contents[0].parts: contents.parts must not be empty."),
    (
        turns.roles_known,
        body(GEMINI_3, user("a") | {"role": "assistant"}),
        "Please use a valid role: user, model.",
    ),
    (turns.roles_known, body(GEMINI_3, {"parts": [{"text": "a"}]}), "Please use a valid role: user, model."),
    (
        turns.one_data_field,
        body(GEMINI_3, user(picture() | {"text": "a"})),
        (
            "Invalid value at 'request.contents[0].parts[0]' (oneof), oneof field 'data' is already set. "
            "Cannot set 'inlineData'"
        ),
    ),
    (turns.data_present, body(GEMINI_3, user("a", {})), f"contents[0].parts[1].data: {NO_DATA}"),
    (turns.data_present, body(GEMINI_3, user("a", "")), f"contents[0].parts[1].data: {NO_DATA}"),
    (turns.data_present, body(CLAUDE, user("a", {})), f"contents[0].parts[1].data: {NO_DATA}"),
    (turns.data_present, body(GEMINI_3, user("a"), said({"thoughtSignature": "EkBG"})), NO_DATA),
    (turns.media_decodes, body(GEMINI_3, user("a", picture("***"))), 'Base64 decoding failed for "***"'),
    (turns.media_decodes, body(GEMINI_3, user("a", picture(""))), "Base64 decoding failed"),
    (
        turns.media_known,
        body(GEMINI_3, user(picture(mime_type="x/y"))),
        "mimeType parameter with value x/y, which",
    ),
    (turns.media_known, body(CLAUDE, user(picture(mime_type="audio/wav"))), "with value audio/wav, which"),
    (turns.media_known, body(GPT, user(picture())), "with value image/png, which is not supported"),
    (
        turns.call_names,
        body(GEMINI_3, user("a"), said(SIGNED), user(result("", "1"))),
        "contents[2].parts[0].function_response.name: Name cannot be empty.",
    ),
    (
        turns.call_names,
        body(GEMINI_3, user("a"), said(call("a b", "1", GEMINI_SIGNATURE)), user(result("a b", "1"))),
        "contents[1].parts[0].function_call.name: [FIELD_INVALID] Invalid function name.",
    ),
    (
        turns.response_present,
        body(GEMINI_3, user("a"), said(SIGNED), user({"functionResponse": {"name": "f"}})),
        "function_response.response: response is required.",
    ),
    (turns.model_calls_user_responds, body(GEMINI_3, user(SIGNED)), CALL_MISPLACED),
    (turns.model_calls_user_responds, body(GEMINI_3, user("a"), said(result())), RESPONSE_MISPLACED),
    (turns.user_first, body(GEMINI_3, said("a"), user("b")), "multiturn requests begin with a user turn"),
    (turns.user_first, body(GEMINI_3, said(SIGNED), user(result("f", "1"))), CALL_MISPLACED),
    (turns.user_first, body(CLAUDE, said("a"), user("b")), 'first message must use the "user" role'),
    (
        turns.model_turns_apart,
        body(GEMINI_3, user("a"), said("b"), said("c"), user("d")),
        "multiturn requests alternate between user and model",
    ),
    (
        turns.model_turns_apart,
        body(GEMINI_3, user("a"), said("b"), said(SIGNED), user(result("f", "1"))),
        CALL_MISPLACED,
    ),
    (turns.responses_follow_calls, body(GEMINI_3, user("a"), said("b"), user(result())), RESPONSE_MISPLACED),
    (
        turns.responses_follow_calls,
        body(GEMINI_3, user("a"), said(SIGNED), user("b"), user(result("f", "1"))),
        RESPONSE_MISPLACED,
    ),
    (
        turns.responses_follow_calls,
        body(CLAUDE, user("a"), said("b"), user(result("f", "z"))),
        "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: z.",
    ),
    (turns.calls_answered, body(GEMINI_3, user("a"), said(SIGNED), user("b")), COUNTS_DIFFER),
    (turns.calls_answered, body(GEMINI_3, user("a"), said(SIGNED)), COUNTS_DIFFER),
    (
        turns.calls_answered,
        body(GEMINI_3, user("a"), said(SIGNED, call("g", "2")), user(result("f", "1"))),
        COUNTS_DIFFER,
    ),
    (
        turns.calls_answered,
        body(CLAUDE, user("a"), said(PLAIN_CALL, call("g", "b")), user(result("f", "a"))),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b.",
    ),
    (
        turns.calls_answered,
        body(CLAUDE, user("a"), said(PLAIN_CALL), user(result("f", "a"), result("f", "a"))),
        "unexpected `tool_use_id` found in `tool_result` blocks",
    ),
    (
        turns.responses_named_as_calls,
        body(GEMINI_3, user("a"), said(SIGNED), user(result("g", "1"))),
        "the function response name `g` matches the function call name `f`",
    ),
    (
        turns.responses_named_as_calls,
        body(GEMINI_2, user("a"), said(call("f"), call("g")), user(result("g"), result("f"))),
        "the function response name `g` matches the function call name `f`",
    ),
    (
        turns.response_ids_match,
        body(GEMINI_3, user("a"), said(SIGNED), user(result("f", "2"))),
        "the function response ids match the function call ids",
    ),
    (
        turns.responses_stand_alone,
        body(GEMINI_3, user("a"), said(SIGNED), user(result("f", "1"), "b")),
        COUNTS_DIFFER,
    ),
    (
        turns.responses_stand_alone,
        body(GEMINI_3, user("a"), said(SIGNED), user(picture(), result("f", "1"))),
        COUNTS_DIFFER,
    ),
    (
        turns.user_last,
        body("gemini-3.6-flash-high", user("a"), said("b")),
        "Requests ending with a model turn are not supported.",
    ),
    (
        turns.references_answered,
        body(
            GEMINI_3,
            user("a"),
            said(SIGNED),
            user({"functionResponse": {"name": "f", "id": "1", "response": {"a": [{"$ref": "#/definitions/D"}]}}}),
        ),
        (
            "The referenced name `#/definitions/D` in function_response.response does not match to a display_name "
            "in the function_response.parts."
        ),
    ),
    (functions.tools_filled, body(GEMINI_3, tools=[{}]), "tools[0].tool_type: required one_of 'tool_type'"),
    (
        functions.declaration_names,
        body(GEMINI_3, tools=tools(SCHEMA, name="1f")),
        (
            "tools[0].function_declarations[0].name: [FIELD_INVALID] Invalid function name. Must start with a letter "
            "or an underscore."
        ),
    ),
    (functions.declaration_names, body(CLAUDE, tools=tools(SCHEMA, name="f" * 65)), "maximum length of 64."),
    (
        functions.names_unique,
        body(GEMINI_3, tools=tools(SCHEMA) * 2),
        "Duplicate function declaration found: f",
    ),
    *(
        (
            functions.tools_unmixed,
            body(GEMINI_3, tools=[*tools(SCHEMA), {built_in: {}}]),
            "Multiple tools are supported only when they are all search tools.",
        )
        for built_in in ("googleSearch", "urlContext", "codeExecution", "google_search")
    ),
    (
        functions.one_schema,
        body(
            GEMINI_3,
            tools=[{"functionDeclarations": [{"name": "f", "parameters": SCHEMA, "parametersJsonSchema": SCHEMA}]}],
        ),
        "parameters and parameters_json_schema are mutually exclusive",
    ),
    (
        functions.arrays_have_items,
        body(GEMINI_3, tools=tools(schema({"type": "array"}))),
        "tools[0].function_declarations[0].parameters.properties[b].items: missing field.",
    ),
    (
        functions.required_defined,
        body(GEMINI_3, tools=tools(SCHEMA | {"required": ["q", "z"]})),
        "tools[0].function_declarations[0].parameters.required[1]: property is not defined",
    ),
    (functions.types_given, body(GEMINI_3, tools=tools(schema({}))), "didn't specify the schema type field."),
    (
        functions.any_of_alone,
        body(GEMINI_3, tools=tools(schema({"type": "string", "anyOf": [{"type": "string"}]}))),
        "When using any_of, it must be the only field set.",
    ),
    (
        functions.mode_has_functions,
        body(GEMINI_3, toolConfig=calling("ANY")),
        "Function calling config is set without function_declarations.",
    ),
    (
        functions.allowed_names_declared,
        body(GEMINI_3, tools=tools(SCHEMA), toolConfig=calling("ANY", "g")),
        "allowed_function_names[0]: `g` is not a declared function.",
    ),
    (
        functions.allowed_names_in_mode,
        body(GEMINI_3, tools=tools(SCHEMA), toolConfig=calling("AUTO", "f")),
        "should only be set when the mode is ANY or VALIDATED",
    ),
]


@pytest.mark.parametrize(("_", "sent", "words"), ROWS, ids=[f"{row[0].__name__}-{n}" for n, row in enumerate(ROWS)])
async def test_refuses(client: Client, _: Any, sent: Any, words: str) -> None:
    response = await client.post("streamGenerateContent", sent)
    assert response.status == 400
    assert words in message(await response.json(content_type=None))

"""Proto JSON decoding: unknown names, wrong kinds, both spellings, and the places in the messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests.v1internal_bodies import CLAUDE, GEMINI_3, SCHEMA, Client, body, message, tools, user

UNKNOWN = 'Invalid JSON payload received. Unknown name "x"'
PARAMETERS = "request.tools[0].function_declarations[0].parameters"


def inside(keyword: str, value: Any) -> Any:
    return {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string", keyword: value}},
    }


@pytest.mark.parametrize(
    ("place", "sent"),
    [
        ("request", body(GEMINI_3, x=1)),
        ("request.contents[0]", body(GEMINI_3, user("a") | {"x": 1})),
        ("request.contents[0].parts[0]", body(GEMINI_3, user({"text": "a", "x": 1}))),
        ("request.contents[0].parts[0].inline_data", body(GEMINI_3, user({"inlineData": {"x": 1}}))),
        ("request.contents[0].parts[0].function_call", body(GEMINI_3, user({"functionCall": {"x": 1}}))),
        (
            "request.contents[0].parts[0].function_response",
            body(GEMINI_3, user({"functionResponse": {"x": 1}})),
        ),
        ("request.system_instruction", body(GEMINI_3, systemInstruction={"x": 1})),
        ("request.tools[0]", body(GEMINI_3, tools=[{"x": 1}])),
        ("request.tools[0].google_search", body(GEMINI_3, tools=[{"googleSearch": {"x": 1}}])),
        (
            "request.tools[0].function_declarations[0]",
            body(GEMINI_3, tools=[{"functionDeclarations": [{"x": 1}]}]),
        ),
        ("request.tool_config", body(GEMINI_3, toolConfig={"x": 1})),
        (
            "request.tool_config.function_calling_config",
            body(GEMINI_3, toolConfig={"functionCallingConfig": {"x": 1}}),
        ),
        ("request.generation_config", body(GEMINI_3, generationConfig={"x": 1})),
        (
            "request.generation_config.thinking_config",
            body(GEMINI_3, generationConfig={"thinkingConfig": {"x": 1}}),
        ),
        (
            "request.generation_config.image_config",
            body(GEMINI_3, generationConfig={"imageConfig": {"x": 1}}),
        ),
        ("request.safety_settings[0]", body(GEMINI_3, safetySettings=[{"x": 1}])),
    ],
)
async def test_an_unknown_name_is_refused_with_its_place(client: Client, place: str, sent: Any) -> None:
    answer = await (await client.post("generateContent", sent)).json()
    assert message(answer) == f"{UNKNOWN} at '{place}': Cannot find field."
    assert answer["error"]["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": place, "description": f"{UNKNOWN} at '{place}': Cannot find field."}],
        }
    ]


async def test_an_unknown_name_of_the_envelope_has_no_place(client: Client) -> None:
    answer = await (await client.post("generateContent", body(GEMINI_3) | {"x": 1})).json()
    assert message(answer) == f"{UNKNOWN}: Cannot find field."
    assert "field" not in answer["error"]["details"][0]["fieldViolations"][0]


@pytest.mark.parametrize(
    "keyword",
    """$schema $id $ref $defs definitions const additionalProperties oneOf allOf not if patternProperties
    propertyNames examples deprecated multipleOf exclusiveMinimum exclusiveMaximum uniqueItems readOnly
    x-order""".split(),  # noqa: SIM905  # a column of thirty quoted words reads worse
)
async def test_an_unknown_schema_keyword_is_refused(client: Client, keyword: str) -> None:
    sent = body(GEMINI_3, tools=tools(inside(keyword, "v")))
    answer = await (await client.post("generateContent", sent)).json()
    where = f"{PARAMETERS}.properties[1].value"
    assert message(answer) == (
        f"Invalid JSON payload received. Unknown name \"{keyword}\" at '{where}': Cannot find field."
    )


@pytest.mark.parametrize(
    ("node", "where"),
    [
        ({"type": "array", "items": {"x": 1}}, "items"),
        ({"anyOf": [{"type": "string"}, {"x": 1}]}, "any_of[1]"),
    ],
)
async def test_an_unknown_keyword_is_found_deep_inside(client: Client, node: Any, where: str) -> None:
    answer = await (await client.post("generateContent", body(GEMINI_3, tools=tools(node)))).json()
    assert message(answer) == f"{UNKNOWN} at '{PARAMETERS}.{where}': Cannot find field."


async def test_all_violations_are_reported_together(client: Client) -> None:
    sent = body(GEMINI_3, tools=tools({"x": 1}, {"$ref": "#"}))
    lines = message(await (await client.post("generateContent", sent)).json()).split("\n")
    assert lines == [
        f"{UNKNOWN} at '{PARAMETERS}': Cannot find field.",
        (
            'Invalid JSON payload received. Unknown name "$ref" at '
            "'request.tools[0].function_declarations[1].parameters': Cannot find field."
        ),
    ]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (
            body(GEMINI_3, systemInstruction="be brief"),
            (
                "Invalid value at 'request.system_instruction' "
                '(type.googleapis.com/google.cloud.aiplatform.master.Content), "be brief"'
            ),
        ),
        (
            body(GEMINI_3, tools=tools({"type": ["string", "null"]})),
            f"Unknown name \"type\" at '{PARAMETERS}': Proto field is not repeating, cannot start list.",
        ),
        (body(GEMINI_3, tools=tools({"type": "any"})), 'google.cloud.aiplatform.master.Type), "any"'),
        (body(GEMINI_3, tools=tools(inside("enum", [1]))), "properties[1].value.enum[0]' (TYPE_STRING), 1"),
        (
            body(GEMINI_3, tools=tools(inside("required", True))),
            "properties[1].value.required' (TYPE_STRING), true",
        ),
        (
            body(GEMINI_3, tools=tools({"properties": []})),
            f"Invalid value at '{PARAMETERS}.properties' (Map), []",
        ),
        (
            body(GEMINI_3, user({"functionResponse": {"response": "x"}})),
            "(type.googleapis.com/google.protobuf.Struct)",
        ),
        (body(GEMINI_3, user({"functionCall": {"args": "{}"}})), "function_call.args' (type.googleapis.com"),
        (body(GEMINI_3, generationConfig={"temperature": "hot"}), 'temperature\' (TYPE_FLOAT), "hot"'),
        (body(GEMINI_3, generationConfig={"seed": 2**31}), "generation_config.seed' (TYPE_INT32), 2147483648"),
        (body(GEMINI_3, generationConfig={"seed": 1.5}), "generation_config.seed' (TYPE_INT32), 1.5"),
        (body(GEMINI_3, toolConfig={"functionCallingConfig": {"mode": "FORCED"}}), 'Mode), "FORCED"'),
        (body(GEMINI_3) | {"model": 3}, "Invalid value at 'model' (TYPE_STRING), 3"),
    ],
)
async def test_a_wrong_kind_is_refused(client: Client, sent: Any, words: str) -> None:
    assert words in message(await (await client.post("generateContent", sent)).json())


@pytest.mark.parametrize(
    "sent",
    [
        body(GEMINI_3, system_instruction=user("s"), generation_config={"max_output_tokens": "7", "top_p": 1}),
        body(GEMINI_3, user({"inline_data": {"mime_type": "image/png", "data": "AAAA"}})),
        body(GEMINI_3, tools=[{"function_declarations": [{"name": "f", "parameters": SCHEMA}]}]),
        body(GEMINI_3, tools=tools({"type": "OBJECT", "properties": {"$ref": {"type": "STRING"}}})),
        body(GEMINI_3, systemInstruction=None, tools=None),
        body(GEMINI_3, session_id="s") | {"user_prompt_id": "u", "enabled_credit_types": ["GOOGLE_ONE_AI"]},
    ],
)
async def test_both_spellings_and_proto_json_liberties_are_understood(client: Client, sent: Any) -> None:
    response = await client.post("generateContent", sent)
    assert response.status == 200, await response.text()


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        (body(CLAUDE, user({"text": "a", "cache_control": {}})), "contents[0].parts[0]"),
        (body(CLAUDE, tools=[{"functionDeclarations": [{"name": "f", "cache_control": {}}]}]), "tools[0]"),
        (body(CLAUDE, cache_control={}), "request"),
    ],
)
async def test_claude_names_a_leftover_cache_control(client: Client, sent: Any, where: str) -> None:
    words = message(await (await client.post("generateContent", sent)).json())
    assert words.startswith(where)
    assert words.endswith("cache_control: Extra inputs are not permitted")


async def test_gemini_does_not_find_a_leftover_cache_control(client: Client) -> None:
    sent = body(GEMINI_3, user({"text": "a", "cache_control": {}}))
    assert 'Unknown name "cache_control"' in message(await (await client.post("generateContent", sent)).json())


async def test_a_body_that_is_not_json_is_refused(client: Client) -> None:
    url = f"{client.fake.url}/v1internal:generateContent"
    response = await client.session.post(url, data=b"{", headers={"Authorization": "Bearer static-1"})
    assert response.status == 400
    assert message(await response.json()).startswith("Invalid JSON payload received.")

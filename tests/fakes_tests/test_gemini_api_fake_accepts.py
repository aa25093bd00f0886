"""Well-formed calls of the public API pass, also where v1internal would refuse them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.fakes.v1internal_signatures import SENTINEL
from tests.fakes_tests.gemini_api_bodies import (
    GEMINI_2,
    GEMINI_2_PRO,
    GEMINI_3,
    GEMINI_3_PRO,
    OBJECT,
    GeminiClient,
    body,
    inside,
)
from tests.fakes_tests.v1internal_bodies import (
    GEMINI_SIGNATURE,
    call,
    calling,
    parts,
    result,
    said,
    text,
    thinking,
    tools,
    user,
)

SENTINEL_BYTES = base64.b64encode(SENTINEL.encode()).decode()
SEARCH: Any = {"googleSearch": {}}
DEFINED: Any = {
    "type": "object",
    "properties": {
        "one": {"$ref": "#/$defs/Node", "description": "d"},
        "many": {"type": ["array", "null"], "items": {"$ref": "#/$defs/Node"}, "uniqueItems": True},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "default": {"type": "integer", "enum": [1, 2], "default": 1},
    },
    "required": ["one"],
    "propertyOrdering": ["one", "many", "either", "default"],
    "additionalProperties": False,
    "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
}
HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")
SAFE = [{"category": f"HARM_CATEGORY_{harm}", "threshold": "BLOCK_NONE"} for harm in HARMS]
TWO = (result("f", "1"), result("g", "2"))
REFERRING = {
    "functionResponse": {
        "name": "f",
        "response": {"image": {"$ref": "a.png"}},
        "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA", "displayName": "a.png"}}],
    }
}


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        (GEMINI_3, {"contents": [{"parts": [{"text": "no role"}]}]}),
        (GEMINI_3, body(tools=tools(DEFINED, field="parametersJsonSchema"))),
        (GEMINI_3, body(tools=[{"functionDeclarations": [{"name": "f"}]}])),
        (GEMINI_3, body(tools=tools(inside({"type": "string", "format": "enum", "enum": ["a"]})))),
        (
            GEMINI_3,
            body(generationConfig={"responseMimeType": "application/json", "responseJsonSchema": DEFINED}),
        ),
        (GEMINI_3, body(safetySettings=SAFE)),
        (GEMINI_3, body(tools=[*tools(OBJECT), SEARCH], toolConfig={"includeServerSideToolInvocations": True})),
        (GEMINI_2, body(tools=[SEARCH, {"urlContext": {}}, {"codeExecution": {}}])),
        (GEMINI_3, body(tools=tools(OBJECT), toolConfig=calling("VALIDATED", "f"))),
        (GEMINI_2, body(user("a"), said(call("f"), call("g")), user(result("f"), result("g")))),
        (GEMINI_3, body(user("a"), said(call("f", "1", SENTINEL)), user(result("f", "1")))),
        (GEMINI_3, body(user("a"), said(call("f", "1", SENTINEL_BYTES)), user(result("f")))),
        (GEMINI_3, body(user("a"), said(call("f", None, GEMINI_SIGNATURE)), user(REFERRING))),
        (
            GEMINI_2,
            body(user("a"), said(call("f")), user({"functionResponse": {"name": "f", "response": {"$ref": "x"}}})),
        ),
        (GEMINI_3, body(user("a"), said({"toolCall": {"id": "1"}}, {"toolResponse": {"id": "1"}}, "b"), user("c"))),
        (GEMINI_3, body(user("a"), said("b"), said("c"), said(""), user("d"))),
        (
            GEMINI_3,
            body(user("a"), said("b"), said(call("f", "1", SENTINEL)), said(call("g", "2")), said(""), user(*TWO)),
        ),
        (GEMINI_2, body(generationConfig=thinking(thinkingBudget=0))),
        (GEMINI_2_PRO, body(generationConfig=thinking(thinkingBudget=-1))),
        (GEMINI_3_PRO, body(generationConfig=thinking(thinkingBudget=128))),
        (GEMINI_3_PRO, body(generationConfig=thinking(thinkingLevel="low"))),
        (GEMINI_3, body(generationConfig=thinking(thinkingLevel="MINIMAL", includeThoughts=True))),
        (GEMINI_3, body(generationConfig=thinking(thinkingLevel="THINKING_LEVEL_UNSPECIFIED", includeThoughts=True))),
        (GEMINI_2, body(generationConfig={"maxOutputTokens": 65536, "presencePenalty": 0, "temperature": 2})),
        ("gemini-flash-latest", body()),
    ],
)
async def test_a_well_formed_request_is_accepted(gemini: GeminiClient, model: str, sent: Any) -> None:
    assert await gemini.stream(sent, model)


@pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3, "gemini-3.1-pro-preview"])
async def test_a_tool_loop_that_replays_the_replies_is_accepted(gemini: GeminiClient, model: str) -> None:
    contents = [user('!think hm\n!tool f {"n": 1}\n!tool f {"n": 2}\n!then\n!tool f {"n": 3}\n!then\n!say done')]
    for _ in range(2):
        answer = [part for part in parts(await gemini.stream(body(*contents), model)) if part != {"text": ""}]
        asked = [part["functionCall"] for part in answer if "functionCall" in part]
        results = [result(one["name"], one.get("id")) for one in asked]
        contents += [said(*answer), user(*results)]
    assert text(await gemini.stream(body(*contents), model)) == "done"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_both_versions_are_served(gemini: GeminiClient, version: str) -> None:
    assert (await gemini.post("generateContent", body(), version=version)).status == 200


async def test_a_name_in_percent_encoding_is_understood(gemini: GeminiClient) -> None:
    assert (await gemini.post("generateContent", body(), "gemini%2D2.5%2Dflash")).status == 200

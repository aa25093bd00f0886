"""Proto JSON of the public API: what is not in its messages, although v1internal or the SDK's other mode has it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests.gemini_api_bodies import EMBEDDING, GEMINI_3, OBJECT, GeminiClient, body, inside, refusal
from tests.fakes_tests.v1internal_bodies import tools, user

UNKNOWN = 'Invalid JSON payload received. Unknown name "{}"{}: Cannot find field.'
PARAMETERS = "tools[0].function_declarations[0].parameters"


def unknown(name: str, place: str = "") -> str:
    return UNKNOWN.format(name, f" at '{place}'" if place else "")


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (body(x=1), unknown("x")),
        (body(session_id="s"), unknown("session_id")),
        (body(project="p"), unknown("project")),
        (body(request={"contents": []}), unknown("request")),
        (body(user("a") | {"x": 1}), unknown("x", "contents[0]")),
        (body(user({"text": "a", "cache_control": {}})), unknown("cache_control", "contents[0].parts[0]")),
        (
            body(user({"functionCall": {"partialArgs": []}})),
            unknown("partialArgs", "contents[0].parts[0].function_call"),
        ),
        (body(generationConfig={"audioTimestamp": True}), unknown("audioTimestamp", "generation_config")),
        (body(generationConfig={"routingConfig": {}}), unknown("routingConfig", "generation_config")),
        (body(generationConfig={"temperatur": 1}), unknown("temperatur", "generation_config")),
        (body(temperature=1), unknown("temperature")),
        (body(safetySettings=[{"method": "SEVERITY"}]), unknown("method", "safety_settings[0]")),
        (body(tools=[{"googleSearch": {"excludeDomains": []}}]), unknown("excludeDomains", "tools[0].google_search")),
        (body(tools=[{"urlContext": {"x": 1}}]), unknown("x", "tools[0].url_context")),
        (body(tools=[{"enterpriseWebSearch": {}}]), unknown("enterpriseWebSearch", "tools[0]")),
        (body(tools=tools(OBJECT | {"$schema": "s"})), unknown("$schema", PARAMETERS)),
        (body(tools=tools(OBJECT | {"additionalProperties": False})), unknown("additionalProperties", PARAMETERS)),
        (
            body(tools=tools(inside({"type": "string", "const": "x"}))),
            unknown("const", f"{PARAMETERS}.properties[0].value"),
        ),
    ],
)
async def test_an_unknown_name_is_refused_with_its_place(gemini: GeminiClient, sent: Any, words: str) -> None:
    assert await refusal(await gemini.post("generateContent", sent)) == words


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (
            body(systemInstruction="be brief"),
            (
                "Invalid value at 'system_instruction' "
                '(type.googleapis.com/google.ai.generativelanguage.v1beta.Content), "be brief"'
            ),
        ),
        (body(safetySettings=[{"category": "HARM_CATEGORY_JAILBREAK"}]), 'v1beta.HarmCategory), "HARM_CATEGORY_JAIL'),
        (body(safetySettings=[{"threshold": "BLOCK"}]), 'v1beta.HarmBlockThreshold), "BLOCK"'),
        (body(generationConfig={"responseModalities": ["SMELL"]}), "generation_config.response_modalities[0]' (type."),
        (body(generationConfig={"mediaResolution": "HIGH"}), 'v1beta.MediaResolution), "HIGH"'),
        (body(generationConfig={"topK": "many"}), 'generation_config.top_k\' (TYPE_FLOAT), "many"'),
        (body(serviceTier="cheap"), 'v1beta.ServiceTier), "cheap"'),
        (body(labels=["a"]), "Invalid value at 'labels' (Map), [\"a\"]"),
        (
            body(tools=tools({"type": ["string", "null"]})),
            f"Unknown name \"type\" at '{PARAMETERS}': Proto field is not",
        ),
    ],
)
async def test_a_wrong_kind_is_refused(gemini: GeminiClient, sent: Any, words: str) -> None:
    assert words in await refusal(await gemini.post("generateContent", sent))


@pytest.mark.parametrize(
    ("method", "sent", "name"),
    [
        ("countTokens", {"contents": [user("a")], "systemInstruction": user("s")}, "systemInstruction"),
        ("countTokens", {"contents": [user("a")], "tools": []}, "tools"),
        ("embedContent", {"contents": [user("a")]}, "contents"),
        ("embedContent", {"content": user("a"), "autoTruncate": True}, "autoTruncate"),
        ("batchEmbedContents", {"instances": []}, "instances"),
    ],
)
async def test_other_methods_refuse_unknown_names_too(gemini: GeminiClient, method: str, sent: Any, name: str) -> None:
    assert await refusal(await gemini.post(method, sent, EMBEDDING)) == unknown(name)


async def test_a_body_that_is_not_json_is_refused(gemini: GeminiClient) -> None:
    url = f"{gemini.fake.url}/v1beta/models/{GEMINI_3}:generateContent"
    response = await gemini.session.post(url, data=b"{", headers={"x-goog-api-key": "key-1"})
    assert (await refusal(response)).startswith("Invalid JSON payload received.")


@pytest.mark.parametrize(
    "sent",
    [
        body(system_instruction=user("s"), generation_config={"max_output_tokens": "7", "top_p": 1}),
        body(user({"inline_data": {"mime_type": "image/png", "data": "AAAA"}})),
        {"contents": {"parts": {"text": "one content, one part, no role"}}},
        body(systemInstruction=None, tools=None),
        body(service_tier="flex", store=False, labels={"a": "b"}, model=f"models/{GEMINI_3}"),
    ],
)
async def test_both_spellings_and_proto_json_liberties_are_understood(gemini: GeminiClient, sent: Any) -> None:
    response = await gemini.post("generateContent", sent)
    assert response.status == 200, await response.text()

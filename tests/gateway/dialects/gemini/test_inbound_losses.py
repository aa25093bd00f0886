"""What a Gemini request says and a translation cannot carry is told by its path."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import ir

from .caller import ask

Json = dict[str, Any]

HI = {"role": "user", "parts": [{"text": "hi"}]}
PNG = {"mimeType": "image/png", "data": "AAAA"}
CALL = {"functionCall": {"name": "f", "args": {}}}
RESULT = {"functionResponse": {"name": "f", "response": {"output": "x"}}}
TOOLS = [{"functionDeclarations": [{"name": "f"}]}]
JSON = "application/json"


def lost(**fields: Any) -> list[str]:
    return [loss.path for loss in ask({"contents": [HI], **fields}).losses]


def said(*parts: Json, role: str = "model") -> list[str]:
    return lost(contents=[HI, {"role": role, "parts": list(parts)}])


@pytest.mark.parametrize(
    ("parts", "role", "paths"),
    [
        ([CALL], "model", []),
        ([CALL], "user", ["role"]),
        ([RESULT], "model", ["role"]),
        ([{"text": "a", "thought": True}], "user", ["parts[0].thought"]),
        ([{**CALL, "thought": True}], "model", ["parts[0].thought"]),
        ([{**RESULT, "thoughtSignature": "QUJD"}], "user", ["parts[0].thoughtSignature"]),
        (
            [{"functionResponse": {"name": "f", "parts": [{"inlineData": PNG, "new": 1}]}}],
            "user",
            ["parts[0].functionResponse.parts[0].new"],
        ),
        (
            [{"inlineData": PNG, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW", "new": 1}}],
            "user",
            ["parts[0].mediaResolution.new"],
        ),
    ],
)
def test_parts(parts: list[Json], role: str, paths: list[str]) -> None:
    assert said(*parts, role=role) == [f"contents[1].{path}" for path in paths]


def test_a_result_with_an_id_for_a_call_without_one() -> None:
    result = {"functionResponse": {"name": "f", "id": "x", "response": {}}}
    contents = [HI, {"role": "model", "parts": [CALL]}, {"role": "user", "parts": [result]}]
    assert lost(contents=contents) == ["contents[2].parts[0].functionResponse.id"]


def test_an_instruction_holds_text_only() -> None:
    given = {"parts": [{"text": "a", "thought": True}], "new": 1}
    assert lost(systemInstruction=given) == ["systemInstruction.new", "systemInstruction.parts[0].thought"]


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ({"responseSchema": {}}, ["responseSchema"]),
        ({"responseJsonSchema": {}, "responseMimeType": "text/plain"}, ["responseJsonSchema"]),
        ({"responseJsonSchema": {}, "responseSchema": {}, "responseMimeType": JSON}, ["responseSchema"]),
        ({"responseFormat": [{"text": {}}], "responseMimeType": JSON}, []),
        ({"responseFormat": [{"text": {"mimeType": "text/plain"}}], "responseMimeType": JSON}, ["responseMimeType"]),
        ({"responseFormat": [{"text": {"schema": {}}}]}, ["responseFormat[0].text.schema"]),
        (
            {"responseFormat": [{"image": {}}, {"text": {"new": 1}}]},
            ["responseFormat[0].image", "responseFormat[1].text.new"],
        ),
        ({"responseModalities": ["VIDEO"]}, ["responseModalities"]),
        ({"responseModalities": ["TEXT"]}, []),
        ({"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 5}}, ["thinkingConfig.thinkingBudget"]),
        ({"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": True}}, ["thinkingConfig.includeThoughts"]),
        ({"mediaResolution": "MEDIA_RESOLUTION_LOW"}, ["mediaResolution"]),
    ],
)
def test_options_that_say_nothing(config: Json, paths: list[str]) -> None:
    assert lost(generationConfig=config) == [f"generationConfig.{path}" for path in paths]


def test_a_detail_for_all_pictures_is_taken_by_the_first() -> None:
    contents = [{"role": "user", "parts": [{"inlineData": PNG}]}]
    request = ask({"contents": contents, "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}})
    (part,) = request.turns[0].parts
    assert isinstance(part, ir.Media)
    assert (part.detail, part.detail_path, request.losses) == ("low", "generationConfig.mediaResolution", ())


@pytest.mark.parametrize(
    ("tools", "calling", "paths"),
    [
        ([], {"mode": "ANY"}, [""]),
        (TOOLS, {"allowedFunctionNames": ["f"]}, [""]),
        (TOOLS, {"mode": "NONE", "allowedFunctionNames": ["f"]}, [".allowedFunctionNames"]),
        (TOOLS, {"mode": "VALIDATED"}, [".mode"]),
        (TOOLS, {"mode": "ANY", "allowedFunctionNames": ["f"]}, []),
        ([], {}, []),
    ],
)
def test_choices_that_say_nothing(tools: list[Json], calling: Json, paths: list[str]) -> None:
    config = {"functionCallingConfig": calling}
    assert lost(tools=tools, toolConfig=config) == [f"toolConfig.functionCallingConfig{path}" for path in paths]


def test_where_thoughts_and_signatures_stood_goes_with_the_turn() -> None:
    parts: list[Json] = [
        {"text": "h", "thought": True},
        {"text": "m", "thought": True, "thoughtSignature": "QUJD"},
        {"text": "a"},
        {**CALL, "thoughtSignature": "QUJD"},
    ]
    turn = ask({"contents": [HI, {"role": "model", "parts": parts}]}).turns[1]
    at = "contents[1].parts"
    assert turn.places == ((f"{at}[0]", f"{at}[1]"), (), (f"{at}[3].thoughtSignature",))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "generationConfig.responseSchema"),
        ({"responseMimeType": JSON, "responseJsonSchema": {}}, "generationConfig.responseJsonSchema"),
    ],
)
def test_the_callers_own_names_go_along(fields: Json, path: str) -> None:
    paths = ask(generationConfig=fields).paths
    assert (paths["schema"], paths["max_tokens"]) == (path, "generationConfig.maxOutputTokens")


def test_they_lead_into_a_request_that_is_to_be_counted() -> None:
    paths = ask({"generateContentRequest": {"contents": [HI]}}, counting=True).paths
    assert paths["seed"] == "generateContentRequest.generationConfig.seed"


def test_what_stands_beside_a_part_is_told_in_its_order() -> None:
    beside = ("videoMetadata", "audioMetadata", "documentMetadata", "speechMetadata", "xOne", "xTwo", "partMetadata")
    part: Json = {"text": "a"} | {name: {} for name in beside}

    assert said(part, role="user") == [f"contents[1].parts[0].{name}" for name in beside]
    assert lost(systemInstruction={"parts": [part]}) == [f"systemInstruction.parts[0].{name}" for name in beside]

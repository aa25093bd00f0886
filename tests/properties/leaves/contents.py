"""Requests of generateContent that hold everything the reference knows, written by hand."""

from __future__ import annotations

from typing import Any

from .material import ANSWER, PDF, PNG, SCHEMA, SIGNED, Json

__all__ = ["CONTENTS"]

EVERYTHING: Json = {
    "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "What is this?", "partMetadata": {"a": 1}},
                {
                    "inlineData": {"mimeType": "image/png", "data": PNG, "displayName": "a.png"},
                    "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
                },
                {"inlineData": {"mimeType": "application/pdf", "data": PDF}, "videoMetadata": {"fps": 1}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "Looks blue.", "thought": True, "thoughtSignature": SIGNED},
                {"text": "A sky.", "thoughtSignature": SIGNED},
                {
                    "functionCall": {"id": "c1", "name": "weather", "args": {"city": "Rome", "days": 2}},
                    "thoughtSignature": SIGNED,
                },
                {"functionCall": {"name": "sum", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "c1",
                        "name": "weather",
                        "response": {"output": "blue"},
                        "scheduling": "SILENT",
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                    }
                },
                {"functionResponse": {"name": "sum", "response": {"n": 3}, "willContinue": False}},
            ],
        },
        {"role": "model", "parts": [{"text": "Yes."}]},
        {"role": "user", "parts": [{"text": "Go!"}]},
    ],
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "Tells it.",
                    "parameters": {
                        "type": "OBJECT",
                        "properties": {
                            "city": {"type": "STRING", "description": "Where.", "nullable": True},
                            "days": {"type": "INTEGER", "minimum": 1, "format": "int32"},
                        },
                        "required": ["city"],
                        "propertyOrdering": ["days", "city"],
                    },
                    "behavior": "BLOCKING",
                    "response": {"type": "STRING"},
                },
                {"name": "sum", "description": "Adds.", "parametersJsonSchema": SCHEMA, "responseJsonSchema": ANSWER},
            ]
        },
        {"googleSearch": {"timeRangeFilter": {"startTime": "2025-01-01T00:00:00Z"}}},
        {"codeExecution": {}},
    ],
    "toolConfig": {
        "functionCallingConfig": {
            "mode": "ANY",
            "allowedFunctionNames": ["weather", "sum"],
            "streamFunctionCallArguments": False,
        },
        "retrievalConfig": {"languageCode": "en"},
    },
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.5,
        "topK": 40,
        "candidateCount": 1,
        "maxOutputTokens": 9000,
        "stopSequences": ["END"],
        "presencePenalty": 0.5,
        "frequencyPenalty": 0.5,
        "seed": 7,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"sum": {"type": "NUMBER"}}, "required": ["sum"]},
        "responseModalities": ["TEXT"],
        "mediaResolution": "MEDIA_RESOLUTION_HIGH",
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 3000},
        "responseLogprobs": True,
        "logprobs": 2,
        "enableEnhancedCivicAnswers": True,
        "speechConfig": {"languageCode": "en-US"},
        "imageConfig": {"aspectRatio": "1:1"},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "labels": {"team": "a"},
    "serviceTier": "flex",
    "sessionId": "talk-1",
}


def contents(**fields: Any) -> Json:
    """Ask something short over generateContent."""
    return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **fields}


CONTENTS: dict[str, Json] = {
    "everything": EVERYTHING,
    "snake case": {
        "system_instruction": {"parts": {"text": "Be brief."}},
        "contents": {"parts": {"text": "hi", "part_metadata": {"a": 1}}},
        "generation_config": {
            "max_output_tokens": 9000,
            "thinking_config": {"thinking_level": "low", "include_thoughts": True},
            "stop_sequences": "END",
            "response_mime_type": "application/json",
            "response_json_schema": ANSWER,
            "media_resolution": "MEDIA_RESOLUTION_MEDIUM",
        },
        "tools": {"function_declarations": {"name": "f", "parameters_json_schema": SCHEMA}},
        "tool_config": {"function_calling_config": {"mode": "AUTO"}},
    },
    "text": contents(
        generationConfig={
            "responseMimeType": "text/plain",
            "responseSchema": {"type": "STRING"},
            "responseJsonSchema": {"type": "string"},
            "topK": 40.5,
            "thinkingConfig": {"thinkingLevel": "HIGH", "thinkingBudget": 3000},
        },
        toolConfig={"functionCallingConfig": {"mode": "ANY"}},
    ),
    "pictures": contents(
        generationConfig={"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "1:1"}}
    ),
    "an enum": contents(
        generationConfig={"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a", "b"]}}
    ),
    "a named tool": contents(
        tools=[{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}},
    ),
    "a code run": contents(
        contents=[
            {"role": "user", "parts": [{"text": "2+2"}]},
            {
                "role": "model",
                "parts": [
                    {"executableCode": {"language": "PYTHON", "code": "2+2", "id": "x"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "4"}},
                    {"text": "4"},
                ],
            },
            {"role": "user", "parts": [{"text": "go"}]},
        ],
        tools=[{"codeExecution": {}}],
    ),
    "a draft and a sealed signature": contents(
        contents=[
            {"role": "user", "parts": [{"text": "hi"}]},
            {
                "role": "model",
                "parts": [
                    {"thought": True, "inlineData": {"mimeType": "image/png", "data": PNG}},
                    {"text": "", "thoughtSignature": SIGNED},
                    {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "gw1.g.f.AAAA.00000000"},
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"error": "no"}}}]},
        ],
        tools=[
            {
                "functionDeclarations": [
                    {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}}
                ]
            }
        ],
    ),
}

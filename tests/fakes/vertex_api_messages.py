"""The messages of Vertex AI, field by field, where they differ from those of the Gemini API.

The model stands in the path alone. Calls and their responses have ids since Gemini 3, and had none before.
"""

from __future__ import annotations

from collections.abc import Collection

from tests.fakes.gemini_api_messages import PROTO as GEMINI
from tests.fakes.proto import Proto

__all__ = ["PROTO", "WITHOUT_IDS"]

_NO_SERVER_SIDE = frozenset({"includeServerSideToolInvocations"})
_GEMINI_ALONE = frozenset({"toolCall", "toolResponse", "partMetadata"})


def _less(message: str, names: Collection[str]) -> dict[str, str]:
    return {name: kind for name, kind in GEMINI.messages[message].items() if name not in names}


_PROMPT = {"contents": "[]Content", "systemInstruction": "Content", "tools": "[]Tool"}

_MESSAGES: dict[str, dict[str, str]] = {
    **{name: dict(fields) for name, fields in GEMINI.messages.items()},
    "GenerateContentRequest": _PROMPT
    | {
        "toolConfig": "ToolConfig",
        "safetySettings": "[]SafetySetting",
        "generationConfig": "GenerationConfig",
        "cachedContent": "string",
        "serviceTier": "enum ServiceTier",
        "labels": "{}string",
        "modelArmorConfig": "struct",
    },
    "CountTokensRequest": _PROMPT | {"model": "string", "instances": "[]value", "generationConfig": "GenerationConfig"},
    "Part": _less("Part", _GEMINI_ALONE),
    "FunctionResponse": _less("FunctionResponse", {"willContinue"}),
    "Tool": _less("Tool", {"fileSearch", "mcpServers"}) | {"retrieval": "struct", "enterpriseWebSearch": "struct"},
    "GoogleSearch": _less("GoogleSearch", ()) | {"excludeDomains": "[]string", "blockingConfidence": "string"},
    "ToolConfig": _less("ToolConfig", _NO_SERVER_SIDE),
    "GenerationConfig": _less("GenerationConfig", {"enableEnhancedCivicAnswers"})
    | {"audioTimestamp": "bool", "routingConfig": "struct", "modelConfig": "struct"},
    "SafetySetting": {"category": "enum HarmCategory", "threshold": "enum HarmBlockThreshold", "method": "string"},
    "PredictRequest": {"instances": "[]value", "parameters": "value", "labels": "{}string"},
    "EmbedContentRequest": {
        "content": "Content",
        "title": "string",
        "taskType": "enum TaskType",
        "outputDimensionality": "int",
        "autoTruncate": "bool",
        "embedContentConfig": "EmbedContentConfig",
    },
    "EmbedContentConfig": {
        "title": "string",
        "taskType": "enum TaskType",
        "outputDimensionality": "int",
        "autoTruncate": "bool",
        "documentOcr": "bool",
        "audioTrackExtraction": "bool",
    },
}

_TYPE = "type.googleapis.com/google.cloud.aiplatform.v1"
_NUMBERED = ("FunctionCall", "FunctionResponse")

PROTO = Proto(_MESSAGES, GEMINI.enums, _TYPE)
WITHOUT_IDS = Proto(
    _MESSAGES | {one: {name: kind for name, kind in _MESSAGES[one].items() if name != "id"} for one in _NUMBERED},
    GEMINI.enums,
    _TYPE,
)

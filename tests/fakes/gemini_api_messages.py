"""The messages of the public API, field by field, where they differ from those of v1internal.

`parametersJsonSchema` and `responseJsonSchema` decode as any JSON; what they may hold is judged later.
"""

from __future__ import annotations

from tests.fakes.proto import Proto
from tests.fakes.v1internal_messages import ENUMS as SHARED_ENUMS
from tests.fakes.v1internal_messages import MESSAGES as SHARED

__all__ = ["PROTO"]

_PROMPT = {
    "model": "string",
    "contents": "[]Content",
    "systemInstruction": "Content",
    "tools": "[]Tool",
    "toolConfig": "ToolConfig",
}
# Vertex alone
_NOT_HERE = {"audioTimestamp", "routingConfig", "modelSelectionConfig"}
_SAME = (
    "Content",
    "Blob",
    "FileData",
    "FunctionCall",
    "FunctionResponsePart",
    "ToolConfig",
    "FunctionCallingConfig",
    "ThinkingConfig",
    "ImageConfig",
    "Schema",
    "ResponseSchema",
)

_MESSAGES: dict[str, dict[str, str]] = {
    **{name: SHARED[name] for name in _SAME},
    "GenerateContentRequest": _PROMPT
    | {
        "safetySettings": "[]SafetySetting",
        "generationConfig": "GenerationConfig",
        "cachedContent": "string",
        "labels": "{}string",
        "serviceTier": "enum ServiceTier",
        "store": "bool",
        "continuationToken": "string",
    },
    "CountTokensRequest": {
        "model": "string",
        "contents": "[]Content",
        "generateContentRequest": "GenerateContentRequest",
    },
    "EmbedContentRequest": {
        "model": "string",
        "content": "Content",
        "taskType": "enum TaskType",
        "title": "string",
        "outputDimensionality": "int",
    },
    "PredictRequest": {"instances": "[]value", "parameters": "value"},
    "BatchEmbedContentsRequest": {"model": "string", "requests": "[]EmbedContentRequest"},
    "CachedContent": _PROMPT | {"name": "string", "displayName": "string", "ttl": "string", "expireTime": "string"},
    "CreateFileRequest": {"file": "File"},
    "File": {
        "name": "string",
        "displayName": "string",
        "mimeType": "string",
        "sizeBytes": "int",
    },
    "Part": SHARED["Part"]
    | {
        "toolCall": "struct",
        "toolResponse": "struct",
        "partMetadata": "struct",
        "audioTranscription": "struct",
        "mediaProcessing": "struct",
        "speechMetadata": "struct",
    },
    "FunctionResponse": SHARED["FunctionResponse"] | {"willContinue": "bool", "scheduling": "enum Scheduling"},
    "FunctionDeclaration": SHARED["FunctionDeclaration"] | {"behavior": "enum Behavior"},
    "Tool": {
        "functionDeclarations": "[]FunctionDeclaration",
        "googleSearch": "GoogleSearch",
        "googleSearchRetrieval": "struct",
        "googleMaps": "struct",
        "urlContext": "Empty",
        "codeExecution": "Empty",
        "fileSearch": "struct",
        "computerUse": "struct",
        "mcpServers": "[]struct",
    },
    "GoogleSearch": {"searchTypes": "struct", "timeRangeFilter": "struct"},
    "Empty": {},
    "GenerationConfig": {name: kind for name, kind in SHARED["GenerationConfig"].items() if name not in _NOT_HERE}
    | {
        "responseModalities": "[]enum Modality",
        "mediaResolution": "enum MediaResolution",
        "responseFormat": "[]struct",
        "enableEnhancedCivicAnswers": "bool",
        "audioTranscriptionConfig": "struct",
        "translationConfig": "struct",
    },
    "SafetySetting": {"category": "enum HarmCategory", "threshold": "enum HarmBlockThreshold"},
}

_ENUMS: dict[str, frozenset[str]] = {
    **SHARED_ENUMS,
    "ThinkingLevel": SHARED_ENUMS["ThinkingLevel"] | {"XHIGH"},
    "Modality": frozenset({"TEXT", "IMAGE", "AUDIO", "VIDEO"}),
    "MediaResolution": frozenset(f"MEDIA_RESOLUTION_{size}" for size in ("LOW", "MEDIUM", "HIGH")),
    "ServiceTier": frozenset({"UNSPECIFIED", "FLEX", "STANDARD", "PRIORITY"}),
    "Scheduling": frozenset({"SILENT", "WHEN_IDLE", "INTERRUPT"}),
    "Behavior": frozenset({"BLOCKING", "NON_BLOCKING"}),
    "TaskType": frozenset(
        {
            "RETRIEVAL_QUERY",
            "RETRIEVAL_DOCUMENT",
            "SEMANTIC_SIMILARITY",
            "CLASSIFICATION",
            "CLUSTERING",
            "QUESTION_ANSWERING",
            "FACT_VERIFICATION",
            "CODE_RETRIEVAL_QUERY",
        }
    ),
    "HarmCategory": frozenset(
        {
            "HARM_CATEGORY_HARASSMENT",
            "HARM_CATEGORY_HATE_SPEECH",
            "HARM_CATEGORY_SEXUALLY_EXPLICIT",
            "HARM_CATEGORY_DANGEROUS_CONTENT",
            "HARM_CATEGORY_CIVIC_INTEGRITY",
        }
    ),
    "HarmBlockThreshold": frozenset(
        {
            "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
            "BLOCK_LOW_AND_ABOVE",
            "BLOCK_MEDIUM_AND_ABOVE",
            "BLOCK_ONLY_HIGH",
            "BLOCK_NONE",
            "OFF",
        }
    ),
}

PROTO = Proto(_MESSAGES, _ENUMS, "type.googleapis.com/google.ai.generativelanguage.v1beta")

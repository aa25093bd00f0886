"""The messages of the service, field by field: everything that is not here is an unknown name.

`parameters` of a function takes the `Schema` of Vertex AI, an OpenAPI subset; a response schema takes
`additionalProperties` on top. `parametersJsonSchema` and `responseJsonSchema` are any JSON.
"""

from __future__ import annotations

PACKAGE = "type.googleapis.com/google.cloud.aiplatform.master"

_INNER = {
    "contents": "[]Content",
    "systemInstruction": "Content",
    "tools": "[]Tool",
    "toolConfig": "ToolConfig",
    "generationConfig": "GenerationConfig",
    "labels": "{}string",
    "cachedContent": "string",
    "sessionId": "string",
}

_SCHEMA = {
    "type": "enum Type",
    "format": "string",
    "title": "string",
    "description": "string",
    "nullable": "bool",
    "default": "value",
    "minItems": "int",
    "maxItems": "int",
    "enum": "[]string",
    "propertyOrdering": "[]string",
    "required": "[]string",
    "minProperties": "int",
    "maxProperties": "int",
    "minimum": "float",
    "maximum": "float",
    "minLength": "int",
    "maxLength": "int",
    "pattern": "string",
    "example": "value",
}

_METADATA = {
    "ideType": "value",  # names and numbers are both taken
    "platform": "value",
    "pluginType": "value",
    "duetProject": "string",
    "ideVersion": "string",
    "pluginVersion": "string",
    "updateChannel": "string",
    "ideName": "string",
}

MESSAGES: dict[str, dict[str, str]] = {
    "GenerateContent": {
        "model": "string",
        "project": "string",
        "userPromptId": "string",
        "enabledCreditTypes": "[]string",
        "userAgent": "string",
        "requestType": "string",
        "requestId": "string",
        "request": "VertexGenerateContentRequest",
    },
    "CountTokens": {"request": "VertexCountTokensRequest"},
    "VertexGenerateContentRequest": _INNER | {"safetySettings": "[]SafetySetting"},
    "VertexCountTokensRequest": _INNER | {"model": "string"},
    "Content": {"role": "string", "parts": "[]Part"},
    "Part": {
        "text": "string",
        "thought": "bool",
        "thoughtSignature": "string",
        "inlineData": "Blob",
        "fileData": "FileData",
        "functionCall": "FunctionCall",
        "functionResponse": "FunctionResponse",
        "executableCode": "struct",
        "codeExecutionResult": "struct",
        "videoMetadata": "struct",
        "mediaResolution": "struct",
    },
    "Blob": {"mimeType": "string", "data": "string", "displayName": "string"},
    "FileData": {"mimeType": "string", "fileUri": "string", "displayName": "string"},
    "FunctionCall": {"id": "string", "name": "string", "args": "struct"},
    "FunctionResponse": {
        "id": "string",
        "name": "string",
        "response": "struct",
        "parts": "[]FunctionResponsePart",
    },
    "FunctionResponsePart": {"inlineData": "Blob", "fileData": "FileData"},
    "Tool": {
        "functionDeclarations": "[]FunctionDeclaration",
        "googleSearch": "GoogleSearch",
        "urlContext": "struct",
        "codeExecution": "struct",
    },
    "GoogleSearch": {
        "enhancedContent": "struct",
        "includedDomains": "[]string",
        "excludeDomains": "[]string",
        "timeRangeFilter": "struct",
    },
    "FunctionDeclaration": {
        "name": "string",
        "description": "string",
        "parameters": "Schema",
        "parametersJsonSchema": "value",
        "response": "Schema",
        "responseJsonSchema": "value",
    },
    "ToolConfig": {
        "functionCallingConfig": "FunctionCallingConfig",
        "retrievalConfig": "struct",
        "includeServerSideToolInvocations": "bool",
    },
    "FunctionCallingConfig": {"mode": "enum Mode", "allowedFunctionNames": "[]string"},
    "GenerationConfig": {
        "temperature": "float",
        "topP": "float",
        "topK": "float",
        "candidateCount": "int32",
        "maxOutputTokens": "int32",
        "stopSequences": "[]string",
        "responseLogprobs": "bool",
        "logprobs": "int32",
        "presencePenalty": "float",
        "frequencyPenalty": "float",
        "seed": "int32",
        "responseMimeType": "string",
        "responseSchema": "ResponseSchema",
        "responseJsonSchema": "value",
        "responseModalities": "[]string",
        "mediaResolution": "string",
        "speechConfig": "struct",
        "audioTimestamp": "bool",
        "routingConfig": "struct",
        "modelSelectionConfig": "struct",
        "thinkingConfig": "ThinkingConfig",
        "imageConfig": "ImageConfig",
    },
    "ThinkingConfig": {
        "includeThoughts": "bool",
        "thinkingBudget": "int32",
        "thinkingLevel": "enum ThinkingLevel",
    },
    "ImageConfig": {"aspectRatio": "string", "imageSize": "string"},
    "SafetySetting": {"category": "string", "threshold": "string", "method": "string"},
    "Schema": _SCHEMA | {"items": "Schema", "properties": "{}Schema", "anyOf": "[]Schema"},
    "ResponseSchema": _SCHEMA
    | {
        "items": "ResponseSchema",
        "properties": "{}ResponseSchema",
        "anyOf": "[]ResponseSchema",
        "additionalProperties": "value",
    },
    "LoadCodeAssist": {"cloudaicompanionProject": "string", "metadata": "ClientMetadata", "mode": "value"},
    "OnboardUser": {"tierId": "string", "cloudaicompanionProject": "string", "metadata": "ClientMetadata"},
    "ClientMetadata": _METADATA,
    "FetchAvailableModels": {"project": "string"},
    "RetrieveUserQuota": {"project": "string", "userAgent": "string"},
    "RetrieveUserQuotaSummary": {"project": "string"},
}

ENUMS: dict[str, frozenset[str]] = {
    "Type": frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}),
    "Mode": frozenset({"AUTO", "ANY", "NONE", "VALIDATED"}),
    "ThinkingLevel": frozenset({"THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"}),
}

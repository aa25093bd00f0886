"""The fields of Gemini's generateContent."""

from __future__ import annotations

from typing import Any, Final, Literal

from gateway import ir
from tests.properties.leaves.material import ANSWER, PDF, PNG, SCHEMA, SIGNED, WAV, Json

from .chat import MAKERS, PLAIN
from .probing import Group, hold, one

__all__ = ["CONTENTS"]

GO: Final = {"role": "user", "parts": [{"text": "Go on."}]}
CALL: Final = {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Rome"}}}
RESULT: Final = {"functionResponse": {"id": "c1", "name": "weather", "response": {"output": "blue"}}}


def contents(**fields: Any) -> Json:
    """Ask something short over generateContent."""
    return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **fields}


def config(**fields: Any) -> Json:
    """Ask it with a generationConfig."""
    return contents(generationConfig=fields)


def declaring(**fields: Any) -> Json:
    """Declare a function."""
    return {"functionDeclarations": [{"name": "weather", "description": "Tells it.", **fields}]}


def said(*parts: Any, **fields: Any) -> Json:
    """Let a user say words and these parts."""
    return contents(contents=[{"role": "user", "parts": [{"text": "What?"}, *parts]}], **fields)


def answered(*parts: Any) -> Json:
    """Let a model have said these parts and words."""
    return contents(contents=[GO, {"role": "model", "parts": [*parts, {"text": "Yes."}]}, GO])


def called(*, call: Json = CALL, result: Json = RESULT) -> Json:
    """Let a model have called a function."""
    turns = [GO, {"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}]
    return contents(contents=turns, tools=[declaring(parameters=PLAIN)])


def sealed(family: ir.Family, kind: Literal["t", "f"] = "t") -> str:
    """Sign as an answer of the gateway does."""
    return ir.seal(ir.Signature(family, SIGNED, kind))


_PICTURE: Final = {"mimeType": "image/png", "data": PNG}
_RESULTED: Final = RESULT["functionResponse"]
CONVERSATION: Final = (
    *hold(contents(systemInstruction={"role": "system", "parts": [{"text": "Be brief."}]}), "systemInstruction"),
    *hold(contents(systemInstruction={"parts": [{"text": "Be brief."}]}), "systemInstruction.parts[].text"),
    *hold(
        contents(systemInstruction={"role": "system", "parts": [{"text": "Be brief."}]}),
        "systemInstruction.role",
        idle="an instruction has no speaker",
    ),
    *hold(contents(), "contents[].parts", others=([{"text": "What?"}],)),
    *hold(contents(contents=[GO, {"role": "model", "parts": [{"text": "Yes."}]}, GO]), "contents[model]"),
    *hold(contents(contents=[GO, {"role": "model", "parts": [{"text": "Yes."}]}, GO]), "contents[model].role"),
    *hold(called(), "contents[].parts[functionCall]", "contents[].parts[].functionCall.name"),
    *hold(called(), "contents[].parts[].functionCall.args"),
    *hold(
        called(), "contents[].parts[].functionCall.id", idle="a result stands at the place of its call, under its name"
    ),
    *hold(called(), "contents[].parts[functionResponse]", "contents[].parts[].functionResponse.response"),
    *hold(
        called(),
        "contents[].parts[].functionResponse.id",
        "contents[].parts[].functionResponse.name",
        idle="the call is found by the other one",
    ),
    *hold(
        called(result={"functionResponse": {**_RESULTED, "parts": [{"inlineData": _PICTURE}]}}),
        "contents[].parts[].functionResponse.parts",
    ),
    *hold(
        called(result={"functionResponse": {**_RESULTED, "scheduling": "SILENT", "willContinue": False}}),
        "contents[].parts[].functionResponse.scheduling",
        "contents[].parts[].functionResponse.willContinue",
    ),
    *hold(
        called(call={"functionCall": {**CALL["functionCall"], "partialArgs": [], "willContinue": False}}),
        "contents[].parts[].functionCall.partialArgs",
        "contents[].parts[].functionCall.willContinue",
    ),
)
_IMAGE: Final = {"inlineData": {**_PICTURE, "displayName": "a.png"}}
_FILE: Final = {
    "fileData": {"mimeType": "image/png", "fileUri": "https://example.org/a.png", "displayName": "a.png"},
}
_BESIDE: Final = {
    "videoMetadata": {"fps": 1},
    "audioMetadata": {"startOffset": "1s"},
    "documentMetadata": {"startPage": 1},
    "spreadsheetMetadata": {"visibleCells": "A1:B2"},
    "mediaProcessing": {"a": 1},
    "speechMetadata": {"a": 1},
    "audioTranscription": {"a": 1},
    "partMetadata": {"a": 1},
}
_OPAQUE: Final = {
    "executableCode": {"language": "PYTHON", "code": "2+2"},
    "codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "4"},
    "toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB"},
    "toolResponse": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB"},
    "xUnknown": {"a": 1},
}
CONTENT: Final = (
    *hold(said({"text": "More."}), "contents[].parts[text]", "contents[].parts[].text"),
    *hold(said(_IMAGE), "contents[].parts[inlineData]", "contents[].parts[].inlineData.data"),
    *hold(said(_IMAGE), "contents[].parts[].inlineData.mimeType", idle="the first bytes tell"),
    *hold(said(_IMAGE), "contents[].parts[].inlineData.displayName"),
    one("contents[].parts[inlineData] (PDF)", said({"inlineData": {"mimeType": "application/pdf", "data": PDF}})),
    one("contents[].parts[inlineData] (sound)", said({"inlineData": {"mimeType": "audio/wav", "data": WAV}})),
    one("contents[].parts[inlineData] (video)", said({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}})),
    *hold(said(_FILE), "contents[].parts[fileData]", "contents[].parts[].fileData.fileUri"),
    *hold(said({"fileData": {"fileUri": "files/abc"}}), "contents[].parts[].fileData.fileUri (at Google)"),
    *hold(said(_FILE), "contents[].parts[].fileData.displayName"),
    *hold(
        said({"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/a.png"}}),
        "contents[].parts[].fileData.mimeType",
        idle="the address is passed on; the type tells pictures from documents",
    ),
    *hold(
        said({**_IMAGE, "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}),
        "contents[].parts[].mediaResolution",
        "contents[].parts[].mediaResolution.level",
    ),
    *(one(f"contents[].parts[].{name}", said({**_IMAGE, name: value})) for name, value in _BESIDE.items()),
    *(one(f"contents[].parts[{name}]", answered({name: value})) for name, value in _OPAQUE.items()),
)
_TYPED: Final = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
_TWO: Final = [{"functionDeclarations": [{"name": "weather"}, {"name": "sum"}]}]
_ONE_OF: Final = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["sum"]}}
_HOSTED: Final = {
    "googleSearch": {},
    "googleSearchRetrieval": {},
    "urlContext": {},
    "codeExecution": {},
    "enterpriseWebSearch": {},
    "googleMaps": {},
    "computerUse": {},
    "fileSearch": {"fileSearchStoreNames": ["s"]},
    "retrieval": {},
    "mcpServers": [{"name": "m"}],
    "exaAiSearch": {},
    "parallelAiSearch": {},
}
_RANGE: Final = {"googleSearch": {"timeRangeFilter": {"startTime": "2025-01-01T00:00:00Z"}}}
_MODES: Final = ("NONE", "ANY", "VALIDATED")
TOOLS: Final = (
    *hold(contents(tools=[declaring(parameters=_TYPED)]), "tools[functionDeclarations]"),
    *hold(contents(tools=[declaring(parameters=_TYPED)]), "tools[].functionDeclarations[].name"),
    *hold(contents(tools=[declaring(parameters=_TYPED)]), "tools[].functionDeclarations[].description"),
    *hold(contents(tools=[declaring(parameters=_TYPED)]), "tools[].functionDeclarations[].parameters"),
    *hold(
        contents(tools=[declaring(parametersJsonSchema=SCHEMA)]), "tools[].functionDeclarations[].parametersJsonSchema"
    ),
    *hold(contents(tools=[declaring(response=_TYPED)]), "tools[].functionDeclarations[].response"),
    *hold(contents(tools=[declaring(responseJsonSchema=ANSWER)]), "tools[].functionDeclarations[].responseJsonSchema"),
    *hold(contents(tools=[declaring(behavior="BLOCKING")]), "tools[].functionDeclarations[].behavior"),
    *(one(f"tools[{name}]", contents(tools=[{name: value}])) for name, value in _HOSTED.items()),
    *hold(contents(tools=[{"googleSearch": {}}, declaring()]), "tools[googleSearch] (and functions)"),
    *hold(contents(tools=[_RANGE]), "tools[].googleSearch.timeRangeFilter"),
    *(
        one(
            f"toolConfig.functionCallingConfig.mode ({mode})",
            contents(tools=[declaring()], toolConfig={"functionCallingConfig": {"mode": mode}}),
            "as AUTO is meant there" if mode == "VALIDATED" else "",
        )
        for mode in _MODES
    ),
    *hold(contents(tools=_TWO, toolConfig=_ONE_OF), "toolConfig.functionCallingConfig.allowedFunctionNames"),
    *hold(
        contents(
            tools=_TWO, toolConfig={"functionCallingConfig": {"mode": "ANY", "streamFunctionCallArguments": True}}
        ),
        "toolConfig.functionCallingConfig.streamFunctionCallArguments",
    ),
    *hold(contents(toolConfig={"retrievalConfig": {"languageCode": "en"}}), "toolConfig.retrievalConfig"),
    *hold(
        contents(toolConfig={"includeServerSideToolInvocations": True}), "toolConfig.includeServerSideToolInvocations"
    ),
)
_DRAWN: Final = {
    "maxOutputTokens": 500,
    "temperature": 0.5,
    "topP": 0.5,
    "topK": 40,
    "seed": 7,
    "presencePenalty": 0.5,
    "frequencyPenalty": 0.5,
    "stopSequences": ["END"],
    "responseLogprobs": True,
}
SAMPLING: Final = (
    *(one(f"generationConfig.{name}", config(**{name: value})) for name, value in _DRAWN.items()),
    *hold(config(responseLogprobs=True, logprobs=2), "generationConfig.logprobs"),
    *hold(config(candidateCount=2), "generationConfig.candidateCount (above 1)"),
)
_JSON: Final = "application/json"
_OPTIONS: Final = {
    "audioTimestamp": True,
    "audioTranscriptionConfig": {"a": 1},
    "enableAffectiveDialog": True,
    "enableEnhancedCivicAnswers": True,
    "imageConfig": {"aspectRatio": "1:1"},
    "modelSelectionConfig": {"a": 1},
    "routingConfig": {"a": 1},
    "speechConfig": {"languageCode": "en-US"},
    "translationConfig": {"a": 1},
}
OUTPUT: Final = (
    *hold(config(responseMimeType=_JSON), "generationConfig.responseMimeType (application/json)"),
    *hold(config(responseMimeType="text/x.enum"), "generationConfig.responseMimeType (text/x.enum)"),
    *hold(config(responseMimeType=_JSON, responseSchema=_TYPED), "generationConfig.responseSchema"),
    *hold(config(responseMimeType=_JSON, responseJsonSchema=ANSWER), "generationConfig.responseJsonSchema"),
    *hold(config(responseFormat=[{"text": {"mimeType": _JSON}}]), "generationConfig.responseFormat[].text.mimeType"),
    *hold(
        config(responseFormat=[{"text": {"mimeType": _JSON, "schema": ANSWER}}]),
        "generationConfig.responseFormat[].text.schema",
    ),
    *hold(config(responseFormat=[{"image": {"aspectRatio": "1:1"}}]), "generationConfig.responseFormat[].image"),
    *hold(config(responseModalities=["TEXT", "IMAGE"]), "generationConfig.responseModalities (IMAGE)"),
    *hold(
        config(imageConfig={"aspectRatio": "1:1", "imageSize": "2K"}),
        "generationConfig.imageConfig.aspectRatio",
        "generationConfig.imageConfig.imageSize",
    ),
    *hold(config(responseModalities=["AUDIO"]), "generationConfig.responseModalities (AUDIO)"),
    *hold(
        said(_IMAGE, generationConfig={"mediaResolution": "MEDIA_RESOLUTION_HIGH"}), "generationConfig.mediaResolution"
    ),
    *(one(f"generationConfig.{name}", config(**{name: value})) for name, value in _OPTIONS.items()),
)
_THOUGHT: Final = {"text": "Hm.", "thought": True}
THINKING: Final = (
    *hold(config(thinkingConfig={"includeThoughts": True}), "generationConfig.thinkingConfig.includeThoughts"),
    *hold(config(thinkingConfig={"thinkingBudget": 3000}), "generationConfig.thinkingConfig.thinkingBudget"),
    *hold(config(thinkingConfig={"thinkingLevel": "LOW"}), "generationConfig.thinkingConfig.thinkingLevel"),
    *hold(answered(_THOUGHT), "contents[].parts[thought]", "contents[].parts[].thought"),
    *(
        one(
            f"contents[].parts[].thoughtSignature ({maker}'s)",
            called(call={**CALL, "thoughtSignature": sealed(family, "f")}),
        )
        for maker, family in MAKERS.items()
    ),
)
_ANY: Final = {
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "cachedContent": "cachedContents/1",
    "continuationToken": "dG9r",
    "labels": {"team": "a"},
    "serviceTier": "flex",
    "store": True,
    "modelArmorConfig": {"a": 1},
    "sessionId": "talk-1",
    "model": "models/m",
    "xUnknown": 1,
}
OTHER: Final = (
    *(
        one(
            name,
            contents(**{name: value}),
            "it leads to the upstream, which has its own name for it" if name == "model" else "",
        )
        for name, value in _ANY.items()
    ),
    one("generationConfig.xUnknown", config(xUnknown=1)),
    one("contents[].xUnknown", contents(contents=[{**GO, "xUnknown": 1}])),
)
CONTENTS: Final = (
    Group("Conversation", CONVERSATION),
    Group("Content", CONTENT),
    Group("Tools", TOOLS),
    Group("Sampling", SAMPLING),
    Group("Output", OUTPUT),
    Group("Thinking", THINKING),
    Group("Other", OTHER),
)

"""docs/compatibility.md is what the code does, holds every field, and nothing in it is lost in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import msgspec
import pytest
from anthropic.types.beta.beta_content_block_param import BetaContentBlockParam
from anthropic.types.beta.beta_tool_union_param import BetaToolUnionParam
from anthropic.types.beta.message_create_params import MessageCreateParamsBase
from google.genai import types as google
from openai.types.chat.chat_completion_content_part_param import ChatCompletionContentPartParam
from openai.types.chat.chat_completion_tool_union_param import ChatCompletionToolUnionParam
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from openai.types.responses.tool_param import ToolParam
from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

from gateway.dialects.anthropic import blocks
from gateway.dialects.anthropic import wire as messages
from gateway.dialects.gemini import inbound_wire as contents
from gateway.dialects.gemini.inbound_wire import camel
from gateway.dialects.openai_chat import wire as chat
from gateway.dialects.openai_responses import wire as responses
from gateway.errors import CallerError
from gateway.routes import DialectName
from tests.compatibility.judging import COLUMNS, Verdict
from tests.compatibility.page import DIALECTS, judged, written
from tests.compatibility.probing import Probe
from tests.properties.leaves.changes import Change
from tests.properties.leaves.exempt import ABSENT
from tests.translating import Upstreams

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
WIRES: dict[DialectName, tuple[ModuleType, ...]] = {
    "openai-chat": (chat,),
    "openai-responses": (responses,),
    "anthropic": (messages, blocks),
    "gemini": (contents,),
}
CALLS, PART = "messages[].tool_calls[]", "contents[].parts[]"
# where the structs of the wire stand, by dialect
PLACES: dict[DialectName, dict[str, str]] = {
    "openai-chat": {
        "Body": "",
        "Message": "messages[]",
        "Marked": "messages[]",
        "_Control": "messages[].cache_control",
        "_Breakpoint": "messages[].prompt_cache_breakpoint",
        "TextPart": "messages[].content[]",
        "RefusalPart": "messages[].content[]",
        "ImagePart": "messages[].content[]",
        "Picture": "messages[].images[]",
        "AudioPart": "messages[].content[]",
        "FilePart": "messages[].content[]",
        "VideoPart": "messages[].content[]",
        "ThinkingPart": "messages[].content[]",
        "SummaryPart": "messages[].content[]",
        "VideoURL": "messages[].content[].video_url",
        "ImageURL": "messages[].content[].image_url",
        "InputAudio": "messages[].content[].input_audio",
        "File": "messages[].content[].file",
        "Google": f"{CALLS}.extra_content.google",
        "Kept": "messages[].extra_content.gateway",
        "Thought": "messages[].extra_content.gateway.blocks[]",
        "ExtraContent": "messages[].extra_content",
        "SpecificFields": "messages[].provider_specific_fields",
        "FunctionCall": f"{CALLS}.function",
        "CustomCall": f"{CALLS}.custom",
        "ToolCall": CALLS,
        "ThinkingBlock": "messages[].thinking_blocks[]",
        "ReasoningDetail": "messages[].reasoning_details[]",
        "Function": "tools[].function",
        "Custom": "tools[].custom",
        "Tool": "tools[]",
        "Named": "tool_choice.function",
        "Choice": "tool_choice",
        "AllowedTools": "tool_choice.allowed_tools",
        "ToolChoice": "tool_choice",
        "JSONSchema": "response_format.json_schema",
        "ResponseFormat": "response_format",
        "StreamOptions": "stream_options",
        "Usage": "usage",
        "ImageConfig": "image_config",
        "Reasoning": "reasoning",
        "Thinking": "thinking",
        "ThinkingConfig": "extra_body.google.thinking_config",
        "GoogleOptions": "extra_body.google",
        "ExtraBody": "extra_body",
        "SearchOptions": "web_search_options",
        "UserLocation": "web_search_options.user_location",
    },
    "openai-responses": {
        "Body": "",
        "InputText": "input[].content[]",
        "OutputText": "input[].content[]",
        "InputImage": "input[].content[]",
        "InputFile": "input[].content[]",
        "SealedText": "input[].content[]",
        **dict.fromkeys(
            ("_Item", "Message", "AgentMessage", "Call", "CustomCall", "Output", "Ran", "RanOutput", "ReasoningItem"),
            "input[]",
        ),
        **dict.fromkeys(("Picture", "_Tools", "_Head", "Update"), "input[]"),
        "UpdatedReasoning": "input[].reasoning",
        "UpdatedText": "input[].text",
        "Words": "input[].summary[]",
        "FunctionTool": "tools[]",
        "CustomTool": "tools[]",
        "NamespaceTool": "tools[]",
        "Named": "tool_choice",
        "Choice": "tool_choice",
        "_Cached": "prompt_cache_options",
        "Format": "text.format",
        "TextOptions": "text",
        "Reasoning": "reasoning",
    },
    "anthropic": {
        "Request": "",
        "Message": "messages[]",
        "TurnConfig": "messages[].output_config",
        "Metadata": "metadata",
        "Thinking": "thinking",
        "Format": "output_config.format",
        "OutputConfig": "output_config",
        "ToolChoice": "tool_choice",
        "Tool": "tools[]",
        "TypedTool": "tools[]",
        "Source": "messages[].content[].source",
        **dict.fromkeys(("Text", "Image", "Document", "SearchResult", "blocks.Thinking"), "messages[].content[]"),
        **dict.fromkeys(("RedactedThinking", "ToolUse", "ToolResult"), "messages[].content[]"),
        "ToolReference": "messages[].content[].content[]",
        "ChangedTool": "messages[].content[].tool",
    },
    "gemini": {
        "Request": "",
        "Content": "contents[]",
        "_Plain": "contents[]",
        "Blob": f"{PART}.inlineData",
        "File": f"{PART}.fileData",
        "FunctionCall": f"{PART}.functionCall",
        "FunctionResponse": f"{PART}.functionResponse",
        "Resolution": f"{PART}.mediaResolution",
        "Declaration": "tools[].functionDeclarations[]",
        "ToolConfig": "toolConfig",
        "Calling": "toolConfig.functionCallingConfig",
        "Config": "generationConfig",
        "ImageConfig": "generationConfig.imageConfig",
        "TextFormat": "generationConfig.responseFormat[].text",
        "Thinking": "generationConfig.thinkingConfig",
    },
}
OF_COUNTING = "Count"  # holds a whole request
# what the SDKs of the vendors know, by the list in which it stands
KINDS: dict[tuple[DialectName, str], Any] = {
    ("openai-chat", "messages[].content"): ChatCompletionContentPartParam,
    ("openai-chat", "tools"): ChatCompletionToolUnionParam,
    ("openai-responses", "input"): ResponseInputItemParam,
    ("openai-responses", "tools"): ToolParam,
    ("anthropic", "messages[].content"): BetaContentBlockParam,
    ("anthropic", "tools"): BetaToolUnionParam,
}
PARAMETERS: dict[DialectName, Any] = {
    "openai-chat": CompletionCreateParamsBase,
    "openai-responses": ResponseCreateParamsBase,
    "anthropic": MessageCreateParamsBase,
}
MODELS: dict[str, type[BaseModel]] = {
    "generationConfig": google.GenerationConfig,
    "toolConfig": google.ToolConfig,
    "generationConfig.thinkingConfig": google.ThinkingConfig,
    f"{PART}.functionCall": google.FunctionCall,
    f"{PART}.functionResponse": google.FunctionResponse,
    "tools[].functionDeclarations[]": google.FunctionDeclaration,
}
BY_FIELD: dict[str, type[BaseModel]] = {"tools": google.Tool, "contents[].parts": google.Part}
PLAIN = ("custom", "message", "function")  # types that may be left out
DATED = re.compile(r"_20\d\d[_\d]*$")


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Upstreams:
    return Upstreams(str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Upstreams:
    return Upstreams(str(tmp_path_factory.mktemp("strict")), lossy="strict")


@pytest.fixture(scope="module")
def verdicts(upstreams: Upstreams) -> dict[DialectName, list[tuple[Probe, dict[str, Verdict]]]]:
    return {
        dialect: [tried for group in groups for tried in judged(upstreams, dialect, group)]
        for dialect, (_, groups) in DIALECTS.items()
    }


def probes(dialect: DialectName) -> list[Probe]:
    return [probe for group in DIALECTS[dialect][1] for probe in group.probes]


def paths(dialect: DialectName) -> set[str]:
    """Give every path that is tried, with those above it; kinds are left out."""
    found = {re.sub(r"\[[^\]]*\]", "[]", probe.path.partition(" ")[0]) for probe in probes(dialect)}
    return {path[: end.start()] for path in found for end in re.finditer(r"(?=[.\[])|$", path)}


def by_field(dialect: DialectName) -> Iterator[str]:
    """Give the fields by which elements of a list without types are told apart: the element is what is tried."""
    for probe in probes(dialect):
        found = re.fullmatch(r"(.+)\[(\w+)\]", probe.path)
        element = Change(probe.place, ABSENT).before(probe.request) if found is not None else None
        if found is not None and isinstance(element, dict) and "type" not in element and found[2] in element:
            yield f"{found[1]}[].{found[2]}"


def kinds(union: Any) -> Iterator[str]:
    """Give the types of a union of the SDKs' dictionaries, without their dates."""
    if is_typeddict(union):
        kind = get_type_hints(union).get("type")
        yield from (DATED.sub("", one) for one in re.findall(r"'([^']*)'", str(kind)))
    for inner in get_args(union):
        yield from kinds(inner)


def structs(dialect: DialectName) -> list[type[msgspec.Struct]]:
    found = [value for module in WIRES[dialect] for value in vars(module).values() if isinstance(value, type)]
    own = {module.__name__ for module in WIRES[dialect]}
    return [one for one in found if issubclass(one, msgspec.Struct) and one.__module__ in own]


def test_page_is_what_the_code_does(upstreams: Upstreams) -> None:
    assert PAGE.read_text("utf-8") == written(upstreams), "run python -m tests.compatibility"


@pytest.mark.parametrize("dialect", WIRES)
def test_every_field_that_is_read_is_tried(dialect: DialectName) -> None:
    tried, missing = paths(dialect) | {*by_field(dialect)}, []
    for struct in structs(dialect):
        if struct.__name__ == OF_COUNTING:
            continue
        place = PLACES[dialect]["blocks.Thinking" if struct is blocks.Thinking else struct.__name__]
        names = [field.encode_name for field in msgspec.structs.fields(struct)]
        missing += [path for name in names if (path := f"{place}.{name}".lstrip(".")) not in tried]
    assert missing == []


@pytest.mark.parametrize("dialect", PARAMETERS)
def test_every_parameter_of_the_sdk_is_tried(dialect: DialectName) -> None:
    assert set(get_type_hints(PARAMETERS[dialect])) - paths(dialect) == set()


@pytest.mark.parametrize(("dialect", "place"), KINDS)
def test_every_kind_of_part_item_and_tool_of_the_sdk_is_tried(dialect: DialectName, place: str) -> None:
    tried = {
        DATED.sub("", found[1])
        for probe in probes(dialect)
        if (found := re.match(rf"{re.escape(place)}\[(\w+)\]", probe.path)) is not None
    }
    assert set(kinds(KINDS[dialect, place])) - tried - set(PLAIN) == set()


@pytest.mark.parametrize("place", MODELS)
def test_every_field_of_the_sdk_of_google_is_tried(place: str) -> None:
    names = {f"{place}.{camel(name)}" for name in MODELS[place].model_fields}
    assert names - paths("gemini") == set()


@pytest.mark.parametrize("place", BY_FIELD)
def test_every_kind_of_part_and_tool_of_the_sdk_of_google_is_tried(place: str) -> None:
    tried = {re.sub(r"\[(\w+)\]", r"[].\1", probe.path).partition(" ")[0] for probe in probes("gemini")}
    fields = {f"{place}[].{camel(name)}" for name in BY_FIELD[place].model_fields}
    assert fields - tried - paths("gemini") == set()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_is_lost_in_silence(
    verdicts: dict[DialectName, list[tuple[Probe, dict[str, Verdict]]]], dialect: DialectName
) -> None:
    silent = [
        f"{probe.path} at {column}"
        for probe, by_column in verdicts[dialect]
        for column, verdict in by_column.items()
        if verdict.fate == "silent"
    ]
    assert silent == []


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_strict_mode_refuses_what_is_told_as_a_change_or_as_content_and_nothing_else(
    upstreams: Upstreams, strict: Upstreams, dialect: DialectName, column: str
) -> None:
    wrong = []
    for probe in probes(dialect):
        sent = upstreams.send(dialect, COLUMNS[column], probe.request)
        refused = isinstance(sent, CallerError) or any(loss.severity != "hint" for loss in sent.losses)
        if isinstance(strict.send(dialect, COLUMNS[column], probe.request), CallerError) != refused:
            wrong.append(probe.path)
    assert wrong == []

"""The wire structs of a Responses request: what callers send. They never leave this package.

Null and absent mean the same to this dialect, except in `Raw` fields, where absent is UNSET. Items and tools stay raw
here, because their type decides how they are read.
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import Decoder

from gateway.dialects.known import Closed
from gateway.dialects.openai_chat.wire import AudioPart, Effort, Marked, RefusalPart, StreamOptions, TextPart

__all__ = [
    "AGENT_MESSAGE",
    "CACHED",
    "CALL",
    "CONTROL",
    "CUSTOM",
    "CUSTOM_CALL",
    "FUNCTION",
    "HEAD",
    "KNOWN",
    "MESSAGE",
    "NAMESPACE",
    "OUTPUT",
    "PICTURE",
    "RAN",
    "RAN_OUTPUT",
    "REASONING",
    "TOOLS",
    "UPDATE",
    "Body",
    "Choice",
    "CustomTool",
    "Format",
    "FunctionTool",
    "InputFile",
    "InputImage",
    "InputText",
    "Message",
    "Named",
    "OutputText",
    "Part",
    "Reasoning",
    "ReasoningItem",
    "SealedText",
    "Update",
]

_Name = Annotated[str, Meta(min_length=1)]


class InputText(Marked, tag="input_text", kw_only=True):
    """Words of the caller."""

    text: str


class OutputText(Marked, tag="output_text", kw_only=True):
    """Words of an earlier answer."""

    text: str
    annotations: Raw | UnsetType = UNSET
    logprobs: Raw | UnsetType = UNSET


class InputImage(Marked, tag="input_image", kw_only=True):
    """A picture, as data URL or address."""

    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class InputFile(Marked, tag="input_file", kw_only=True):
    """A document: base64, data URL or address."""

    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None


class SealedText(Marked, tag="encrypted_content", kw_only=True):
    """What one agent of Codex tells another: sealed by OpenAI, plain where another model told it."""

    encrypted_content: str


Part = InputText | OutputText | TextPart | RefusalPart | InputImage | InputFile | AudioPart | SealedText


class _Item(Closed, kw_only=True):
    """What stands in every item; who made it, and how far it has come, says nothing to a model."""

    type: str | None = None
    id: str | None = None
    status: str | None = None


class Message(_Item, kw_only=True):
    """A message of any role."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part]
    phase: str | None = None


class AgentMessage(_Item, kw_only=True):
    """What an agent tells another; its words begin with who says it to whom."""

    content: list[Part]
    author: str | None = None
    recipient: str | None = None


class Call(_Item, kw_only=True):
    """A call of a function; some servers write its arguments as an object, and their callers send it back."""

    call_id: _Name
    name: _Name
    arguments: str | dict[str, Raw] | None = None
    namespace: str | None = None


class CustomCall(_Item, kw_only=True):
    """A call of a free-form tool."""

    call_id: _Name
    name: _Name
    input: str | None = None
    namespace: str | None = None


class Output(_Item, kw_only=True):
    """What a function or free-form tool gave back; of a function, its `name` may say whose it is."""

    call_id: _Name | None = None
    output: str | list[Part]
    name: str | None = None
    namespace: str | None = None


class Ran(_Item, kw_only=True):
    """A call of a tool that OpenAI defines and the caller runs: a shell, a patch."""

    call_id: _Name
    action: Raw | UnsetType = UNSET
    operation: Raw | UnsetType = UNSET


class RanOutput(_Item, kw_only=True):
    """What came of it. Of the oldest kind, `id` is that of the call."""

    call_id: str | None = None
    output: Raw | UnsetType = UNSET
    max_output_length: Raw | UnsetType = UNSET


class Words(Closed, kw_only=True):
    """A paragraph of thoughts or of their summary."""

    type: str = "summary_text"
    text: str


class ReasoningItem(_Item, kw_only=True):
    """Thoughts: in words, and sealed."""

    summary: list[Words] | None = None
    content: list[Words] | None = None
    encrypted_content: str | None = None


class Picture(_Item, kw_only=True):
    """A picture that was drawn, in base64."""

    result: str | None = None
    output_format: str | None = None


class _Tools(_Item, kw_only=True):
    """Tools that join in the course of a conversation."""

    role: str | None = None
    tools: list[Raw]
    call_id: str | None = None
    execution: str | None = None


class _Head(Struct):
    """What tells the kind of an item or a tool."""

    type: str | None = None
    role: str | None = None
    id: str | None = None


class FunctionTool(Closed, kw_only=True):
    """A function that may be called."""

    type: str = "function"
    name: _Name
    description: str | None = None
    parameters: Raw | UnsetType = UNSET
    strict: bool | None = None


class CustomTool(Closed, kw_only=True):
    """A free-form tool: it takes text, not JSON."""

    type: str
    name: _Name
    description: str | None = None
    format: Raw | UnsetType = UNSET


class NamespaceTool(Closed, kw_only=True):
    """Functions and free-form tools under one name."""

    type: str
    name: _Name
    description: str | None = None
    tools: list[Raw]


class Named(Closed, kw_only=True):
    """A tool, by what it is and its name."""

    type: str
    name: str | None = None
    namespace: str | None = None
    server_label: str | None = None


class Choice(Named, kw_only=True):
    """`tool_choice` that is more than a word."""

    mode: Literal["auto", "required"] | None = None
    tools: list[Named] | None = None


class Format(Closed, kw_only=True):
    """The form of the answer; the fields of a schema stand beside its type."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: Raw | UnsetType = UNSET
    strict: bool | None = None


class TextOptions(Closed, kw_only=True):
    """How the words of the answer are to be."""

    format: Format | None = None
    verbosity: str | None = None


_Summary = Literal["auto", "concise", "detailed", "none"]


class Reasoning(Closed, kw_only=True):
    """How much to think, and how much of it to show. `generate_summary` is the older name."""

    effort: Effort | None = None
    summary: _Summary | None = None
    generate_summary: _Summary | None = None
    mode: str | None = None
    context: str | None = None


class UpdatedText(Closed, kw_only=True):
    """The form of the answers from here on."""

    format: Format | None = None


class UpdatedReasoning(Closed, kw_only=True):
    """How much to think from here on."""

    effort: Effort | None = None


class Update(_Item, kw_only=True):
    """Settings that hold until another update."""

    reasoning: UpdatedReasoning | None = None
    text: UpdatedText | None = None


class _Cached(Struct, kw_only=True):
    """What of the options of the prompt cache concerns the answer: there is none."""

    prewarm: bool | None = None


class Body(Struct, kw_only=True):
    """The fields that are read. What is not here stays as it came."""

    model: str | None = None
    input: str | list[Raw] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    background: bool | None = None
    conversation: Raw | UnsetType = UNSET
    prompt: Raw | UnsetType = UNSET

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    include: list[str] | None = None

    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None

    tools: list[Raw] | None = None
    tool_choice: Choice | str | None = None
    parallel_tool_calls: bool | None = None

    text: TextOptions | None = None
    reasoning: Reasoning | None = None

    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


KNOWN: Final = frozenset(Body.__struct_fields__)

HEAD: Final = Decoder(_Head)
MESSAGE: Final = Decoder(Message)
AGENT_MESSAGE: Final = Decoder(AgentMessage)
CALL: Final = Decoder(Call)
CUSTOM_CALL: Final = Decoder(CustomCall)
OUTPUT: Final = Decoder(Output)
RAN: Final = Decoder(Ran)
RAN_OUTPUT: Final = Decoder(RanOutput)
PICTURE: Final = Decoder(Picture)
REASONING: Final = Decoder(ReasoningItem)
TOOLS: Final = Decoder(_Tools)
UPDATE: Final = Decoder(Update)
CACHED: Final = Decoder(_Cached)
CONTROL: Final = Decoder(Reasoning)
FUNCTION: Final = Decoder(FunctionTool)
CUSTOM: Final = Decoder(CustomTool)
NAMESPACE: Final = Decoder(NamespaceTool)

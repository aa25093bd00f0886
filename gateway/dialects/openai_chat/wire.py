"""The wire structs of Chat Completions: what callers send. They never leave this package.

Null and absent mean the same to this dialect, except in `Raw` fields, where absent is UNSET.
"""

from collections.abc import Callable
from typing import Annotated, Final, Literal, TypeGuard

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import Decoder

from gateway import ir
from gateway.dialects.known import Closed, understood
from gateway.dialects.marks import CONTROL, read_control
from gateway.dialects.place import Place
from gateway.dialects.raw import NULL
from gateway.dialects.services import Location, SearchContextSize

__all__ = [
    "MARKS",
    "SERVICES",
    "AudioPart",
    "Body",
    "Custom",
    "Effort",
    "ExtraContent",
    "FilePart",
    "Function",
    "FunctionCall",
    "ImagePart",
    "Marked",
    "Message",
    "Named",
    "Part",
    "ReasoningDetail",
    "RefusalPart",
    "SpecificFields",
    "SummaryPart",
    "TextPart",
    "ThinkingBlock",
    "ThinkingConfig",
    "ThinkingPart",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "VideoPart",
    "given",
]


class Marked(Closed):
    """What callers hang on messages, parts and tools to steer the prompt cache."""

    cache_control: Raw | UnsetType = UNSET
    prompt_cache_breakpoint: Raw | UnsetType = UNSET

    def mark(self, path: str, losses: list[ir.Loss]) -> ir.Mark | None:
        """Read the mark: Anthropic's, as other servers take it from callers of this dialect, else OpenAI's own."""
        found = [
            mark
            for name, read in _READ.items()
            if given(raw := getattr(self, name)) and (mark := read(raw, Place(f"{path}.{name}", losses)))
        ]
        losses += [ir.Loss(other.path, "cache_control already says it", "hint") for other in found[1:]]
        return found[0] if found else None


class _Breakpoint(Closed):
    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None


MARKS: Final = Marked.__struct_fields__
_BREAKPOINT: Final = Decoder(_Breakpoint)


def _breakpoint(raw: Raw, place: Place) -> ir.Mark | None:
    said = understood(raw, _BREAKPOINT, place)
    return None if said is None else ir.Mark(path=place.path, ttl=said.ttl)


_READ: Final[dict[str, Callable[[Raw, Place], ir.Mark | None]]] = {
    CONTROL: read_control,
    "prompt_cache_breakpoint": _breakpoint,
}


class TextPart(Marked, tag="text", kw_only=True):
    """Words."""

    text: str


class RefusalPart(Marked, tag="refusal", kw_only=True):
    """What an assistant would not do."""

    refusal: str


class ImageURL(Closed):
    url: str
    detail: str | None = None


class ImagePart(Marked, tag="image_url", kw_only=True):
    """A picture, as data URL or address; some clients leave out the inner object."""

    image_url: ImageURL | str


class InputAudio(Closed):
    data: str
    format: str


class Picture(Closed, tag="image_url", kw_only=True):
    """One that an answer showed beside its words."""

    image_url: ImageURL | str
    index: int | None = None


class AudioPart(Marked, tag="input_audio", kw_only=True):
    """Sound in base64."""

    input_audio: InputAudio


class File(Closed):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(Marked, tag="file", kw_only=True):
    """A document, in base64 or as data URL."""

    file: File


class VideoURL(Closed):
    url: str


class VideoPart(Marked, tag="video_url", kw_only=True):
    """A video, as data URL or address: no field of OpenAI's, but of most servers that are compatible."""

    video_url: VideoURL | str


class ThinkingPart(Marked, tag="thinking", kw_only=True):
    """Thoughts among the words of an answer, as Mistral has them."""

    thinking: str | list[Raw] = ""
    closed: Raw | UnsetType = UNSET


class SummaryPart(Marked, tag="reasoning", kw_only=True):
    """The same as Databricks has them."""

    summary: str | list[Raw] = ""


Part = TextPart | RefusalPart | ImagePart | AudioPart | FilePart | VideoPart | ThinkingPart | SummaryPart


class Google(Closed):
    thought_signature: str | None = None


class Thought(Closed):
    thinking: str = ""
    signature: str | None = None
    calls: int = 0


class Kept(Closed):
    """What this gateway has given out: see `answer.Kept`."""

    thoughts: str | None = None
    blocks: list[Thought] | None = None


class ExtraContent(Closed):
    """Where Google's own compatibility layer carries thought signatures; `gateway` is ours."""

    google: Google | None = None
    gateway: Kept | None = None


class SpecificFields(Closed):
    """Where LiteLLM keeps what it does not know of a whole answer."""

    extra_content: ExtraContent | None = None


class FunctionCall(Closed):
    """A function with its arguments as JSON text; some servers write an object, and their callers send it back."""

    name: str
    arguments: str | dict[str, Raw] | None = None


class CustomCall(Closed):
    name: str
    input: str | None = None


class ToolCall(Closed, kw_only=True):
    """One call in an assistant message, of a function or of a free-form tool."""

    id: str
    type: str | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    extra_content: ExtraContent | None = None
    index: Raw | UnsetType = UNSET


class ThinkingBlock(Closed):
    """A thinking block as Anthropic writes it; some clients keep them in Chat histories."""

    type: str = "thinking"
    thinking: str = ""
    signature: str | None = None
    data: str | None = None


class ReasoningDetail(Closed):
    """The same as OpenRouter writes it. `id` of an encrypted one may name the tool call that it signs."""

    type: str = "reasoning.text"
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None


class Message(Marked, kw_only=True):
    """A message of any role, with the fields that other servers add to it."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    extra_content: ExtraContent | None = None
    provider_specific_fields: Raw | UnsetType = UNSET
    images: Raw | UnsetType = UNSET
    audio: Raw | UnsetType = UNSET
    annotations: Raw | UnsetType = UNSET


class Function(Closed, kw_only=True):
    """A function that may be called."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    parameters: Raw | UnsetType = UNSET
    strict: bool | None = None


class Custom(Closed, kw_only=True):
    """A free-form tool: it takes text, not JSON."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    format: Raw | UnsetType = UNSET


SERVICES: Final = {"google_search": "googleSearch", "url_context": "urlContext", "code_execution": "codeExecution"}


class Tool(Marked, kw_only=True, rename=SERVICES):
    """One entry of `tools`; Google's services are called here as LiteLLM's clients call them."""

    type: str = "function"
    function: Function | None = None
    custom: Custom | None = None
    google_search: Raw | UnsetType = UNSET
    url_context: Raw | UnsetType = UNSET
    code_execution: Raw | UnsetType = UNSET


class Named(Closed):
    """A tool by its name."""

    name: str


class Choice(Closed):
    """One entry of `allowed_tools`."""

    type: str = "function"
    function: Named | None = None
    custom: Named | None = None


class AllowedTools(Closed):
    tools: list[Choice]
    mode: Literal["auto", "required"] = "auto"


class ToolChoice(Choice):
    """`tool_choice` that is more than a word."""

    allowed_tools: AllowedTools | None = None


class JSONSchema(Closed, kw_only=True):
    name: str | None = None
    description: str | None = None
    schema: Raw | UnsetType = UNSET
    strict: bool | None = None


class ResponseFormat(Closed):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None


class StreamOptions(Closed):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Usage(Closed):
    """How OpenRouter's callers ask for the tokens of a stream."""

    include: bool | None = None


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "auto"]


class UserLocation(Closed):
    """Where the user is."""

    type: Literal["approximate"]
    approximate: Location


class SearchOptions(Closed):
    """How the web is searched."""

    search_context_size: SearchContextSize | None = None
    user_location: UserLocation | None = None


class Reasoning(Closed):
    """OpenRouter's control."""

    effort: Effort | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class Thinking(Closed):
    """Anthropic's control."""

    type: Literal["enabled", "adaptive", "between_tools", "disabled"]
    budget_tokens: int | None = None
    display: str | None = None


class ThinkingConfig(Closed, rename={"budget": "thinking_budget", "level": "thinking_level"}):
    """Google's control."""

    budget: int | None = None
    level: str | None = None
    include_thoughts: bool | None = None


class GoogleOptions(Closed):
    thinking_config: ThinkingConfig | None = None
    cached_content: str | None = None
    safety_settings: Raw | UnsetType = UNSET


class ExtraBody(Closed):
    google: GoogleOptions | None = None


class ImageConfig(Closed, rename={"ratio": "aspect_ratio", "size": "image_size"}):
    """How pictures are to be, as OpenRouter's callers say it."""

    ratio: str | None = None
    size: str | None = None


_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_Positive = Annotated[int, Meta(ge=1)]


class Body(Struct, kw_only=True):
    """The fields that are read. What is not here stays as it came."""

    model: str | None = None
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    usage: Raw | UnsetType = UNSET

    max_tokens: _Positive | None = None
    max_completion_tokens: _Positive | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=-1)] | None = None
    seed: int | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    stop: str | list[str] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None

    tools: list[Tool] | None = None
    tool_choice: ToolChoice | str | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Function] | None = None
    function_call: Named | str | None = None
    web_search_options: SearchOptions | None = None

    response_format: ResponseFormat | None = None
    modalities: list[str] | None = None
    image_config: ImageConfig | None = None
    audio: Raw | UnsetType = UNSET

    reasoning_effort: Effort | None = None
    reasoning: Reasoning | None = None
    thinking: Thinking | None = None
    extra_body: ExtraBody | None = None
    google: GoogleOptions | None = None

    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    logprobs: bool | None = None
    top_logprobs: int | None = None


def given(raw: Raw | UnsetType) -> TypeGuard[Raw]:
    """Tell whether the caller wrote more than null."""
    return raw is not UNSET and raw != NULL

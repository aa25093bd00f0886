"""The wire structs of a Messages request. They never leave this package.

Null and absent mean the same to this dialect, except in `Raw` fields, where absent is UNSET.
Content blocks stand in `blocks`; here they are `Raw`, because some kinds are kept as they came.
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import Decoder

from gateway.dialects.known import Closed
from gateway.dialects.raw import NULL

__all__ = [
    "CHANGED_TOOL",
    "TOOL",
    "TYPED_TOOL",
    "Content",
    "Effort",
    "Format",
    "Message",
    "Metadata",
    "OutputConfig",
    "Request",
    "Thinking",
    "Tool",
    "ToolChoice",
    "TypedTool",
]

Content = str | list[Raw] | None
Effort = Literal["low", "medium", "high", "xhigh", "max"]

_Name = Annotated[str, Meta(min_length=1)]


class TurnConfig(Closed):
    """How the answer is made from here on."""

    effort: Effort | None = None


class Message(Closed):
    """One turn. Those of the system may have no content, are gone after the user's next one, or set the effort."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Raw] | None = None
    clear_at: Literal["next_user_message", "never"] | None = None
    output_config: TurnConfig | None = None


class Metadata(Closed):
    """Whom the request is made for."""

    user_id: str | None = None


class Thinking(Closed):
    """Whether and how much to think, and how much of it to show."""

    type: Literal["enabled", "adaptive", "between_tools", "disabled"]
    budget_tokens: int | None = None
    display: Literal["summarized", "omitted", "updates"] | None = None


class Format(Closed):
    """The schema that the answer's text must fit."""

    type: Literal["json_schema"]
    schema: Raw


class OutputConfig(Closed):
    """How the answer is made. `format` stood at the top, as `output_format`, before it stood here."""

    effort: Effort | None = None
    format: Format | None = None


class ToolChoice(Closed):
    """Which tools may, must or must not be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Request(Struct, kw_only=True):
    """The fields that are carried. What is not here is refused, reported or kept as it came."""

    model: _Name
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: Content = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    tools: list[Raw] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None
    metadata: Metadata | None = None


class Tool(Struct, kw_only=True):
    """A tool that the caller runs: `type` is absent, null or custom."""

    name: _Name
    type: str | None = None
    description: str | None = None
    input_schema: Raw | UnsetType = UNSET
    strict: bool | None = None


class TypedTool(Struct, kw_only=True):
    """A tool that Anthropic defines, by its dated type."""

    type: str
    name: str | None = None


class ChangedTool(Struct, kw_only=True):
    """Which tool a change within a conversation is about: by its name, or the tool itself."""

    type: Literal["tool_reference", "tool_definition", "mcp_tool_reference", "mcp_toolset_reference"]
    name: str = ""
    definition: Raw = NULL


TOOL: Final = Decoder(Tool)
TYPED_TOOL: Final = Decoder(TypedTool)
CHANGED_TOOL: Final = Decoder(ChangedTool)

"""What codecs towards upstreams share: for whom those of OpenAI and its like write, and what they have written."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.upstream import Edit

__all__ = [
    "ADDED_TOOLS",
    "ASIDES",
    "ATTACHED",
    "DRAWING",
    "IDENTITY",
    "ITEM_METADATA",
    "NOT_SUPPORTED",
    "REFUSED",
    "REMNANTS",
    "RESTING",
    "RESULTS",
    "RETENTION",
    "ROOM",
    "SPELLED",
    "SPELLINGS",
    "STORING",
    "TEXT_ONLY",
    "THOUGHT_PARTS",
    "TIES",
    "UNDESCRIBED",
    "UPDATES",
    "WHOLE_ITEMS",
    "Carriers",
    "Demand",
    "Marking",
    "MaxTokensField",
    "OpenAITarget",
    "OpenAIWritten",
    "emulated",
    "latest",
    "lost_with",
    "tier_of",
    "unread",
]

MaxTokensField = Literal["max_tokens", "max_completion_tokens"]
Carriers = tuple[Literal["extra_content", "reasoning_details"], ...]
Marking = Literal["", "breakpoint", "control"]
Demand = Literal[
    "system roles",
    "leading system",
    "answers",
    "plain ids",
    "short ids",
    "numbered ids",
    "thoughts",
    "words",
    "plain texts",
    "no null",
    "unbounded tools",
    "loose tools",
    "plain tools",
    "arguments",
    "asker",
    "last word",
    "parameters",
    "one thought",
]

IDENTITY: Final = ("user", "safety_identifier", "prompt_cache_key")  # who asks, and in what conversation
STORING: Final = "store"  # whether the server keeps the answer
# what Codex, other agents and OpenRouter's clients add by themselves
ASIDES: Final = ("client_metadata", "access_programs", "usage", "metadata", "truncation")
RETENTION: Final = "prompt_cache_retention"  # which OpenAI's older models do not know
# what it adds to the input of Responses: types of items, and a field of any item
ADDED_TOOLS: Final = "additional_tools"
UPDATES: Final = "configuration_update"
ITEM_METADATA: Final = "internal_chat_message_metadata_passthrough"
THOUGHT_PARTS: Final = ("thinking", "reasoning")  # types of parts, as Mistral and Databricks have them among the words
NOT_SUPPORTED: Final = "this model does not support it"
TEXT_ONLY: Final = "this upstream responds with text only"
UNDESCRIBED: Final = "descriptions"  # stands for those of tools that say nothing
WHOLE_ITEMS: Final = "whole items"  # stands for what items of an input leave out, which OpenAI fills in
SPELLINGS: Final = ("reasoning", "thinking", "enable_thinking")  # of how much to think, beside `reasoning_effort`
SPELLED: Final = "spellings"  # stands for them among the fields that are left out
ROOM: Final = "room"  # stands for the limit of the answer: there is no room for so much, or the model gives less
REFUSED: Final = "this upstream has rejected the field for this model, or calls without results"
RESULTS: Final = "results"  # stands for calls without results, results without calls, thoughts without an answer
TIES: Final = "ties"  # stands for ids that tie what Responses hold to thoughts which are not there, or are too long
SYSTEM_ITEMS: Final = "system"  # stands for messages of the system's in an input
ARGUMENTS: Final = "arguments"  # stands for those of calls that are no object
REMNANTS: Final = "remnants"  # stands for what clients send back of an answer beside its words and calls
ATTACHED: Final = "attached"  # stands for what results of calls show, where only words are taken
RESTING: Final = "resting"  # stands for those of them that keep a model from thinking
# How an answer is drawn, with the values that say nothing.
DRAWING: Final[Mapping[str, float]] = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
_DEFAULTS: Final[Mapping[str, object]] = {
    **DRAWING,
    "parallel_tool_calls": True,
    STORING: False,
    "truncation": "disabled",
}
_TIERS: Final[Mapping[str, ir.Tier]] = {
    "flex": "flex",
    "priority": "priority",
    "ultrafast": "ultrafast",
    "fast": "fast",  # Anthropic's speed
    "on_demand_flex": "flex",  # Vertex AI's types of traffic
    "on_demand_priority": "priority",
}
_HINTS: Final = frozenset({"reasoning_effort", STORING, RETENTION, *IDENTITY, *ASIDES})


class OpenAITarget(Struct, frozen=True, kw_only=True):
    """Whom a request is written for.

    `reasoning`: the model takes `reasoning_effort`, and of that the values of `efforts`, if a refusal has named some;
    `rests`: it can be kept from thinking, by the fields of `quiet` if its server has its own. `max_tokens_field`: how
    Chat Completions calls the limit of the answer. `signatures`: whether kept thoughts are sent back; `carriers`: the
    fields of Chat Completions that take what signs them, and `sentinels`: whether calls of Gemini's that nobody signed
    are marked so. `summaries`: whether Responses may be asked for thoughts.
    `objects`: the model is seen to answer with objects only, as OpenAI's do. `schemas`: whether it may be held to one;
    `forms`: whether a form of the answer may be asked for beside tools.
    `logprobs`: whether the model may be asked how likely its tokens are. `draws`: whether Chat Completions may be asked
    for pictures, and shown videos. `only_functions`: whether functions are the only tools of callers that its Responses
    know, `services`: whether they know tools that it runs itself. `marks`: how its server wants to be told what is to
    be cached, "" = not at all. `demands`: of messages and tools of Chat Completions, see there.
    For a caller's own words: `renames_limit`, whether the limit must be called so; `upstream`, its name here;
    `refused`, the fields that are left out; `thoughtless`, whether messages with thoughts are refused; `keeps`, whether
    it may know what is only named by its id.
    """

    model: str
    reasoning: bool = True
    efforts: tuple[str, ...] = ()
    rests: bool = True
    quiet: Mapping[str, object] = {}
    max_tokens_field: MaxTokensField = "max_completion_tokens"
    max_output: int | None = None
    signatures: bool = True
    carriers: Carriers = ("extra_content",)
    sentinels: bool = False
    summaries: bool = True
    objects: bool = False
    schemas: bool = True
    forms: bool = True
    logprobs: bool = True
    draws: bool = True
    only_functions: bool = False
    services: bool = True
    marks: Marking = ""
    demands: tuple[Demand, ...] = ()
    renames_limit: bool = False
    upstream: str = ""
    refused: tuple[str, ...] = ()
    thoughtless: bool = False
    keeps: bool = True


class OpenAIWritten(Struct, frozen=True, kw_only=True):
    """A request ready to be encoded, and what the reader of its answer must know.

    `custom`: the upstream names of free-form tools that were written as such; `wrapped`: of those that were written as
    functions with one property `input`. `namespaces`: upstream name -> (namespace, name). `choices`: how many answers
    are asked for. `native`: the caller's own words, which go on in the place of `body`, after these `edits`.
    `responses`: it is for Responses, though the upstream is asked for chats.
    """

    body: dict[str, object]
    names: NameMap
    custom: frozenset[str] = frozenset()
    wrapped: frozenset[str] = frozenset()
    namespaces: dict[str, tuple[str, str]] = {}
    choices: int = 1
    losses: tuple[ir.Loss, ...] = ()
    native: Raw | None = None
    edits: tuple[Edit, ...] = ()
    responses: bool = False


def lost_with(name: str, value: object) -> ir.Severity | None:
    """Say how much is lost where a field that was refused is left out, None where its value says nothing."""
    if value == _DEFAULTS.get(name):
        return None
    return "hint" if name in _HINTS else "change"


def emulated(tool: ir.Tool, choice: ir.ToolChoice | None) -> Iterator[ir.Loss]:
    """Tell what becomes of a free-form tool that is written as a function; nothing is lost if none may be called."""
    severity: ir.Severity = "hint" if choice is not None and choice.mode == "none" else "change"
    if tool.free_form:
        yield ir.Loss(tool.path, "emulated: a function with a single argument, input", severity)
    if tool.grammar is not None:
        yield ir.Loss(tool.grammar.path, "the grammar is not enforced", severity)


def latest(given: int | None, before: int) -> int:
    """Give the last value of a counter: none, and one that no answer can have, says nothing."""
    return given if given is not None and 0 < given <= ir.MOST_TOKENS else before


def tier_of(said: object) -> ir.Tier:
    """Tell the tier that has served a request from an upstream's word for it."""
    return _TIERS.get(said.lower(), "") if isinstance(said, str) else ""


def unread(part: ir.Opaque) -> ir.Loss:
    """Say that a block is lost: a service's own may go; a part that a Gemini caller wrote says something."""
    severity: ir.Severity = "content" if part.dialect == "gemini" else "hint"
    return ir.Loss(part.path, f"only {part.dialect} can read a {part.kind} block", severity)

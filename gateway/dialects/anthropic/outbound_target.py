"""Whom a request for Claude is written for."""

from typing import Final

from msgspec import Struct

from gateway.dialects.gemini.thinking import Conflict

__all__ = [
    "EFFORTS",
    "MIDDLE_EFFORTS",
    "NOT_STRICT",
    "NO_THINKING",
    "NO_THOUGHT",
    "PLAIN",
    "SERVICES",
    "UNFORCED",
    "UNLED",
    "AnthropicTarget",
]

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
MIDDLE_EFFORTS: Final = EFFORTS[:3]  # which every model with an effort takes
NO_THINKING: Final = "this model, or this conversation, takes no thinking"
NO_THOUGHT: Final = " "  # an empty one counts as none
PLAIN: Final = "plain_ids"  # the cause of a refusal of ids
UNFORCED: Final = "this model cannot be forced to call a tool: the call was made optional"
UNLED: Final = "thinking is off: this tool loop came back without its signed thoughts"
NOT_STRICT: Final = "this model has no strict tool calls"
SERVICES: Final = frozenset({"web_search", "web_fetch", "code_execution"})


class AnthropicTarget(Struct, frozen=True, kw_only=True):
    """The model that a request is for, and what it takes.

    `max_output`: its limit, None = unknown. `adaptive`: it thinks as much as it finds right, by one of the `efforts`,
    not by a budget; `rests`: it can be kept from thinking; `between`: but for what it thinks between calls. `forced`:
    to call a tool. `sampling`: temperature and its like; `both_samplings`: temperature together with `top_p`.
    `signatures`: whether signed thoughts are sent back; `echoes`: it is no Claude, and wants thoughts with each of its
    answers, signed or not. `system_turns`: instructions within the conversation.
    `counted`: the ids of calls are Kimi's. `structured`: answers and calls by a schema. `services`: the built-in tools
    that there are. `thinking_conflict`: see [translate].
    """

    model: str
    max_output: int | None = None
    adaptive: bool = False
    efforts: tuple[str, ...] = EFFORTS
    rests: bool = True
    between: bool = False
    forced: bool = True
    sampling: bool = True
    both_samplings: bool = True
    signatures: bool = True
    echoes: bool = False
    system_turns: bool = False
    counted: bool = False
    thinking_conflict: Conflict = "clamp"
    structured: bool = True
    services: frozenset[str] = SERVICES

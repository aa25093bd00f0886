"""What `POST /v1/messages` and its count refuse of a body: first what is no body, then what cannot be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fakes import anthropic_api_conversation as conversation
from tests.fakes import anthropic_api_limits as limits
from tests.fakes import anthropic_api_thinking as thinking
from tests.fakes import anthropic_api_tools as tools
from tests.fakes.anthropic_api_asked import Asked
from tests.fakes.anthropic_api_blocks import CACHE, COMPACTION, FALLBACK, MCP, message, system, words
from tests.fakes.anthropic_api_shapes import (
    Betas,
    Shape,
    anything,
    array,
    boolean,
    either,
    gated,
    integer,
    mapping,
    number,
    obj,
    optional,
    tagged,
    text,
    word,
)

__all__ = ["judge", "shaped"]

_display = optional(limits.display)
_bound = {
    "display": _display,
    "block_binding": gated(optional(mapping), "thinking-binding-controls-2026-08-01"),
}
_thinking = tagged(
    {
        "enabled": obj({"type": words, "budget_tokens": integer(1024)}, _bound),
        "disabled": obj({"type": words}),
        "adaptive": obj({"type": words}, _bound),
        "between_tools": obj({"type": words}),
    }
)
_format = obj({"type": word("json_schema"), "schema": mapping})
_output_config = obj(
    {},
    {
        "effort": optional(word("low", "medium", "high", "xhigh", "max")),
        "format": optional(_format),
        "task_budget": gated(
            optional(obj({"type": word("tokens"), "total": integer(1)}, {"remaining": optional(integer(0))})),
            "task-budgets-2026-03-13",
        ),
    },
)
_mcp_server = obj(
    {"type": word("url"), "url": words, "name": words},
    {"authorization_token": optional(words), "tool_configuration": optional(mapping)},
)
_thread = tagged({"create": obj({"type": words}), "continue": obj({"type": words, "previous_message_id": words})})
_compaction = obj({"type": word("summarize")}, {"instructions": optional(words)})
_fallbacks = either(word("default"), array(mapping))

# what both a message and a count of one may have
_BOTH: dict[str, Shape] = {
    **CACHE,
    "output_config": optional(_output_config),
    "output_format": gated(optional(_format), "structured-outputs-2025-11-13"),
    "speed": optional(word("standard", "fast")),
    "system": system,
    "thinking": _thinking,
    "tool_choice": tools.choice_shape,
    "tools": tools.tools_shape,
    "billing_policy": gated(optional(mapping), "user-profiles-billing-2026-10-01"),
    "compaction": gated(optional(_compaction), *COMPACTION),
    "context_management": gated(optional(mapping), "context-management-2025-06-27", *COMPACTION),
    "mcp_servers": gated(array(_mcp_server), *MCP),
}
_ALSO: dict[str, Shape] = {
    **_BOTH,
    "container": optional(either(words, obj({}, {"id": optional(words), "skills": optional(array(mapping))}))),
    "diagnostics": optional(obj({}, {"previous_message_id": optional(words)})),
    "fallback_credit_token": gated(anything, "fallback-credit-2026-06-01", "fallback-credit-2026-07-01"),
    "fallbacks": gated(optional(_fallbacks), *FALLBACK),
    "inference_geo": optional(words),
    "metadata": obj({}, {"user_id": optional(words)}),
    "service_tier": word("auto", "standard_only"),
    "stop_sequences": array(words),
    "stream": boolean,
    "temperature": number(0, 1),
    "thread": gated(optional(_thread), "message-threads-2026-08-12"),
    "top_k": integer(0),
    "top_p": number(0, 1),
}
_NEEDED: dict[str, Shape] = {"messages": array(message)}
_NAMED: dict[str, Shape] = {"model": text(shortest=1)}
_LIMITED: dict[str, Shape] = {"max_tokens": integer(0)}
_ON_VERTEX: dict[str, Shape] = {"anthropic_version": word("vertex-2023-10-16", "2026-10-21")}
_OPTIONAL_ON_VERTEX: dict[str, Shape] = {"anthropic_beta": array(words)}

# the SDK writes the version of the day; everybody else the one of Vertex
# by the platform and by what is asked; Vertex has the model of a message in the path
_SHAPES: dict[tuple[bool, bool], Shape] = {
    (False, False): obj({**_NAMED, **_NEEDED, **_LIMITED}, _ALSO),
    (False, True): obj({**_NAMED, **_NEEDED}, _BOTH),
    (True, False): obj({**_ON_VERTEX, **_NEEDED, **_LIMITED}, {**_ALSO, **_OPTIONAL_ON_VERTEX}),
    (True, True): obj({**_NAMED, **_NEEDED}, {**_BOTH, **_ON_VERTEX, **_OPTIONAL_ON_VERTEX}),
}


def shaped(body: Any, betas: Betas, *, vertex: bool, counting: bool) -> None:
    """Refuse what is no body of this call."""
    _SHAPES[vertex, counting](body, "", betas)


def judge(asked: Asked) -> None:
    """Refuse what cannot be asked."""
    for check in _CHECKS:
        check(asked)


_CHECKS: tuple[Callable[[Asked], None], ...] = (
    limits.output_within_limit,
    limits.sampling_possible,
    limits.stops_say_something,
    conversation.begins_with_the_user,
    conversation.system_in_its_place,
    conversation.blocks_where_they_belong,
    conversation.cached_texts_filled,
    conversation.texts_filled,
    conversation.calls_unique,
    conversation.results_have_calls,
    conversation.calls_have_results,
    conversation.server_calls_have_results,
    conversation.sealed,
    tools.names_unique,
    tools.some_loaded,
    tools.strict_tools,
    tools.references_found,
    tools.choice_possible,
    limits.effort_possible,
    limits.format_possible,
    limits.few_cache_marks,
    thinking.possible,
    thinking.leaves_room,
    thinking.sampled_plainly,
    thinking.begins_the_loop,
    thinking.not_last,
    thinking.passed_back,
    conversation.no_prefill,
    conversation.ends_without_space,
    limits.fits,
)

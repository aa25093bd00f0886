"""Tools: what may be declared, and what may be chosen among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fakes.anthropic_api_asked import Asked, blocks
from tests.fakes.anthropic_api_blocks import CACHE, MCP, citations_config, words
from tests.fakes.anthropic_api_errors import bad
from tests.fakes.anthropic_api_schemas import input_schema, strict_schema
from tests.fakes.anthropic_api_shapes import (
    Shape,
    array,
    boolean,
    either,
    integer,
    mapping,
    obj,
    optional,
    tagged,
    text,
    word,
)

__all__ = [
    "choice_possible",
    "choice_shape",
    "names_unique",
    "references_found",
    "some_loaded",
    "strict_tools",
    "tools_shape",
]

CUSTOM_NAME = "^[a-zA-Z0-9_-]{1,128}$"
COMPUTER = {
    "computer_20241022": ("computer-use-2024-10-22",),
    "computer_20250124": ("computer-use-2025-01-24",),
    "computer_20251124": ("computer-use-2025-11-24",),
    "advisor_20260301": ("advisor-tool-2026-03-01",),
    "mcp_toolset": MCP,
}

_number = optional(integer(1))
_common: dict[str, Shape] = {
    **CACHE,
    "allowed_callers": array(
        word("direct", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521")
    ),
    "defer_loading": boolean,
    "strict": boolean,
}
_examples: dict[str, Shape] = {"input_examples": array(mapping)}
_domains = optional(array(words))
_place = obj(
    {"type": word("approximate")},
    {name: optional(words) for name in ("city", "country", "region", "timezone")},
)
_search = {"allowed_domains": _domains, "blocked_domains": _domains, "max_uses": _number}
_sources = optional(obj({}, dict.fromkeys(("client_tool_results", "server_tool_results", "user_input"), mapping)))
_fetch = {
    **_search,
    "citations": optional(citations_config),
    "max_content_tokens": _number,
    "url_sources": _sources,
}
_screen = {"display_height_px": integer(1), "display_width_px": integer(1)}


def _named(name: str, also: dict[str, Shape] | None = None, needed: dict[str, Shape] | None = None) -> Shape:
    return obj({"type": words, "name": word(name), **(needed or {})}, {**_common, **(also or {})})


_inclusion = {"response_inclusion": word("full", "excluded")}
_located = {**_search, "user_location": optional(_place)}
_cached = {**_fetch, "use_cache": boolean}
_editor = "str_replace_based_edit_tool"
_display = {**_examples, "display_number": optional(integer())}
_toolset = obj({"type": words}, {**CACHE, "configs": optional(mapping)})
_KINDS: dict[str, Shape] = {
    "custom": obj(
        {"name": text(CUSTOM_NAME), "input_schema": input_schema},
        {
            **_common,
            **_examples,
            "type": optional(words),
            "description": words,
            "eager_input_streaming": optional(boolean),
        },
    ),
    "bash_20250124": _named("bash", _examples),
    "text_editor_20250124": _named("str_replace_editor", _examples),
    "text_editor_20250429": _named(_editor, _examples),
    "text_editor_20250728": _named(_editor, {**_examples, "max_characters": _number}),
    "memory_20250818": _named("memory", _examples),
    **{f"code_execution_{date}": _named("code_execution") for date in (20250522, 20250825, 20260120, 20260521)},
    **{f"web_search_{date}": _named("web_search", _located) for date in (20250305, 20260209)},
    "web_search_20260318": _named("web_search", {**_located, **_inclusion}),
    **{f"web_fetch_{date}": _named("web_fetch", _fetch) for date in (20250910, 20260209)},
    "web_fetch_20260309": _named("web_fetch", _cached),
    "web_fetch_20260318": _named("web_fetch", {**_cached, **_inclusion}),
    **dict.fromkeys(("tool_search_tool_bm25_20251119", "tool_search_tool_bm25"), _named("tool_search_tool_bm25")),
    **dict.fromkeys(("tool_search_tool_regex_20251119", "tool_search_tool_regex"), _named("tool_search_tool_regex")),
    "browser_toolset_20260801": _toolset,
    "computer_toolset_20260801": _toolset,
    "computer_20241022": _named("computer", _display, _screen),
    "computer_20250124": _named("computer", _display, _screen),
    "computer_20251124": _named("computer", {**_display, "enable_zoom": boolean}, _screen),
    "advisor_20260301": _named(
        "advisor", {"max_tokens": _number, "max_uses": _number, "caching": CACHE["cache_control"]}, {"model": words}
    ),
    "mcp_toolset": obj(
        {"type": words, "mcp_server_name": words},
        {
            **CACHE,
            "configs": optional(mapping),
            "default_config": mapping,
            "tools": optional(array(either(words, mapping))),
        },
    ),
}
tools_shape = array(tagged(_KINDS, default="custom", needed=COMPUTER))

_parallel = {"disable_parallel_tool_use": boolean}
choice_shape = tagged(
    {
        "auto": obj({"type": words}, _parallel),
        "any": obj({"type": words}, _parallel),
        "tool": obj({"type": words, "name": words}, _parallel),
        "none": obj({"type": words}),
    }
)


def names_unique(asked: Asked) -> None:
    """No two tools have one name."""
    names = [tool["name"] for tool in asked.tools if "name" in tool]
    if len(set(names)) < len(names):
        raise bad("tools", "Tool names must be unique.")


def some_loaded(asked: Asked) -> None:
    """Not every tool waits to be searched for."""
    if asked.tools and all(tool.get("defer_loading") for tool in asked.tools):
        raise bad("", "All tools have defer_loading set. At least one tool must be non-deferred.")


def choice_possible(asked: Asked) -> None:
    """A choice is among tools that are there, and none is forced on a model that thinks with a budget."""
    choice = asked.body.get("tool_choice")
    if choice is None:
        return
    if not asked.tools:
        raise bad("", "tool_choice may only be specified while providing tools.")
    if choice["type"] == "tool" and choice["name"] not in {tool.get("name") for tool in asked.tools}:
        raise bad("", f"Tool '{choice['name']}' not found in provided tools")
    if choice["type"] in {"any", "tool"} and not asked.model.forced:
        raise bad("", 'tool_choice: type "tool" and "any" are not supported for this model.')
    if choice["type"] in {"any", "tool"} and asked.thinking == "enabled":
        raise bad("", "Thinking may not be enabled when tool_choice forces tool use.")


def strict_tools(asked: Asked) -> None:
    """The schema of a strict tool is of the subset that can be enforced."""
    for place, tool in enumerate(asked.tools):
        if tool.get("strict") and "input_schema" in tool:
            strict_schema(tool["input_schema"], f"tools.{place}.custom.input_schema")


def references_found(asked: Asked) -> None:
    """Results refer to tools that are there."""
    names = {tool.get("name") for tool in asked.tools}
    for reference in _references(asked):
        if reference["tool_name"] not in names:
            raise bad("", f"Tool reference '{reference['tool_name']}' not found in available tools")


def _references(asked: Asked) -> Iterator[dict[str, Any]]:
    for message in asked.messages:
        for block in blocks(message):
            content = block.get("content")
            inner = content.get("tool_references") if isinstance(content, dict) else content
            listed = inner if isinstance(inner, list) else []
            yield from (one for one in listed if one.get("type") == "tool_reference")

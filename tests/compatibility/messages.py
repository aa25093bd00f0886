"""The fields of Anthropic Messages."""

from __future__ import annotations

from typing import Any, Final

from gateway import ir
from tests.properties.leaves.material import ANSWER, MARK, PDF, PNG, SCHEMA, SIGNED, Json

from .chat import PLAIN
from .probing import Group, hold, one

__all__ = ["MESSAGES"]

GO: Final = {"role": "user", "content": "Go on."}
CALL: Final = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
RESULT: Final = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "blue", "is_error": True}
THINKS: Final = {"type": "enabled", "budget_tokens": 3000}


def message(**fields: Any) -> Json:
    """Ask something short over Messages."""
    return {"model": "m", "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}], **fields}


def tool(name: str = "weather", **fields: Any) -> Json:
    """Declare a tool."""
    return {"name": name, "description": "Tells it.", "input_schema": PLAIN, **fields}


def said(*blocks: Any, **fields: Any) -> Json:
    """Let a user say words and these blocks."""
    content = [{"type": "text", "text": "What?"}, *blocks]
    return message(messages=[{"role": "user", "content": content}], **fields)


def answered(*blocks: Any, **fields: Any) -> Json:
    """Let an assistant have said words and these blocks."""
    content = [*blocks, {"type": "text", "text": "Yes."}]
    return message(messages=[GO, {"role": "assistant", "content": content}, GO], **fields)


def called(*blocks: Any, call: Json = CALL, result: Json = RESULT, **fields: Any) -> Json:
    """Let an assistant have called a tool, after these blocks."""
    calling, results = {"role": "assistant", "content": [*blocks, call]}, {"role": "user", "content": [result]}
    return message(messages=[GO, calling, results], tools=[tool()], **fields)


def given(*blocks: Any) -> Json:
    """Let a tool have given these blocks back."""
    return called(result={"type": "tool_result", "tool_use_id": "toolu_1", "content": list(blocks)})


def thought(family: ir.Family) -> Json:
    """Think as a model of a family did before."""
    return {"type": "thinking", "thinking": "Hm.", "signature": ir.seal(ir.Signature(family, SIGNED))}


CONVERSATION: Final = (
    *hold(message(), "model", idle="it leads to the upstream, which has its own name for it"),
    *hold(message(system="Be brief."), "system"),
    *hold(message(system=[{"type": "text", "text": "Be brief."}]), "system[text]", "system[].text"),
    *hold(message(system=[{"type": "text", "text": "Be brief.", "cache_control": MARK}]), "system[].cache_control"),
    *hold(
        message(system=[{"type": "text", "text": "x-anthropic-billing-header: cc"}, {"type": "text", "text": "Hi."}]),
        "system[text] (Claude Code's billing line)",
    ),
    *hold(message(messages=[GO, {"role": "assistant", "content": "Yes."}, GO]), "messages[assistant]"),
    *hold(message(messages=[GO, {"role": "system", "content": "Be kind."}, GO]), "messages[system] (later)"),
    *hold(
        message(messages=[GO, {"role": "system", "content": "Be kind.", "clear_at": "next_user_message"}, GO]),
        "messages[system].clear_at",
        others=("never",),
    ),
    *hold(
        message(messages=[GO, {"role": "system", "output_config": {"effort": "low"}}]),
        "messages[system].output_config.effort",
    ),
    *hold(message(), "messages[].content"),
    *hold(message(messages=[GO, {"role": "assistant", "content": "Yes."}, GO]), "messages[assistant].role"),
    *hold(called(), "messages[].content[tool_use]", "messages[].content[tool_use].id"),
    *hold(called(), "messages[].content[tool_use].name", "messages[].content[tool_use].input"),
    *hold(called(call={**CALL, "cache_control": MARK}), "messages[].content[tool_use].cache_control"),
    *hold(called(call={**CALL, "caller": {"type": "direct"}}), "messages[].content[tool_use].caller"),
    *hold(called(), "messages[].content[tool_result]", "messages[].content[tool_result].tool_use_id"),
    *hold(called(), "messages[].content[tool_result].content", "messages[].content[tool_result].is_error"),
    *hold(called(result={**RESULT, "cache_control": MARK}), "messages[].content[tool_result].cache_control"),
)
_TEXT: Final = {"type": "text", "text": "More."}
_IMAGE: Final = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
_LINK: Final = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
_FILED: Final = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
_PDF: Final = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
    "title": "A",
    "context": "Of last year.",
    "citations": {"enabled": True},
}
_WORDS: Final = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
_PARTS: Final = {"type": "document", "source": {"type": "content", "content": [_TEXT]}}
_PAGE: Final = {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}}
_FOUND: Final = {
    "type": "search_result",
    "source": "https://example.org",
    "title": "A",
    "content": [_TEXT],
    "citations": {"enabled": True},
}
_CITED: Final = [{"type": "char_location", "cited_text": "w", "document_index": 0}]
_SERVED: Final = (
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
    {"type": "web_fetch_tool_result", "tool_use_id": "s", "content": {}},
    {"type": "code_execution_tool_result", "tool_use_id": "s", "content": {}},
    {"type": "bash_code_execution_tool_result", "tool_use_id": "s", "content": {}},
    {"type": "text_editor_code_execution_tool_result", "tool_use_id": "s", "content": {}},
    {"type": "tool_search_tool_result", "tool_use_id": "s", "content": {}},
    {"type": "advisor_tool_result", "tool_use_id": "s", "content": {}},
    {"type": "mcp_tool_use", "id": "s", "name": "n", "server_name": "m", "input": {}},
    {"type": "mcp_tool_result", "tool_use_id": "s", "content": []},
    {"type": "mcp_tool_listing", "server_name": "m", "tools": []},
    {"type": "container_upload", "file_id": "file_1"},
    {"type": "compaction", "content": "So far."},
    {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
)
_ADDED: Final = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool("sum")}}
_MEAN: Final = {"type": "tool_definition", "definition": tool("mean")}
_REMOVED: Final = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "weather"}}


def changed(block: Json) -> Json:
    """Make a request whose conversation changes the tools."""
    return message(messages=[GO, {"role": "system", "content": [block]}], tools=[tool(), tool("other")])


CONTENT: Final = (
    *hold(said(_TEXT), "messages[].content[text]", "messages[].content[text].text"),
    *hold(said({**_TEXT, "cache_control": MARK}), "messages[].content[text].cache_control"),
    *hold(answered({**_TEXT, "citations": _CITED}), "messages[].content[text].citations"),
    *hold(said(_IMAGE), "messages[].content[image]", "messages[].content[image].source.data"),
    *hold(said(_IMAGE), "messages[].content[image].source.media_type", idle="the first bytes tell"),
    *hold(said({**_IMAGE, "cache_control": MARK}), "messages[].content[image].cache_control"),
    *hold(said(_LINK), "messages[].content[image].source.url"),
    *hold(said(_IMAGE), "messages[].content[image].source.type", idle="it says which of the other fields is read"),
    *hold(said(_FILED), "messages[].content[image].source.file_id"),
    *hold(said(_PDF), "messages[].content[document]"),
    *hold(said(_PDF), "messages[].content[document].source", others=(_WORDS["source"],)),
    *hold(said(_PDF), "messages[].content[document].title", "messages[].content[document].context"),
    *hold(said(_PDF), "messages[].content[document].citations"),
    *hold(said(_WORDS), "messages[].content[document] (text)"),
    *hold(said(_PARTS), "messages[].content[document] (content)", "messages[].content[document].source.content"),
    *hold(said(_PAGE), "messages[].content[document] (url)"),
    *hold(said(_FOUND), "messages[].content[search_result]", "messages[].content[search_result].source"),
    *hold(said(_FOUND), "messages[].content[search_result].title"),
    *hold(said(_FOUND), "messages[].content[search_result].content", others=([{"type": "text", "text": "Other."}],)),
    *hold(said(_FOUND), "messages[].content[search_result].citations"),
    *hold(given(_TEXT, _IMAGE), "messages[].content[tool_result].content[image]"),
    *hold(given(_TEXT, _PDF), "messages[].content[tool_result].content[document]"),
    *hold(given(_TEXT, _FOUND), "messages[].content[tool_result].content[search_result]"),
    *hold(
        given(_TEXT, {"type": "tool_reference", "tool_name": "weather"}),
        "messages[].content[tool_result].content[tool_reference]",
        "messages[].content[tool_result].content[tool_reference].tool_name",
    ),
    *(probe for block in _SERVED for probe in hold(answered(block), f"messages[].content[{block['type']}]")),
    *hold(changed(_ADDED), "messages[].content[tool_addition]"),
    *hold(changed(_ADDED), "messages[].content[tool_addition].tool", others=(_MEAN,)),
    *hold(changed(_ADDED), "messages[].content[tool_addition].tool.definition", others=(_MEAN["definition"],)),
    *hold(changed(_REMOVED), "messages[].content[tool_removal]", "messages[].content[tool_removal].tool.name"),
    *hold(
        changed(_REMOVED),
        "messages[].content[tool_removal].tool.type",
        idle="it says which of the other fields is read",
    ),
)
_TWO: Final = [tool(), tool("sum")]
_SEARCH: Final = {"type": "web_search_20250305", "name": "web_search"}
_OPTIONS: Final = {
    "max_uses": 3,
    "allowed_domains": ["a.example"],
    "blocked_domains": ["b.example"],
    "user_location": {"type": "approximate", "city": "Rome"},
    "cache_control": MARK,
}
_HOSTED: Final = (
    _SEARCH,
    {"type": "web_fetch_20250910", "name": "web_fetch"},
    {"type": "code_execution_20250825", "name": "code_execution"},
    {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
    {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
    {"type": "memory_20250818", "name": "memory"},
    {"type": "computer_20251124", "name": "computer", "display_width_px": 9, "display_height_px": 9},
    {"type": "computer_toolset_20260801", "name": "computer"},
    {"type": "browser_toolset_20260801", "name": "browser"},
    {"type": "advisor_20260301", "name": "advisor", "model": "m"},
    {"type": "mcp_toolset", "mcp_server_name": "m"},
)
TOOLS: Final = (
    *hold(message(tools=[tool()]), "tools[weather]", "tools[].name", "tools[].description", "tools[].input_schema"),
    *hold(message(tools=[tool(input_schema=SCHEMA)]), "tools[].input_schema (with minLength, default)"),
    *hold(message(tools=[tool(type="custom")]), "tools[].type", idle="the default"),
    *hold(message(tools=[tool(strict=True)]), "tools[].strict"),
    *hold(message(tools=[tool(cache_control=MARK)]), "tools[].cache_control"),
    *hold(message(tools=[tool(defer_loading=True)]), "tools[].defer_loading"),
    *hold(message(tools=[tool(eager_input_streaming=True)]), "tools[].eager_input_streaming"),
    *hold(message(tools=[tool(input_examples=[{"city": "Rome"}])]), "tools[].input_examples"),
    *hold(message(tools=[tool(allowed_callers=["direct"])]), "tools[].allowed_callers"),
    *(probe for one_ in _HOSTED for probe in hold(message(tools=[one_]), f"tools[{one_['type']}]")),
    *hold(message(tools=[_SEARCH, tool()]), "tools[web_search_20250305] (and functions)"),
    *(
        one(f"tools[web_search_20250305].{name}", message(tools=[{**_SEARCH, name: value}]))
        for name, value in _OPTIONS.items()
    ),
    *hold(message(tools=[tool()], tool_choice={"type": "none"}), "tool_choice (none)"),
    *hold(message(tools=[tool()], tool_choice={"type": "any"}), "tool_choice (any)", "tool_choice.type"),
    *hold(message(tools=_TWO, tool_choice={"type": "tool", "name": "sum"}), "tool_choice (tool)"),
    *hold(message(tools=_TWO, tool_choice={"type": "tool", "name": "sum"}), "tool_choice.name", others=("weather",)),
    *hold(message(tools=[tool()], tool_choice={"type": "any"}, thinking=THINKS), "tool_choice (any, while it thinks)"),
    *hold(
        message(tools=[tool()], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
        "tool_choice.disable_parallel_tool_use",
    ),
    *hold(message(mcp_servers=[{"type": "url", "name": "m", "url": "https://a.example"}]), "mcp_servers"),
)
SAMPLING: Final = (
    *hold(message(), "max_tokens"),
    *hold(message(temperature=0.5), "temperature"),
    *hold(message(temperature=0.5, thinking=THINKS), "temperature (while it thinks)"),
    *hold(message(top_p=0.5), "top_p"),
    *hold(message(top_k=40), "top_k"),
    *hold(message(stop_sequences=["END"]), "stop_sequences"),
)
_FORM: Final = {"type": "json_schema", "schema": ANSWER}
OUTPUT: Final = (
    *hold(message(output_config={"format": _FORM}), "output_config.format"),
    *hold(message(output_config={"format": _FORM}), "output_config.format.schema", others=(PLAIN,)),
    *hold(message(output_config={"format": _FORM}), "output_config.format.type", idle="the only one"),
    *hold(message(output_format=_FORM), "output_format"),
    *hold(message(stream=True), "stream"),
)
THINKING: Final = (
    *hold(message(thinking=THINKS), "thinking (enabled)", "thinking.budget_tokens", "thinking.type"),
    *hold(message(thinking={"type": "adaptive"}), "thinking (adaptive)"),
    *hold(message(thinking={"type": "disabled"}), "thinking (disabled)", idle="it does not think by itself"),
    *hold(message(thinking={**THINKS, "display": "omitted"}), "thinking.display"),
    *hold(message(output_config={"effort": "low"}), "output_config.effort"),
    *hold(called(thought("claude"), thinking=THINKS), "messages[].content[thinking] (Claude's)"),
    *hold(called(thought("claude"), thinking=THINKS), "messages[].content[thinking].thinking"),
    *hold(called(thought("claude"), thinking=THINKS), "messages[].content[thinking].signature"),
    *hold(called(thought("gemini"), thinking=THINKS), "messages[].content[thinking] (Gemini's)"),
    *hold(called(thought("openai"), thinking=THINKS), "messages[].content[thinking] (OpenAI's)"),
    *hold(answered({**thought("claude"), "cache_control": MARK}), "messages[].content[thinking].cache_control"),
    *hold(
        called({"type": "redacted_thinking", "data": "sealed"}, thought("claude"), thinking=THINKS),
        "messages[].content[redacted_thinking]",
        "messages[].content[redacted_thinking].data",
    ),
)
_ANY: Final = {
    "service_tier": "auto",
    "speed": "fast",
    "cache_control": MARK,
    "betas": ["a"],
    "container": "c",
    "context_management": {"edits": []},
    "inference_geo": "us",
    "diagnostics": {"a": 1},
    "billing_policy": {"a": 1},
    "fallbacks": [{"model": "m"}],
    "fallback_credit_token": "t",
    "user_profile_id": "u",
    "workspace_id": "w",
    "compaction": {"enabled": True},
    "thread": {"id": "t"},
    "x_unknown": 1,
}
OTHER: Final = (
    *hold(message(metadata={"user_id": "u1"}), "metadata.user_id"),
    *(one(name, message(**{name: value})) for name, value in _ANY.items()),
    one("messages[].x_unknown", message(messages=[{**GO, "x_unknown": 1}])),
    one("messages[].content[].x_unknown", said({**_TEXT, "x_unknown": 1})),
)
MESSAGES: Final = (
    Group("Conversation", CONVERSATION),
    Group("Content", CONTENT),
    Group("Tools", TOOLS),
    Group("Sampling", SAMPLING),
    Group("Output", OUTPUT),
    Group("Thinking", THINKING),
    Group("Other", OTHER),
)

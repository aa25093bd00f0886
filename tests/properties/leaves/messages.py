"""Requests of Anthropic Messages that hold everything the reference knows, written by hand."""

from __future__ import annotations

from typing import Any

from .material import ANSWER, MARK, PDF, PNG, SCHEMA, SIGNED, Json

__all__ = ["MESSAGES"]

EVERYTHING: Json = {
    "model": "m",
    "max_tokens": 9000,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=1"},
        {"type": "text", "text": "Be brief.", "cache_control": MARK, "citations": []},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    "cache_control": MARK,
                },
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                    "title": "Report",
                    "context": "Of last year.",
                    "citations": {"enabled": True},
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
                {
                    "type": "document",
                    "source": {"type": "content", "content": [{"type": "text", "text": "inner"}]},
                },
                {"type": "document", "source": {"type": "content", "content": "plain"}},
                {
                    "type": "search_result",
                    "source": "https://a.example",
                    "title": "A",
                    "content": [{"type": "text", "text": "found"}],
                    "citations": {"enabled": True},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Looks blue.", "signature": SIGNED},
                {"type": "redacted_thinking", "data": "sealed"},
                {
                    "type": "text",
                    "text": "A sky.",
                    "citations": [{"type": "char_location", "cited_text": "words", "document_index": 0}],
                },
                {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "sky"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "srv_1",
                    "content": [{"type": "web_search_result", "url": "https://a.example", "title": "A"}],
                },
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "weather",
                    "input": {"city": "Rome", "days": 2},
                    "cache_control": MARK,
                    "caller": {"type": "direct"},
                },
                {"type": "tool_use", "id": "toolu_2", "name": "sum", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "is_error": True,
                    "cache_control": MARK,
                    "content": [
                        {"type": "text", "text": "blue", "cache_control": MARK},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                        {
                            "type": "search_result",
                            "source": "https://b.example",
                            "title": "B",
                            "content": [{"type": "text", "text": "too"}],
                        },
                        {"type": "tool_reference", "tool_name": "weather"},
                    ],
                },
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "3"},
                {"type": "text", "text": "Go on."},
            ],
        },
        {"role": "system", "content": [{"type": "text", "text": "Stay kind.", "cache_control": MARK}]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Go!"},
    ],
    "stream": True,
    "stop_sequences": ["END"],
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 40,
    "tools": [
        {
            "name": "weather",
            "type": "custom",
            "description": "Tells it.",
            "input_schema": SCHEMA,
            "strict": True,
            "cache_control": MARK,
            "defer_loading": True,
            "eager_input_streaming": True,
            "input_examples": [{"city": "Rome"}],
            "allowed_callers": ["direct"],
        },
        {"name": "sum", "description": "Adds.", "input_schema": {"type": "object"}},
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 3,
            "allowed_domains": ["a.example"],
            "user_location": {"type": "approximate", "city": "Rome"},
        },
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex", "cache_control": MARK},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": ANSWER}},
    "metadata": {"user_id": "u1"},
    "service_tier": "standard_only",
    "speed": "fast",
    "inference_geo": "eu",
    "container": "c1",
    "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
    "cache_control": MARK,
    "betas": ["a-2025"],
}


def messages(**fields: Any) -> Json:
    """Ask something short over Messages."""
    return {"model": "m", "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}], **fields}


def tool(name: str = "weather") -> Json:
    """Declare a tool as Messages does."""
    return {"name": name, "description": "Tells it.", "input_schema": SCHEMA}


MESSAGES: dict[str, Json] = {
    "everything": EVERYTHING,
    "a tool by name": messages(
        tools=[tool(), tool("sum")], tool_choice={"type": "tool", "name": "sum", "disable_parallel_tool_use": False}
    ),
    "any tool": messages(
        tools=[tool()], tool_choice={"type": "any"}, thinking={"type": "enabled", "budget_tokens": 2000}
    ),
    "a choice without tools": messages(tool_choice={"type": "any", "disable_parallel_tool_use": True}),
    "a budget": messages(
        thinking={"type": "enabled", "budget_tokens": 3000, "display": "omitted"}, output_config={"effort": "high"}
    ),
    "no thinking": messages(thinking={"type": "disabled"}, output_config={"effort": "high"}),
    "effort alone": messages(output_config={"effort": "high"}),
    "an older name": messages(output_format={"type": "json_schema", "schema": ANSWER}),
    "two forms": messages(
        output_format={"type": "json_schema", "schema": ANSWER},
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    ),
    "search": messages(tools=[{"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["b.example"]}]),
    "a session": messages(system="Be brief.", metadata={"user_id": "user_1_account__session_2"}),
    "a leading system message": {
        "model": "m",
        "max_tokens": 10,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
    },
    "a document in a result": {
        "model": "m",
        "max_tokens": 10,
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [
                            {
                                "type": "document",
                                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                                "title": "Report",
                            }
                        ],
                    }
                ],
            },
        ],
        "tools": [tool("f")],
    },
}

"""Requests of Chat Completions that hold everything the reference knows, written by hand."""

from __future__ import annotations

from typing import Any

from .material import ANSWER, MARK, PDF, PNG, SCHEMA, SIGNED, WAV, Json

__all__ = ["CHATS", "SOUND"]

EVERYTHING: Json = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief.", "name": "boss"},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind.", "cache_control": MARK}]},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"}},
                {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "A sky."}, {"type": "refusal", "refusal": "No more."}],
            "refusal": "Really.",
            "reasoning_content": "Looks blue.",
            "name": "bot",
            "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}],
            "audio": {"id": "audio_1"},
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "index": 0,
                    "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                    "extra_content": {"google": {"thought_signature": SIGNED}},
                },
                {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "name": "weather", "content": '{"sky": "blue"}'},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "1"}]},
        {"role": "system", "content": "Go on."},
        {
            "role": "assistant",
            "content": "Blue.",
            "reasoning": "By result.",
            "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": SIGNED}],
            "extra_content": {"google": {"thought_signature": SIGNED}},
        },
        {"role": "user", "content": "Sure?"},
        {
            "role": "assistant",
            "content": "Yes.",
            "reasoning_details": [
                {
                    "type": "reasoning.text",
                    "text": "I am.",
                    "signature": SIGNED,
                    "id": "r1",
                    "format": "anthropic-claude-v1",
                    "index": 0,
                }
            ],
        },
        {"role": "user", "content": "Go!"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "max_completion_tokens": 9000,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 40,
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "stop": ["END", "STOP"],
    "tools": [
        {
            "type": "function",
            "cache_control": MARK,
            "function": {"name": "weather", "description": "Tells it.", "parameters": SCHEMA, "strict": True},
        },
        {
            "type": "custom",
            "custom": {
                "name": "sql",
                "description": "Asks.",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}},
            },
        },
        {"type": "custom", "custom": {"name": "say", "description": "Says.", "format": {"type": "text"}}},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "total", "description": "The total.", "schema": ANSWER, "strict": True},
    },
    "modalities": ["text"],
    "reasoning_effort": "low",
    "verbosity": "low",
    "user": "u1",
    "safety_identifier": "u2",
    "prompt_cache_key": "talk-1",
    "prompt_cache_retention": "24h",
    "store": True,
    "metadata": {"team": "a"},
    "service_tier": "flex",
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 2,
    "prediction": {"type": "content", "content": "Blue."},
    "web_search_options": {"search_context_size": "low"},
}


def chat(**fields: Any) -> Json:
    """Ask something short over Chat Completions."""
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}


def function(name: str = "weather") -> Json:
    """Declare a function as Chat does."""
    return {"type": "function", "function": {"name": name, "description": "Tells it.", "parameters": SCHEMA}}


CHATS: dict[str, Json] = {
    "everything": EVERYTHING,
    "older names": {
        "model": "m",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "function_call": {"name": "weather", "arguments": '{"city":"Rome"}'}},
            {"role": "function", "name": "weather", "content": "blue"},
            {"role": "user", "content": [{"type": "image_url", "image_url": f"data:image/png;base64,{PNG}"}]},
        ],
        "functions": [{"name": "weather", "description": "Tells it.", "parameters": SCHEMA, "strict": True}],
        "function_call": {"name": "weather"},
        "max_tokens": 5000,
        "stop": "END",
        "response_format": {"type": "json_object"},
    },
    "pictures": chat(modalities=["text", "image"]),
    "two limits": chat(max_tokens=5000, max_completion_tokens=6000, n=1),
    "a tool by name": chat(
        tools=[function(), function("sum")], tool_choice={"type": "function", "function": {"name": "sum"}}
    ),
    "some of the tools": chat(
        tools=[function(), function("sum")],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "sum"}}],
            },
        },
    ),
    "a free choice of some": chat(
        tools=[function(), function("sum")],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "sum"}}]},
        },
    ),
    "tools left over": chat(tool_choice="auto", parallel_tool_calls=True, function_call="auto"),
    "search": chat(web_search_options={"user_location": {"type": "approximate", "approximate": {"city": "Rome"}}}),
    "reasoning by another router": chat(
        reasoning={"effort": "high", "max_tokens": 3000, "exclude": False, "enabled": True}, max_tokens=9000
    ),
    "a budget by another router": chat(reasoning={"max_tokens": 3000, "exclude": True}, max_tokens=9000),
    "thinking as Anthropic says it": chat(
        thinking={"type": "enabled", "budget_tokens": 3000, "display": "summarized"}, max_tokens=9000
    ),
    "thinking as Google says it": chat(
        extra_body={
            "google": {
                "thinking_config": {"thinking_budget": 3000, "include_thoughts": True},
                "safety_settings": [{"category": "HARM", "threshold": "NONE"}],
            }
        },
        google={"thinking_config": {"thinking_level": "high"}},
        max_tokens=9000,
    ),
    "two spellings of thinking": chat(
        reasoning_effort="low", reasoning={"effort": "high"}, thinking={"type": "adaptive"}, max_tokens=9000
    ),
    "no thinking": chat(thinking={"type": "disabled", "budget_tokens": 2000}),
    "thoughts in other forms": {
        "model": "m",
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "a",
                "reasoning": "b",
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "c", "index": 0},
                    {"type": "reasoning.encrypted", "data": SIGNED, "id": "call_1"},
                    {"type": "reasoning.encrypted", "data": SIGNED, "id": "call_9"},
                ],
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "done"},
            {
                "role": "assistant",
                "content": "x",
                "thinking_blocks": [{"type": "redacted_thinking", "data": "sealed"}],
            },
            {"role": "user", "content": "hi"},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
    },
}
SOUND = chat(
    messages=[
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What do I say?"},
                {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
            ],
        }
    ]
)

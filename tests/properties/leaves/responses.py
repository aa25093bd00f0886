"""Requests of Responses that hold everything the reference knows, written by hand."""

from __future__ import annotations

from typing import Any

from .material import ANSWER, PDF, PNG, SCHEMA, SIGNED, Json

__all__ = ["RESPONSES"]

SEALED = "gw1.g.t.RUFCQw.1b0a8c9d"

EVERYTHING: Json = {
    "model": "m",
    "instructions": "Be brief.",
    "input": [
        {"type": "message", "role": "developer", "content": "Be kind.", "id": "msg_1", "status": "completed"},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "high"},
                {"type": "input_file", "file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Looks blue."}],
            "encrypted_content": SIGNED,
        },
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_2",
            "phase": "commentary",
            "content": [
                {
                    "type": "output_text",
                    "text": "A sky.",
                    "annotations": [{"type": "url_citation", "url": "https://a.example", "title": "A"}],
                    "logprobs": [{"token": "A", "logprob": -1}],
                },
                {"type": "refusal", "refusal": "No more."},
            ],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Rome"}'},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "sql", "input": "select 1"},
        {"type": "function_call", "call_id": "call_3", "name": "near", "namespace": "sky", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": '{"sky": "blue"}', "status": "completed"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "1"}]},
        {"type": "function_call_output", "call_id": "call_3", "output": "near"},
        {"role": "system", "content": "Go on."},
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "short"}],
            "content": [{"type": "reasoning_text", "text": "By result."}],
            "encrypted_content": SEALED,
        },
        {"role": "assistant", "content": "Blue."},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "sky"}},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Go!"},
    ],
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "max_output_tokens": 9000,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_logprobs": 2,
    "tools": [
        {"type": "function", "name": "weather", "description": "Tells it.", "parameters": SCHEMA, "strict": True},
        {
            "type": "custom",
            "name": "sql",
            "description": "Asks.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
        },
        {"type": "custom", "name": "say", "description": "Says.", "format": {"type": "text"}},
        {
            "type": "namespace",
            "name": "sky",
            "description": "Of the sky.",
            "tools": [{"type": "function", "name": "near", "description": "Is it near?", "parameters": SCHEMA}],
        },
        {"type": "tool_search", "execution": "server"},
        {"type": "image_generation", "quality": "low"},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "text": {
        "format": {
            "type": "json_schema",
            "name": "total",
            "description": "The total.",
            "schema": ANSWER,
            "strict": True,
        },
        "verbosity": "low",
    },
    "reasoning": {"effort": "low", "summary": "detailed", "context": "all_turns", "mode": "pro"},
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results"],
    "user": "u1",
    "safety_identifier": "u2",
    "prompt_cache_key": "talk-1",
    "prompt_cache_retention": "24h",
    "store": False,
    "metadata": {"team": "a"},
    "service_tier": "flex",
    "truncation": "auto",
    "max_tool_calls": 3,
    "context_management": [{"type": "compaction", "compact_threshold": 9000}],
    "client_metadata": {"session_id": "s1"},
}


def response(**fields: Any) -> Json:
    """Ask something short over Responses."""
    return {"model": "m", "input": "hi", **fields}


def function(name: str = "weather") -> Json:
    """Declare a function as Responses does."""
    return {"type": "function", "name": name, "description": "Tells it.", "parameters": SCHEMA}


SUM = {"type": "function", "name": "sum"}

RESPONSES: dict[str, Json] = {
    "everything": EVERYTHING,
    "a word": response(instructions="Be brief."),
    "going on": response(previous_response_id="resp_1", store=True),
    "older names": response(reasoning={"generate_summary": "auto"}, user="u1"),
    "two summaries": response(reasoning={"summary": "none", "generate_summary": "auto", "effort": "high"}),
    "no thinking": response(reasoning={"effort": "none", "summary": "auto"}),
    "sealed thoughts": response(reasoning={"effort": "high"}, include=["reasoning.encrypted_content"]),
    "any JSON": response(text={"format": {"type": "json_object"}}),
    "any text": response(text={"format": {"type": "text"}, "verbosity": "high"}),
    "a tool by name": response(tools=[function(), function("sum")], tool_choice=SUM),
    "a tool of a namespace": response(
        tools=[{"type": "namespace", "name": "sky", "tools": [function(), function("sum")]}],
        tool_choice={"type": "function", "name": "sum", "namespace": "sky"},
    ),
    "some of the tools": response(
        tools=[function(), function("sum")],
        tool_choice={"type": "allowed_tools", "mode": "required", "tools": [SUM]},
    ),
    "a free choice of some": response(
        tools=[function(), function("sum"), {"type": "web_search"}],
        tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [SUM, {"type": "web_search"}]},
    ),
    "tools left over": response(tool_choice="auto", parallel_tool_calls=True),
    "search": response(
        tools=[
            {
                "type": "web_search",
                "search_context_size": "low",
                "user_location": {"type": "approximate", "city": "Rome"},
                "filters": {"allowed_domains": ["a.example"]},
            }
        ]
    ),
    "code": response(tools=[{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_1"]}}]),
    "tools of the caller's own machine": response(
        input=[
            {"role": "user", "content": "run it"},
            {
                "type": "local_shell_call",
                "call_id": "call_1",
                "id": "ls_1",
                "status": "completed",
                "action": {"type": "exec", "command": ["ls"], "env": {"A": "b"}},
            },
            {"type": "local_shell_call_output", "id": "call_1", "output": "a.txt", "status": "completed"},
            {
                "type": "apply_patch_call",
                "call_id": "call_2",
                "status": "completed",
                "operation": {"type": "delete_file", "path": "a.txt"},
            },
            {"type": "apply_patch_call_output", "call_id": "call_2", "status": "failed", "output": "no such file"},
            {"role": "user", "content": "hm"},
        ],
        tools=[function("local_shell"), function("apply_patch")],
    ),
    "another agent": response(
        input=[
            {
                "type": "agent_message",
                "id": "amsg_1",
                "author": "/lead",
                "recipient": "/lead/a",
                "content": [
                    {"type": "input_text", "text": "Message Type: NEW_TASK"},
                    {"type": "encrypted_content", "encrypted_content": "List the files."},
                ],
            },
        ]
    ),
    "tools that join": response(
        input=[
            {"type": "additional_tools", "role": "developer", "id": "at_1", "tools": [function()]},
            {"role": "user", "content": "hi"},
        ]
    ),
    "pictures": response(
        input=[
            {"role": "user", "content": "draw"},
            {
                "type": "image_generation_call",
                "id": "ig_1",
                "status": "completed",
                "result": PNG,
                "output_format": "png",
            },
            {"role": "user", "content": [{"type": "input_text", "text": "larger"}]},
        ]
    ),
    "files by address": response(
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_file", "file_data": PDF, "file_url": "https://a.example/a.pdf", "filename": "a.pdf"}
                ],
            }
        ]
    ),
}

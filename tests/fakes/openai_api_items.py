"""The shapes of a body of `POST /v1/responses`: its fields, items and tools."""

from __future__ import annotations

from tests.fakes.openai_api_media import file_data, image_url
from tests.fakes.openai_api_shapes import (
    NAME,
    Shape,
    anything,
    array,
    boolean,
    either,
    integer,
    number,
    obj,
    optional,
    tagged,
    text,
    word,
)

__all__ = ["FIELDS"]

words = text()
name_64 = text(64, NAME, 1)
call_id = text(64, shortest=1)
item_id = text(64)
_status = optional(word("in_progress", "completed", "incomplete"))
_CACHED = {"prompt_cache_breakpoint": anything}
_input_text = obj({"type": words, "text": words}, _CACHED)
_input_image = obj(
    {"type": words},
    {
        "image_url": optional(image_url),
        "file_id": optional(words),
        "detail": word("low", "high", "auto", "original"),
        **_CACHED,
    },
)
_input_file = obj(
    {"type": words},
    {"file_data": file_data, "file_id": optional(words), "file_url": words, "filename": words, **_CACHED},
)
_parts = {"input_text": _input_text, "input_image": _input_image, "input_file": _input_file}
_said = {
    "output_text": obj({"type": words, "text": words}, {"annotations": array(anything), "logprobs": anything}),
    "refusal": obj({"type": words, "refusal": words}),
}


def _content(parts: dict[str, Shape]) -> Shape:
    return either("one of a string or array of objects", string=words, array=array(tagged(parts)))


_about = {"type": word("message"), "id": optional(item_id), "status": _status, "phase": anything}
_message = tagged(
    {
        "user": obj({"role": words, "content": _content(_parts)}, _about),
        "system": obj({"role": words, "content": _content({"input_text": _input_text})}, _about),
        "developer": obj({"role": words, "content": _content({"input_text": _input_text})}, _about),
        "assistant": obj({"role": words, "content": _content(_said)}, _about),
    },
    "role",
)
_also = {"id": optional(item_id), "status": _status, "caller": anything}
_output = either("one of a string or array of objects", string=words, array=array(tagged(_parts)))
_summary = array(obj({"type": word("summary_text"), "text": words}))
_thought = array(obj({"type": word("reasoning_text"), "text": words}))
_ITEMS: dict[str, Shape] = {
    "message": _message,
    "function_call": obj(
        {"type": words, "call_id": call_id, "name": name_64, "arguments": words},
        {"namespace": optional(words), **_also},
    ),
    "function_call_output": obj({"type": words, "call_id": call_id, "output": _output}, _also),
    "custom_tool_call": obj(
        {"type": words, "call_id": call_id, "name": name_64, "input": words}, {"namespace": optional(words), **_also}
    ),
    "custom_tool_call_output": obj({"type": words, "call_id": call_id, "output": _output}, _also),
    "reasoning": obj(
        {"type": words, "summary": _summary},
        {"id": item_id, "content": optional(_thought), "encrypted_content": optional(words), "status": _status},
    ),
    "agent_message": obj(
        {
            "type": words,
            "author": words,
            "recipient": words,
            "content": array(
                tagged(
                    {
                        "input_text": _input_text,
                        "input_image": _input_image,
                        "encrypted_content": obj({"type": words, "encrypted_content": words}),
                    }
                )
            ),
        },
        {"id": optional(words), "agent": anything},
    ),
    "item_reference": obj({"id": words}, {"type": words}),
    **dict.fromkeys(
        (
            "web_search_call",
            "file_search_call",
            "computer_call",
            "computer_call_output",
            "image_generation_call",
            "code_interpreter_call",
            "local_shell_call",
            "local_shell_call_output",
            "shell_call",
            "shell_call_output",
            "apply_patch_call",
            "apply_patch_call_output",
            "mcp_call",
            "mcp_list_tools",
            "tool_search_call",
            "tool_search_output",
            "compaction",
        ),
        anything,
    ),
}
_function = obj(
    {"type": words, "name": name_64},
    {
        "description": optional(words),
        "parameters": optional(either("an object", object=anything)),
        "strict": optional(boolean),
        "defer_loading": boolean,
        "allowed_callers": anything,
        "output_schema": anything,
        "async": boolean,
    },
)
_custom = obj(
    {"type": words, "name": name_64},
    {
        "description": words,
        "format": tagged(
            {
                "text": obj({"type": words}),
                "grammar": obj({"type": words, "definition": words, "syntax": word("lark", "regex")}),
            }
        ),
        "defer_loading": boolean,
        "allowed_callers": anything,
        "async": boolean,
    },
)
_HOSTED = (
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "file_search",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "image_generation",
    "local_shell",
    "shell",
    "apply_patch",
    "mcp",
    "tool_search",
)
_tool = tagged(
    {
        "function": _function,
        "custom": _custom,
        "namespace": obj(
            {
                "type": words,
                "name": name_64,
                "description": words,
                "tools": array(tagged({"function": _function, "custom": _custom}), 1),
            }
        ),
        **dict.fromkeys(_HOSTED, anything),
    }
)
_choice = either(
    "one of a tool choice or an object",
    string=word("none", "auto", "required"),
    object=tagged(
        {
            "function": obj({"type": words, "name": words}),
            "custom": obj({"type": words, "name": words}),
            "allowed_tools": obj({"type": words, "mode": word("auto", "required"), "tools": array(anything, 1)}),
            **dict.fromkeys(_HOSTED, anything),
        }
    ),
)
_format = tagged(
    {
        "text": obj({"type": words}),
        "json_object": obj({"type": words}),
        "json_schema": obj(
            {"type": words, "name": name_64, "schema": either("an object", object=anything)},
            {"description": words, "strict": optional(boolean)},
        ),
    }
)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_update = obj(
    {"type": words},
    {
        "id": optional(words),
        "reasoning": obj({}, {"effort": optional(word(*_EFFORTS))}),
        "text": obj({"format": _format}),
    },
)
_more_tools = obj({"type": words, "role": word("developer"), "tools": array(_tool)}, {"id": optional(words)})
_item = tagged(_ITEMS | {"additional_tools": _more_tools, "configuration_update": _update}, default="message")
_SUMMARIES = ("auto", "concise", "detailed")
INCLUDABLE = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
FIELDS: dict[str, Shape] = {
    "access_programs": anything,
    "background": optional(boolean),
    "background_options": optional(either("an object", object=anything)),
    "client_metadata": anything,  # no SDK has it; OpenAI's own Codex sends it
    "context_management": anything,
    "conversation": anything,
    "image": anything,
    "include": optional(array(word(*INCLUDABLE))),
    "input": either("one of a string or array of objects", string=words, array=array(_item)),
    "instructions": optional(words),
    "max_output_tokens": optional(integer(16)),
    "max_tool_calls": optional(integer(1)),
    "metadata": optional(either("an object", object=anything)),
    "model": words,
    "moderation": anything,
    "parallel_tool_calls": optional(boolean),
    "previous_response_id": optional(words),
    "prompt": anything,
    "prompt_cache_key": optional(text(64)),
    "prompt_cache_options": anything,
    "prompt_cache_retention": optional(word("in_memory", "24h")),
    "reasoning": optional(
        obj(
            {},
            {
                "effort": optional(word(*_EFFORTS)),
                "summary": optional(word(*_SUMMARIES)),
                "generate_summary": optional(word(*_SUMMARIES)),
                "context": optional(word("auto", "current_turn", "all_turns")),
                "mode": optional(words),
            },
        )
    ),
    "safety_identifier": optional(words),
    "service_tier": optional(word("auto", "default", "flex", "scale", "priority", "fast")),
    "store": optional(boolean),
    "stream": optional(boolean),
    "stream_options": optional(obj({}, {"include_obfuscation": boolean})),
    "temperature": optional(number(0, 2)),
    "text": obj({}, {"format": _format, "verbosity": optional(word("low", "medium", "high"))}),
    "tool_choice": _choice,
    "tools": array(_tool),
    "top_logprobs": optional(integer(0, 20)),
    "top_p": optional(number(0, 1)),
    "truncation": optional(word("auto", "disabled")),
    "user": optional(words),  # LlamaIndex sends null
}

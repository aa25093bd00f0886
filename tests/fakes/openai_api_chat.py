"""What `POST /v1/chat/completions` refuses of a body, in the order in which it looks.

`plain` is a server that is only compatible, of before `max_completion_tokens`: it takes fields that OpenAI does not
know, and has no rules for models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.openai_api_errors import bad, listing, unknown_argument, unsupported_parameter, unsupported_value
from tests.fakes.openai_api_media import file_data, image_url
from tests.fakes.openai_api_models import Model
from tests.fakes.openai_api_schemas import function_schema, response_schema
from tests.fakes.openai_api_shapes import (
    NAME,
    anything,
    array,
    boolean,
    either,
    integer,
    missing,
    number,
    obj,
    optional,
    tagged,
    text,
    word,
)
from tests.fakes.openai_api_templates import template

__all__ = ["Asked", "judge"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One body, and whom it asks."""

    body: Json
    model: Model
    plain: bool = False

    @property
    def messages(self) -> list[Json]:
        """Give the messages."""
        messages: list[Json] = self.body["messages"]
        return messages

    @property
    def tools(self) -> list[Json]:
        """Give the tools."""
        return self.body.get("tools") or []


name_64 = text(64, NAME, 1)
id_40 = text(40)
words = text()
_part_text = obj({"type": words, "text": words}, {"prompt_cache_breakpoint": anything})
_texts = tagged({"text": _part_text})
_user_part = tagged(
    {
        "text": _part_text,
        "image_url": obj(
            {"type": words, "image_url": obj({"url": image_url}, {"detail": word("auto", "low", "high", "original")})},
            {"prompt_cache_breakpoint": anything},
        ),
        "input_audio": obj(
            {"type": words, "input_audio": obj({"data": text(shortest=1), "format": word("wav", "mp3")})}
        ),
        "file": obj({"type": words, "file": obj({}, {"file_data": file_data, "file_id": words, "filename": words})}),
    }
)
_said = either("one of a string or array of objects", string=words, array=array(_texts, 1))
_call = tagged(
    {
        "function": obj({"id": id_40, "type": words, "function": obj({"name": name_64, "arguments": words})}),
        "custom": obj({"id": id_40, "type": words, "custom": obj({"name": name_64, "input": words})}),
    }
)
_named = {"name": text(64, r"^[^\s<|\\/>]+$", 1)}
_assistant_part = tagged({"text": _part_text, "refusal": obj({"type": words, "refusal": words})})
_assistant = {
    **_named,
    "content": optional(either("one of a string or array of objects", string=words, array=array(_assistant_part, 1))),
    "refusal": optional(words),
    "tool_calls": array(_call, 1, 128),
    "function_call": optional(obj({"name": name_64, "arguments": words})),
    "audio": optional(obj({"id": words})),
    "annotations": array(anything),  # an answer goes back as it came
}
_CARRIED = dict.fromkeys(("reasoning_content", "reasoning", "reasoning_details", "extra_content"), anything)


def _message(*, plain: bool) -> Callable[[Any, str], None]:
    user = either("one of a string or array of objects", string=words, array=array(_user_part, 1))
    return tagged(
        {
            "system": obj({"role": words, "content": _said}, _named),
            "assistant": obj({"role": words}, _assistant | (_CARRIED if plain else {})),
            "user": obj({"role": words, "content": user}, _named),
            "function": obj({"role": words, "content": optional(words), "name": name_64}),
            "tool": obj({"role": words, "content": _said, "tool_call_id": words}, _named),  # LangChain names the tool
            "developer": obj({"role": words, "content": _said}, _named),
        },
        "role",
    )


_tool = tagged(
    {
        "function": obj(
            {
                "type": words,
                "function": obj(
                    {"name": name_64},
                    {
                        "description": optional(words),
                        "parameters": optional(either("an object", object=anything)),
                        "strict": optional(boolean),
                    },
                ),
            }
        ),
        "custom": obj(
            {
                "type": words,
                "custom": obj(
                    {"name": name_64},
                    {
                        "description": words,
                        "format": tagged(
                            {
                                "text": obj({"type": words}),
                                "grammar": obj(
                                    {
                                        "type": words,
                                        "grammar": obj({"definition": words, "syntax": word("lark", "regex")}),
                                    }
                                ),
                            }
                        ),
                    },
                ),
            }
        ),
    }
)
_one_named = {
    "function": obj({"type": words, "function": obj({"name": words})}),
    "custom": obj({"type": words, "custom": obj({"name": words})}),
}
_choice = either(
    "one of a tool choice or an object",
    string=word("none", "auto", "required"),
    object=tagged(
        {
            **_one_named,
            "allowed_tools": obj(
                {
                    "type": words,
                    "allowed_tools": obj({"mode": word("auto", "required"), "tools": array(tagged(_one_named), 1)}),
                }
            ),
        }
    ),
)
_format = tagged(
    {
        "text": obj({"type": words}),
        "json_object": obj({"type": words}),
        "json_schema": obj(
            {
                "type": words,
                "json_schema": obj(
                    {"name": name_64},
                    {"description": words, "schema": either("an object", object=anything), "strict": optional(boolean)},
                ),
            }
        ),
    }
)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FIELDS: dict[str, Callable[[Any, str], None]] = {
    "model": words,
    "messages": array(anything, 1),
    "audio": optional(anything),
    "frequency_penalty": optional(number(-2, 2)),
    "function_call": anything,
    "functions": array(anything, 1),
    "logit_bias": optional(either("an object", object=anything)),
    "logprobs": optional(boolean),
    "max_completion_tokens": optional(integer(1)),
    "max_tokens": optional(integer(1)),
    "metadata": optional(either("an object", object=anything)),
    "modalities": optional(array(word("text", "audio"))),
    "moderation": optional(anything),
    "n": optional(integer(1, 128)),
    "parallel_tool_calls": boolean,
    "prediction": optional(anything),
    "presence_penalty": optional(number(-2, 2)),
    "prompt_cache_key": optional(text(64)),
    "prompt_cache_options": anything,
    "prompt_cache_retention": optional(word("in_memory", "24h")),
    "reasoning_effort": optional(word(*_EFFORTS)),
    "response_format": _format,
    "safety_identifier": optional(words),
    "seed": optional(integer()),
    "service_tier": optional(word("auto", "default", "flex", "scale", "priority", "fast")),
    "stop": optional(either("one of a string or array of strings", string=words, array=array(words, 1, 4))),
    "store": optional(boolean),
    "stream": optional(boolean),
    "stream_options": optional(obj({}, {"include_usage": boolean, "include_obfuscation": boolean})),
    "temperature": optional(number(0, 2)),
    "tool_choice": _choice,
    "tools": array(_tool, 1, 128),
    "top_logprobs": optional(integer(0, 20)),
    "top_p": optional(number(0, 1)),
    "user": words,
    "verbosity": optional(word("low", "medium", "high")),
    "web_search_options": anything,
}
# what servers of the kind add
_EXTENDED = frozenset(
    {"top_k", "min_p", "repetition_penalty", "thinking", "reasoning", "enable_thinking", "chat_template_kwargs"}
)


def judge(asked: Asked) -> None:
    """Raise what OpenAI would say of a body."""
    for check in _CHECKS:
        check(asked)


def _fields_known(asked: Asked) -> None:
    for name in asked.body:
        if asked.plain and (name in _EXTENDED or name == "max_completion_tokens"):
            if name == "max_completion_tokens":
                raise unknown_argument(name)
            continue
        if name not in FIELDS:
            raise unknown_argument(name)


def _messages_given(asked: Asked) -> None:
    if "messages" not in asked.body:
        raise missing("messages")


def _fields_shaped(asked: Asked) -> None:
    for name, value in asked.body.items():
        FIELDS.get(name, anything)(value, name)
    array(_message(plain=asked.plain), 1)(asked.messages, "messages")


def _one_limit(asked: Asked) -> None:
    if asked.body.get("max_tokens") is not None and asked.body.get("max_completion_tokens") is not None:
        raise bad("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", param=None)


def _files_whole(asked: Asked) -> None:
    for place, message in enumerate(asked.messages):
        parts = message.get("content")
        for at, part in enumerate(parts if isinstance(parts, list) else []):
            if part.get("type") != "file":
                continue
            path, file = f"messages[{place}].content[{at}].file", part["file"]
            if not file.get("file_id") and "file_data" not in file:
                raise missing(f"{path}.file_id")
            if "file_data" in file and not file.get("filename"):
                raise missing(f"{path}.filename")


def _answer_says_something(asked: Asked) -> None:
    for place, message in enumerate(asked.messages):
        if message["role"] != "assistant" or message.get("content") is not None:
            continue
        if not any(message.get(name) for name in ("tool_calls", "function_call", "refusal", "audio")):
            raise bad("Invalid value for 'content': expected a string, got null.", param=f"messages.[{place}].content")


def _results_follow_calls(asked: Asked) -> None:
    """Every call is answered in the messages right after it, and nothing else is."""
    waiting: dict[str, None] = {}
    for place, message in enumerate(asked.messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise bad(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    param=f"messages.[{place}].role",
                )
            waiting.pop(message["tool_call_id"])
            continue
        _all_answered(waiting, place)
        waiting = dict.fromkeys(call["id"] for call in message.get("tool_calls") or [])
    _all_answered(waiting, len(asked.messages))


def _all_answered(waiting: dict[str, None], place: int) -> None:
    if waiting:
        raise bad(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}",
            param=f"messages.[{place}].role",
        )


def _tools_needed(asked: Asked) -> None:
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in asked.body and not asked.tools:
            raise bad(f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", param=name)


def _names_unique(asked: Asked) -> None:
    seen: set[str] = set()
    for tool in asked.tools:
        name = tool[tool["type"]]["name"]
        if name in seen:
            raise bad(f"Function names must be unique. Found duplicate: {name}.", param="tools")
        seen.add(name)


def _schemas(asked: Asked) -> None:
    for place, tool in enumerate(asked.tools):
        if tool["type"] == "function":
            one, path = tool["function"], f"tools[{place}].function.parameters"
            function_schema(one["name"], one.get("parameters"), path, strict=bool(one.get("strict")))


def _choice_declared(asked: Asked) -> None:
    choice = asked.body.get("tool_choice")
    if not isinstance(choice, dict):
        return
    chosen = [choice] if choice["type"] != "allowed_tools" else choice["allowed_tools"]["tools"]
    declared = {(tool["type"], tool[tool["type"]]["name"]) for tool in asked.tools}
    for one in chosen:
        name = one[one["type"]]["name"]
        if (one["type"], name) not in declared:
            raise bad(
                f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice", code="invalid_value"
            )


def _format_usable(asked: Asked) -> None:
    form = asked.body.get("response_format") or {"type": "text"}
    if form["type"] == "json_object" and not _says_json(asked.messages):
        raise bad(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )
    if form["type"] == "json_schema":
        one = form["json_schema"]
        if "schema" not in one:
            raise missing("response_format.json_schema.schema")
        response_schema(one["name"], one["schema"], "response_format", strict=bool(one.get("strict")))


def _says_json(messages: list[Json]) -> bool:
    return any("json" in str(message.get("content")).lower() for message in messages)


def _stream_options(asked: Asked) -> None:
    if asked.body.get("stream_options") is not None and not asked.body.get("stream"):
        raise bad("The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options")


def _logprobs(asked: Asked) -> None:
    if asked.body.get("top_logprobs") is not None and not asked.body.get("logprobs"):
        raise bad("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", param="top_logprobs")


def _output_in_range(asked: Asked) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        limit = asked.body.get(name)
        if limit is not None and limit > asked.model.max_output:
            raise bad(
                f"{name} is too large: {limit}. This model supports at most {asked.model.max_output} completion "
                f"tokens, whereas you provided {limit}.",
                param=name,
                code="invalid_value",
            )


def _served_in_chat(asked: Asked) -> None:
    if asked.model.use != "answers":
        raise bad(
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use "
            "v1/completions?",
            param="model",
            status=404,
        )
    if not asked.model.chat:
        raise bad(
            "This model is only supported in v1/responses and not in v1/chat/completions.", param="model", status=404
        )


def _seen_and_heard(asked: Asked) -> None:
    for message in asked.messages:
        parts = message.get("content")
        kinds = {part["type"] for part in parts} if isinstance(parts, list) else set()
        if "image_url" in kinds and not asked.model.sees:
            raise bad("Invalid content type. image_url is only supported by certain models.", param="messages")
        if "input_audio" in kinds and not asked.model.hears:
            raise bad("Invalid content type. input_audio is only supported by certain models.", param="messages")


_FIXED = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
_WITHOUT_REASONING = ("logprobs", "top_logprobs", "logit_bias", "stop", "prediction")


def _reasoning_rules(asked: Asked) -> None:
    body, model = asked.body, asked.model
    if not model.reasons:
        if body.get("reasoning_effort") is not None:
            raise unknown_argument("reasoning_effort")
        return
    if body.get("max_tokens") is not None:
        raise unsupported_parameter("max_tokens", "max_completion_tokens")
    for name in _WITHOUT_REASONING:
        if body.get(name):
            raise unsupported_parameter(name)
    if "parallel_tool_calls" in body and not model.parallel:
        raise unsupported_parameter("parallel_tool_calls")
    for name, default in _FIXED.items():
        if body.get(name) not in (None, default):
            raise unsupported_value(name, body[name], f"Only the default ({default}) value is supported.")
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in model.efforts:
        raise unsupported_value("reasoning_effort", effort, f"Supported values are: {listing(list(model.efforts))}.")
    functions = any(tool["type"] == "function" for tool in asked.tools)
    if functions and not model.thinks_and_calls and (effort or model.effort) != "none":
        raise bad(
            f"Function tools with reasoning_effort are not supported for {model.name} in /v1/chat/completions. To use "
            "function tools, use /v1/responses or set reasoning_effort to 'none'.",
            param="reasoning_effort",
        )


def _verbosity(asked: Asked) -> None:
    wanted = asked.body.get("verbosity")
    if wanted not in (None, "medium") and not asked.model.verbose:
        raise unsupported_value("verbosity", wanted, "Supported values are: 'medium'.")


def _of_others(check: Callable[[Asked], None]) -> Callable[[Asked], None]:
    return lambda asked: check(asked) if asked.plain else None


def _of_models(*checks: Callable[[Asked], None]) -> Callable[[Asked], None]:
    def check(asked: Asked) -> None:
        if not asked.plain:
            for one in checks:
                one(asked)

    return check


_CHECKS: tuple[Callable[[Asked], None], ...] = (
    _fields_known,
    _messages_given,
    _fields_shaped,
    _one_limit,
    _of_models(_served_in_chat),
    _answer_says_something,
    _files_whole,
    _results_follow_calls,
    _tools_needed,
    _names_unique,
    _schemas,
    _choice_declared,
    _format_usable,
    _stream_options,
    _logprobs,
    _of_models(_reasoning_rules, _verbosity, _output_in_range, _seen_and_heard),
    _of_others(template),
)

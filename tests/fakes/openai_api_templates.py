"""What the templates of models that others than OpenAI serve refuse of a conversation, or the services before them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.fakes.openai_api_errors import bad

if TYPE_CHECKING:
    from tests.fakes.openai_api_chat import Asked

__all__ = ["template"]

Json = dict[str, Any]

_NO_MISTRALS = {
    ("assistant", "system"),
    ("tool", "system"),
    ("tool", "user"),
}  # as older ones of mistral-common have it


def template(asked: Asked) -> None:
    """Say what the template of a model says, or the service before it, of some that others than OpenAI serve."""
    name = asked.body["model"]
    _awake(asked.body, name)
    _tooled(asked, name)
    if "qwen3.8" in name:
        _qwen(asked.messages)
    if "gpt-oss" in name:
        _gpt_oss(asked.messages)
    before = ""
    for place, message in enumerate(asked.messages):
        role, thought = message["role"], message.get("reasoning_content")
        if "stral" in name:
            _mistral(before, message)
        before = role
        if "minimax" in name and message.get("content") == "":
            raise bad("invalid params, chat content is empty (2013)", param=None)
        if "qwen3.8" in name and place and role in ("system", "developer"):
            raise bad("System message must be at the beginning.", param=None)
        if role != "assistant":
            continue
        if "deepseek-v4" in name and asked.tools and not thought:
            raise bad("The `reasoning_content` in the thinking mode must be passed back to the API.", param=None)
        if "mimo-v2" in name and message.get("tool_calls") and not thought:
            said = "The reasoning_content in the thinking mode must be passed back to the API."
            raise bad("Param Incorrect", param=said)
        if "kimi-k2.5" in name and message.get("tool_calls") and thought is None:
            raise bad(
                f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {place}",
                param=None,
            )


def _tooled(asked: Asked, name: str) -> None:
    if ".gguf" in name and re.search(r'"maxLength": [1-9]\d{3}|"pattern": "', json.dumps(asked.tools)):
        raise bad("Failed to initialize samplers: failed to parse grammar", param=None)
    if "kimi-k3" in name and (wrong := _unflavored(asked.tools)):
        raise bad(
            f"tools.function.parameters is not a valid moonshot flavored json schema, details: <{wrong}>", param=None
        )
    if "minimax" in name and any("parameters" not in tool["function"] for tool in asked.tools):
        raise bad("invalid params, function parameters is empty (2013)", param=None)


def _qwen(messages: list[Json]) -> None:
    if all(message["role"] != "user" for message in messages):
        raise bad("No user query found in messages.", param=None)
    for call in (call for message in messages for call in message.get("tool_calls") or ()):
        try:
            json.loads(call["function"]["arguments"])
        except ValueError as error:  # as vLLM says it
            raise bad(str(error), param=None) from None


def _gpt_oss(messages: list[Json]) -> None:
    for message in messages:
        if message.get("tool_calls") and message.get("content") and message.get("reasoning_content"):
            said = "Cannot pass both content and thinking in an assistant message with tool calls! Put the analysis"
            raise bad(f"Error: Jinja Exception: {said}", param=None, kind="server_error", status=500)


def _unflavored(node: object) -> str:
    """Say what of a schema Moonshot's older validators refuse; what stands beside it does not matter."""
    if isinstance(node, list):
        return next(filter(None, map(_unflavored, node)), "")
    if not isinstance(node, dict):
        return ""
    if "anyOf" in node and "type" in node:
        return "when using anyOf, type should be defined in anyOf items instead of the parent schema"
    if not node.get("$ref", "#/$defs/").startswith("#/$defs/"):
        return "references must start with #/$defs/"
    wrong = [name for name, one in node.get("properties", {}).items() if not isinstance(one, dict)]
    return f"property schema for '{wrong[0]}' must be an object" if wrong else _unflavored([*node.values()])


def _mistral(before: str, message: Json) -> None:
    if (before, message["role"]) in _NO_MISTRALS:
        raise bad(f"Unexpected role '{message['role']}' after role '{before}'", param=None)
    for call in message.get("tool_calls") or ():
        if re.fullmatch("[A-Za-z0-9]{9}", call["id"]) is None:
            raise bad(f"Tool call id was {call['id']} but must be a-z, A-Z, 0-9, with a length of 9.", param=None)


def _awake(body: Json, name: str) -> None:
    """Refuse to keep a model from thinking that always does, as the service says it that has the field."""
    if "kimi-k2.7" in name and body.get("thinking") == {"type": "disabled"}:
        raise bad("invalid thinking: only type=enabled is allowed for this model", param=None)
    if "doubao-seed-1-6-t" in name and body.get("thinking") == {"type": "disabled"}:
        raise bad("Unsupported thinking type for the current model: disabled Request id: 02175", param=None)
    if "qwen3.8-max" in name and body.get("enable_thinking") is False:
        raise bad("The value of the enable_thinking parameter is restricted to True.", param=None)
    if "Qwen2.5" in name and "enable_thinking" in body:
        raise bad("Value error, current model does not support parameter `enable_thinking`.", param=None)
    if "step-3.5" in name and (body.get("reasoning") or {}).get("enabled") is False:
        raise bad("Reasoning is mandatory for this endpoint and cannot be disabled.", param=None)

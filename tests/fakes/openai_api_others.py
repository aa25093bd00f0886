"""Servers with OpenAI's Responses that know less of it: which tools and items they take, and how they refuse others.

Every refusal is one that users of Codex have published. What they know beside the items is OpenAI's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from openai.types.responses import ResponseInputParam
from pydantic import TypeAdapter, ValidationError

from tests.fakes.openai_api_errors import OpenAIRefusal, bad, listing
from tests.fakes.openai_api_shapes import missing
from tests.fakes.v1internal_errors import Refusal

__all__ = ["OTHERS", "Other"]

Json = dict[str, Any]

_SAID = ("message", "function_call", "function_call_output", "reasoning")
_FUNCTIONS = ("function",)


@dataclass(frozen=True)
class Other:
    """One server. `tools`, `items`: the types that it knows; None: OpenAI's. `tool`, `item`: its refusals.

    `described`: whether every namespace needs words of its own. `whole`: looks through all items for what is missing.
    """

    tools: tuple[str, ...] | None = None
    items: tuple[str, ...] | None = None
    tool: Callable[[int, str], Refusal] | None = None
    item: Callable[[int, str], Refusal] | None = None
    described: bool = False
    whole: Callable[[list[Json]], None] | None = None

    def judge(self, body: Json) -> None:
        """Raise what the server says of a type that it does not know."""
        items: list[Json] = [] if isinstance(body.get("input"), str) else body.get("input") or []
        for place, item in enumerate(items):
            kind = item.get("type", "message")
            if self.items is not None and self.item is not None and kind not in self.items:
                raise self.item(place, kind)
            if self.described and kind == "additional_tools":
                _described(item["tools"], f"input[{place}].tools")
        for place, tool in enumerate(body.get("tools") or []):
            if self.tools is not None and self.tool is not None and tool["type"] not in self.tools:
                raise self.tool(place, tool["type"])
        if self.described:
            _described(body.get("tools") or [], "tools")
        if self.whole is not None:
            self.whole(items)


def _described(tools: list[Json], path: str) -> None:
    for place, tool in enumerate(tools):
        if tool["type"] != "namespace":
            continue
        param = f"{path}[{place}].description"
        if "description" not in tool:
            raise missing(param)
        if not tool["description"]:
            said = "empty string. Expected a string with minimum length 1, but got an empty string instead."
            raise bad(f"Invalid '{param}': {said}", param=param, code="empty_string")


def _serde(place: int, kind: str) -> Refusal:
    return bad(
        f"Failed to deserialize the JSON body into the target type: ?[{place}]: Invalid 'tools': unknown variant "
        f"`{kind}`, expected `function` or `mcp` at line 1 column 107773",
        code="validation_error",
    )


def _zod(place: int, kind: str) -> Refusal:
    if kind == "web_search":
        expected, code = "Invalid discriminator value. Expected 'function' | 'mcp'", "invalid_union_discriminator"
        return bad(expected, param=f"tools.{place}.type", code=code)
    return bad("Invalid", param=f"tools.{place}.type", code="invalid_string")


def _untagged(_place: int, _kind: str) -> Refusal:
    said = "Failed to deserialize the JSON body into the target type: data did not match any variant of untagged enum "
    return Refusal(422, {"error": f"{said}ModelInput"})


def _llama(_place: int, _kind: str) -> Refusal:
    error = {"code": 400, "message": "'type' of tool must be 'function'", "type": "invalid_request_error"}
    return OpenAIRefusal(400, error)


def _older(place: int, kind: str) -> Refusal:
    known = listing([*_SAID, "custom_tool_call", "custom_tool_call_output", "item_reference"])
    param = f"input[{place}].type"
    return bad(f"Invalid value: '{kind}'. Supported values are: {known}.", param=param, code="invalid_value")


def _named(_place: int, kind: str) -> Refusal:
    return bad(f"Unsupported Responses API input item type: '{kind}' None", code=None)


def _kind_tools(_place: int, kind: str) -> Refusal:
    return bad(f"`{kind}` tools are not supported on this endpoint", param="tools", code=None)


def _ollama(_place: int, kind: str) -> Refusal:
    said = f'Failed to parse tools: Unsupported tool type: {{"type":"{kind}","function":{{"name":"x"}}}}'
    return OpenAIRefusal(500, {"message": said, "type": "api_error", "param": None, "code": None})


@cache
def _types() -> TypeAdapter[Any]:
    return TypeAdapter(str | ResponseInputParam)


def _typed(items: list[Json]) -> None:
    """Read the input by the types of OpenAI's SDK, as vLLM does; FastAPI tells all errors, with what they are about."""
    try:
        _types().validate_python(items)
    except ValidationError as failed:
        found = [{**error, "loc": ("body", "input", *error["loc"])} for error in failed.errors(include_url=False)]
        said = "\n".join(f"  {error}" for error in found)
        raise bad(f"{len(found)} validation errors:\n{said}", code=None, kind="Bad Request") from None


def _routed(items: list[Json]) -> None:
    """Read it by a schema that demands as much, as OpenRouter does, which does not say what is wrong."""
    try:
        _types().validate_python(items)
    except ValidationError:
        raise bad("Invalid Responses API request", code="invalid_prompt") from None


def _identified(items: list[Json]) -> None:
    for place, item in enumerate(items):
        result = item.get("type", "message").endswith("_output")
        if item.get("role", "assistant") == "assistant" and not result and not item.get("id"):
            raise bad(f"`input[{place}]` missing required field `id`", param=f"input[{place}]", code=None)


OTHERS = {
    "llama.cpp": Other(tools=_FUNCTIONS, tool=_llama),
    "LM Studio": Other(tools=(*_FUNCTIONS, "mcp"), tool=_zod),
    "Bedrock": Other(tools=(*_FUNCTIONS, "mcp"), tool=_serde),
    "Ollama": Other(tools=(*_FUNCTIONS, "web_search"), tool=_ollama),
    "Meta": Other(tools=(*_FUNCTIONS, "web_search"), tool=_kind_tools, whole=_identified),
    "vLLM": Other(whole=_typed),
    "OpenRouter": Other(whole=_routed),
    "xAI": Other(items=(*_SAID, "web_search_call"), item=_untagged),
    "older": Other(
        items=(*_SAID, "custom_tool_call", "custom_tool_call_output", "item_reference", "web_search_call"), item=_older
    ),
    "Azure": Other(described=True),
    "router": Other(items=(*_SAID, "custom_tool_call", "custom_tool_call_output"), item=_named),
}

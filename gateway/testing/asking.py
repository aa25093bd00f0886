"""How the callers of each dialect ask: paths, keys, and the bodies of a few wishes.

Every text can be asked of any model. What directs `demo` stands on a line of its own; a model that is none reads it as
part of the request, and is made to call the tool by the dialect's own tool choice.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.testing.grammar import Call, Json

__all__ = ["ASKING", "TOOL", "Asking", "Wish"]

TOOL: Final = "get_weather"
_DESCRIBED: Final = "Get the weather of a city"
_SCHEMA: Final[Json] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_WEATHER: Final[Json] = {"celsius": 21, "sky": "clear"}
_LIMIT: Final = 2048
_BUDGET: Final = 1024


@dataclass(frozen=True)
class Wish:
    """What is asked for. `tool`: it is offered; `forced`: it must be called. `told`: the turn that was heard before.

    `calls`: of that turn; each is answered. `thinks`: thoughts are wanted. `counted`: Chat's streams tell their usage.
    """

    text: str
    stream: bool = False
    tool: bool = False
    forced: bool = False
    told: Sequence[Json] = ()
    calls: tuple[Call, ...] = ()
    thinks: bool = False
    counted: bool = True

    def streamed(self) -> "Wish":
        """Ask for the same as a stream."""
        return replace(self, stream=True)


@dataclass(frozen=True)
class Asking:
    """One dialect. `path`: of a model, streamed or not. `turn`: what is given back of a whole answer."""

    path: Callable[[str, bool], str]
    body: Callable[[str, Wish], Json]
    turn: Callable[[Json], Sequence[Json]]
    headers: Callable[[str], Mapping[str, str]]
    models: str
    without: str  # the field that no request can do without


def _bearer(key: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


def _chat(model: str, wish: Wish) -> Json:
    said: list[Json] = [{"role": "user", "content": wish.text}, *wish.told]
    said += [{"role": "tool", "tool_call_id": call.id, "content": json.dumps(_WEATHER)} for call in wish.calls]
    body: Json = {"model": model, "messages": said, "stream": wish.stream}
    function = {"name": TOOL, "description": _DESCRIBED, "parameters": _SCHEMA}
    if wish.stream and wish.counted:
        body["stream_options"] = {"include_usage": True}
    if wish.tool:
        body["tools"] = [{"type": "function", "function": function}]
    if wish.forced:
        body["tool_choice"] = {"type": "function", "function": {"name": TOOL}}
    if wish.thinks:
        body["reasoning_effort"] = "low"
    return body


def _responses(model: str, wish: Wish) -> Json:
    said: list[Json] = [{"role": "user", "content": wish.text}, *wish.told]
    said += [
        {"type": "function_call_output", "call_id": call.id, "output": json.dumps(_WEATHER)} for call in wish.calls
    ]
    body: Json = {"model": model, "input": said, "stream": wish.stream, "store": False}
    if wish.tool:
        body["tools"] = [{"type": "function", "name": TOOL, "description": _DESCRIBED, "parameters": _SCHEMA}]
    if wish.forced:
        body["tool_choice"] = {"type": "function", "name": TOOL}
    if wish.thinks:
        body |= {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    return body


def _messages(model: str, wish: Wish) -> Json:
    said: list[Json] = [{"role": "user", "content": wish.text}, *wish.told]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": json.dumps(_WEATHER)} for call in wish.calls]
    said += [{"role": "user", "content": results}] if results else []
    body: Json = {"model": model, "max_tokens": _LIMIT, "messages": said, "stream": wish.stream}
    if wish.tool:
        body["tools"] = [{"name": TOOL, "description": _DESCRIBED, "input_schema": _SCHEMA}]
    if wish.forced:
        body["tool_choice"] = {"type": "tool", "name": TOOL}
    if wish.thinks:
        body["thinking"] = {"type": "enabled", "budget_tokens": _BUDGET}
    return body


def _gemini(_: str, wish: Wish) -> Json:
    said: list[Json] = [{"role": "user", "parts": [{"text": wish.text}]}, *wish.told]
    results = [{"functionResponse": _response(call)} for call in wish.calls]
    said += [{"role": "user", "parts": results}] if results else []
    body: Json = {"contents": said}
    if wish.tool:
        declared = {"name": TOOL, "description": _DESCRIBED, "parameters": _SCHEMA}
        body["tools"] = [{"functionDeclarations": [declared]}]
    if wish.forced:
        body["toolConfig"] = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [TOOL]}}
    if wish.thinks:
        body["generationConfig"] = {"thinkingConfig": {"includeThoughts": True}}
    return body


def _response(call: Call) -> Json:
    named = {"id": call.id} if call.id else {}
    return {**named, "name": call.name, "response": _WEATHER}


def _verb(model: str, stream: bool) -> str:
    return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")


ASKING: Final[Mapping[str, Asking]] = {
    "openai-chat": Asking(
        path=lambda _, __: "/v1/chat/completions",
        body=_chat,
        turn=lambda answer: [answer["choices"][0]["message"]],
        headers=_bearer,
        models="/v1/models",
        without="messages",
    ),
    "openai-responses": Asking(
        path=lambda _, __: "/v1/responses",
        body=_responses,
        turn=lambda answer: list(answer["output"]),
        headers=_bearer,
        models="",  # Chat's
        without="model",
    ),
    "anthropic": Asking(
        path=lambda _, __: "/v1/messages",
        body=_messages,
        turn=lambda answer: [{"role": "assistant", "content": answer["content"]}],
        headers=lambda key: {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})},
        models="/v1/models",
        without="messages",
    ),
    "gemini": Asking(
        path=_verb,
        body=_gemini,
        turn=lambda answer: [answer["candidates"][0]["content"]],
        headers=lambda key: {"x-goog-api-key": key} if key else {},
        models="/v1beta/models",
        without="contents",
    ),
}

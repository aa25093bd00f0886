"""Callers who have a conversation of two turns with a tool in between, and may drop what signs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.gateway.dialects.anthropic.reader import content, parse
from tests.gateway.dialects.gemini.caller import sse
from tests.gateway.dialects.openai_chat.chat import Stream as ChatStream
from tests.gateway.dialects.openai_responses.responses import Stream as ResponsesStream

__all__ = ["BUDGET", "CALLERS", "Caller"]

Json = dict[str, Any]

OBJECT: Json = {"type": "object", "properties": {}}
BUDGET: Json = {"type": "enabled", "budget_tokens": 2000}


@dataclass(frozen=True)
class Caller:
    """One dialect. `said`: what the model said, as the caller keeps it; `stripped`: without what signs it."""

    path: Callable[[str], str]
    ask: Callable[[str, str], Json]
    said: Callable[[bytes], Any]
    reply: Callable[[Json, Any], Json]
    stripped: Callable[[Any], Any]
    damaged: Callable[[Any, Callable[[str], str]], Any]

    async def first(self, http: httpx.AsyncClient, model: str, text: str) -> Any:
        """Ask, and give what the model said."""
        response = await http.post(self.path(model), json=self.ask(model, text))
        assert response.status_code == 200, response.text
        return self.said(response.content)

    async def second(self, http: httpx.AsyncClient, model: str, text: str, said: Any) -> httpx.Response:
        """Bring the result of the call."""
        return await http.post(self.path(model), json=self.reply(self.ask(model, text), said))


def _messages(model: str, text: str) -> Json:
    return {
        "model": model,
        "max_tokens": 4000,
        "stream": True,
        "thinking": BUDGET,
        "tools": [{"name": "f", "input_schema": OBJECT}],
        "messages": [{"role": "user", "content": text}],
    }


def _messages_reply(asked: Json, blocks: list[Json]) -> Json:
    use = next(block for block in blocks if block["type"] == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "done"}
    turns = [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
    return asked | {"messages": [*asked["messages"], *turns]}


def _chat(model: str, text: str) -> Json:
    return {
        "model": model,
        "stream": True,
        "reasoning_effort": "low",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": OBJECT}}],
        "messages": [{"role": "user", "content": text}],
    }


def _chat_reply(asked: Json, message: Json) -> Json:
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "done"}
    return asked | {"messages": [*asked["messages"], message, result]}


def _responses(model: str, text: str) -> Json:
    return {
        "model": model,
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "tools": [{"type": "function", "name": "f", "parameters": OBJECT, "strict": False}],
        "input": [{"role": "user", "content": text}],
    }


def _responses_reply(asked: Json, items: list[Json]) -> Json:
    call = next(item for item in items if item["type"] == "function_call")
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "done"}
    return asked | {"input": [*asked["input"], *items, result]}


def _gemini(_: str, text: str) -> Json:
    return {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "description": "does it"}]}],
    }


def _gemini_said(data: bytes) -> list[Json]:
    parts = [
        part for chunk in sse(data) for one in chunk["candidates"] for part in one.get("content", {}).get("parts", ())
    ]
    return [part for part in parts if part.get("text") != "" or "thoughtSignature" in part]


def _gemini_reply(asked: Json, parts: list[Json]) -> Json:
    call = next(part["functionCall"] for part in parts if "functionCall" in part)
    known = {name: call[name] for name in ("id", "name") if name in call}
    result = {"functionResponse": {**known, "response": {"output": "done"}}}
    turns = [{"role": "model", "parts": parts}, {"role": "user", "parts": [result]}]
    return asked | {"contents": [*asked["contents"], *turns]}


def _without(value: Any, *names: str) -> Any:
    if isinstance(value, dict):
        return {name: _without(one, *names) for name, one in value.items() if name not in names}
    return [_without(one, *names) for one in value] if isinstance(value, list) else value


def _mapped(value: Any, names: tuple[str, ...], change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            name: change(one) if name in names and isinstance(one, str) and one else _mapped(one, names, change)
            for name, one in value.items()
        }
    return [_mapped(one, names, change) for one in value] if isinstance(value, list) else value


CALLERS: Mapping[str, Caller] = {
    "anthropic": Caller(
        lambda _: "/v1/messages",
        _messages,
        lambda data: content(parse(data)),
        _messages_reply,
        lambda said: [block for block in said if block["type"] != "thinking"],
        lambda said, change: _mapped(said, ("signature",), change),
    ),
    "openai-chat": Caller(
        lambda _: "/v1/chat/completions",
        _chat,
        lambda data: ChatStream(data).message(),
        _chat_reply,
        lambda said: _without(said, "extra_content"),
        lambda said, change: _mapped(said, ("thought_signature",), change),
    ),
    "openai-responses": Caller(
        lambda _: "/v1/responses",
        _responses,
        lambda data: json.loads(json.dumps(ResponsesStream(data).response["output"])),
        _responses_reply,
        lambda said: [item for item in said if item["type"] != "reasoning"],
        lambda said, change: _mapped(said, ("encrypted_content",), change),
    ),
    "gemini": Caller(
        lambda model: f"/v1beta/models/{model}:streamGenerateContent?alt=sse",
        _gemini,
        _gemini_said,
        _gemini_reply,
        lambda said: _without(said, "thoughtSignature"),
        lambda said, change: _mapped(said, ("thoughtSignature",), change),
    ),
}

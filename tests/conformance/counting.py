"""Callers who ask how long a prompt is, in each dialect that has such a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.serving import serve

__all__ = ["COUNTERS", "Counted", "Rubbish", "counted", "rubbish"]

Json = dict[str, Any]
Counted = tuple[int, bool]  # tokens, and whether it is an estimate

COUNTERS = ("anthropic", "openai-responses", "gemini")
NAMES = {"anthropic": "input_tokens", "openai-responses": "input_tokens", "gemini": "totalTokens"}
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "integer", "description": "the first number"}}}


def request_of(dialect: str, model: str, text: str, *, system: str = "", tool: bool = False) -> tuple[str, Json]:
    """Write a request: its path and body."""
    if dialect == "anthropic":
        tools = [{"name": "add", "description": "adds", "input_schema": SCHEMA}] if tool else None
        body: Json = {"model": model, "messages": [{"role": "user", "content": text}], "system": system, "tools": tools}
        return "/v1/messages/count_tokens?beta=true", _given(body)
    if dialect == "openai-responses":
        functions = [{"type": "function", "name": "add", "description": "adds", "parameters": SCHEMA, "strict": False}]
        body = {"model": model, "input": text, "instructions": system, "tools": functions if tool else None}
        return "/v1/responses/input_tokens", _given(body)
    declared = [{"functionDeclarations": [{"name": "add", "description": "adds", "parameters": SCHEMA}]}]
    inner = {
        "model": f"models/{model}",
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "systemInstruction": {"parts": [{"text": system}]} if system else None,
        "tools": declared if tool else None,
    }
    return f"/v1beta/models/{model}:countTokens", {"generateContentRequest": _given(inner)}


async def counted(
    http: httpx.AsyncClient, dialect: str, model: str, text: str = "How long is this?", **how: Any
) -> Counted:
    """Count a prompt; the answer has nothing but the number, and says whether it is an estimate."""
    path, body = request_of(dialect, model, text, **how)
    return read(dialect, await http.post(path, json=body))


def read(dialect: str, response: httpx.Response) -> Counted:
    """Read an answer."""
    assert response.status_code == 200, response.text
    said: Json = response.json()
    if dialect == "openai-responses":
        assert said.pop("object") == "response.input_tokens"
    ((name, tokens),) = said.items()
    assert (name, type(tokens)) == (NAMES[dialect], int)
    assert tokens > 0
    mark = response.headers.get("x-gateway-token-count")
    assert mark in (None, "estimate")
    return tokens, mark is not None


def _given(body: Mapping[str, Any]) -> Json:
    return {name: value for name, value in body.items() if value}


class Rubbish:
    """A server that answers every count with the same bytes, and a token to whoever asks for one."""

    def __init__(self, url: str, reply: bytes) -> None:
        self.url = url
        self.reply = reply
        self.asked = 0


@asynccontextmanager
async def rubbish(reply: bytes) -> AsyncIterator[Rubbish]:
    """Run it."""
    server = Rubbish("", reply)

    async def answer(request: Request) -> Response:
        if request.url.path == "/token":
            return JSONResponse({"access_token": "at", "expires_in": 3600, "token_type": "Bearer"})
        if not any(name in request.url.path for name in ("ountTokens", "input_tokens", "count_tokens", "count-tokens")):
            return JSONResponse({}, 404)
        server.asked += 1
        return Response(server.reply, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with serve(app) as url:
        server.url = url
        yield server

"""Google's own OpenAI API refuses each field that it does not know, and its models by the names that it lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.app import create_app
from tests.conformance.served import CHAT, MESSAGES, RESPONSES, user
from tests.patience import patient
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

# as it was found to take them one by one, with one key and model: liliMozi/openhanako#2494
KNOWN = frozenset(
    {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "tools", "tool_choice"}
    | {"reasoning_effort", "response_format", "temperature", "top_p"}
)
MODEL = "gemini-3.8-flash"
TOOLS: Json = {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}
OF_CLAUDE_CODE: Json = {"max_tokens": 32000, "thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"}, **TOOLS}
OF_CODEX: Json = {
    "prompt_cache_key": "k",
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "reasoning": {"effort": "low", "summary": "auto"},
    "parallel_tool_calls": True,
    "text": {"verbosity": "low"},
}


class Google:
    """Refuses what it does not know, all at once, and remembers what it said."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.bodies: list[Json] = []
        self.good_keys = {"key-1", "key-2"}

    async def chat(self, request: Request) -> Response:
        if request.headers["authorization"].removeprefix("Bearer ") not in self.good_keys:
            self.statuses.append(400)
            told = {
                "code": 400,
                "message": "API key not valid. Please pass a valid API key.",
                "status": "INVALID_ARGUMENT",
            }
            return JSONResponse([{"error": told}], 400)
        asked: Json = await request.json()
        self.bodies.append(asked)
        unknown = [
            f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.' for name in asked.keys() - KNOWN
        ]
        calls = [call for message in asked["messages"] for call in message.get("tool_calls") or ()]
        if not all(call.get("extra_content", {}).get("google", {}).get("thought_signature") for call in calls):
            unknown.append("Function call is missing a thought_signature in functionCall parts.")
        self.statuses.append(400 if unknown else 200)
        if unknown:
            told = {"code": 400, "message": "\n".join(unknown), "status": "INVALID_ARGUMENT"}
            return JSONResponse([{"error": told}], 400)
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "ok"}
            return JSONResponse({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]}
        return Response(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n", media_type="text/event-stream")

    async def models(self, _: Request) -> Response:
        return JSONResponse(
            {"object": "list", "data": [{"id": f"models/{MODEL}", "object": "model", "owned_by": "google"}]}
        )


@asynccontextmanager
async def before(google: Google, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway before it, and before another upstream."""
    routes = [
        Route("/openai/chat/completions", google.chat, methods=["POST"]),
        Route("/openai/models", google.models),
    ]
    async with serve(Starlette(routes=routes)) as below:
        upstreams = {
            "other": {"type": "openai", "base_url": f"{below}/other", "api_key": "key-1", "models": ["x"]},
            "google": {"type": "openai", "base_url": f"{below}/openai", "api_key": ["key-1", "key-2"]},
        }
        config: Json = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, "upstream": upstreams}
        app = create_app(config)
        async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
            async with asyncio.timeout(patient(10)):
                while MODEL not in (await http.get("/v1/models")).text:  # noqa: ASYNC110 - the list has no event
                    await asyncio.sleep(0.01)
            yield http


@pytest.mark.parametrize(
    ("path", "fields", "refusals"),
    [
        (CHAT, {"store": False}, 1),
        (CHAT, {"store": False, "prompt_cache_key": "k", "frequency_penalty": 0}, 3),
        (CHAT, {"reasoning": {"effort": "low"}}, 1),
        (RESPONSES, OF_CODEX, 2),
        (MESSAGES, OF_CLAUDE_CODE, 1),
    ],
)
async def test_what_clients_always_send_is_left_out_and_that_is_remembered(
    tmp_path: Path, path: str, fields: Json, refusals: int
) -> None:
    google = Google()
    said: Json = {"input": "hi"} if path == RESPONSES else {"messages": [user("hi")]}
    async with before(google, tmp_path) as http:
        answers = [await http.post(path, json={"model": MODEL, **said, **fields}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert google.statuses == [*[400] * refusals, 200, 200]
    assert google.bodies[-1].keys() <= KNOWN


async def test_a_chat_goes_on_with_a_call_that_nobody_has_signed(tmp_path: Path) -> None:
    call: Json = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    called: Json = {"role": "assistant", "content": None, "tool_calls": [call]}
    result: Json = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    google = Google()
    async with before(google, tmp_path) as http:
        answer = await http.post(CHAT, json={"model": MODEL, "messages": [user("hi"), called, result]})
    assert (answer.status_code, google.statuses) == (200, [400, 200])
    (sent,) = google.bodies[-1]["messages"][1]["tool_calls"]
    assert sent["extra_content"] == {"google": {"thought_signature": "skip_thought_signature_validator"}}


@pytest.mark.parametrize("name", [MODEL, f"models/{MODEL}"])
async def test_a_model_that_it_lists_is_asked_by_its_name(tmp_path: Path, name: str) -> None:
    google = Google()
    async with before(google, tmp_path) as http:
        answer = await http.post(CHAT, json={"model": name, "messages": [user("hi")]})
    assert (answer.status_code, [body["model"] for body in google.bodies]) == (200, [MODEL])


@pytest.mark.parametrize(("good", "status", "statuses"), [({"key-2"}, 200, [400, 200]), (set[str](), 503, [400, 400])])
async def test_a_key_that_is_not_valid_is_not_the_callers_fault(
    tmp_path: Path, good: set[str], status: int, statuses: list[int]
) -> None:
    """It comes as a 400: router-for-me/CLIProxyAPI#2016."""
    google = Google()
    google.good_keys = good
    async with before(google, tmp_path) as http:
        answer = await http.post(CHAT, json={"model": MODEL, "messages": [user("hi")]})
    assert (answer.status_code, google.statuses) == (status, statuses)

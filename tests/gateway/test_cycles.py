"""What a request has used is given back when it ends, however it ends: nothing of it waits for the cycle collector.

The collector of `gateway run` seldom looks (`gateway.memory.settle`), so what it has to find is memory that grows.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from starlette.applications import Starlette
from starlette.types import Message

import gateway
from tests.fakes.openai_api import FakeOpenAI
from tests.middleware.asgi import call, scope_of

pytestmark = pytest.mark.anyio

PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/gpt-4.1:streamGenerateContent",
}
FAULTS = ("", "!drop 0", "!drop 2", "!fin 1", "!cut 2", "!error 500 1", "!error 503", "!error 429 1", "!error 400")
STALL = "!stall 30"
OURS = "gateway."


@pytest.fixture
async def app(tmp_path: Path, fake_openai: FakeOpenAI) -> AsyncIterator[Starlette]:
    """Run a gateway with all that follows a request to its end."""
    keys = {"type": "openai", "base_url": f"{fake_openai.url}/v1", "api_key": ["key-1", "key-2"], "models": ["gpt-4.1"]}
    config = {
        "server": {"data_dir": str(tmp_path)},
        "limits": {"tokens_per_minute": 1_000_000_000},
        "upstream": {"openai": {**keys, "pool": {"cooldown": {"min": 1, "max": 1, "unknown": 1}}}},
        "timeouts": {"first_byte": 0.2},
        "retry": {"attempts": 2, "max_wait": 0},
    }
    app = gateway.create_app(config)
    async with gateway.lifespan(app):
        yield app


def body(dialect: str, fault: str, *, stream: bool = True) -> bytes:
    text = f"!say one two three\n{fault}"
    if dialect == "gemini":
        return json.dumps({"contents": [{"role": "user", "parts": [{"text": text}]}]}).encode()
    said = "input" if dialect == "openai-responses" else "messages"
    asked = {"model": "gpt-4.1", "stream": stream, said: [{"role": "user", "content": text}]}
    return json.dumps(asked | ({"max_tokens": 50} if dialect == "anthropic" else {})).encode()


async def left_by(ask: Callable[[], Awaitable[object]]) -> Counter[str]:
    """Ask twice, for the first one makes what stays, and count what of ours only the collector finds.

    What was there before the second one is not looked at: the app of another test may go just then.
    """
    await ask()
    gc.collect()
    gc.disable()
    gc.freeze()  # it stays so: to look through what a thousand tests have left takes seconds each time
    try:
        await ask()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return Counter(type(one).__qualname__ for one in gc.garbage if type(one).__module__.startswith(OURS))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("fault", [*FAULTS, STALL])
@pytest.mark.parametrize("dialect", PATHS)
async def test_a_stream_leaves_nothing_to_the_collector(app: Starlette, dialect: str, fault: str) -> None:
    assert await left_by(lambda: call(app, scope_of(PATHS[dialect]), [body(dialect, fault)])) == {}


@pytest.mark.parametrize("fault", [*FAULTS, STALL])
async def test_a_whole_answer_leaves_nothing_to_the_collector(app: Starlette, fault: str) -> None:
    asked = body("openai-chat", fault, stream=False)
    assert await left_by(lambda: call(app, scope_of(), [asked])) == {}


async def leave(app: Starlette) -> None:
    """Leave when the first words have come."""
    pieces, heard = [body("openai-chat", "!pace 30000")], anyio.Event()

    async def receive() -> Message:
        if pieces:
            return {"type": "http.request", "body": pieces.pop()}
        await heard.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            heard.set()

    await app(scope_of(), receive, send)


async def test_a_caller_who_leaves_leaves_nothing_to_the_collector(app: Starlette) -> None:
    assert await left_by(lambda: leave(app)) == {}

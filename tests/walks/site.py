"""Two gateways before all strict fakes, with a data directory of their own each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.app import create_app
from tests.conformance.azure_api import DEPLOYMENTS
from tests.conformance.served import settings
from tests.conformance.vertex_api import logged_in
from tests.fakes.anthropic_api import MESSAGES, FakeAnthropic
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import CHAT, RESPONSES, FakeOpenAI
from tests.fakes.openrouter_api import FakeOpenRouter
from tests.fakes.server import STREAM, Fake
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record
from tests.fakes.vertex_api import FakeVertex
from tests.serving import serve

from .material import Json

__all__ = ["MODELS", "SPOKEN", "Site", "running"]

MODELS: Final[dict[str, tuple[str, ...]]] = {
    "code": (
        "gemini-3-flash",
        "gemini-2.5-flash",
        "gemini-3.1-pro-preview",
        "gpt-oss-120b-medium",
        "claude-sonnet-4-6",
        "claude-opus-4-6-thinking",
    ),
    "gemini": (
        "gemini-3-flash-preview",
        "gemini-2.5-flash",
        "gemini-2.5-pro",
        "gemini-3.6-flash",
        "gemini-4-argon",
        "gemini-3.1-pro-preview",
        "gemini-3.1-flash-lite",
    ),
    "vertex": ("gemini-3-flash-preview", "gemini-2.5-flash", "claude-sonnet-4-5", "claude-opus-5-5"),
    "chat": ("gpt-4.1", "gpt-4o", "gpt-5", "gpt-5.2", "gpt-5.4", "gpt-5.6-terra", "o4-mini", "gpt-5-codex"),
    "responses": ("gpt-4.1", "gpt-5", "gpt-5.2", "gpt-5.4", "gpt-5.6-terra", "o4-mini", "gpt-5-codex"),
    "azure": ("gpt-4.1", "gpt-5", "o4-mini"),
    "anthropic": (
        "claude-haiku-4-5-20251001",
        "claude-sonnet-4-5-20250929",
        "claude-opus-4-5-20251101",
        "claude-sonnet-4-6",
        "claude-opus-4-8",
        "claude-opus-5-5",
        "claude-fable-5-2",
        "claude-sonnet-5",
    ),
    "plain": (
        "mistral-large-latest",
        "deepseek-v4-pro",
        "kimi-k2.5",
        "qwen3.8-max",
        "minimax-m2.5",
        "mimo-v2-pro",
        "glm-5",
        "llama-3.3-70b",
        "moonshotai/kimi-k2-thinking",
    ),
    "openrouter": ("google/gemini-3-flash-preview", "anthropic/claude-sonnet-4.5", "openai/gpt-5.2"),
}
# the dialect of each call for an answer
SPOKEN: Final = {
    CHAT: "openai-chat",
    RESPONSES: "openai-responses",
    MESSAGES: "anthropic",
    STREAM: "gemini",
    "generateContent": "gemini",
}
KEY: Final = "key-1"


@dataclass
class Site:
    """The gateways, by their clients, and the fakes, by the names of their upstreams."""

    doors: list[httpx.AsyncClient]
    fakes: dict[str, Fake[Any]]

    def sides(self, upstream: str) -> list[Fake[Any]]:
        """Give the fake, and that of Vertex's other side."""
        fake = self.fakes[upstream]
        return [fake, fake.claude] if isinstance(fake, FakeVertex) else [fake]

    def direct(self, upstream: str, script: str) -> None:
        """Forget the turn before, and direct the answer of this one."""
        for side in self.sides(upstream):
            side.reset()
            side.script.push(script)

    def calls(self, upstream: str) -> list[Record]:
        """List the calls for an answer."""
        return [call for side in self.sides(upstream) for call in side.requests if call.method in SPOKEN]

    async def straight(self, upstream: str, call: Record, body: Json) -> httpx.Response:
        """Post a caller's own body where the gateway has posted what it made of it."""
        headers = {name: value for name, value in call.headers.items() if name not in ("host", "content-length")}
        own = {name: value for name, value in body.items() if name != "model"}
        if call.enveloped:
            own = {**call.body, "request": own}
        else:
            own |= {name: call.body[name] for name in ("model", "anthropic_version") if name in call.body}
        for side in self.sides(upstream):
            side.script.clear()
        async with httpx.AsyncClient(timeout=20) as http:
            url = self.fakes[upstream].url + call.path
            return await http.post(url, params=call.query, headers=headers, content=json.dumps(own).encode())


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Site]:
    """Run all of it."""
    code, vertex = FakeV1Internal(), FakeVertex()
    fakes: dict[str, Fake[Any]] = {
        "code": code,
        "gemini": FakeGemini(),
        "vertex": vertex,
        "chat": FakeOpenAI(),
        "responses": FakeOpenAI(),
        "azure": FakeAzure(),
        "anthropic": FakeAnthropic(),
        "plain": FakeOpenAI(plain=True, keys=()),
        "openrouter": FakeOpenRouter(),
    }
    async with AsyncExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for fake in fakes.values():
            await stack.enter_async_context(fake)
        logged_in(vertex, folder, environment)
        doors: list[httpx.AsyncClient] = []
        for name in ("one", "other"):
            config = settings(code, folder / name, upstream=_upstreams(code, fakes))
            url = await stack.enter_async_context(serve(create_app(config)))
            doors.append(await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20)))
        yield Site(doors, fakes)


def _upstreams(code: FakeV1Internal, fakes: dict[str, Fake[Any]]) -> Json:
    url = {name: fake.url for name, fake in fakes.items()}
    compatible = {
        name: {"type": "openai", "base_url": f"{url[name]}/v1", "api_key": KEY}
        for name in ("chat", "responses", "plain", "openrouter")
    }
    compatible["responses"]["api"] = "responses"
    azure = {"endpoint": url["azure"], "api_version": "v1", "deployments": DEPLOYMENTS}
    return {
        "code": settings(code, Path())["upstream"]["google"],
        "gemini": {"type": "gemini", "base_url": url["gemini"], "api_key": KEY},
        "vertex": {"type": "vertex", "base_url": url["vertex"]},
        "anthropic": {"type": "anthropic", "base_url": url["anthropic"], "api_key": KEY},
        "azure": {"type": "azure", "api_key": KEY, **azure},
        **compatible,
    }

"""The real gateway before the strict fake of Code Assist, over real sockets on both sides."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway.app import Gateway, create_app
from tests.automata import STREAMS, WHOLES, Heard
from tests.fakes.v1internal import FakeV1Internal
from tests.serving import serve

__all__ = [
    "CHAT",
    "CLAUDE",
    "DIALECTS",
    "GEMINI_2",
    "GEMINI_3",
    "MESSAGES",
    "Served",
    "events",
    "settings",
    "standing",
    "user",
    "values",
]

Json = dict[str, Any]

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
GEMINI_2 = "gemini-2.5-flash"
GEMINI_3 = "gemini-3-flash"
CLAUDE = "claude-sonnet-4-6"

DIALECTS = {"openai-chat": CHAT, "anthropic": MESSAGES}
STREAM_OPTIONS = {"openai-chat": {"stream_options": {"include_usage": True}}, "anthropic": {}}


class Served:
    """One running gateway; `fake` is what stands behind it, `model` what is asked unless a test says otherwise."""

    model = GEMINI_3

    def __init__(self, fake: FakeV1Internal, app: Starlette, http: httpx.AsyncClient) -> None:
        self.fake = fake
        self.http = http
        self.url = str(http.base_url).rstrip("/")
        self.gateway: Gateway = app.state.gateway

    async def post(self, path: str, *messages: Json | str, model: str = "", **fields: Any) -> httpx.Response:
        """Post a request of these messages; a text is what the user says."""
        said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
        return await self.http.post(
            path, json={"model": model or self.model, "messages": said or [user("hi")], **fields}
        )

    async def hear(self, dialect: str, *messages: Json | str, stream: bool, **fields: Any) -> Heard:
        """Ask, and walk the answer through the automaton of its dialect."""
        fields = (STREAM_OPTIONS[dialect] | fields) if stream else fields
        response = await self.post(DIALECTS[dialect], *messages, stream=stream, **fields)
        streamed = response.headers["content-type"].startswith("text/event-stream")
        assert streamed is (stream and response.status_code == 200)
        return (STREAMS if streamed else WHOLES)[dialect](response.content)

    @property
    def sent(self) -> Json:
        """What the upstream received last: the inner request."""
        return self.fake.calls()[-1].request

    @property
    def contents(self) -> list[Json]:
        """Its contents."""
        contents: list[Json] = self.sent["contents"]
        return contents

    @property
    def config(self) -> Json:
        """Its generationConfig."""
        config: Json = self.sent.get("generationConfig", {})
        return config


def user(content: Any) -> Json:
    """Say something as the user."""
    return {"role": "user", "content": content}


def settings(fake: FakeV1Internal, folder: Path, **over: Any) -> Json:
    """Write the gateway.toml of these tests, as a mapping."""
    google = {
        "type": "v1internal",
        "base_urls": [fake.url],
        "oauth": {
            "client_id": "our-client",
            "client_secret": "our-secret",
            "token_url": fake.token_url,
            "userinfo_url": fake.userinfo_url,
        },
        "pool": {"refresh_tokens": ["rt-1"]},
    }
    google |= over.pop("google", {})
    return {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error", "format": "json"},
        "upstream": {"google": google},
        **over,
    }


@asynccontextmanager
async def standing(fake: FakeV1Internal, config: Mapping[str, object]) -> AsyncIterator[Served]:
    """Run a gateway."""
    app = create_app(config)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield Served(fake, app, http)


def events(body: str) -> list[Json]:
    """Give the data of an SSE body, without the end mark."""
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def values(name: str, of: Any) -> Sequence[Any]:
    """Find every value of this key, at any depth."""
    if isinstance(of, dict):
        return [*([of[name]] if name in of else []), *(found for one in of.values() for found in values(name, one))]
    return [found for one in of for found in values(name, one)] if isinstance(of, list) else []

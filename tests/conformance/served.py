"""The real gateway before a strict fake of its upstream, over real sockets on both sides."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from starlette.applications import Starlette

from gateway.app import Gateway, create_app
from tests.automata import STREAMS, WHOLES, Heard
from tests.fakes.server import STREAM
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record
from tests.serving import serve

__all__ = [
    "CHAT",
    "CLAUDE",
    "DIALECTS",
    "EACH_DIALECT",
    "GEMINI_2",
    "GEMINI_3",
    "MESSAGES",
    "RESPONSES",
    "Served",
    "events",
    "settings",
    "standing",
    "turns",
    "user",
    "values",
]

Json = dict[str, Any]

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
GEMINI_2 = "gemini-2.5-flash"
GEMINI_3 = "gemini-3-flash"
CLAUDE = "claude-sonnet-4-6"

DIALECTS = {"openai-chat": CHAT, "anthropic": MESSAGES}
EACH_DIALECT = {**DIALECTS, "openai-responses": RESPONSES}
STREAM_OPTIONS = {"openai-chat": {"stream_options": {"include_usage": True}}}


class Served:
    """One running gateway; `fake` is what stands behind it, `model` what is asked unless a test says otherwise.

    `older` is a model that takes budgets in place of levels. Where the upstream has an envelope for its chunks, scripts
    are written in it.
    """

    model = GEMINI_3
    older = GEMINI_2
    enveloped = True

    def __init__(self, fake: FakeV1Internal, app: Starlette, http: httpx.AsyncClient) -> None:
        self.fake = fake
        self.http = http
        self.url = str(http.base_url).rstrip("/")
        self.gateway: Gateway = app.state.gateway

    async def post(self, path: str, *messages: Json | str, model: str = "", **fields: Any) -> httpx.Response:
        """Post a request of these messages; a text is what the user says."""
        given = [user(one) if isinstance(one, str) else one for one in messages] or [user("hi")]
        said = [one | {"content": self.directed(one["content"])} if one.get("content") else one for one in given]
        return await self.http.post(path, json={"model": model or self.model, turns(path): said, **fields})

    def directed(self, content: Any) -> Any:
        """Write the scripted chunks of a text as this upstream sends them."""
        if self.enveloped or not isinstance(content, str):
            return content
        return "\n".join(map(_bare, content.split("\n")))

    def reset(self) -> Self:
        """Forget the calls and pushed directives."""
        self.fake.reset()
        return self

    def push(self, *texts: str) -> None:
        """Direct the next answers, whatever is asked."""
        self.fake.script.push(*map(self.directed, texts))

    async def hear(self, dialect: str, *messages: Json | str, stream: bool, **fields: Any) -> Heard:
        """Ask, and walk the answer through the automaton of its dialect."""
        fields = (STREAM_OPTIONS.get(dialect, {}) | fields) if stream else fields
        response = await self.post(EACH_DIALECT[dialect], *messages, stream=stream, **fields)
        streamed = response.headers["content-type"].startswith("text/event-stream")
        assert streamed is (stream and response.status_code == 200)
        return (STREAMS if streamed else WHOLES)[dialect](response.content)

    @property
    def calls(self) -> list[Record]:
        """The generating calls that the upstream received; only the public API is asked for a whole answer."""
        return [call for call in self.fake.requests if call.method in (STREAM, "generateContent")]

    @property
    def sent(self) -> Json:
        """What the upstream received last: the inner request."""
        return self.calls[-1].request

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


def _bare(line: str) -> str:
    word, _, rest = line.partition(" ")
    if word != "!chunk":
        return line
    said = json.loads(rest)
    return f"!chunk {json.dumps(said.get('response', said))}"


def turns(path: str) -> str:
    """Name the field that holds what was said."""
    return "input" if path.startswith(RESPONSES) else "messages"


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

"""One gateway before every kind of upstream, and callers of every dialect who ask one of them.

An upstream is asked by its name before the model's, so that all of them stand behind the same gateway.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from starlette.applications import Starlette

from gateway.app import create_app
from tests.adapters.vertex_site import forget
from tests.automata import Heard
from tests.conformance.openai_api import CALLERS, Said, Wish
from tests.conformance.served import events
from tests.fakes.anthropic_api import MESSAGES, FakeAnthropic
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import CHAT, RESPONSES, FakeOpenAI
from tests.fakes.server import STREAM, Fake
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record
from tests.fakes.vertex_api import FakeVertex
from tests.serving import serve

__all__ = [
    "ALL",
    "CHAT_FORM",
    "CLAUDES",
    "DIALECTS",
    "GOOGLE",
    "OPENAI",
    "SAME",
    "THINKING",
    "TRANSLATING",
    "Alone",
    "At",
    "Gateway",
    "each",
    "running",
    "translated",
]

Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of upstream: its table of the configuration, what is asked of it, and the calls for an answer."""

    table: str
    model: str
    called: tuple[str, ...]
    older: str = ""


GENERATING = (STREAM, "generateContent")
KINDS: Mapping[str, Kind] = {
    "v1internal": Kind("v1internal", "gemini-3-flash", GENERATING, "gemini-2.5-flash"),
    "v1internal-claude": Kind("v1internal", "claude-sonnet-4-6", GENERATING),
    "gemini": Kind("gemini", "gemini-3-flash-preview", GENERATING, "gemini-2.5-flash"),
    "vertex": Kind("vertex", "gemini-3-flash-preview", GENERATING, "gemini-2.5-flash"),
    "vertex-claude": Kind("vertex", "claude-sonnet-4-5", (MESSAGES,)),
    "chat": Kind("chat", "gpt-4.1", (CHAT,)),
    "responses": Kind("responses", "gpt-4.1", (RESPONSES,)),
    "azure": Kind("azure", "gpt-4.1", (CHAT,)),
    "anthropic": Kind("anthropic", "claude-sonnet-4-5", (MESSAGES,)),
}

ALL = tuple(KINDS)
GOOGLE = ("v1internal", "gemini", "vertex")
OPENAI = ("chat", "responses", "azure")
CHAT_FORM = ("chat", "azure")
CLAUDES = ("anthropic", "vertex-claude")
THINKING = (*GOOGLE, "v1internal-claude", *CLAUDES)  # upstreams that show their thoughts

DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
TRANSLATING = DIALECTS[:3]  # a Gemini caller gets from Google what Google says

# dialect -> the upstreams that speak it, too
SAME: Mapping[str, tuple[str, ...]] = {
    "openai-chat": CHAT_FORM,
    "openai-responses": ("responses",),
    "anthropic": CLAUDES,
    "gemini": GOOGLE,
}


def translated(dialects: Collection[str] = DIALECTS, upstreams: Collection[str] = ALL) -> pytest.MarkDecorator:
    """Run a test for each pair of a dialect and an upstream that speaks another."""
    pairs = [(at, dialect) for at in upstreams for dialect in dialects if at not in SAME[dialect]]
    return pytest.mark.parametrize(("at", "dialect"), pairs, indirect=["at"])


class Alone(Protocol):
    """Runs a gateway for one test, before one upstream."""

    async def __call__(self, upstream: str, **over: Any) -> At: ...


def each(*upstreams: str) -> pytest.MarkDecorator:
    """Run a test before each of these upstreams."""
    return pytest.mark.parametrize("at", upstreams, indirect=True)


class Gateway:
    """A running gateway and the fakes behind it, by the names of their tables."""

    def __init__(self, http: httpx.AsyncClient, fakes: Mapping[str, Fake[Any]], app: Starlette) -> None:
        self.http = http
        self.fakes = fakes
        self.app = app
        self.url = str(http.base_url).rstrip("/")

    def at(self, upstream: str) -> At:
        """Give the way to one upstream, of which no call is remembered."""
        kind = KINDS[upstream]
        fake = self.fakes[kind.table]
        fake.reset()
        if isinstance(fake, FakeVertex):
            fake = fake.claude if upstream == "vertex-claude" else fake
        return At(self, upstream, kind, fake)


@dataclass
class At:
    """One upstream of a gateway, and what to ask of it."""

    gateway: Gateway
    upstream: str
    kind: Kind
    fake: Fake[Any]

    def __post_init__(self) -> None:
        self.model = f"{self.kind.table}/{self.kind.model}"
        self.older = f"{self.kind.table}/{self.kind.older}"
        self.http = self.gateway.http
        self.url = self.gateway.url

    @property
    def enveloped(self) -> bool:
        """Whether its chunks have an envelope."""
        return self.kind.table == "v1internal"

    @property
    def calls(self) -> list[Record]:
        """The calls for an answer that it received."""
        return [call for call in self.fake.requests if call.method in self.kind.called]

    @property
    def sent(self) -> Json:
        """What it received last, out of its envelope."""
        return self.calls[-1].request

    @property
    def turns(self) -> list[Json]:
        """The conversation that it received last."""
        field = next(name for name in ("contents", "messages", "input") if name in self.sent)
        turns: list[Json] = self.sent[field]
        return turns

    def push(self, *texts: str) -> None:
        """Direct the next answers, one text each."""
        self.fake.script.push(*texts)

    def play(self, *chunks: Json, then: str = "") -> None:
        """Let the next answer be these chunks, or events."""
        whole = [{"response": one} if self.enveloped and "error" not in one else one for one in chunks]
        lines = [f"!chunk {json.dumps(one)}" for one in whole]
        self.push("\n".join([*lines, then] if then else lines))

    def wish(self, text: str = "hi", **wish: Any) -> Wish:
        """Say what a caller wants."""
        said: Sequence[Said] = wish.pop("said", [Said(text)])
        return Wish(said=said, model=wish.pop("model", "") or self.model, **wish)

    async def response(self, dialect: str, text: str = "hi", **wish: Any) -> httpx.Response:
        """Ask as a caller of this dialect."""
        wanted = self.wish(text, **wish)
        caller = CALLERS[dialect]
        return await self.http.post(caller.path(wanted), json=caller.body(wanted) | (wanted.more or {}))

    async def ask(self, dialect: str, text: str = "hi", *, stream: bool = False, **wish: Any) -> Heard:
        """Ask, and hear the answer by the rules of the dialect."""
        response = await self.response(dialect, text, stream=stream, **wish)
        streamed = response.headers["content-type"].startswith("text/event-stream")
        assert streamed is (stream and response.status_code == 200), response.text
        return self.hear(dialect, response)

    def hear(self, dialect: str, response: httpx.Response) -> Heard:
        """Hear an answer by the rules of its dialect."""
        streamed = response.headers["content-type"].startswith("text/event-stream")
        if streamed and (dialect, self.upstream) == ("openai-responses", "responses"):
            told = events(response.text)
            if told[-1]["type"] == "response.failed":  # the item that was open has passed, and is not said again
                words = "".join(one["delta"] for one in told if one["type"] == "response.output_text.delta")
                return Heard(words, error=told[-1]["response"]["error"])
        return (CALLERS[dialect].stream if streamed else CALLERS[dialect].whole)(response.content)

    async def post(self, path: str, body: Json, **headers: str) -> httpx.Response:
        """Post a body for the model of this upstream."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, json={"model": self.model, **body}, headers=named)

    async def chat(self, *messages: Json, **fields: Any) -> httpx.Response:
        """Post these messages as Chat Completions; it goes well."""
        return _well(await self.post("/v1/chat/completions", {"messages": list(messages), **fields}))

    async def messages(self, *messages: Json, **fields: Any) -> httpx.Response:
        """Post these messages as Anthropic Messages; it goes well."""
        return _well(await self.post("/v1/messages", {"max_tokens": 4000, "messages": list(messages), **fields}))

    async def items(self, *items: Json, **fields: Any) -> httpx.Response:
        """Post these items as Responses; it goes well."""
        return _well(await self.post("/v1/responses", {"input": list(items), **fields}))

    async def contents(self, *contents: Json, **fields: Any) -> httpx.Response:
        """Post these contents as a Gemini caller; it goes well."""
        path = f"/v1beta/models/{self.model}:generateContent"
        return _well(await self.http.post(path, json={"contents": list(contents), **fields}))


def _well(response: httpx.Response) -> httpx.Response:
    assert response.status_code == 200, response.text
    return response


def _v1internal(fake: FakeV1Internal) -> Json:
    oauth = {
        "client_id": "our-client",
        "client_secret": "our-secret",
        "token_url": fake.token_url,
        "userinfo_url": fake.userinfo_url,
    }
    return {"base_urls": [fake.url], "oauth": oauth, "pool": {"refresh_tokens": ["rt-1"]}}


def _gemini(fake: FakeGemini) -> Json:
    models = ["gemini-3-flash-preview", "gemini-2.5-flash"]
    return {"base_url": fake.url, "api_key": ["key-1"], "models": models}


def _vertex(fake: FakeVertex) -> Json:
    models = ["gemini-3-flash-preview", "gemini-2.5-flash", "claude-sonnet-4-5", "claude-opus-5-5"]
    return {"base_url": fake.url, "models": models}


def _openai(fake: FakeOpenAI) -> Json:
    return {
        "type": "openai",
        "base_url": f"{fake.url}/v1",
        "api_key": ["key-1"],
        "models": ["gpt-4.1", "gpt-5", "o4-mini"],
    }


def _azure(fake: FakeAzure) -> Json:
    deployments = {"gpt-4.1": "chat-prod", "gpt-5": "five", "o4-mini": "thinker"}
    return {
        "endpoint": fake.url,
        "api_key": ["key-1"],
        "api_version": "2025-04-01-preview",
        "deployments": deployments,
    }


def _anthropic(fake: FakeAnthropic) -> Json:
    models = ["claude-sonnet-4-5", "claude-opus-5-5", "claude-sonnet-4-6"]
    return {"base_url": fake.url, "api_key": ["key-1"], "models": models}


# table -> its fake, and what the configuration says of it
_TABLES: Mapping[str, tuple[Any, Any]] = {
    "v1internal": (FakeV1Internal, _v1internal),
    "gemini": (FakeGemini, _gemini),
    "vertex": (FakeVertex, _vertex),
    "chat": (FakeOpenAI, _openai),
    "responses": (FakeOpenAI, lambda fake: _openai(fake) | {"api": "responses"}),
    "azure": (FakeAzure, _azure),
    "anthropic": (FakeAnthropic, _anthropic),
}


@asynccontextmanager
async def running(folder: Path, *upstreams: str, **over: Any) -> AsyncIterator[Gateway]:
    """Run a gateway before these upstreams, or all; `over`: further configuration, of an upstream by its name."""
    tables = dict.fromkeys(KINDS[one].table for one in upstreams or ALL)
    async with AsyncExitStack() as stack:
        fakes = {table: await stack.enter_async_context(_TABLES[table][0]()) for table in tables}
        if "vertex" in fakes:
            stack.enter_context(_logged_in(fakes["vertex"], folder))
        app = create_app(_settings(fakes, folder, over))
        url = await stack.enter_async_context(serve(app))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))
        yield Gateway(http, fakes, app)


def _settings(fakes: Mapping[str, Fake[Any]], folder: Path, over: Json) -> Json:
    upstream = {table: {"type": table, **_TABLES[table][1](fake)} for table, fake in fakes.items()}
    return {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error", "format": "json"},
        "upstream": {table: told | over.get(table, {}) for table, told in upstream.items()},
        **{name: value for name, value in over.items() if name not in upstream},
    }


@contextmanager
def _logged_in(fake: FakeVertex, folder: Path) -> Iterator[None]:
    """Lead google-auth to a service account of the fake."""
    file = folder / "service_account.json"
    file.write_text(json.dumps(fake.login.service_account()))
    with pytest.MonkeyPatch.context() as environment:
        forget(environment, folder / "gcloud")
        environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        yield

"""An upstream in front of its fake, driven by the gateway's own attempts."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from gateway import ir
from gateway.adapters.anthropic import Anthropic
from gateway.adapters.azure import AzureOpenAI
from gateway.adapters.gemini import GeminiAPI
from gateway.adapters.openai import OpenAI
from gateway.adapters.v1internal import V1Internal
from gateway.adapters.vertex import Vertex
from gateway.attempts import Begun, Policy, begin
from gateway.config import Loaded, load
from gateway.transport import Transport
from gateway.upstream import Call, Target
from tests.clocks import FakeClock
from tests.fakes.anthropic_api import MESSAGES, FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import CHAT, RESPONSES, FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record

A = TypeVar("A", V1Internal, GeminiAPI, OpenAI, Anthropic, Vertex)

MODEL = "gemini-3-flash"
GEMINI_3, GEMINI_2 = "gemini-3-flash-preview", "gemini-2.5-flash"
GEMMA_3, GEMMA_4 = "gemma-3-27b-it", "gemma-4-31b-it"
STREAM = "streamGenerateContent"


_ASIDE = re.compile(r"Tending\.|_kept\.")
QUIET = {"health": {"interval": 0}}  # nothing is asked but for the requests


class NotingClock(FakeClock):
    """A clock that notes how long it was slept for, and who sleeps, besides those who tend credentials and leases."""

    def __init__(self) -> None:
        super().__init__()
        self.naps: list[float] = []
        self.sleepers_of = Counter[str]()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await super().sleep(seconds)
            return
        task = asyncio.current_task()
        found = _ASIDE.search(repr(task.get_coro())) if task is not None else None
        who = found[0] if found else ""
        if not who:
            self.naps.append(seconds)
        self.sleepers_of[who] += 1
        try:
            await super().sleep(seconds)
        finally:
            self.sleepers_of[who] -= 1

    @property
    def sleepers(self) -> int:
        return self.sleepers_of[""]

    @property
    def tending(self) -> int:
        """Count those who tend credentials and sleep just now."""
        return self.sleepers_of["Tending."]


class Place(ABC, Generic[A]):
    """Makes adapters that share a data folder and a clock, and asks them."""

    model: str

    def __init__(self, folder: Path, transport: Transport | None = None) -> None:
        self.folder = folder
        self.clock = NotingClock()
        self.transport = transport or Transport()
        self.adapter: A | None = None
        self.level = "error"
        self.retry: dict[str, Any] = {}
        self.store: dict[str, Any] = {}
        self.translate: dict[str, Any] = {}

    @abstractmethod
    def made(self, *secrets: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> A:
        """Make an adapter with these credentials."""

    def configured(self, table: Mapping[str, Any]) -> Loaded:
        """Load a configuration with this upstream."""
        config = {
            "server": {"data_dir": str(self.folder)},
            "log": {"level": self.level},
            "retry": self.retry,
            "store": self.store,
            "translate": self.translate,
            "upstream": {"google": table},
        }
        return load(config, environ={}, dotenv=False)

    async def open(self, *secrets: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> A:
        """Start an adapter with these credentials, after stopping the one before."""
        await self.stop()
        self.adapter = self.made(*secrets, pool=pool, **upstream)
        await self.adapter.start(self.transport)
        return self.adapter

    async def stop(self) -> None:
        """Stop the adapter, if there is one."""
        if self.adapter is not None:
            await self.adapter.stop()
            self.adapter = None

    async def close(self) -> None:
        """End everything."""
        await self.stop()
        await self.transport.close()

    async def begin(self, text: str = "hi", model: str = "", attempts: int = 4, **call: Any) -> Begun:
        """Reach the first content of an answer."""
        adapter = self.adapter
        assert adapter is not None
        model = model or self.model
        policy = Policy(attempts=attempts, max_wait=10, first_byte=30)
        asked = asking(text, model, **call)
        return await begin([Target(adapter, model)], lambda _: adapter.open(asked), policy, self.clock)

    async def ask(self, text: str = "hi", model: str = "", attempts: int = 4, **call: Any) -> str:
        """Give the text of an answer; raise the GatewayError that ends the attempts."""
        begun = await self.begin(text, model, attempts, **call)
        events = list(begun.events)
        try:
            while (more := await begun.answer.read()) is not None:
                events += more
        finally:
            begun.answer.close()
            begun.journey.done(begun.answer.usage)
        return "".join(event.text for event in events if isinstance(event, ir.TextDelta))

    async def asleep(self, asked: asyncio.Task[str]) -> None:
        """Wait until a request sleeps, or has ended."""
        while not self.clock.sleepers and not asked.done():  # noqa: ASYNC110 - a sleep that begins sets no event
            await asyncio.sleep(0.001)

    async def ask_over_pauses(self, text: str = "hi", model: str = "", attempts: int = 4) -> str:
        """Ask, and let the time of every pause pass."""
        asked = asyncio.create_task(self.ask(text, model, attempts))
        while not asked.done():
            await self.asleep(asked)
            await self.clock.advance(2)
        return await asked


class Site(Place[V1Internal]):
    """Upstreams of type v1internal."""

    model = MODEL

    def __init__(self, fake: FakeV1Internal, folder: Path) -> None:
        super().__init__(folder)
        self.fake = fake

    def loaded(self, *tokens: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> Loaded:
        """Load a configuration with these refresh tokens; the model list is configured, so nothing is fetched."""
        oauth = {"client_id": "client", "client_secret": "secret"}
        endpoints = {"token_url": self.fake.token_url, "userinfo_url": self.fake.userinfo_url}
        table = {
            "type": "v1internal",
            "base_urls": [self.fake.base("a"), self.fake.base("b")],
            "models": [MODEL, "claude-sonnet-4-5"],
            **upstream,
            "oauth": {**oauth, **endpoints, **upstream.get("oauth", {})},
            "pool": {"refresh_tokens": list(tokens), **QUIET, **(pool or {})},
        }
        return self.configured(table)

    def made(self, *secrets: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> V1Internal:
        return V1Internal("google", self.loaded(*(secrets or ("rt-1",)), pool=pool, **upstream), self.clock)

    def fail(self, error: str, *, times: float = 1, **where: str) -> None:
        """Fail the next generating calls that fit."""
        self.fake.fail(error, times=times, **{"method": STREAM, **where})

    def seen(self, method: str = STREAM) -> list[tuple[str, str, int]]:
        """List base, refresh token and status of the calls so far."""
        return [(call.base, call.credential, call.status) for call in self.fake.calls(method)]


class GeminiSite(Place[GeminiAPI]):
    """Upstreams of type gemini; the keys take turns with every request."""

    model = GEMINI_3

    def __init__(self, fake: FakeGemini, folder: Path) -> None:
        super().__init__(folder)
        self.fake = fake

    def loaded(self, *keys: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> Loaded:
        """Load a configuration with these keys; the model list is configured, so nothing is fetched."""
        table = {
            "type": "gemini",
            "base_url": self.fake.url,
            "api_key": list(keys),
            "models": [GEMINI_3, GEMINI_2, GEMMA_3, GEMMA_4],
            "pool": {"uses_per_turn": 1, **QUIET, **(pool or {})},
            **upstream,
        }
        return self.configured(table)

    def made(self, *secrets: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> GeminiAPI:
        return GeminiAPI("google", self.loaded(*(secrets or ("key-1",)), pool=pool, **upstream), self.clock)

    def fail(self, error: str, *, times: float = 1, **where: str) -> None:
        """Fail the next generating calls that fit."""
        self.fake.fail(error, times=times, **{"method": STREAM, **where})

    def seen(self, method: str = STREAM) -> list[tuple[str, int]]:
        """List key and status of the calls so far."""
        return [(call.credential, call.status) for call in self.fake.calls(method)]


class OpenAISite(Place[OpenAI]):
    """Upstreams of type openai; the keys take turns with every request."""

    model = "gpt-4.1"

    def __init__(self, fake: FakeOpenAI, folder: Path) -> None:
        super().__init__(folder)
        self.fake = fake

    def loaded(self, *keys: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> Loaded:
        """Load a configuration with these keys; the model list is configured, so nothing is fetched."""
        table = {
            "type": "openai",
            "base_url": f"{self.fake.url}/v1",
            "api_key": list(keys),
            "models": ["gpt-4.1", "gpt-5", "o4-mini"],
            "pool": {"uses_per_turn": 1, **QUIET, **(pool or {})},
            **upstream,
        }
        return self.configured(table)

    def made(self, *secrets: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> OpenAI:
        return OpenAI("google", self.loaded(*(secrets or ("key-1",)), pool=pool, **upstream), self.clock)

    def fail(self, error: str, *, times: float = 1, **where: str) -> None:
        """Fail the next calls of either API that fit."""
        self.fake.fail(error, times=times, **where)

    @property
    def calls(self) -> list[Record]:
        """The calls of both APIs so far."""
        return [call for call in self.fake.requests if call.method in (CHAT, RESPONSES)]

    def seen(self) -> list[tuple[str, int]]:
        """List key and status of the calls so far."""
        return [(call.credential, call.status) for call in self.calls]


class AzureSite(OpenAISite):
    """Upstreams of type azure; the keys take turns with every request."""

    model = "chat-prod"

    def loaded(self, *keys: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> Loaded:
        """Load a configuration with these keys."""
        table = {
            "type": "azure",
            "endpoint": self.fake.url,
            "api_key": list(keys),
            "api_version": "2025-04-01-preview",
            "pool": {"uses_per_turn": 1, **QUIET, **(pool or {})},
            **upstream,
        }
        return self.configured(table)

    def made(self, *secrets: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> AzureOpenAI:
        return AzureOpenAI("google", self.loaded(*(secrets or ("key-1",)), pool=pool, **upstream), self.clock)


class AnthropicSite(Place[Anthropic]):
    """Upstreams of type anthropic; the keys take turns with every request."""

    model = "claude-sonnet-4-5"

    def __init__(self, fake: FakeAnthropic, folder: Path) -> None:
        super().__init__(folder)
        self.fake = fake

    def loaded(self, *keys: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> Loaded:
        """Load a configuration with these keys; the model list is configured, so nothing is fetched."""
        table = {
            "type": "anthropic",
            "base_url": self.fake.url,
            "api_key": list(keys),
            "models": ["claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5-5"],
            "pool": {"uses_per_turn": 1, **QUIET, **(pool or {})},
            **upstream,
        }
        return self.configured(table)

    def made(self, *secrets: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> Anthropic:
        return Anthropic("google", self.loaded(*(secrets or ("key-1",)), pool=pool, **upstream), self.clock)

    def fail(self, error: str, *, times: float = 1, **where: str) -> None:
        """Fail the next calls that fit."""
        self.fake.fail(error, times=times, **{"method": MESSAGES, **where})

    @property
    def calls(self) -> list[Record]:
        """The calls for an answer so far."""
        return self.fake.calls(MESSAGES)

    def seen(self) -> list[tuple[str, int]]:
        """List key and status of the calls so far."""
        return [(call.credential, call.status) for call in self.calls]


def asking(text: str, model: str = MODEL, *, principal: str = "alice", **request: Any) -> Call:
    """Make a call of one user turn, or of other `turns`."""
    turn = ir.Turn(role="user", parts=(ir.Text(text=text),))
    fields = {"model": model, "turns": (turn,), **request}
    return Call(request=ir.Request(**fields), request_id="r-1", principal=principal)

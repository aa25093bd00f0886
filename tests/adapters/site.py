"""A v1internal upstream in front of the fake, driven by the gateway's own attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway import ir
from gateway.adapters.v1internal import V1Internal
from gateway.attempts import Begun, Policy, begin
from gateway.config import Loaded, load
from gateway.transport import Transport
from gateway.upstream import Call, Target
from tests.clocks import FakeClock
from tests.fakes.v1internal import FakeV1Internal

MODEL = "gemini-3-flash"


class NotingClock(FakeClock):
    """A clock that notes how long it was slept for."""

    def __init__(self) -> None:
        super().__init__()
        self.naps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.naps += [seconds] if seconds > 0 else []
        await super().sleep(seconds)


class Site:
    """Makes adapters that share a data folder, a clock and a fake, and asks them."""

    def __init__(self, fake: FakeV1Internal, folder: Path) -> None:
        self.fake = fake
        self.folder = folder
        self.clock = NotingClock()
        self.transport = Transport()
        self.adapter: V1Internal | None = None
        self.retry: dict[str, Any] = {}
        self.store: dict[str, Any] = {}

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
            "pool": {"refresh_tokens": list(tokens), **(pool or {})},
        }
        config = {
            "server": {"data_dir": str(self.folder)},
            "log": {"level": "error"},
            "retry": self.retry,
            "store": self.store,
            "upstream": {"google": table},
        }
        return load(config, environ={}, dotenv=False)

    async def open(self, *tokens: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> V1Internal:
        """Start an adapter with these refresh tokens, after stopping the one before."""
        await self.stop()
        self.adapter = V1Internal("google", self.loaded(*(tokens or ("rt-1",)), pool=pool, **upstream), self.clock)
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

    async def begin(self, text: str = "hi", model: str = MODEL, attempts: int = 4, **call: Any) -> Begun:
        """Reach the first content of an answer."""
        adapter = self.adapter
        assert adapter is not None
        policy = Policy(attempts=attempts, max_wait=10, first_byte=30)
        asked = asking(text, model, **call)
        return await begin([Target(adapter, model)], lambda _: adapter.open(asked), policy, self.clock)

    async def ask(self, text: str = "hi", model: str = MODEL, attempts: int = 4, **call: Any) -> str:
        """Give the text of an answer; raise the GatewayError that ends the attempts."""
        begun = await self.begin(text, model, attempts, **call)
        events = list(begun.events)
        while (more := await begun.answer.read()) is not None:
            events += more
        begun.answer.close()
        begun.journey.done(begun.answer.usage)
        return "".join(event.text for event in events if isinstance(event, ir.TextDelta))

    async def asleep(self, asked: asyncio.Task[str]) -> None:
        """Wait until a request sleeps, or has ended."""
        while not self.clock.sleepers and not asked.done():  # noqa: ASYNC110 - a sleep that begins sets no event
            await asyncio.sleep(0.001)

    async def ask_over_pauses(self, text: str = "hi", attempts: int = 4) -> str:
        """Ask, and let the time of every pause pass."""
        asked = asyncio.create_task(self.ask(text, attempts=attempts))
        while not asked.done():
            await self.asleep(asked)
            await self.clock.advance(2)
        return await asked

    def fail(self, error: str, *, times: float = 1, **where: str) -> None:
        """Fail the next generating calls that fit."""
        self.fake.fail(error, times=times, **{"method": "streamGenerateContent", **where})

    def seen(self, method: str = "streamGenerateContent") -> list[tuple[str, str, int]]:
        """List base, refresh token and status of the calls so far."""
        return [(call.base, call.credential, call.status) for call in self.fake.calls(method)]


def asking(text: str, model: str = MODEL, *, principal: str = "alice", **request: Any) -> Call:
    """Make a call of one user turn."""
    turn = ir.Turn(role="user", parts=(ir.Text(text=text),))
    return Call(request=ir.Request(model=model, turns=(turn,), **request), request_id="r-1", principal=principal)

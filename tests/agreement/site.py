"""One gateway, which reads a gateway.toml, before four strict fakes that note what they send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from aiohttp import web

from gateway.app import create_app
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.server import STREAM, Fake
from tests.fakes.v1internal_script import Plan
from tests.patience import patient
from tests.serving import serve

from .material import Json, gateway_toml

__all__ = ["LOG", "Noting", "Site", "configure", "line_in", "noting", "running"]

GENERATING: Final = ("chat.completions", "responses", "messages", STREAM, "generateContent", "embeddings")
ROOM: Final = ("x-ratelimit-remaining-requests", "anthropic-ratelimit-requests-remaining")
LOG: Final = "log.json"
PASSWORD: Final = "pw"
LOOK_S: Final = 0.002
WAIT_S: Final = 5.0


class Noting(Fake[str]):
    """A fake; `sent`: the bytes of its answers since it was reset."""

    sent: list[bytearray]

    def reset(self) -> None:
        """Forget them, and what would open the way for an answer."""
        super().reset()
        self.sent = []
        self._acks = asyncio.Semaphore(0)

    async def send(
        self, request: web.Request, plan: Plan, chunks: Iterable[bytes], headers: Mapping[str, str]
    ) -> web.StreamResponse:
        said = bytearray()
        self.sent.append(said)
        return await super().send(request, plan, _noted(chunks, said), headers)


class OpenAI(Noting, FakeOpenAI):
    pass


class Anthropic(Noting, FakeAnthropic):
    pass


class Gemini(Noting, FakeGemini):
    pass


@dataclass
class Site:
    """The gateway, the fakes by the names of their upstreams, and each place that tells of requests, as it tells it."""

    http: httpx.AsyncClient
    fakes: dict[str, Noting]
    folder: Path

    def reset(self) -> None:
        """Forget the request before."""
        for fake in self.fakes.values():
            fake.reset()

    def answer(self, response: httpx.Response) -> bytes:
        """Give the answer that a caller has."""
        return response.content

    def room(self, response: httpx.Response) -> int | None:
        """Read in the headers of an answer how many requests are left."""
        found = [int(response.headers[name]) for name in ROOM if name in response.headers]
        return found[0] if found else None

    def called(self) -> tuple[tuple[str, str], ...]:
        """List the calls for the request, each by its upstream and its model, in their order."""
        calls = [
            (call.at, name, str(call.model))
            for name, fake in self.fakes.items()
            for call in fake.requests
            if call.method in GENERATING
        ]
        return tuple((name, model) for _, name, model in sorted(calls))

    def sent(self, upstream: str) -> bytes:
        """Give what an upstream has sent last."""
        return bytes(self.fakes[upstream].sent[-1]) if self.fakes[upstream].sent else b""

    async def idle(self) -> None:
        """Wait until no upstream answers any more."""
        for fake in self.fakes.values():
            await fake.wait_idle()

    async def line(self, id_: str) -> Json:
        """Wait for the line of a request in the access log."""
        return await line_in([self.folder / LOG], id_)

    async def ledger(self, by: str) -> Json:
        """Ask for a report."""
        return await self.admin("GET", f"/admin/usage?by={by}")

    async def own(self, secret: str) -> Json:
        """Ask as a key what it has used."""
        response = await self.http.get("/usage", headers={"authorization": f"Bearer {secret}"})
        return dict(response.raise_for_status().json())

    async def live(self) -> list[Json]:
        """List the requests that run."""
        return list((await self.admin("GET", "/admin/live"))["requests"])

    async def metrics(self) -> str:
        """Scrape them."""
        return (await self.http.get("/metrics")).raise_for_status().text

    async def admin(self, method: str, path: str, **given: Any) -> Json:
        """Administrate."""
        headers = {"accept": "application/json"}
        response = await self.http.request(method, path, auth=("admin", PASSWORD), headers=headers, **given)
        return dict(response.raise_for_status().json()) if response.content else {}


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[Site]:
    """Run all of it."""
    async with AsyncExitStack() as stack:
        fakes = await noting(stack)
        url = await stack.enter_async_context(serve(create_app(configure(folder, fakes))))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))
        yield Site(http, fakes, folder)


async def noting(stack: AsyncExitStack) -> dict[str, Noting]:
    """Run the fakes."""
    fakes: dict[str, Noting] = {"chat": OpenAI(), "responses": OpenAI(), "anthropic": Anthropic(), "gemini": Gemini()}
    for fake in fakes.values():
        await stack.enter_async_context(fake)
    return fakes


def configure(folder: Path, fakes: Mapping[str, Noting], more: str = "") -> Path:
    """Write the gateway.toml of a host. `more`: further tables of it."""
    urls = {name: fake.url for name, fake in fakes.items()}
    file = folder / "gateway.toml"
    file.write_text(gateway_toml(urls, log=LOG, password=PASSWORD) + more)
    return file


async def line_in(logs: Sequence[Path], id_: str) -> Json:
    """Wait for the line of a request in one of these."""
    async with asyncio.timeout(patient(WAIT_S)):
        while True:
            lines = [line for log in logs if log.exists() for line in log.read_bytes().splitlines()]
            for one in reversed(lines):
                if f'"{id_}"'.encode() in one and (said := json.loads(one))["event"] == "request":
                    return dict(said)
            await asyncio.sleep(LOOK_S)


def _noted(chunks: Iterable[bytes], said: bytearray) -> Iterator[bytes]:
    for chunk in chunks:
        said += chunk
        yield chunk

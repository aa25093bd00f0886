"""Two differently configured gateways in one process share nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

import gateway
from tests.middleware.asgi import call, scope_of
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

LIMIT = "x-ratelimit-remaining-requests"


def made(word: str, level: str, **limits: int) -> Starlette:
    """Make a gateway that says this word, knows the key sk-WORD and the model WORD, and rejects any other."""
    config = {
        "auth": {"keys": [f"sk-{word}"]},
        "limits": limits,
        "log": {"level": level, "format": "json"},
        "models": {"unknown": "reject"},
    }
    return app_of(Scripted(say(word), models=[word]), config=config)


class Pair:
    """One FastAPI app with both, and a client of it."""

    http: httpx.AsyncClient

    def __init__(self) -> None:
        self.one = made("one", "info", requests_per_day=2)
        self.two = made("two", "error", requests_per_day=9, concurrent=3)
        self.host = FastAPI(lifespan=self._lifespan)
        self.host.mount("/one", self.one)
        self.host.mount("/two", self.two)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async with gateway.lifespan(self.one), gateway.lifespan(self.two):
            yield

    async def ask(self, at: str, key: str = "", model: str = "") -> httpx.Response:
        body = {"model": model or at, "messages": [{"role": "user", "content": "hi"}]}
        headers = {"authorization": f"Bearer {key or 'sk-' + at}"}
        return await self.http.post(f"/{at}/v1/chat/completions", json=body, headers=headers)


@asynccontextmanager
async def running() -> AsyncIterator[Pair]:
    pair = Pair()
    async with serve(pair.host) as url, httpx.AsyncClient(base_url=url) as http:
        pair.http = http
        yield pair


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with running() as pair:
        yield pair


def said(answer: httpx.Response) -> str:
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


async def test_each_has_its_own_keys_and_upstreams(pair: Pair) -> None:
    assert (said(await pair.ask("one")), said(await pair.ask("two"))) == ("one", "two")
    assert [(await pair.ask(at, key)).status_code for at, key in (("one", "sk-two"), ("two", "sk-one"))] == [401, 401]


async def test_each_has_its_own_models(pair: Pair) -> None:
    assert (await pair.ask("one", model="two")).status_code == 404
    assert (await pair.ask("two", model="one")).status_code == 404


@pytest.mark.usefixtures("stopped")
async def test_each_has_its_own_limits(pair: Pair) -> None:
    assert [(await pair.ask("one")).status_code for _ in range(3)] == [200, 200, 429]
    assert (await pair.ask("two")).headers[LIMIT] == "8"


async def test_each_has_its_own_log(capsys: pytest.CaptureFixture[str]) -> None:
    async with running() as pair:
        await pair.ask("two")
        await pair.ask("one")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["model"] == "one"


async def test_each_ends_for_itself(pair: Pair) -> None:
    pair.one.state.gateway.drain()
    assert [(await pair.ask(at)).status_code for at in ("one", "two")] == [503, 200]


async def test_each_starts_and_stops_for_itself() -> None:
    one, two = made("one", "error"), made("two", "error")
    body = b'{"model": "two", "messages": [{"role": "user", "content": "hi"}]}'
    async with gateway.lifespan(two):
        async with gateway.lifespan(one):
            assert one.state.gateway.transport is not two.state.gateway.transport
        assert (one.state.gateway.started, two.state.gateway.started) == (False, True)
        outcome = await call(two, scope_of(headers={"x-api-key": "sk-two"}), [body])
    assert outcome.json["choices"][0]["message"]["content"] == "two"

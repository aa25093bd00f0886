"""No request begins with what another has set: a server may start it in a copy of that one's context.

asyncio's own loop does when a request has read on (its body is above 64 kB), and uvicorn when requests are pipelined.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import create_app, lifespan
from gateway.middleware.access_log import AccessLog
from gateway.middleware.bodies import Bodies
from gateway.recording import Recording
from gateway.tap import TAP, Tap
from gateway.trace_context import CARRIER
from tests.fakes.openai_api import FakeOpenAI
from tests.middleware.asgi import call, scope_of
from tests.serving import serve

pytestmark = pytest.mark.anyio

LONG = "long " * 20_000
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
CHAT = "/v1/chat/completions"


class Lines:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})


LINES: Any = Lines()


def alone(app: Starlette) -> ASGIApp:
    return app


def mounted(app: Starlette) -> ASGIApp:
    @asynccontextmanager
    async def life(_: Starlette) -> AsyncGenerator[None]:
        async with lifespan(app):
            yield

    return Starlette(routes=[Mount("/", app)], lifespan=life)


def within_our_access_log(app: Starlette) -> ASGIApp:
    return AccessLog(mounted(app), LINES, bodies=Bodies("all", LINES))


def config_of(fake: FakeOpenAI, folder: Path, **tables: Any) -> dict[str, Any]:
    mine = {"type": "openai", "base_url": f"{fake.url}/v1", "api_key": "key-1", "models": ["gpt-4.1"]}
    return {
        "server": {"data_dir": str(folder / "data")},
        "log": {"level": "error"},
        "record": {"dir": str(folder / "recordings")},
        "retry": {"attempts": 1},
        "upstream": {"mine": mine},
        **tables,
    }


def question(text: str) -> bytes:
    return json.dumps({"model": "gpt-4.1", "messages": [{"role": "user", "content": text}]}).encode()


def recordings(folder: Path) -> list[Recording]:
    return [Recording.read(file.read_bytes()) for file in (folder / "recordings").glob("*")]


@asynccontextmanager
async def one_connection(app: ASGIApp) -> AsyncGenerator[httpx.AsyncClient]:
    async with (
        serve(app) as url,
        httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_connections=1), timeout=20) as http,
    ):
        yield http


@pytest.mark.parametrize("around", [alone, mounted, within_our_access_log])
async def test_what_hears_one_request_does_not_hear_the_next(
    fake_openai: FakeOpenAI, tmp_path: Path, around: Callable[[Starlette], ASGIApp]
) -> None:
    async with one_connection(around(create_app(config_of(fake_openai, tmp_path)))) as http:
        for _ in range(4):
            assert (await http.post(CHAT, content=question(LONG))).status_code == 200
    gc.collect()
    assert [one for one in gc.get_objects() if isinstance(one, Tap) and (one.calls or one.request)] == []
    assert [len(one.calls) for one in recordings(tmp_path)] == [1] * 4


async def test_no_line_of_one_request_has_the_upstreams_words_to_another(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    LINES.lines.clear()
    fake_openai.fail("500", times=2)
    app = within_our_access_log(create_app(config_of(fake_openai, tmp_path, record={})))
    async with one_connection(app) as http:
        for _ in range(2):
            await http.post(CHAT, content=question(LONG))
    assert [len(line["upstream"]) for line in LINES.lines if line["event"] == "body"] == [1, 1]


@pytest.mark.parametrize("around", [alone, mounted, within_our_access_log])
async def test_the_trace_of_one_caller_does_not_go_with_the_next(
    fake_openai: FakeOpenAI, tmp_path: Path, around: Callable[[Starlette], ASGIApp]
) -> None:
    async with one_connection(around(create_app(config_of(fake_openai, tmp_path)))) as http:
        for headers in (TRACE, {}):
            await http.post(CHAT, content=question(LONG), headers=headers)
    assert ["traceparent" in one.headers for one in fake_openai.requests] == [True, False]


async def test_nor_with_a_request_that_was_sent_ahead(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with serve(create_app(config_of(fake_openai, tmp_path))) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(written("first", TRACE) + written("second", {"connection": "close"}))
        answers = await reader.read()
        writer.close()
    assert answers.count(b"HTTP/1.1 200") == 2
    assert ["traceparent" in one.headers for one in fake_openai.requests] == [True, False]
    assert [len(one.calls) for one in recordings(tmp_path)] == [1, 1]


def written(text: str, headers: Mapping[str, str]) -> bytes:
    body = question(text)
    lines = {"host": "localhost", "content-length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {CHAT} HTTP/1.1\r\n{head}\r\n".encode() + body


class Within:
    """Middleware that hands each request to another gateway."""

    inner: ASGIApp

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.inner(scope, receive, send)


class Asking(Within):
    """Middleware that asks another gateway on its own, before it passes a request on."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await call(self.inner, scope_of(CHAT), [question("Is this allowed?")])
        assert answer.status == 200
        await self.app(scope, receive, send)


async def through(kind: type[Within], fake: FakeOpenAI, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Ask a gateway that records, with another one within; give what it has recorded."""
    inner = create_app(config_of(fake, folder, record={}))
    monkeypatch.setattr(kind, "inner", inner, raising=False)
    order = ["another", "request_id", "access_log", "body_limit", "protocol", "model_map"]
    tables: Any = {
        "auth": {"allow_anonymous": "always"},
        "middleware": {"another": {"use": f"{__name__}:{kind.__name__}"}},
        "pipeline": {"order": order},
    }
    outer = create_app(config_of(fake, folder, **tables))
    async with lifespan(inner), lifespan(outer):
        answer = await call(outer, scope_of(CHAT, headers=TRACE), [question("Hello")])
    assert answer.status == 200, answer.body
    (recording,) = recordings(folder)
    return recording


async def test_a_gateway_hears_what_another_one_asks_for_its_request(
    fake_openai: FakeOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len((await through(Within, fake_openai, tmp_path, monkeypatch)).calls) == 1
    assert ["traceparent" in one.headers for one in fake_openai.requests] == [True]


async def test_and_goes_on_to_hear_its_own_after_a_request_to_another_one(
    fake_openai: FakeOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = (await through(Asking, fake_openai, tmp_path, monkeypatch)).calls
    assert "Hello" in str(one.body)
    assert ["traceparent" in one.headers for one in fake_openai.requests] == [False, True]
    assert (TAP.get(), CARRIER.get()) == (None, None)

"""A gateway below a prefix: in Starlette, in FastAPI, in a mount of a mount, behind a proxy that cuts the prefix."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import anyio
import httpx
import openai
import pytest
from fastapi import FastAPI
from google import genai
from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

import gateway
from gateway.middleware import Auth, Protocol, RateLimit, RequestId
from tests.gateway.test_native import Speaking
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

PROMPT: Any = [{"role": "user", "content": "hi"}]
ORDER = ["request_id", "rate_limit", "protocol", "model_map"]  # who asks is the host's business
CHAT = {"model": "demo", "messages": PROMPT}


def life_of(app: Starlette, helper: bool) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        if not helper:
            yield
            return
        async with gateway.lifespan(app):
            yield

    return lifespan


def in_starlette(app: Starlette, helper: bool) -> ASGIApp:
    return Starlette(routes=[Mount("/ai", app)], lifespan=life_of(app, helper))


def in_fastapi(app: Starlette, helper: bool) -> ASGIApp:
    host = FastAPI(lifespan=life_of(app, helper))
    host.mount("/ai", app)
    return host


def named_afterwards(app: Starlette, helper: bool) -> ASGIApp:
    """Say the root path as FastAPI(root_path=…) and other servers do: it is not in the path."""
    host = in_fastapi(app, helper)

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await host({**scope, "root_path": "/out"}, receive, send)

    return named


def in_a_mount(app: Starlette, helper: bool) -> ASGIApp:
    return Starlette(routes=[Mount("/api", Starlette(routes=[Mount("/ai", app)]))], lifespan=life_of(app, helper))


class Host(Struct, frozen=True):
    """`prefix`: what reaches the server before /v1. `public`: what its callers write there; a proxy cuts the rest."""

    around: Callable[[Starlette, bool], ASGIApp]
    prefix: str = "/ai"
    public: str = "/ai"
    root_path: str = ""


HOSTS = {
    "starlette": Host(in_starlette),
    "fastapi": Host(in_fastapi),
    "a mount in a mount": Host(in_a_mount, "/api/ai", "/api/ai"),
    "starlette behind a root path": Host(in_starlette, "/ai", "/out/ai", "/out"),
    "fastapi behind a root path": Host(in_fastapi, "/ai", "/out/ai", "/out"),
    "a root path that is not in the path": Host(named_afterwards, "/ai", "/out/ai"),
    "no host but a root path": Host(lambda app, _: app, "", "/out", "/out"),
}
EACH_HOST = pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
EACH_LIFE = pytest.mark.parametrize("helper", [True, False], ids=["with lifespan", "without"])


@asynccontextmanager
async def running(host: Host, app: Starlette, *, helper: bool = True) -> AsyncIterator[str]:
    """Give the base URL below which the gateway's /v1 is."""
    async with serve(host.around(app, helper), root_path=host.root_path) as url:
        yield url + host.prefix
    if not app.state.gateway.started:
        return
    await app.state.gateway.stop()  # what the first request has started nobody else stops


@EACH_LIFE
@EACH_HOST
async def test_the_sdks_get_whole_answers_and_streams(host: Host, helper: bool) -> None:
    async with running(host, app_of(Scripted(say("Hel", "lo"))), helper=helper) as url:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            whole = await client.chat.completions.create(model="demo", messages=PROMPT)
            stream = await client.chat.completions.create(model="demo", messages=PROMPT, stream=True)
            pieces = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
        claude = anthropic.AsyncAnthropic(base_url=url, api_key="any", max_retries=0)
        async with claude, claude.messages.stream(model="demo", max_tokens=9, messages=PROMPT) as messages:
            message = await messages.get_final_text()
        async with genai.Client(api_key="any", http_options={"base_url": url}).aio as gemini:
            parts = await gemini.models.generate_content_stream(model="demo", contents="hi")
            texts = [part.text async for part in parts]
    assert whole.choices[0].message.content == "Hello"
    assert "".join(piece or "" for piece in pieces) == "Hello"
    assert (message, "".join(text or "" for text in texts)) == ("Hello", "Hello")


@EACH_HOST
async def test_errors_have_the_dialect_of_the_path(host: Host) -> None:
    async with running(host, app_of(Scripted(say("Hello")))) as url, httpx.AsyncClient(base_url=url) as http:
        chat = (await http.post("/v1/chat/completions", content=b"{")).json()
        wrong = await http.get("/v1/messages")
        message = (await http.post("/v1/messages", content=b"{")).json()
        gemini = (await http.post("/v1beta/models/demo:generateContent", content=b"{")).json()
        nothing = await http.get("/v1/nothing")
        foreign = await http.get("/nothing")
        messages = await http.post("/messages", headers={"anthropic-version": "2023-06-01"})
    assert chat["error"]["type"] == "invalid_request_error"
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert (message["type"], gemini["error"]["status"]) == ("error", "INVALID_ARGUMENT")
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (404, "not_found")
    assert nothing.json()["error"]["message"] == "GET /v1/nothing is not served here"
    if host.prefix:
        assert messages.json()["type"] == "error"
        assert messages.json()["error"]["message"].endswith("did you mean /v1/messages?")
        assert foreign.json() == {"error": {"code": "not_found", "message": "GET /nothing is not served here"}}


@EACH_HOST
async def test_lists_and_health_are_below_the_prefix_too(host: Host) -> None:
    async with running(host, app_of(Scripted(say("Hello")))) as url, httpx.AsyncClient(base_url=url) as http:
        models = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
        one = await http.get("/v1/models/demo")
        health, ready = await http.get("/health"), await http.get("/health/ready")
    assert ("demo" in models, one.json()["id"]) == (True, "demo")
    assert (health.json(), ready.json()) == ({"status": "ok"}, {"status": "ready"})


@EACH_HOST
async def test_an_upload_goes_on_at_the_public_address(host: Host) -> None:
    upstream = Speaking(b"{}")
    async with running(host, app_of(upstream)) as url, httpx.AsyncClient() as http:
        await http.post(f"{url}/upload/v1beta/files?uploadType=resumable", content=b"a%20b")
        origin = url.removesuffix(host.prefix)
    (call,) = upstream.asked
    assert (call.path, call.query, call.origin) == (
        "/upload/v1beta/files",
        "uploadType=resumable",
        f"{origin}{host.public}",
    )


async def test_public_url_is_where_uploads_go_on() -> None:
    upstream = Speaking(b"{}")
    app = app_of(upstream, config={"server": {"public_url": "https://ai.example.com/team/"}})
    async with running(HOSTS["starlette"], app) as url, httpx.AsyncClient() as http:
        await http.post(f"{url}/upload/v1beta/files", content=b"x")
    assert upstream.asked[0].origin == "https://ai.example.com/team"


@pytest.mark.parametrize("path", ["/%61i/v1beta/files/a%2Fb", "/ai/v1beta/files/a%2Fb"])
async def test_a_path_stays_as_it_was_written_behind_the_prefix(path: str) -> None:
    upstream = Speaking(b"{}")
    async with running(HOSTS["starlette"], app_of(upstream)) as url, httpx.AsyncClient() as http:
        await http.get(url.removesuffix("/ai") + path)
    assert upstream.asked[0].path == "/v1beta/files/a%2Fb"


@pytest.mark.parametrize("host", ["starlette", "fastapi"])
async def test_the_first_request_starts_it_where_nobody_else_has_with_one_warning(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = app_of(Scripted(say("Hello")), config={"log": {"level": "warning"}})
    async with running(HOSTS[host], app, helper=False) as url, httpx.AsyncClient(base_url=url) as http:
        assert not app.state.gateway.started
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(lambda: http.post("/v1/chat/completions", json=CHAT))
        assert app.state.gateway.started
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "started by the first request"


@pytest.mark.parametrize("host", ["starlette", "fastapi"])
async def test_the_host_starts_and_stops_it(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    app = app_of(Scripted(say("Hello")), config={"log": {"level": "warning"}})
    async with serve(HOSTS[host].around(app, True)) as url, httpx.AsyncClient(base_url=url) as http:
        assert app.state.gateway.started
        assert (await http.post("/ai/v1/chat/completions", json=CHAT)).status_code == 200
    assert not app.state.gateway.started
    assert capsys.readouterr().err == ""


async def test_the_lifespan_of_the_host_itself_is_a_mistake_that_is_named() -> None:
    with pytest.raises(TypeError, match=r"the app that gateway\.create_app returned"):
        async with gateway.lifespan(FastAPI()):
            pass


async def test_ours_may_stand_around_the_host_too() -> None:
    app = app_of(Scripted(say("Hello")), config={"pipeline": {"order": ORDER}, "auth": {"allow_anonymous": "always"}})
    host = FastAPI(lifespan=life_of(app, helper=True))
    host.mount("/ai", app)
    host.add_middleware(RateLimit, limits={"requests_per_day": 9})
    host.add_middleware(Auth, keys={"alice": "sk-alice"})
    host.add_middleware(RequestId)
    async with serve(host) as url, httpx.AsyncClient(base_url=url, headers={"x-api-key": "sk-alice"}) as http:
        answer = await http.post("/ai/v1/messages", json={**CHAT, "max_tokens": 9})
        bad = await http.post("/ai/v1/messages", content=b"{")
        stranger = await http.post("/ai/v1/messages", headers={"x-api-key": "sk-bob"})
    assert (answer.json()["content"][0]["text"], answer.headers.get_list("request-id")) == (
        "Hello",
        [answer.headers["x-request-id"]],
    )
    assert (bad.status_code, bad.json()["type"]) == (400, "error")
    assert stranger.status_code == 401


async def test_a_gateway_without_auth_takes_the_principal_of_its_host(capsys: pytest.CaptureFixture[str]) -> None:
    order = ["access_log", "protocol", "model_map"]
    config = {"pipeline": {"order": order}, "auth": {"allow_anonymous": "always"}, "log": {"level": "info"}}
    app = app_of(Scripted(say("Hello")), config=config)
    host = Starlette(routes=[Mount("/ai", app)], lifespan=life_of(app, helper=True))
    host.add_middleware(Auth, keys={"alice": "sk-alice"})
    async with serve(host) as url, httpx.AsyncClient(base_url=url, headers={"x-api-key": "sk-alice"}) as http:
        await http.post("/ai/v1/chat/completions", json=CHAT)
    *_, line = capsys.readouterr().err.splitlines()
    assert json.loads(line)["key"] == "alice"


async def test_whoever_leaves_before_an_answer_is_no_error_of_the_host(caplog: pytest.LogCaptureFixture) -> None:
    asked = anyio.Event()

    async def silence() -> None:
        asked.set()
        await anyio.sleep_forever()

    app = app_of(Scripted([silence]))
    host = FastAPI(lifespan=life_of(app, helper=True))
    host.mount("/ai", app)

    @host.middleware("http")
    async def stamped(request: Request, call_next: Callable[[Request], Any]) -> Response:
        answer: Response = await call_next(request)
        answer.headers["x-host"] = "mine"
        return answer

    async with serve(host) as url, httpx.AsyncClient(base_url=url) as http:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: http.post("/ai/v1/chat/completions", json=CHAT))
            await asked.wait()
            tasks.cancel_scope.cancel()
        while app.state.gateway.is_busy:  # noqa: ASYNC110 - it tells nobody
            await anyio.sleep(0.01)
        answer = await http.get("/ai/health")
    assert answer.headers["x-host"] == "mine"
    assert not caplog.records


async def test_a_middleware_in_a_mount_sees_the_path_below_it() -> None:
    inner = Starlette(middleware=[Middleware(Protocol)])

    async def asked(request: Request) -> JSONResponse:
        return JSONResponse(request.state.gateway.request.model)

    inner.add_route("/v1/messages", asked, methods=["POST"])
    host = Starlette(routes=[Mount("/ai", inner)], middleware=[Middleware(RequestId)])
    async with serve(host) as url, httpx.AsyncClient(base_url=url) as http:
        answer = await http.post("/ai/v1/messages", json={**CHAT, "max_tokens": 9})
    assert answer.json() == "demo"

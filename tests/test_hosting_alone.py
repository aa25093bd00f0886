"""Each of our middlewares alone in somebody else's Starlette or FastAPI app, with plain options."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import CapturingLogger

from gateway.context import Principal
from gateway.middleware import AccessLog, Auth, BodyLimit, Metrics, ModelMap, Protocol, RateLimit, RequestId
from tests.exposed import Numbers
from tests.middleware.test_access_log import log_of
from tests.serving import serve

pytestmark = pytest.mark.anyio

OURS: dict[Any, dict[str, Any]] = {
    RequestId: {},
    AccessLog: {"logger": log_of(CapturingLogger())},
    Metrics: {},
    BodyLimit: {"limit": 1000},
    Auth: {"keys": ["sk-1"], "allow_anonymous": "never"},
    RateLimit: {"limits": {"requests_per_hour": 2}},
    Protocol: {},
    ModelMap: {"models": {"gpt-*": "mine"}},
}
EACH = pytest.mark.parametrize("ours", OURS, ids=lambda ours: ours.__name__)
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
GZIPPED = {"content-encoding": "gzip", "content-type": "application/json"}


async def own(request: Request) -> JSONResponse:
    context = request.state.gateway
    asked = context.request
    return JSONResponse(
        {
            "who": context.principal.name,
            "id": context.request_id,
            "model": asked and asked.model,
            "body": (await request.body()).decode(),
        }
    )


async def typed(item: dict[str, str]) -> dict[str, str]:
    return item


async def crashing(request: Request) -> JSONResponse:
    raise RuntimeError


PATHS = ["/own", "/v1/chat/completions", "/v1/messages", "/v1/orders"]


def starlette(middleware: list[Middleware]) -> Starlette:
    app = Starlette(middleware=middleware)
    for path in PATHS:
        app.add_route(path, own, methods=["GET", "POST"])
    return app


def fastapi(middleware: list[Middleware]) -> Starlette:
    app = FastAPI(middleware=middleware)
    for path in PATHS:
        app.add_api_route(path, own, methods=["GET", "POST"])
    app.add_api_route("/typed", typed, methods=["POST"])
    return app


@pytest.fixture(params=[starlette, fastapi], ids=["starlette", "fastapi"])
def host(request: pytest.FixtureRequest) -> Any:
    return request.param


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as http:
        yield http


def alone(ours: Any, **options: object) -> list[Middleware]:
    return [Middleware(ours, **options)]


def everything() -> list[Middleware]:
    return [Middleware(ours, **options) for ours, options in OURS.items()]


async def pieces(*body: bytes) -> AsyncIterator[bytes]:
    """Send a body without saying how long it is."""
    for piece in body:
        yield piece


# what holds for all


@EACH
@pytest.mark.parametrize("kind", ["websocket", "lifespan", "something.new"])
async def test_other_scopes_pass_untouched(ours: type, kind: str) -> None:
    seen: list[object] = []

    async def inner(*given: object) -> None:
        seen.extend(given)

    scope, receive, send = {"type": kind, "path": "/"}, object(), object()
    await ours(inner, **OURS[ours])(scope, receive, send)
    assert seen[0] is scope
    assert seen[1:] == [receive, send]
    assert scope == {"type": kind, "path": "/"}


@EACH
async def test_each_lets_an_ordinary_request_through(ours: type, host: Any) -> None:
    async with running(host(alone(ours, **OURS[ours]))) as http:
        answer = await http.post("/own", content=b"x", headers={"x-api-key": "sk-1"})
        own_404 = await http.get("/nothing", headers={"x-api-key": "sk-1"})
    assert (answer.status_code, answer.json()["body"]) == (200, "x")
    assert (own_404.status_code, "is not served here" in own_404.text) == (404, False)


async def test_all_together_stream_as_the_app_streams() -> None:
    go = anyio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"first"
        await go.wait()
        yield b"second"

    async def streaming(request: Request) -> StreamingResponse:
        return StreamingResponse(slowly())

    app = Starlette(middleware=everything())
    app.add_route("/stream", streaming)
    headers = {"x-api-key": "sk-1"}
    async with running(app) as http, http.stream("GET", "/stream", headers=headers) as answer:
        chunks = answer.aiter_bytes()
        first = await anext(chunks)
        go.set()
        rest = b"".join([chunk async for chunk in chunks])
    assert (first, rest) == (b"first", b"second")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/own", {"code": "invalid_api_key"}),
        ("/v1/orders", {"code": "invalid_api_key", "type": "invalid_request_error", "param": None}),
        ("/v1/messages", {"type": "authentication_error"}),
        ("/v1beta/models/m:generateContent", {"code": 401, "status": "UNAUTHENTICATED"}),
    ],
)
async def test_a_refusal_is_plain_where_no_dialect_is(host: Any, path: str, error: dict[str, object]) -> None:
    async with running(host(alone(Auth, keys=["sk-1"]))) as http:
        answer = await http.post(path)
    found = answer.json()["error"]
    assert answer.status_code == 401
    assert found.pop("message").startswith("no API key: send one as")
    found.pop("details", None)
    assert found == error


# each


async def test_request_id_is_sent_back(host: Any) -> None:
    async with running(host(alone(RequestId))) as http:
        made, given = await http.get("/own"), await http.get("/nothing", headers={"x-request-id": "mine"})
    assert made.headers["x-request-id"] == made.headers["request-id"] == made.json()["id"]
    assert (given.status_code, given.headers["x-request-id"]) == (404, "mine")


async def test_access_log_writes_to_the_apps_logger(host: Any) -> None:
    capture = CapturingLogger()
    async with running(host(alone(AccessLog, logger=log_of(capture)))) as http:
        await http.get("/own?key=sk-canary")
        await http.post("/v1/messages", json=CHAT)
    own, message = (call.kwargs for call in capture.calls)
    wanted = {"method": "GET", "path": "/own", "status": 200, "dialect": None, "key": "anonymous"}
    assert wanted.items() <= own.items()
    assert (message["dialect"], "canary" in str(own)) == ("anthropic", False)


async def test_access_log_without_options_goes_through_structlog(capsys: pytest.CaptureFixture[str]) -> None:
    async with running(starlette(alone(AccessLog))) as http:
        await http.get("/own")
    out = capsys.readouterr().out
    assert ("/own" in out, "anonymous" in out) == (True, True)


async def test_metrics_count_the_apps_own_paths(host: Any) -> None:
    async with running(host(alone(Metrics))) as http:
        for path in ("/own", "/own", "/nothing"):
            await http.get(path)
        await http.post("/v1/messages", json=CHAT)
        found = Numbers((await http.get("/metrics")).text)
    where = {"upstream": "", "model": ""}
    assert found.get("requests_total", dialect="", status="200", **where) == 2
    assert found.get("requests_total", dialect="", status="404", **where) == 1
    assert found.get("requests_total", dialect="anthropic", status="200", **where) == 1


@pytest.mark.parametrize("known", [True, False])
async def test_body_limit_refuses_in_its_own_words(host: Any, known: bool) -> None:
    async with running(host(alone(BodyLimit, limit=1000))) as http:
        answer = await http.post("/own", content=b"x" * 1200 if known else pieces(b"x" * 600, b"x" * 600))
    wanted = {"code": "request_too_large", "message": "the body is longer than 1000 bytes"}
    assert (answer.status_code, answer.json()) == (413, {"error": wanted})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b'{"a": "b"}', mtime=0), 200),
        (gzip.compress(b'{"a": "' + b"b" * 5000 + b'"}', mtime=0), 413),
        (b"not gzip", 400),
        (gzip.compress(b"{", mtime=0), 422),
    ],
)
async def test_body_limit_stands_before_what_fastapi_reads(body: bytes, status: int) -> None:
    async with running(fastapi(alone(BodyLimit, limit=1000))) as http:
        answer = await http.post("/typed", content=body, headers=GZIPPED)
    assert answer.status_code == status
    assert ("error" in answer.json()) is (status in (400, 413))


async def test_auth_takes_a_list_or_names(host: Any) -> None:
    for keys, who in ((["sk-1", "sk-2"], "key-2"), ({"alice": "sk-1", "bob": "sk-2"}, "bob")):
        async with running(host(alone(Auth, keys=keys))) as http:
            known = await http.get("/own", headers={"authorization": "Bearer sk-2"})
            unknown = await http.get("/own", headers={"authorization": "Bearer sk-3"})
        assert (known.json()["who"], unknown.status_code) == (who, 401)


async def test_auth_guards_the_part_that_it_is_put_around() -> None:
    app = starlette([])
    app.mount("/private", Auth(starlette([]), keys=["sk-1"]))
    async with running(app) as http:
        refused = await http.get("/private/own")
        passed = await http.get("/private/own", headers={"api-key": "sk-1"})
    assert (refused.status_code, passed.status_code) == (401, 200)


@pytest.mark.usefixtures("stopped")
async def test_rate_limit_counts_the_apps_own_paths(host: Any) -> None:
    async with running(host(alone(RateLimit, limits={"requests_per_hour": 2}))) as http:
        answers = [await http.get("/own") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]
    assert "this key may make 2 requests an hour" in answers[2].json()["error"]["message"]


async def test_protocol_reads_the_dialects_and_leaves_the_body(host: Any) -> None:
    body = json.dumps(CHAT)
    async with running(host(alone(Protocol))) as http:
        chat = await http.post("/v1/chat/completions", content=body)
        bad = await http.post("/v1/messages", content=b"[]")
    assert chat.json() == {**chat.json(), "model": "gpt-4o", "body": body}
    assert (bad.status_code, bad.json()["type"]) == (400, "error")


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/orders"), ("GET", "/v1/messages"), ("POST", "/own")])
async def test_protocol_leaves_the_apps_own_paths_alone(host: Any, method: str, path: str) -> None:
    async with running(host(alone(Protocol))) as http:
        answer = await http.request(method, path, content=b"[]")
    assert (answer.status_code, answer.json()["body"], answer.json()["model"]) == (200, "[]", None)


@pytest.mark.parametrize(("model", "inside"), [("gpt-4o", "mine"), ("models/gpt-4o", "mine"), ("o3", "o3")])
async def test_model_map_renames(host: Any, model: str, inside: str) -> None:
    middleware = [Middleware(Protocol), Middleware(ModelMap, models={"gpt-*": "mine", "gpt-4o": "never"})]
    async with running(host(middleware)) as http:
        answer = await http.post("/v1/chat/completions", json={**CHAT, "model": model})
    assert answer.json()["model"] == inside


async def test_model_map_holds_a_principal_to_its_models(host: Any) -> None:
    class Alice:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                scope["state"]["gateway"].principal = Principal(name="alice", id="a", models=("claude-*",))
            await self.app(scope, receive, send)

    middleware = [Middleware(RequestId), Middleware(Alice), Middleware(Protocol), Middleware(ModelMap)]
    async with running(host(middleware)) as http:
        refused = await http.post("/v1/chat/completions", json=CHAT)
        passed = await http.post("/v1/chat/completions", json={**CHAT, "model": "claude-x"})
    assert (refused.status_code, passed.status_code) == (403, 200)
    assert refused.json()["error"]["message"] == "this API key may not use the model 'gpt-4o'"

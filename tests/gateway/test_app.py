"""`create_app` and `lifespan`: what they take, and a gateway inside somebody else's app."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import gateway
from gateway.config import Config, ConfigError, ServerConfig
from gateway.errors import InternalError
from gateway.scopes import in_origin_form
from tests.middleware.asgi import Outcome, call, scope_of
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

CHAT = b'{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'


async def ask(app: Starlette, path: str = "/v1/chat/completions") -> Outcome:
    return await call(app, scope_of(path), [CHAT])


def port_of(app: Starlette) -> int:
    port: int = app.state.gateway.loaded.config.server.port
    return port


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a gateway.toml in the working folder."""
    for name in ("GATEWAY_CONFIG", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "gateway.toml"
    file.write_text("[server]\nport = 4711\n[upstream.demo]\n")
    return file


async def test_a_file_can_be_named_as_text_or_path(file: Path) -> None:
    assert [port_of(gateway.create_app(name)) for name in (file, str(file))] == [4711, 4711]


async def test_without_a_name_it_looks_where_gateway_run_looks(file: Path) -> None:
    assert port_of(gateway.create_app()) == port_of(gateway.create_app(None)) == 4711


@pytest.mark.parametrize("config", [{"server": {"port": 12}}, Config(server=ServerConfig(port=12))])
async def test_a_mapping_or_a_config_stands_in_its_place(config: Any, file: Path) -> None:
    assert port_of(gateway.create_app(config)) == 12


async def test_problems_come_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        gateway.create_app({"server": {"prot": 1}, "retry": {"attempts": 0}})
    assert len(caught.value.problems) == 2


async def test_two_apps_in_one_process_know_nothing_of_each_other() -> None:
    apps = [app_of(Scripted(say(word)), config={"auth": {"keys": [f"sk-{word}"]}}) for word in ("one", "two")]
    for app, word, other in zip(apps, ("one", "two"), ("two", "one"), strict=True):
        async with gateway.lifespan(app):
            right = await call(app, scope_of(headers={"x-api-key": f"sk-{word}"}), [CHAT])
            wrong = await call(app, scope_of(headers={"x-api-key": f"sk-{other}"}), [CHAT])
        assert (right.json["choices"][0]["message"]["content"], wrong.status) == (word, 401)


def host(app: Starlette, *, with_lifespan: bool = True) -> Starlette:
    """Make an app of somebody else's, with a gateway below /ai."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if not with_lifespan:
            yield
            return
        async with gateway.lifespan(app):
            yield

    async def own(_: Request) -> PlainTextResponse:
        return PlainTextResponse("the host's own")

    return Starlette(routes=[Route("/", own), Mount("/ai", app)], lifespan=lifespan)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ai/v1/chat/completions", 200),
        ("/ai/v1/messages", 200),
        ("/v1/chat/completions", 404),
        ("/ai/v1/nothing", 404),
    ],
)
async def test_a_mounted_gateway_serves_below_its_path(
    path: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = gateway.create_app({"server": {"data_dir": str(tmp_path)}})
    async with serve(host(app)) as url, httpx.AsyncClient(base_url=url, timeout=10) as http:
        assert (await http.post(path, content=CHAT)).status_code == status
        assert (await http.get("/")).text == "the host's own"
        assert (await http.get("/ai/health/ready")).json() == {"status": "ready"}
    assert "started by the first request" not in capsys.readouterr().err


async def test_without_the_hosts_lifespan_the_first_request_starts_it_with_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = gateway.create_app({"server": {"data_dir": str(tmp_path)}})
    outer = host(app, with_lifespan=False)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask, outer, "/ai/v1/chat/completions")
    assert (await ask(outer, "/ai/v1/chat/completions")).status == 200
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (warning,) = [line for line in lines if line["level"] == "warning"]
    assert (warning["event"], "gateway.lifespan" in warning["hint"]) == ("started by the first request", True)
    await app.state.gateway.stop()


async def test_upstreams_are_started_and_stopped_once_however_often_it_is_entered() -> None:
    noted: list[str] = []

    class Noting(Scripted):
        async def start(self, transport: object) -> None:
            noted.append("start")

        async def stop(self) -> None:
            noted.append("stop")

    app = app_of(Noting(say("Hello")))
    async with gateway.lifespan(app), gateway.lifespan(app):
        assert noted == ["start"]
    assert noted == ["start", "stop"]


@pytest.mark.parametrize(("path", "busy"), [("/v1/chat/completions", True), ("/health", False)])
async def test_an_upstream_can_tell_whether_a_request_is_under_way_on_another(path: str, busy: bool) -> None:
    seen: list[bool] = []

    class Watching(Scripted):
        def watch(self, busy: Callable[[], bool]) -> None:
            self.busy = busy

    async def look() -> None:
        seen.append(watching.busy())

    watching = Watching(say("Hello"), name="watching", models=())
    app = app_of(Scripted([look, *say("Hello")]), watching)
    async with gateway.lifespan(app):
        before = watching.busy()
        await ask(app, path)
        assert (before, seen, watching.busy()) == (False, [True] if busy else [], False)


async def test_a_request_that_fails_is_over_too() -> None:
    app = app_of(Scripted([InternalError("no")]))
    async with gateway.lifespan(app):
        assert (await ask(app)).status == 500
        assert app.state.gateway.services.under_way == 0


async def offered(path: str, **scope: Any) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    app = gateway.create_app({})
    if path.startswith("/ai/"):
        app = Starlette(routes=[Mount("/ai", app)])
    await app({"type": "websocket", "path": path, "headers": [], **scope}, receive, send)
    return sent


async def test_a_websocket_is_refused_before_it_begins() -> None:
    assert await offered("/v1/responses") == [{"type": "websocket.close"}]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/responses", 405, "/v1/responses takes POST, not GET"),
        ("/ai/v1/responses", 405, "/v1/responses takes POST, not GET"),
        ("/v1/models", 404, "/v1/models is not a WebSocket; use HTTP"),
        (
            "/v1/realtime",
            404,
            "GET /v1/realtime is not served here: there are no live sessions here; stream a response",
        ),
        ("/ws/google.ai.BidiGenerateContent", 404, "GET /ws/google.ai.BidiGenerateContent is not served here"),
    ],
)
async def test_it_is_told_why_where_the_server_can_say_it(path: str, status: int, said: str) -> None:
    start, body = await offered(path, extensions={"websocket.http.response": {}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert (body["type"], json.loads(body["body"])["error"]["message"]) == ("websocket.http.response.body", said)
    assert dict(start["headers"])[b"x-request-id"].startswith(b"req_")


async def test_connections_of_other_kinds_are_left_alone() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    await gateway.create_app({})({"type": "something.new"}, receive, send)
    assert sent == []


@pytest.mark.parametrize(
    ("path", "raw"),
    [("http://localhost/v1/files/a b", b"http://localhost/v1/files/a%20b"), ("HTTPS://a:1/v1/files/a b", b"")],
)
def test_scheme_and_host_before_a_path_are_taken_away(path: str, raw: bytes) -> None:
    scope = {"type": "http", "path": path, **({"raw_path": raw} if raw else {})}
    given = in_origin_form(scope)
    assert given["path"] == "/v1/files/a b"
    assert given.get("raw_path", b"") == (b"/v1/files/a%20b" if raw else b"")
    assert scope["path"] == path


@pytest.mark.parametrize("path", ["*", "", "ftp://host/v1/models", "localhost:443"])
def test_what_is_no_address_of_http_stays(path: str) -> None:
    scope = {"type": "http", "path": path}
    assert in_origin_form(scope) is scope


async def test_a_defect_is_500_in_the_callers_dialect_and_told_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    def fall(_: object) -> None:
        raise RuntimeError("sk-canary-of-the-defect")

    upstream = Scripted(say("Hello"))
    upstream.open = fall  # type: ignore[assignment,method-assign]  # the defect
    app = app_of(upstream)
    async with gateway.lifespan(app):
        outcome = await ask(app, "/v1/messages")
    assert (outcome.status, outcome.json["error"]["type"]) == (500, "api_error")
    assert "canary" not in outcome.body.decode()
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], "RuntimeError" in line["exception"], "canary" in line["exception"]) == (
        "defect",
        True,
        False,
    )


class Silent:
    """A middleware that answers nothing, and does not pass the request on either."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Return."""


ORDER = ["request_id", "access_log", "metrics", "body_limit", "auth", "rate_limit", "protocol", "model_map", "usage"]


def with_a_silent_one(place: int) -> Starlette:
    order = [*ORDER[:place], f"{__name__}:Silent", *ORDER[place:]]
    return app_of(Scripted(say("Hello")), config={"pipeline": {"order": order}, "log": {"level": "info"}})


@pytest.mark.parametrize("place", [1, 3, 6, len(ORDER)])
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/chat/completions", {"type": "server_error", "code": "internal_error"}),
        ("/v1/messages", {"type": "api_error"}),
        ("/v1beta/models/demo:generateContent", {"code": 500, "status": "INTERNAL"}),
    ],
)
async def test_a_middleware_that_answers_nothing_is_500_in_the_callers_dialect(
    capsys: pytest.CaptureFixture[str], path: str, said: dict[str, object], place: int
) -> None:
    app = with_a_silent_one(place)
    body = json.dumps(json.loads(CHAT) | {"contents": [{"parts": [{"text": "Hello"}]}]}).encode()
    async with gateway.lifespan(app):
        outcome = await call(app, scope_of(path), [body])
    assert (outcome.status, said.items() <= outcome.json["error"].items()) == (500, True), outcome.body
    assert outcome.headers["x-request-id"].startswith("req_")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (told,) = [line for line in lines if line["event"] == "defect"]
    assert (told["request_id"], told["level"]) == (outcome.headers["x-request-id"], "error")
    assert told["reason"] == "a middleware has returned without an answer"
    ends = [line["end"] for line in lines if line["event"] == "request"]
    assert ends == ["error"] * (place > 1)


async def test_a_server_gets_that_answer_too() -> None:
    async with serve(with_a_silent_one(3)) as url, httpx.AsyncClient(base_url=url) as client:
        answers = [await client.post("/v1/chat/completions", content=CHAT) for _ in range(2)]
    assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [(500, "internal_error")] * 2


@pytest.mark.parametrize("place", [0, len(ORDER)])
async def test_that_somebody_has_left_is_said_to_the_host_alone(capsys: pytest.CaptureFixture[str], place: int) -> None:
    app = with_a_silent_one(place)
    async with gateway.lifespan(app):
        outcome = await call(app, scope_of("/v1/chat/completions"), [])
    assert (outcome.status, outcome.headers, outcome.body) == (499, {}, b"")
    assert "defect" not in (logged := capsys.readouterr().err)
    assert "499" not in logged

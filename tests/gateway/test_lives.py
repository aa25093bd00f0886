"""One app that lives several times, also in several event loops, and what becomes of a life that does not begin."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from starlette.testclient import TestClient

import gateway
from gateway.transport import Transport
from tests.middleware.asgi import call, scope_of
from tests.scripted import Scripted, app_of, say

BODY: Any = {"model": "some", "messages": [{"role": "user", "content": "hi"}]}
CHOICE: Any = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
ANSWER: Any = {"id": "c", "object": "chat.completion", "created": 1, "model": "some", "choices": [CHOICE]}


class Answering(BaseHTTPRequestHandler):
    """An OpenAI of one answer that keeps its connections."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        said = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base calls it so
        """Say nothing."""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        serving = Thread(target=server.serve_forever, daemon=True)
        serving.start()
        upstream = {
            "type": "openai",
            "base_url": f"http://127.0.0.1:{server.server_port}/v1",
            "api_key": ["one", "two"],
            "models": ["some"],
        }
        yield {
            "server": {"data_dir": str(tmp_path)},
            "auth": {"keys": ["sk"]},
            "limits": {"requests_per_day": 3},
            "log": {"level": "warning"},
            "upstream": {"up": upstream},
        }
        server.shutdown()
        serving.join()


def ask(client: TestClient) -> int:
    return client.post("/v1/chat/completions", json=BODY, headers={"authorization": "Bearer sk"}).status_code


@pytest.mark.parametrize("upstreams", ["demo", "up"])
def test_a_life_may_follow_a_life(config: dict[str, Any], upstreams: str) -> None:
    app = gateway.create_app(config if upstreams == "up" else {**config, "upstream": {}})
    for _ in range(3):
        with TestClient(app) as client:
            assert ask(client) == 200


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # nobody closes their connections
@pytest.mark.usefixtures("stopped")
def test_requests_of_other_event_loops_are_served_and_counted_together(
    config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    app = gateway.create_app(config)
    client = TestClient(app)
    assert [ask(client) for _ in range(4)] == [200, 200, 200, 429]
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "started by the first request"
    with TestClient(app):
        gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_life_may_follow_one_that_nobody_has_ended(config: dict[str, Any]) -> None:
    app = gateway.create_app(config)
    assert ask(TestClient(app)) == 200
    with TestClient(app) as client:
        assert ask(client) == 200
        assert client.get("/health/ready").status_code == 200
    assert not app.state.gateway.started
    gc.collect()


class Beginning(Scripted):
    """An upstream that begins in its own time; `failures`: so often it does not begin at all."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__(say("Hello"))
        self.failures = failures
        self.asked, self.may = asyncio.Event(), asyncio.Event()
        self.begun = self.ended = 0

    async def start(self, transport: Transport) -> None:
        self.asked.set()
        await self.may.wait()
        self.failures -= 1
        if self.failures >= 0:
            raise OSError("no more of anything")
        self.begun += 1

    async def stop(self) -> None:
        self.ended += 1


@pytest.mark.anyio
async def test_a_caller_that_leaves_while_its_request_starts_the_gateway_stops_no_start() -> None:
    upstream = Beginning()
    app, body = app_of(upstream, config={"log": {"level": "critical"}}), json.dumps({**BODY, "model": "demo"}).encode()
    first = asyncio.create_task(call(app, scope_of(), [body]))
    await upstream.asked.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(call(app, scope_of(), [body]))
    upstream.may.set()
    assert (await second).status == 200
    assert (upstream.begun, upstream.ended) == (1, 0)
    await app.state.generations.stop()


@pytest.mark.anyio
async def test_a_start_that_failed_is_tried_again_by_the_next_request() -> None:
    upstream = Beginning(failures=1)
    app, body = app_of(upstream, config={"log": {"level": "critical"}}), json.dumps({**BODY, "model": "demo"}).encode()
    upstream.may.set()
    with pytest.raises(OSError, match="no more of anything"):
        await call(app, scope_of(), [body])
    assert (await call(app, scope_of(), [body])).status == 200
    assert (upstream.begun, upstream.ended) == (1, 1)
    await app.state.generations.stop()


@pytest.mark.anyio
async def test_a_host_may_try_again_when_the_start_failed() -> None:
    upstream = Beginning(failures=1)
    app = app_of(upstream, config={"log": {"level": "critical"}})
    upstream.may.set()
    with pytest.raises(OSError, match="no more of anything"):
        async with gateway.lifespan(app):
            pass
    assert not app.state.gateway.started
    async with gateway.lifespan(app):
        assert upstream.begun == 1
    assert upstream.ended == 2

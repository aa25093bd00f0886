"""Jobs, and what comes of them, at one of several upstreams: who asks for them knows Google's names only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from gateway.app import create_app
from tests.serving import serve

pytestmark = pytest.mark.anyio

MODELS = ["veo", "m"]
ALIAS = {"film": "two/veo", "chain": ["one/veo", "two/veo"]}


class Jobs:
    """An upstream that knows what it has made, and refuses as often as `refuses` says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self.refuses = 0
        self.status = 503
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        """Begin a job, or tell of one."""
        self.asked.append(f"{request.method} {request.path}")
        if self.refuses:
            self.refuses -= 1
            return _refusal(self.status)
        if request.path.endswith(":predictLongRunning"):
            return web.json_response({"name": f"models/veo/operations/{self.name}"})
        if request.path.endswith(":batchGenerateContent"):
            return web.json_response({"name": f"batches/{self.name}"})
        if request.path.partition(":")[0].endswith(f"/{self.name}"):
            return web.json_response({"done": True})
        if "/files/" in request.path:
            return _refusal(403, "You do not have permission to access the File two or it may not exist.")
        return _refusal(404)


def _refusal(status: int, message: str = "no") -> web.Response:
    word = "PERMISSION_DENIED" if status == 403 else "NOT_FOUND"
    return web.json_response({"error": {"code": status, "message": message, "status": word}}, status=status)


@asynccontextmanager
async def upstreams() -> AsyncIterator[tuple[Jobs, Jobs]]:
    one, two = Jobs("one"), Jobs("two")
    async with AsyncExitStack() as stack:
        for jobs in (one, two):
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", jobs.handle)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            jobs.url = f"http://{host}:{port}"
        yield one, two


@asynccontextmanager
async def gateway(folder: Path, *jobs: Jobs, **over: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway before them."""
    tables: Mapping[str, Any] = {
        each.name: {"type": "gemini", "base_url": each.url, "api_key": "key-1", "models": MODELS} for each in jobs
    }
    config = {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error"},
        "models": {"alias": ALIAS},
        "upstream": tables,
        **over,
    }
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield http


@pytest.mark.parametrize("verb", ["predictLongRunning", "batchGenerateContent"])
@pytest.mark.parametrize("model", ["two/veo", "film", "chain"])
async def test_a_job_is_asked_for_where_it_was_begun(tmp_path: Path, model: str, verb: str) -> None:
    async with upstreams() as (one, two), gateway(tmp_path, one, two) as http:
        one.refuses = int(model == "chain")
        name = (await http.post(f"/v1beta/models/{model}:{verb}", json={})).json()["name"]
        one.asked.clear()
        told = await http.get(f"/v1beta/{name}")
        ended = await http.post(f"/v1beta/{name}:cancel", json={})
    assert [answer.json() for answer in (told, ended)] == [{"done": True}] * 2
    assert told.headers["x-gateway-upstream"].startswith("two")
    assert one.asked == []


@pytest.mark.parametrize("path", ["models/veo/operations/two", "batches/two", "files/two:download", "operations/two"])
async def test_what_another_worker_has_begun_is_looked_for_once(tmp_path: Path, path: str) -> None:
    """As after a restart."""
    async with upstreams() as (one, two), gateway(tmp_path, one, two) as http:
        told = [await http.get(f"/v1beta/{path}") for _ in range(2)]
    assert [answer.json() for answer in told] == [{"done": True}] * 2
    assert (len(one.asked), len(two.asked)) == (1, 2)


@pytest.mark.parametrize("status", [400, 429, 500, 503])
async def test_an_upstream_that_may_have_it_answers_for_itself(tmp_path: Path, status: int) -> None:
    async with upstreams() as (one, two), gateway(tmp_path, one, two) as http:
        one.refuses, one.status = 1, status
        told = await http.get("/v1beta/batches/one")
    assert (told.status_code, two.asked) == (status, [])


async def test_what_nobody_has_is_refused_as_the_last_one_does(tmp_path: Path) -> None:
    async with upstreams() as (one, two), gateway(tmp_path, one, two) as http:
        told = await http.get("/v1beta/batches/three")
    assert (told.status_code, told.json()["error"]["message"]) == (404, "no")
    assert (len(one.asked), len(two.asked)) == (1, 1)


async def test_a_refusal_of_what_a_call_names_is_not_held_against_the_key(tmp_path: Path) -> None:
    """Also in words that nobody knows: who names somebody else's file would take the key from all."""
    async with upstreams() as (one, _), gateway(tmp_path, one, models={}) as http:
        one.refuses, one.status = 1, 403
        assert (await http.get("/v1beta/files/f")).status_code == 403
        assert (await http.post("/v1beta/models/veo:predictLongRunning", json={})).status_code == 200


async def test_what_names_nothing_is_the_first_ones_alone(tmp_path: Path) -> None:
    async with upstreams() as (one, two), gateway(tmp_path, one, two) as http:
        assert (await http.get("/v1beta/batches")).status_code == 404
    assert (len(one.asked), len(two.asked)) == (1, 0)


async def test_a_key_is_held_to_its_upstreams(tmp_path: Path) -> None:
    keys = [
        {"name": "free", "secret": "sk-free"},
        {"name": "held", "secret": "sk-held", "upstreams": ["one"]},
    ]
    free, held = ({"x-goog-api-key": f"sk-{name}"} for name in ("free", "held"))
    async with upstreams() as (one, two), gateway(tmp_path, one, two, key=keys) as http:
        assert (await http.get("/v1beta/batches/two", headers=held)).status_code == 404
        assert two.asked == []
        name = (await http.post("/v1beta/models/film:batchGenerateContent", json={}, headers=free)).json()["name"]
        told = await http.get(f"/v1beta/{name}", headers=held)
    assert (told.status_code, "may not use upstream 'two'" in told.text) == (403, True)
    assert len(two.asked) == 1

"""The installed gateway in other people's programs: each host is started as its owner would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.packaging.fixtures import WHEEL
from tests.packaging.wheel import python_of
from tests.processes import Program, running

pytestmark = WHEEL

STARLETTE = """
from contextlib import asynccontextmanager

import gateway
from starlette.applications import Starlette
from starlette.routing import Mount

inner = gateway.create_app({})

@asynccontextmanager
async def lifespan(app):
    async with gateway.lifespan(inner):
        yield

app = Starlette(routes=[Mount("/ai", inner)], lifespan=lifespan)
"""

FASTAPI = """
from contextlib import asynccontextmanager

import gateway
from fastapi import FastAPI
from gateway.middleware import Auth, RequestId

inner = gateway.create_app({})

@asynccontextmanager
async def lifespan(app):
    async with gateway.lifespan(inner):
        yield

app = FastAPI(lifespan=lifespan)
app.add_middleware(Auth, allow_anonymous="always")
app.add_middleware(RequestId)
app.mount("/ai", inner)

@app.get("/own/{number}")
async def own(number: int):
    return {"number": number}
"""

# its own packages have the names of two folders of this project, and one of them stands in the gateway's pipeline
OWN_PACKAGES = {
    "host.py": """
from adapters.rates import RATE
from middleware.auth import Auth

import gateway
from gateway.adapters.demo import Demo
from gateway.middleware.auth import Auth as GatewayAuth
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

async def own(request):
    return JSONResponse({"rate": RATE, "modules": [Auth.__module__, GatewayAuth.__module__, Demo.__module__]})

order = ["middleware.auth:Auth", "request_id", "auth", "protocol", "model_map"]
inner = gateway.create_app({"pipeline": {"order": order}, "auth": {"keys": ["sk-gateway"]}})
app = Starlette(routes=[Route("/own", own), Mount("/ai", inner)])
""",
    "middleware/__init__.py": "",
    "middleware/auth.py": """
class Auth:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def marked(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-host-auth", b"passed")]}
            await send(message)

        await self.app(scope, receive, marked if scope["type"] == "http" else send)
""",
    "middleware/rate_limit.py": "raise ImportError('not the one of the gateway')",
    "adapters/rates.py": "RATE = 7",
    "adapters/demo.py": "raise ImportError('not the one of the gateway')",
}

BARE = """
import gateway

inner = gateway.create_app({})

async def app(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"].startswith("/ai/"):
        await inner({**scope, "root_path": "/ai"}, receive, send)
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
"""


def uvicorn(programs: Path, *arguments: str) -> list[str | Path]:
    return [python_of(programs), "-m", "uvicorn", "--port", "0", *arguments]


def ask(base: str, key: str = "any", **fields: object) -> httpx.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": "Hello, host"}], **fields}
    return httpx.post(f"{base}/v1/chat/completions", json=body, headers={"x-api-key": key}, timeout=20)


def said(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    content: str = answer.json()["choices"][0]["message"]["content"]
    return content


def streamed(answer: httpx.Response) -> str:
    assert answer.text.endswith("data: [DONE]\n\n"), answer.text
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events)


@pytest.fixture(scope="module")
def starlette_host(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("starlette")
    (folder / "host.py").write_text(STARLETTE)
    with running(uvicorn(programs, "host:app"), folder) as program:
        yield program


@pytest.fixture(scope="module")
def fastapi_host(programs_with_fastapi: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("fastapi")
    (folder / "host.py").write_text(FASTAPI)
    with running(uvicorn(programs_with_fastapi, "host:app"), folder) as program:
        yield program


@pytest.fixture(scope="module")
def own_packages(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("own")
    for name, text in OWN_PACKAGES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with running(uvicorn(programs, "host:app"), folder) as program:
        yield program


def test_gateway_starts_in_an_empty_folder(programs: Path, tmp_path: Path) -> None:
    with running([programs / "gateway", "--port", "0"], tmp_path) as program:
        assert said(ask(program.url)) == "Hello, host"


def test_module_starts_beside_packages_of_the_same_names(programs: Path, tmp_path: Path) -> None:
    for name in ("middleware", "adapters"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not the one of the gateway')\n")
    with running([python_of(programs), "-m", "gateway", "--port", "0"], tmp_path) as program:
        assert said(ask(program.url)) == "Hello, host"


@pytest.mark.parametrize("target", [("gateway.asgi:app",), ("gateway:create_app", "--factory")])
def test_uvicorn_serves_it(programs: Path, tmp_path: Path, target: tuple[str, ...]) -> None:
    with running(uvicorn(programs, *target), tmp_path) as program:
        assert said(ask(program.url)) == "Hello, host"


def test_starlette_host_answers_below_its_prefix(starlette_host: Program) -> None:
    assert said(ask(f"{starlette_host.url}/ai")) == "Hello, host"


def test_starlette_host_streams_below_its_prefix(starlette_host: Program) -> None:
    assert streamed(ask(f"{starlette_host.url}/ai", stream=True)) == "Hello, host"


def test_lifespan_of_the_host_starts_the_gateway(starlette_host: Program) -> None:
    assert httpx.get(f"{starlette_host.url}/ai/health/ready").json() == {"status": "ready"}
    assert "started by the first request" not in starlette_host.output


def test_fastapi_host_answers_and_streams_below_its_prefix(fastapi_host: Program) -> None:
    answer = ask(f"{fastapi_host.url}/ai")
    assert (said(answer), answer.headers["x-request-id"]) == ("Hello, host", answer.headers["request-id"])
    assert streamed(ask(f"{fastapi_host.url}/ai", stream=True)) == "Hello, host"
    assert "started by the first request" not in fastapi_host.output


def test_fastapi_host_keeps_its_own_paths(fastapi_host: Program) -> None:
    assert httpx.get(f"{fastapi_host.url}/own/7").json() == {"number": 7}
    assert httpx.get(f"{fastapi_host.url}/own/x").status_code == 422
    assert "/own/{number}" in httpx.get(f"{fastapi_host.url}/openapi.json").json()["paths"]


def test_packages_of_the_host_keep_their_names(own_packages: Program) -> None:
    assert httpx.get(f"{own_packages.url}/own").json() == {
        "rate": 7,
        "modules": ["middleware.auth", "gateway.middleware.auth", "gateway.adapters.demo"],
    }


def test_packages_of_the_host_replace_nothing_of_the_gateway(own_packages: Program) -> None:
    refused = ask(f"{own_packages.url}/ai")
    passed = ask(f"{own_packages.url}/ai", key="sk-gateway")
    assert (refused.status_code, said(passed)) == (401, "Hello, host")
    assert refused.headers["x-host-auth"] == passed.headers["x-host-auth"] == "passed"


def test_gunicorn_serves_it(programs_with_gunicorn: Path, tmp_path: Path) -> None:
    gunicorn = programs_with_gunicorn / "gunicorn"
    with running([gunicorn, "-k", "asgi", "-w", "2", "-b", "127.0.0.1:0", "gateway.asgi:app"], tmp_path) as program:
        assert said(ask(program.url)) == "Hello, host"
        assert streamed(ask(program.url, stream=True)) == "Hello, host"


def test_bare_host_without_lifespan_is_started_by_its_first_request(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "host.py").write_text(BARE)
    with running(uvicorn(programs, "host:app", "--lifespan", "off"), tmp_path) as program:
        answers = [said(ask(f"{program.url}/ai")) for _ in range(2)]
        assert answers == ["Hello, host"] * 2
        program.says("started by the first request")
        assert program.output.count("started by the first request") == 1
        assert httpx.get(f"{program.url}/other").status_code == 204

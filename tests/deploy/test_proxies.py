"""nginx.conf and Caddyfile before a gateway: real proxies, TLS, an upstream that waits for the test."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway import ir
from gateway.cli.serve import _KEEPALIVE_S
from gateway.config import Config
from tests.deploy.proxies import DEPLOY, Proxy, caddy, nginx, program
from tests.patience import patient
from tests.ports import free_port
from tests.processes import PROGRAMS, environment, gateway, running
from tests.scripted import Play, Scripted, app_of, say
from tests.serving import serve

Start = Callable[[Path, str, tuple[Path, Path]], AbstractContextManager[Proxy]]

KEY = {"authorization": "Bearer sk-mine"}
AUTH = {"auth": {"keys": ["sk-mine"]}}
CONFIG = Config()
MB = 2**20
IN_A_ROW = 100  # answers, which is no chance


def chat(text: str = "Hello", *, stream: bool = False) -> dict[str, Any]:
    return {"model": "demo", "messages": [{"role": "user", "content": text}], "stream": stream}


@pytest.fixture(params=[nginx, caddy])
def start(request: pytest.FixtureRequest) -> Start:
    """Give the function that starts a proxy which is there."""
    program(request.param.__name__)
    run: Start = request.param
    return run


class Gate:
    """An upstream that says one word, waits for the test, and says another one."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.left = anyio.Event()
        begin, first, second, end = say("first", "second")
        self.play: Play = [[*begin, *first], self._wait, second, end]

    async def _wait(self) -> None:
        try:
            await self.opened.wait()
        finally:
            self.left.set()


async def pieces(response: httpx.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                if choice["delta"].get("content"):
                    yield choice["delta"]["content"]


async def test_a_piece_is_there_before_the_next_one_is_made(
    start: Start, tmp_path: Path, certificates: tuple[Path, Path]
) -> None:
    gate = Gate()
    async with serve(app_of(Scripted(gate.play), config=AUTH)) as url:
        with start(tmp_path, url, certificates) as proxy:
            async with (
                proxy.client() as http,
                http.stream("POST", "/v1/chat/completions", json=chat(stream=True), headers=KEY) as response,
            ):
                said = pieces(response)
                assert await anext(said) == "first"
                assert not gate.left.is_set()
                gate.opened.set()
                assert [piece async for piece in said] == ["second"]


async def test_a_client_that_leaves_ends_the_call_of_the_upstream(
    start: Start, tmp_path: Path, certificates: tuple[Path, Path]
) -> None:
    gate = Gate()
    upstream = Scripted(gate.play)
    async with serve(app_of(upstream, config=AUTH)) as url:
        with start(tmp_path, url, certificates) as proxy:
            async with (
                proxy.client() as http,
                http.stream("POST", "/v1/chat/completions", json=chat(stream=True), headers=KEY) as response,
            ):
                assert await anext(pieces(response)) == "first"
            with anyio.fail_after(patient(10)):
                await gate.left.wait()
    assert not gate.opened.is_set()
    assert (upstream.closed, upstream.done) == (1, 1)


async def test_while_a_host_is_away_the_others_serve(tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    """Caddy finds that out; nginx tries another one by itself."""
    program("caddy")
    async with serve(app_of(Scripted(), config=AUTH)) as url:
        with caddy(tmp_path, f"{url} 127.0.0.1:{free_port()}", certificates) as proxy:
            async with proxy.client() as http:
                in_a_row = 0
                with anyio.fail_after(patient(30)):
                    while in_a_row < IN_A_ROW:
                        answer = await http.get("/v1/models", headers=KEY)
                        in_a_row = in_a_row + 1 if answer.status_code == 200 else 0


async def test_who_logs_in_behind_any_port_comes_from_here(
    start: Start, tmp_path: Path, certificates: tuple[Path, Path]
) -> None:
    config = {**AUTH, "admin": {"password": "a password"}, "server": {"data_dir": str(tmp_path / "data")}}
    form = {"username": "admin", "password": "a password"}
    async with serve(app_of(Scripted(), config=config)) as url:
        with start(tmp_path, url, certificates) as proxy:
            async with proxy.client() as http:
                headers = {"origin": str(http.base_url).rstrip("/"), "accept": "text/html"}
                answer = await http.post("/admin/login", data=form, headers=headers)
    assert (answer.status_code, answer.headers.get("location")) == (303, "/")


async def test_a_prompt_of_32_mb_arrives(start: Start, tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    upstream = Scripted(say("ok"))
    text = "x" * (CONFIG.server.max_body - len(json.dumps(chat(""), separators=(",", ":"))))
    async with serve(app_of(upstream, config=AUTH)) as url:
        with start(tmp_path, url, certificates) as proxy:
            async with proxy.client() as http:
                answer = await http.post("/v1/chat/completions", json=chat(text), headers=KEY)
    part = upstream.calls[0].request.turns[0].parts[0]
    assert answer.status_code == 200
    assert isinstance(part, ir.Text)
    assert len(part.text) == len(text)


async def test_one_that_is_larger_is_refused_in_its_dialect(tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    """By nginx, which reads on; Caddy may close the connection while the client is still writing."""
    program("nginx")
    body = {**chat("x" * CONFIG.server.max_body), "max_tokens": 9}
    async with serve(app_of(Scripted(say("ok")), config=AUTH)) as url:
        with nginx(tmp_path, url, certificates) as proxy:
            async with proxy.client() as http:
                answer = await http.post("/v1/messages", json=body, headers=KEY)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"


async def test_the_gateway_knows_the_address_of_the_client(
    start: Start, tmp_path: Path, certificates: tuple[Path, Path]
) -> None:
    with gateway(tmp_path, "--api-key", "sk-mine") as program, start(tmp_path, program.url, certificates) as proxy:
        async with proxy.client(address="127.0.0.2") as http:
            answer = await http.get("/v1/models", headers={**KEY, "x-forwarded-for": "9.9.9.9"})
        line = await anyio.to_thread.run_sync(program.says, '"path":"/v1/models"')
    assert answer.status_code == 200
    assert json.loads(line)["client"] == "127.0.0.2"


@pytest.mark.parametrize(
    ("listening", "said"),
    [
        (("uvicorn", "--uds", "{}"), "running on unix socket"),
        (("gunicorn", "-c", str(DEPLOY / "gunicorn.conf.py"), "-w", "1", "-b", "unix:{}"), "ASGI server listening"),
    ],
    ids=["uvicorn", "gunicorn"],
)
async def test_over_a_unix_socket_callers_have_their_addresses_and_none_is_this_machine(
    start: Start, tmp_path: Path, certificates: tuple[Path, Path], listening: Sequence[str], said: str
) -> None:
    (tmp_path / "gateway.toml").write_text('[server]\ntrusted_proxies = ["unix:"]\n[log]\nformat = "json"\n', "utf-8")
    file = tmp_path / "s"
    words = [word.format(file) for word in listening]
    with running([PROGRAMS / words[0], *words[1:], "gateway.asgi:app"], tmp_path, environment(tmp_path)) as program:
        await anyio.to_thread.run_sync(program.says, said)
        with start(tmp_path, f"unix:{file}", certificates) as proxy:
            async with proxy.client(address="127.0.0.2") as http:
                headers = {"x-forwarded-for": "127.0.0.1"} | ({"host": "localhost"} if start is nginx else {})
                answer = await http.post("/v1/chat/completions", json=chat(), headers=headers)
            line = await anyio.to_thread.run_sync(program.says, '"path":"/v1/chat/completions"')
    assert answer.status_code == 401
    assert json.loads(line)["client"] == "127.0.0.2"


async def test_nobody_comes_in_as_this_machine(start: Start, tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    async with serve(app_of(Scripted(say("ok")))) as url:
        with start(tmp_path, url, certificates) as proxy:
            async with proxy.client() as http:
                host = {"host": "localhost"} if start is nginx else {}  # Caddy serves its own name only
                through = await http.post("/v1/chat/completions", json=chat(), headers=host)
                metrics = await http.get("/metrics")
        async with httpx.AsyncClient(base_url=url) as http:
            direct = await http.post("/v1/chat/completions", json=chat())
    assert (direct.status_code, through.status_code, metrics.status_code) == (200, 401, 404)


async def test_a_reload_of_nginx_breaks_no_stream(tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    program("nginx")
    gate = Gate()
    async with serve(app_of(Scripted(gate.play, say("new")), config=AUTH)) as url:
        with nginx(tmp_path, url, certificates) as proxy:
            async with (
                proxy.client() as http,
                http.stream("POST", "/v1/chat/completions", json=chat(stream=True), headers=KEY) as response,
            ):
                said = pieces(response)
                assert await anext(said) == "first"
                proxy.reload("return 404;", "return 410;")
                with anyio.fail_after(patient(10)):
                    while (await _fresh(proxy)).status_code != 410:  # noqa: ASYNC110 - nginx has no event for it
                        await anyio.sleep(0.02)
                gate.opened.set()
                assert [piece async for piece in said] == ["second"]


async def _fresh(proxy: Proxy) -> httpx.Response:
    async with proxy.client() as http:
        return await http.get("/metrics")


@pytest.mark.parametrize("file", ["nginx.conf", "Caddyfile"])
def test_their_limits_are_above_those_of_the_gateway(file: str) -> None:
    text = (DEPLOY / file).read_text("utf-8")
    (body,) = re.findall(r"(?:client_max_body_size|max_size) (\d+)", text)
    (silence,) = re.findall(r"(?:proxy_read_timeout|response_header_timeout) (\d+)s", text)
    assert int(body) * MB > CONFIG.server.max_body
    assert int(silence) > max(CONFIG.timeouts.first_byte, CONFIG.timeouts.idle, CONFIG.timeouts.keepalive)


# seconds for which they keep idle connections, where nobody tells them
IDLE_S = {"nginx": 60, "AWS": 60, "Traefik": 90, "Heroku": 90, "Caddy": 120, "Google Cloud": 600}


@pytest.mark.parametrize("proxy", IDLE_S)
def test_the_gateway_keeps_idle_connections_for_longer_than_a_proxy(proxy: str) -> None:
    """Else the proxy may send a request into one that is being closed, and answer it with a 502."""
    (gunicorn,) = re.findall(r"(?m)^keepalive = (\d+)", (DEPLOY / "gunicorn.conf.py").read_text("utf-8"))
    assert min(_KEEPALIVE_S, int(gunicorn)) > IDLE_S[proxy]

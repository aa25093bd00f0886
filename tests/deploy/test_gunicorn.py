"""gunicorn.conf.py: four real workers, and what SIGTERM does to them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.deploy.proxies import DEPLOY
from tests.exposed import Numbers
from tests.gateway.cli.test_workers import LINUX, wait_until
from tests.gateway.test_server import ENDS, ERRORS, KEEPALIVE, streaming
from tests.patience import patient
from tests.processes import PROGRAMS, Program, environment, running

pytestmark = LINUX


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Program]:
    """Run gunicorn as the file says, on a free port."""
    (folder / "gateway.toml").write_text(KEEPALIVE, "utf-8")
    file = DEPLOY / "gunicorn.conf.py"
    command: list[str | Path] = [PROGRAMS / "gunicorn", "-c", file, "-b", "127.0.0.1:0", *options, "gateway.asgi:app"]
    with running(command, folder, environment(folder)) as program:
        wait_until(lambda: _workers(program) == 4)
        try:
            yield program
        finally:
            program.process.terminate()
            program.ends(20)


def _workers(program: Program) -> float | None:
    try:
        return Numbers(httpx.get(f"{program.url}/metrics", timeout=20).text).get("workers")
    except httpx.TransportError:
        return None


def test_at_sigterm_a_stream_goes_on_and_nobody_else_comes_in(tmp_path: Path) -> None:
    with served(tmp_path) as program, streaming(program, "openai-chat", "!slow 2") as lines:
        program.process.terminate()
        wait_until(lambda: not _listens(program))
        assert ENDS["openai-chat"] in list(lines)


def _listens(program: Program) -> bool:
    """Tell whether it listens; a connection that waited when the listener closed is reset, and says neither."""
    try:
        return httpx.get(f"{program.url}/health", timeout=20).status_code == 200
    except httpx.ConnectError:
        return False
    except httpx.TransportError:
        return True


def test_a_reload_refuses_nobody(tmp_path: Path) -> None:
    """The old workers take connections until they have closed their listener, and the new ones do already."""
    with served(tmp_path) as program:
        body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
        program.process.send_signal(signal.SIGHUP)
        statuses = Counter[int]()
        while program.output.count("Worker exiting") < 4:
            statuses[httpx.post(f"{program.url}/v1/chat/completions", json=body, timeout=20).status_code] += 1
    assert list(statuses) == [200]


def test_at_sigterm_a_connection_whose_answer_has_begun_has_its_next_request_served(tmp_path: Path) -> None:
    """A proxy may have sent it before it hears of an end; on a busy machine it may come too late for once."""
    assert any(_served_next(tmp_path) for _ in range(4))


def _served_next(folder: Path) -> bool:
    with served(folder) as program, closing(HTTPConnection(urlsplit(program.url).netloc, timeout=20)) as kept:
        _post(kept, "!slow 0.5", stream=True)
        begun = kept.getresponse()
        assert (begun.status, begun.headers["connection"]) == (200, None)
        program.process.terminate()
        assert b"[DONE]" in begun.read()
        try:
            _post(kept, "Hello")
            answer = kept.getresponse()
        except ConnectionError:
            return False
        return (answer.status, answer.headers["connection"]) == (200, "close")


def _post(connection: HTTPConnection, text: str, **options: object) -> None:
    body = {"model": "demo", "messages": [{"role": "user", "content": text}], **options}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})


def test_at_sigterm_nobody_waits_for_connections_on_which_nothing_is_asked(tmp_path: Path) -> None:
    """A proxy keeps some for its next requests; gunicorn would wait for them, and then kill the workers."""
    with served(tmp_path, "--graceful-timeout", "600") as program, httpx.Client(base_url=program.url) as client:
        asked = urlsplit(program.url)
        with socket.create_connection((asked.hostname, asked.port), 20):  # on which nothing was asked yet
            assert client.get("/health").status_code == 200
            program.process.terminate()
            assert program.ends(20) == 0
    assert program.output.count("Worker exiting") == 4


def test_a_sigterm_while_workers_start_is_heard(tmp_path: Path) -> None:
    with served(tmp_path, "--graceful-timeout", "600") as program:
        program.process.send_signal(signal.SIGHUP)
        wait_until(lambda: program.output.count("Booting worker") == 8)
        program.process.terminate()
        assert program.ends(20) == 0


def test_an_app_that_is_no_gateway_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "host.py").write_text("from starlette.applications import Starlette\n\napp = Starlette()\n", "utf-8")
    file = DEPLOY / "gunicorn.conf.py"
    command: list[str | Path] = [PROGRAMS / "gunicorn", "-c", file, "-b", "127.0.0.1:0", "-w", "1", "host:app"]
    variables = environment(tmp_path)
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=patient(60), check=False
    )
    assert (done.returncode, "drains gateways alone" in done.stderr, "Traceback" in done.stderr) == (3, True, False)


def test_a_stream_that_is_too_long_ends_with_its_own_error(tmp_path: Path) -> None:
    with served(tmp_path, "--graceful-timeout", "4") as program, streaming(program, "anthropic", "!slow 20") as lines:
        program.process.terminate()
        assert any(line.startswith(ERRORS["anthropic"]) for line in lines)

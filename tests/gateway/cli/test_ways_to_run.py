"""Every way to start the gateway that the documentation names answers a chat, and ends as promised."""

import signal
import socket
import sys
import time
from collections.abc import Sequence
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from tests.processes import PROGRAMS, running
from tests.security.wires import exchange

OFFER = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}
QUESTION = {"model": "demo", "messages": [{"role": "user", "content": "Hello from far away"}]}

# the exit code after SIGTERM is the server's own where it is another one
WAYS: dict[str, tuple[Sequence[str | Path], int]] = {
    "gateway run": ([PROGRAMS / "gateway", "run", "--port", "0"], 0),
    "gateway": ([PROGRAMS / "gateway", "--port", "0"], 0),
    "python -m gateway": ([sys.executable, "-m", "gateway", "--port", "0"], 0),
    "uvicorn": ([PROGRAMS / "uvicorn", "gateway.asgi:app", "--port", "0"], -signal.SIGTERM),
    "gunicorn": ([PROGRAMS / "gunicorn", "-k", "asgi", "-b", "127.0.0.1:0", "gateway.asgi:app"], 0),
    "uvicorn on h11": ([PROGRAMS / "uvicorn", "gateway.asgi:app", "--port", "0", "--http", "h11"], -signal.SIGTERM),
    "hypercorn": ([PROGRAMS / "hypercorn", "gateway.asgi:app", "-b", "127.0.0.1:0"], 0),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_it_answers_and_ends_at_sigterm(way: str, folder: Path) -> None:
    command, code = WAYS[way]
    with running(command, folder) as program:
        answer = httpx.post(f"{program.url}/v1/chat/completions", json=QUESTION, timeout=20)
        assert answer.status_code == 200, program.output
        assert answer.json()["choices"][0]["message"]["content"] == "Hello from far away"
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == code, program.output


@pytest.mark.parametrize("way", ["uvicorn", "gunicorn"])
def test_a_bad_configuration_stops_foreign_servers_too(way: str, folder: Path) -> None:
    (folder / "gateway.toml").write_text("[server]\nprot = 1\n")
    with running(WAYS[way][0], folder) as program:
        assert program.ends(20) == 3
        assert 'gateway.toml:2: server.prot: unknown key; did you mean "port"?' in program.output


@pytest.mark.parametrize("way", ["uvicorn", "gunicorn"])
def test_foreign_servers_read_gateway_config(way: str, folder: Path) -> None:
    file = folder / "other.toml"
    file.write_text('[auth]\nkeys = ["sk-only-this-one"]\n')
    variables = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "GATEWAY_CONFIG": str(file)}
    with running(WAYS[way][0], folder, variables) as program:
        assert httpx.get(f"{program.url}/v1/models", timeout=20).status_code == 401
        key = {"authorization": "Bearer sk-only-this-one"}
        assert httpx.get(f"{program.url}/v1/models", headers=key, timeout=20).status_code == 200


@pytest.mark.parametrize("way", list(WAYS))
def test_a_refusal_takes_the_body_in_so_that_no_server_closes_the_connection_over_it(way: str, folder: Path) -> None:
    """A proxy that is still writing the body when the connection ends tells its caller of a 502."""
    with running(WAYS[way][0], folder) as program:
        where = httpx.URL(program.url)
        with socket.create_connection((where.host, where.port), 20) as connection:
            for _ in range(3):
                connection.sendall(b"POST /v1/nothing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 40000\r\n\r\n")
                for _ in range(4):
                    time.sleep(0.05)
                    connection.sendall(b"x" * 10_000)
                answer = HTTPResponse(connection)
                answer.begin()
                assert (answer.status, b"/v1/nothing" in answer.read()) == (404, True), program.output
        program.process.terminate()
        program.ends()


@pytest.mark.parametrize("way", list(WAYS))
def test_a_path_may_have_a_host_before_it_as_clients_of_proxies_write_it(way: str, folder: Path) -> None:
    with running(WAYS[way][0], folder) as program:
        sent = b"GET http://localhost%s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        assert b'"models/demo"' in exchange(program.url, sent % b"/v1beta/models?pageSize=1")
        assert b'{"status":"ok"}' in exchange(program.url, sent % b"/health")
        program.process.terminate()  # workers of hypercorn outlive one that is killed
        program.ends()


@pytest.mark.parametrize("way", list(WAYS))
def test_an_offer_to_speak_websocket_is_refused(way: str, folder: Path) -> None:
    """What a GET of the path would be told, where the server can say it."""
    with running(WAYS[way][0], folder) as program:
        answer = httpx.get(f"{program.url}/v1/responses", headers=OFFER, timeout=20)
        program.process.terminate()
        program.ends()
        assert "Traceback" not in program.output
    assert answer.status_code == (403 if way == "gunicorn" else 405)


@pytest.mark.parametrize("way", ["uvicorn", "uvicorn on h11", "gunicorn"])
def test_no_key_stands_in_the_access_log_of_the_server(way: str, folder: Path) -> None:
    """Whether it is let in, is known to the operators' endpoints alone, is refused, or was not looked at."""
    (folder / "gateway.toml").write_text(
        '[server]\nmax_body = "1KB"\n[auth]\nkeys = ["sk-secret-a"]\n'
        '[[key]]\nname = "m"\nsecret = "sk-secret-m"\nscopes = ["admin", "metrics"]\n'
    )
    command = [*WAYS[way][0], *(["--access-logfile", "-"] if way == "gunicorn" else [])]
    with running(command, folder) as program:
        asked = {
            "/v1/models?key=sk-secret-a": 200,
            "/v1/models?pageSize=1&key=sk-secret-m": 403,
            "/v1/models?key=sk-secret-of-others&pageSize=1": 401,
            "/v1/models?%6Bey=sk-secret-a": 200,
            "/v1/models?pageSize=1&k%65%79=sk-secret-a": 200,
            "/usage?key=sk-secret-a": 200,
            "/metrics?key=sk-secret-m": 200,
            "/admin/usage?by=key&key=sk-secret-m": 200,
            "/health?key=sk-secret-a": 200,
        }
        for path, status in asked.items():
            assert httpx.get(program.url + path, timeout=20).status_code == status, path
        large = httpx.post(f"{program.url}/v1beta/models/demo:generateContent?key=sk-secret-a", content=b" " * 2000)
        assert large.status_code == 413
        program.says("generateContent")
        program.process.terminate()
        program.ends()
        assert "by=key" in program.output
        assert "sk-secret" not in program.output

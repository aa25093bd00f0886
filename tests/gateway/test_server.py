"""How `gateway run` ends: real processes, real signals, the demo's `!slow`."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.patience import patient
from tests.processes import PROGRAMS, Program, gateway, running

PATHS = {"openai-chat": "/v1/chat/completions", "anthropic": "/v1/messages"}
ENDS = {"openai-chat": "data: [DONE]", "anthropic": "event: message_stop"}
ERRORS = {"openai-chat": 'data: {"error":', "anthropic": "event: error"}
FULL = Path("/dev/full")
KEEPALIVE = "[timeouts]\nkeepalive = 0.05\n"
NOTICE_S = 1.0  # for which the listener stays
TRIES = 5
SIZE = 16_000_000  # more than two sockets hold
DIALECTS = pytest.mark.parametrize("dialect", list(PATHS))


def body(text: str, *, stream: bool = True) -> dict[str, Any]:
    return {"model": "demo", "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": text}]}


@contextmanager
def streaming(program: Program, dialect: str, text: str) -> Iterator[Iterator[str]]:
    """Give the lines of a stream whose first sign of life has arrived."""
    with httpx.stream("POST", program.url + PATHS[dialect], json=body(text), timeout=20) as response:
        lines = response.iter_lines()
        assert next(lines)
        yield lines


@contextmanager
def asking(program: Program, question: dict[str, Any]) -> Iterator[socket.socket]:
    """Give the connection of a request that the gateway has begun to read: it answers `100 Continue` then."""
    url, sent = httpx.URL(program.url), json.dumps(question).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {url.netloc.decode()}\r\ncontent-length: {len(sent)}\r\n"
    with socket.create_connection((url.host, url.port)) as connection:
        connection.settimeout(patient(20))
        connection.sendall(f"{head}expect: 100-continue\r\nconnection: close\r\n\r\n".encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 100")
        connection.sendall(sent)
        yield connection


def refuses_connections(program: Program) -> bool:
    try:
        httpx.get(f"{program.url}/health")
    except httpx.ConnectError:
        return True
    except httpx.TransportError:  # the listener closed before it was accepted or read
        return False
    return False


def stop(program: Program, number: signal.Signals = signal.SIGTERM) -> float:
    """Send the signal, wait until it is noticed, and give the time at which it was sent."""
    sent = time.monotonic()
    program.process.send_signal(number)
    program.says('"event":"draining"')
    return sent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_ends_after_the_notice_with_0(tmp_path: Path, number: signal.Signals) -> None:
    with gateway(tmp_path) as program:
        assert httpx.get(f"{program.url}/health").json() == {"status": "ok"}
        told = stop(program, number)
        assert program.ends() == 0
    assert 0.9 < time.monotonic() - told < patient(20)


def asked_at_the_end(folder: Path, dialect: str) -> tuple[httpx.Response, httpx.Response] | None:
    """Give what a draining gateway says, or nothing where the machine let its listener's time go by."""
    with gateway(folder) as program, httpx.Client(base_url=program.url) as client:
        told = stop(program)
        try:
            ready = client.get("/health/ready")
            refused = client.post(PATHS[dialect], json=body("Hello"), headers={"connection": "close"})
        except httpx.TransportError:
            if time.monotonic() - told < NOTICE_S:
                raise
            return None
        assert program.ends() == 0
    return ready, refused


@DIALECTS
def test_new_work_is_refused_while_the_listener_stays(tmp_path: Path, dialect: str) -> None:
    ready, refused = next(filter(None, (asked_at_the_end(tmp_path, dialect) for _ in range(TRIES))))
    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert "shutting down" in refused.json()["error"]["message"]


@DIALECTS
def test_what_is_open_ends_by_itself(tmp_path: Path, dialect: str) -> None:
    with gateway(tmp_path, toml=KEEPALIVE) as program, streaming(program, dialect, "!slow 2") as lines:
        stop(program)
        got = list(lines)
        assert program.ends() == 0
    assert ENDS[dialect] in got
    assert not any(line.startswith(ERRORS[dialect]) for line in got)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("file", ["", "/dev/full"])
def test_what_is_open_ends_by_itself_also_when_the_log_cannot_be_written(tmp_path: Path, form: str, file: str) -> None:
    (tmp_path / "gateway.toml").write_text(f'{KEEPALIVE}[log]\nformat = "{form}"\nfile = "{file}"\n')
    command = ["/bin/sh", "-c", f'exec "{PROGRAMS / "gateway"}" --port 0 2> {FULL}']
    with running(command, tmp_path) as program, streaming(program, "openai-chat", "!slow 2") as lines:
        program.process.send_signal(signal.SIGTERM)
        assert ENDS["openai-chat"] in list(lines)
        assert program.ends() == 0


def test_a_whole_answer_that_is_open_is_given(tmp_path: Path) -> None:
    with gateway(tmp_path) as program, asking(program, body("!slow 1.5", stream=False)) as connection:
        stop(program)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert program.ends() == 0
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"!slow 1.5" in answer


def test_the_listener_closes_after_the_notice(tmp_path: Path) -> None:
    with gateway(tmp_path, toml=KEEPALIVE) as program, streaming(program, "anthropic", "!slow 3") as lines:
        told = stop(program)
        assert not refuses_connections(program) or time.monotonic() - told > 0.8
        while not refuses_connections(program):
            time.sleep(0.02)
        assert 0.8 < time.monotonic() - told < patient(20)
        assert ENDS["anthropic"] in list(lines)


def test_nobody_is_kept_on_a_connection_to_a_gateway_that_ends(tmp_path: Path) -> None:
    """Behind a balancer of connections each try would be refused again, by the same process."""
    refused = next(filter(None, (refused_at_the_end(tmp_path) for _ in range(TRIES))))
    assert (refused.status_code, refused.headers.get("connection")) == (503, "close")


def refused_at_the_end(folder: Path) -> httpx.Response | None:
    """Give what a kept connection hears, or nothing where the machine let the listener's time go by."""
    with (
        gateway(folder, toml=KEEPALIVE) as program,
        streaming(program, "openai-chat", "!slow 60"),
        httpx.Client(base_url=program.url) as busy,
        socket.create_connection(("127.0.0.1", httpx.URL(program.url).port)) as idle,
    ):
        idle.settimeout(patient(20))
        idle.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b'{"status":"ok"}'):
            answer += idle.recv(65536)
        assert "connection" not in busy.post(PATHS["openai-chat"], json=body("Hello", stream=False)).headers
        told, refused = stop(program), None
        try:
            refused = busy.post(PATHS["openai-chat"], json=body("Hello", stream=False))
        except httpx.TransportError:
            if time.monotonic() - told < NOTICE_S:
                raise
        assert idle.recv(65536) == b""  # and not only when the stream ends
    return refused


@DIALECTS
def test_what_outlasts_the_drain_ends_with_an_error(tmp_path: Path, dialect: str) -> None:
    toml = f"{KEEPALIVE}[server]\ndrain = 0.2\n"
    with gateway(tmp_path, toml=toml) as program, streaming(program, dialect, "!slow 60") as lines:
        told = stop(program)
        got = list(lines)
        assert program.ends() == 0
    assert time.monotonic() - told < patient(30)
    assert any(line.startswith(ERRORS[dialect]) for line in got)
    assert "shutting down" in got[-1] or "shutting down" in got[-2]


def test_a_whole_answer_that_outlasts_the_drain_is_503(tmp_path: Path) -> None:
    toml = "[server]\ndrain = 0.2\n"
    with gateway(tmp_path, toml=toml) as program, asking(program, body("!slow 60", stream=False)) as connection:
        stop(program)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert program.ends() == 0
    assert answer.startswith(b"HTTP/1.1 503")


@pytest.mark.parametrize("stream", [True, False], ids=["a stream", "whole"])
def test_whoever_does_not_read_is_left_and_that_is_no_error(tmp_path: Path, stream: bool) -> None:
    toml = "[server]\ndrain = 0.2\n"
    question = body(f"{'a' * SIZE} b", stream=stream)
    with gateway(tmp_path, toml=toml) as program, asking(program, question) as connection:
        assert connection.recv(1)
        stop(program)
        assert program.ends() == 0
    assert '"level":"error"' not in program.output


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with gateway(tmp_path, toml=KEEPALIVE) as program, streaming(program, "anthropic", "!slow 60") as lines:
        told = stop(program)
        program.process.send_signal(signal.SIGTERM)
        assert program.ends() == 0
        assert time.monotonic() - told < patient(20)
        with pytest.raises(httpx.HTTPError):
            list(lines)

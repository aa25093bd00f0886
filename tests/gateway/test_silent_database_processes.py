"""A database that says nothing while a process starts, or ends: neither takes much longer for it."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.patience import patient
from tests.postgres_server import PostgresServer
from tests.processes import gateway

UPSTREAMS = 6  # each keeps its credentials there
POOLED = """
[upstream.u{0}]
type = "openai"
api_key = ["sk-{0}-1", "sk-{0}-2"]
base_url = "http://127.0.0.1:9/v1"
models = ["m"]
"""
TOML = """
[server]
drain = 1
[auth]
keys = ["sk-caller"]
[admin]
password = "secret"
[store]
database = "{url}"
[upstream.demo]
type = "demo"
{pooled}
"""
HEADERS = {"authorization": "Bearer sk-caller"}
MOST, EVERY_S = 2, 6  # connections are waited for at the start; one that is silent takes 5 s, and another one may begin
END_S = 60.0


def toml(url: str) -> str:
    return TOML.format(url=url, pooled="".join(map(POOLED.format, range(UPSTREAMS))))


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Give a server whose connections are made, and nothing is said on them."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        server.setblocking(False)
        yield server


def test_a_process_starts_without_it(silent: socket.socket, tmp_path: Path) -> None:
    url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/gateway"
    began = time.monotonic()
    with gateway(tmp_path, toml=toml(url)) as program:
        asked = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
        answer = httpx.post(f"{program.url}/v1/chat/completions", json=asked, headers=HEADERS, timeout=patient(20))
        assert answer.status_code == 200
        assert connections(silent) <= MOST + (time.monotonic() - began) // EVERY_S


def connections(server: socket.socket) -> int:
    """Count those that were made, and close them."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_a_process_ends_without_it(postgres_url: str, postgres_server: PostgresServer, tmp_path: Path) -> None:
    with (
        gateway(tmp_path, toml=toml(postgres_url)) as program,
        httpx.Client(headers=HEADERS, timeout=patient(20)) as http,
    ):
        asked = {"model": "demo", "input": "Hello"}
        assert http.post(f"{program.url}/v1/responses", json=asked).status_code == 200
        postgres_server.freeze()
        program.says("the credential store fails")
        for number in range(UPSTREAMS):
            refused = http.post(f"{program.url}/v1/responses", json={**asked, "model": f"u{number}/m", "store": False})
            assert refused.status_code == 502
        program.process.send_signal(signal.SIGTERM)
        assert program.ends(END_S) == 0
        assert "defect" not in program.output

"""The metrics of real processes: workers that are killed, gunicorn, and what a real Prometheus reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.exposed import Numbers
from tests.gateway.cli.test_workers import LINUX, wait_until, workers
from tests.gateway.test_server import KEEPALIVE, streaming
from tests.processes import PROGRAMS, Program, environment, gateway, running
from tests.prometheus import prometheus, promtool

QUESTION: Mapping[str, Any] = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
GUNICORN: Sequence[str | Path] = [
    PROGRAMS / "gunicorn",
    "-k",
    "asgi",
    "-w",
    "2",
    "-b",
    "127.0.0.1:0",
    "gateway.asgi:app",
]


def ask(program: Program, times: int = 1, text: str = "Hello") -> None:
    """Ask on as many connections, so that the workers share them."""
    body = {**QUESTION, "messages": [{"role": "user", "content": text}]}
    for _ in range(times):
        assert httpx.post(f"{program.url}/v1/chat/completions", json=body, timeout=20).status_code == 200


def numbers(program: Program) -> Numbers:
    answer = httpx.get(f"{program.url}/metrics", timeout=20)
    assert answer.status_code == 200
    return Numbers(answer.text)


def requests(program: Program) -> float:
    return numbers(program).total("requests_total", dialect="openai-chat")


def kill(program: Program, pid: int) -> None:
    """Kill a worker, and wait until another has taken its place."""
    before = workers(program)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(workers(program) - before) == 1)
    wait_until(lambda: numbers(program).get("workers") == len(before))


@LINUX
def test_one_scrape_sums_all_workers_also_those_that_were_killed(tmp_path: Path) -> None:
    with gateway(tmp_path, "--workers", "2") as program:
        wait_until(lambda: numbers(program).get("workers") == 2)
        for round_ in range(1, 4):
            ask(program, 10)
            wait_until(lambda round_=round_: requests(program) == 10.0 * round_)  # type: ignore[misc]  # bound now
            assert {requests(program) for _ in range(6)} == {10.0 * round_}
            kill(program, min(workers(program)))
            assert {requests(program) for _ in range(6)} == {10.0 * round_}
        assert len(list((tmp_path / "data" / "metrics").iterdir())) == 2
        program.process.terminate()
        assert program.ends() == 0
    assert not (tmp_path / "data" / "metrics").exists()


@LINUX
def test_the_streams_of_a_killed_worker_are_not_open(tmp_path: Path) -> None:
    with gateway(tmp_path, "--workers", "2", toml=KEEPALIVE) as program:
        with streaming(program, "openai-chat", "!slow 60"):
            wait_until(lambda: numbers(program).get("open_streams") == 1)
            for pid in workers(program):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _quietly(lambda: numbers(program).get("open_streams") == 0))


def _quietly(asked: Callable[[], bool]) -> bool:
    try:
        return asked()
    except httpx.TransportError:  # no worker is there yet
        return False


def test_one_worker_writes_nothing(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        ask(program, 2)
        assert requests(program) == 2
        assert not (tmp_path / "data" / "metrics").exists()


def test_prometheus_client_is_loaded_by_the_first_scrape_only() -> None:
    code = "import sys, gateway; gateway.create_app({}); print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


@LINUX
def test_under_gunicorn_one_scrape_sums_all_workers(tmp_path: Path) -> None:
    with running(GUNICORN, tmp_path, environment(tmp_path)) as program:
        wait_until(lambda: _quietly(lambda: numbers(program).get("workers") == 2))
        ask(program, 10)
        wait_until(lambda: requests(program) == 10.0)  # a worker counts an answer when it has given it
        assert {requests(program) for _ in range(6)} == {10.0}
        kill(program, min(workers(program)))
        assert {requests(program) for _ in range(6)} == {10.0}


# a real Prometheus


def test_promtool_finds_nothing_to_say(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        ask(program, 2)
        text = httpx.get(f"{program.url}/metrics").text
    assert promtool("check", "metrics", text=text) == (0, "")


def test_prometheus_reads_them_with_a_key(tmp_path: Path) -> None:
    keys = '[[key]]\nname = "prometheus"\nsecret = "sk-metrics"\nscopes = ["chat", "metrics"]\n'
    with gateway(tmp_path, toml=keys) as program:
        key = {"authorization": "Bearer sk-metrics"}
        httpx.post(f"{program.url}/v1/chat/completions", json=QUESTION, headers=key).raise_for_status()
        target = program.url.removeprefix("http://")
        scrape = (
            "{job_name: gateway, authorization: {credentials: sk-metrics}, "
            f'static_configs: [{{targets: ["{target}"]}}]}}'
        )
        with prometheus(tmp_path / "prometheus", scrape) as asked:
            answered = 'gateway_requests_total{dialect="openai-chat",upstream="demo",model="demo",status="200"}'
            assert asked.wait(answered) == "1"
            assert asked.wait("gateway_first_byte_seconds_count") == "1"

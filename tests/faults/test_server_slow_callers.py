"""Row 7 of docs/faults.md, at a thousand connections a second: callers who never say all they want keep nobody out."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.slow import KINDS
from tests.gateway.cli.test_workers import LINUX, wait_until
from tests.processes import PROGRAMS, Program, gateway, running

pytestmark = LINUX

ROOT = Path(__file__).parents[2]
KEYED = '[auth]\nkeys = ["sk-honest", "sk-slow"]\n'
RATE, SECONDS = 1000, 4
FLOOR_S = 0.25  # below it, nobody counts how many times the usual it takes
TIMES = 10
TRIES = 4  # the figures are for a machine that has nothing else to do
STAY_S = 600
HELD_KB = 64


@contextmanager
def attack(
    program: Program, kind: str, rate: int = RATE, seconds: float = SECONDS, stay_s: float = 0
) -> Iterator[subprocess.Popen[str]]:
    place = urlsplit(program.url)
    words = [str(place.hostname), str(place.port), kind, str(rate), str(seconds), str(stay_s)]
    command = [sys.executable, "-m", "tests.faults.slow", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as attacking:
        try:
            yield attacking
        finally:
            attacking.terminate()


def ask(program: Program) -> float:
    """Ask as an honest caller does who comes anew each time, and give the time that it took."""
    body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
    began = time.monotonic()
    with httpx.Client(timeout=20, verify=False) as client:
        answer = client.post(
            f"{program.url}/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-honest"}
        )
    assert answer.status_code == 200
    return time.monotonic() - began


def ask_while(program: Program, attacking: subprocess.Popen[str]) -> Sequence[float]:
    taken = []
    while attacking.poll() is None:
        taken.append(ask(program))
        time.sleep(0.02)
    return taken


def resident_kb(program: Program) -> int:
    lines = Path(f"/proc/{program.process.pid}/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def descriptors(program: Program) -> int:
    return len(list(Path(f"/proc/{program.process.pid}/fd").iterdir()))


@contextmanager
def small(folder: Path) -> Iterator[Program]:
    """Run a gateway that may have no more than 1024 files open, which are less than a second's connections."""
    (folder / "gateway.toml").write_text(KEYED, "utf-8")
    command = ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh", str(PROGRAMS / "gateway"), "--port", "0"]
    with running(command, folder) as program:
        yield program


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_slow_connections_a_second_keep_nobody_out(tmp_path: Path, kind: str) -> None:
    with small(tmp_path) as program:
        ask(program)
        before = descriptors(program)
        for _ in range(TRIES):
            opened, usual, taken = attacked(program, kind)
            wait_until(lambda: descriptors(program) <= before + 8)
            if opened > RATE * SECONDS * 0.9 and taken <= max(TIMES * usual, FLOOR_S):
                break
        assert opened > RATE * SECONDS * 0.9
        assert taken <= max(TIMES * usual, FLOOR_S)


def attacked(program: Program, kind: str) -> tuple[int, float, float]:
    """Give how many connections were opened, and what a request takes before and meanwhile."""
    usual = statistics.median(ask(program) for _ in range(30))
    with attack(program, kind) as attacking:
        taken = statistics.median(ask_while(program, attacking))
        assert attacking.stdout is not None
        opened: int = json.loads(attacking.stdout.read())["opened"]
    return opened, usual, taken


@pytest.mark.parametrize("kind", ["head", "body"])
def test_a_slow_connection_holds_little(tmp_path: Path, kind: str) -> None:
    """Few enough for any machine are open at once; the ledger would load its database meanwhile."""
    with gateway(tmp_path, toml=f"{KEYED}[usage]\nenabled = false\n") as program:
        ask(program)
        with attack(program, kind, rate=200, seconds=4, stay_s=STAY_S):
            wait_until(lambda: descriptors(program) >= 150)
            open_before, before = descriptors(program), resident_kb(program)
            wait_until(lambda: descriptors(program) >= 450)
            held, opened = resident_kb(program) - before, descriptors(program) - open_before
    assert held <= HELD_KB * opened

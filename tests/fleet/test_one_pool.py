"""Workers and hosts that share a store never call what is cooling, refresh once, and know what an operator said."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fleet.site import Google, ask_all, google, statuses, toml_of
from tests.gateway.cli.test_workers import LINUX, wait_until, workers
from tests.patience import patient
from tests.processes import PROGRAMS, Program, environment, gateway
from tests.redis_server import RedisServer

pytestmark = LINUX

ACCOUNTS = 6
CALLS = 20  # that each of them may make before it has to rest
REST_S = 8.0  # and longer than it takes to ask all of them
TRIES = 5  # the second is for a machine that has nothing else to do
GRACE_S = 0.5  # two cores serve four workers, their upstream and 200 clients


@contextmanager
def fleet(folder: Path, toml: str, hosts: int, workers_each: int) -> Iterator[list[Program]]:
    with ExitStack() as stack:
        programs = []
        for number in range(hosts):
            home = folder / f"host{number}"
            home.mkdir()
            programs.append(stack.enter_context(gateway(home, "--workers", str(workers_each), toml=toml)))
        for program in programs:
            wait_until(lambda program=program: len(workers(program)) == workers_each)  # type: ignore[misc]  # bound now
            wait_until(lambda program=program: ready(program))  # type: ignore[misc]
        yield programs


def ready(program: Program) -> bool:
    try:
        return httpx.get(f"{program.url}/health/ready", timeout=20).status_code == 200
    except httpx.TransportError:
        return False


def commanded(folder: Path, *words: str) -> str:
    command = [str(PROGRAMS / "gateway"), *words]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), check=False, capture_output=True, text=True, timeout=patient(60)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_one_pool(fake: Google, urls: list[str]) -> None:
    """Ask more than all accounts may answer, wait, and ask again."""
    rest_s = min(max(REST_S, patient(1.0)), 60.0)
    fake.set("limit", account=None, model=None, calls=CALLS, delay_s=rest_s)
    httpx.post(f"{fake.url}/_ledger", json={"grace_s": min(patient(GRACE_S), rest_s / 2)}).raise_for_status()

    answers = ask_all(urls, 200)

    said = statuses(answers)
    assert set(said) == {200, 429}, said
    assert said[200] == sum(fake.allowed().values()) == ACCOUNTS * CALLS
    assert all(float(answer.headers["retry-after"]) <= rest_s + 1 for answer in answers if answer.status_code == 429)
    assert fake.violations() == []
    assert set(fake.refreshes().values()) == {1}
    assert len(fake.refreshes()) == ACCOUNTS

    time.sleep(rest_s)
    assert statuses(ask_all(urls, 60)) == {200: 60}
    assert fake.violations() == []
    assert set(fake.refreshes().values()) == {1}


def test_four_workers_of_one_host_are_one_pool(tmp_path: Path) -> None:
    with google(tmp_path, ACCOUNTS) as fake:
        toml = toml_of(fake, pool=["cooldown = { min = 1 }"]) + "[retry]\nmax_wait = 0\n"
        with fleet(tmp_path, toml, 1, 4) as programs:
            check_one_pool(fake, [program.url for program in programs])


def test_two_hosts_of_two_workers_are_one_pool(tmp_path: Path, postgres_url: str, redis: RedisServer) -> None:
    with google(tmp_path, ACCOUNTS) as fake:
        store = f'database = "{postgres_url}"\nredis = "{redis.url}"'
        toml = toml_of(fake, store, pool=["cooldown = { min = 1 }"]) + "[retry]\nmax_wait = 0\n"
        with fleet(tmp_path, toml, 2, 2) as programs:
            check_one_pool(fake, [program.url for program in programs])


@pytest.mark.parametrize("shared", ["sqlite", "postgres", "postgres and redis"])
def test_what_an_operator_says_on_one_host_holds_on_all_within_a_second(
    tmp_path: Path, postgres_url: str, redis: RedisServer, shared: str
) -> None:
    lines = {"postgres": f'database = "{postgres_url}"'}
    lines["postgres and redis"] = lines["postgres"] + f'\nredis = "{redis.url}"'
    with google(tmp_path, 3) as fake:
        toml = toml_of(fake, lines.get(shared, ""))
        with fleet(tmp_path, toml, 1 if shared == "sqlite" else 2, 2) as programs:
            urls = [program.url for program in programs]
            assert statuses(ask_all(urls, 30)) == {200: 30}
            assert len(fake.allowed()) == 3
            home = tmp_path / "host0"
            shown = json.loads(commanded(home, "credentials", "list", "--json"))["credentials"]
            gone = shown[1]

            def used_after(word: str) -> int:
                """Count the accounts that are used a second after an operator has said it."""
                commanded(home, "credentials", word, gone["id"][:12])
                time.sleep(1)
                before = fake.allowed()
                assert statuses(ask_all(urls, 40)) == {200: 40}
                return len(fake.allowed() - before)

            used = ((used_after("disable"), used_after("enable")) for _ in range(TRIES))
            assert (2, 3) in used

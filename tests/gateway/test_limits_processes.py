"""Limits over several real processes: exact with Redis, refused without."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from tests.exposed import Numbers
from tests.gateway.cli.test_workers import LINUX, wait_until
from tests.gateway.cli.test_workers import workers as workers_of
from tests.gateway.test_server import KEEPALIVE, streaming
from tests.patience import patient
from tests.processes import PROGRAMS, Program, environment, gateway, running
from tests.redis_server import RedisServer

CHAT = "/v1/chat/completions"
GUNICORN: Sequence[str | Path] = [PROGRAMS / "gunicorn", "-k", "asgi", "-b", "127.0.0.1:0", "gateway.asgi:app"]
LIMITED = "[server]\ndrain = 1\n[limits]\nrequests_per_day = 9\n"
WHY = "processes cannot count together without store.redis"
LOCKED_OUT = "too many failed attempts from this address"


def ask(program: Program, text: str = "Hello", key: str = "any", **fields: object) -> httpx.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": text}], **fields}
    return httpx.post(program.url + CHAT, json=body, headers={"x-api-key": key}, timeout=20)


def ask_all(
    program: Program, bodies: Sequence[dict[str, object]], keys: Sequence[str], at_once: int
) -> Counter[tuple[str, int]]:
    """Ask with these keys in turn, each time on a new connection, so that the workers share them; count the answers."""
    answers = Counter[tuple[str, int]]()

    async def run() -> None:
        gate = asyncio.Semaphore(at_once)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:

            async def one(body: dict[str, object], key: str) -> None:
                async with gate:
                    answer = await client.post(program.url + CHAT, json=body, headers={"x-api-key": key})
                    answers[key, answer.status_code] += 1

            await asyncio.gather(*(one(body, keys[place % len(keys)]) for place, body in enumerate(bodies)))

    asyncio.run(run())
    return answers


def hold_all(program: Program, body: dict[str, object], count: int) -> Counter[int]:
    """Ask for so many streams at once, and leave all of them only when each has been answered; count the statuses."""
    statuses = Counter[int]()

    async def run() -> None:
        answered = asyncio.Event()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:

            async def one() -> None:
                asked = client.stream("POST", program.url + CHAT, json=body | {"stream": True})
                async with asked as answer:
                    statuses[answer.status_code] += 1
                    if statuses.total() == count:
                        answered.set()
                    await answered.wait()

            await asyncio.gather(*(one() for _ in range(count)))

    asyncio.run(run())
    return statuses


def body(text: str, **fields: object) -> dict[str, object]:
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **fields}


def workers(folder: Path, redis: RedisServer, toml: str) -> AbstractContextManager[Program]:
    return gateway(folder, "--workers", "4", toml=f'[store]\nredis = "{redis.url}"\n{toml}')


# with Redis


def test_four_workers_admit_what_is_allowed_to_the_one(tmp_path: Path, redis: RedisServer) -> None:
    keys = [f"sk-{number}" for number in range(10)]
    limits = "limits = { requests_per_day = 20, requests_per_hour = 100 }"
    toml = "".join(f'[[key]]\nname = "{key}"\nsecret = "{key}"\n{limits}\n' for key in keys)
    with workers(tmp_path, redis, toml) as program:
        answers = ask_all(program, [body("Hello")] * 400, keys, at_once=24)
    assert answers == {(key, status): 20 for key in keys for status in (200, 429)}


def test_four_workers_let_no_more_in_at_once(tmp_path: Path, redis: RedisServer) -> None:
    with workers(tmp_path, redis, f"{KEEPALIVE}[limits]\nconcurrent = 3\n") as program:
        wait_until(lambda: gauge(program, "limits_shared") == 4)
        assert hold_all(program, body("!slow 60"), 24) == {200: 3, 429: 21}
        wait_until(lambda: ask(program).status_code == 200)
        assert [ask(program).status_code for _ in range(8)] == [200] * 8  # each place is free before its answer ends


def test_four_workers_reserve_no_more_than_there_is(tmp_path: Path, redis: RedisServer) -> None:
    """Who is refused behind a sign of life has a 200, too."""
    late = f"[timeouts]\nkeepalive = {min(patient(0.2), 15)}\n"
    with workers(tmp_path, redis, f"{late}[limits]\ntokens_per_day = 1000\n") as program:
        wait_until(lambda: gauge(program, "limits_shared") == 4)
        assert hold_all(program, body("!slow 60", max_tokens=190), 24) == {200: 5, 429: 19}


def test_redis_may_go_and_come_back_while_they_serve(tmp_path: Path, redis: RedisServer) -> None:
    def limits() -> str:
        said: str = httpx.get(f"{program.url}/health/ready", timeout=20).json()["limits"]
        return said

    with workers(tmp_path, redis, "[limits]\nrequests_per_day = 1000\n") as program:
        assert (ask(program).status_code, limits()) == (200, "shared")
        wait_until(lambda: gauge(program, "limits_shared") == 4)
        redis.stop()
        assert [ask(program).status_code for _ in range(12)] == [200] * 12
        wait_until(lambda: gauge(program, "limits_shared") == 0)
        assert limits() == "own"
        redis.start()
        wait_until(lambda: gauge(program, "limits_shared") == 4)
        before = remaining(program)
        assert [before - remaining(program) for _ in range(4)] == [1, 2, 3, 4]
    assert program.output.count("Redis counts no limits; each process counts by itself") == 4
    assert program.output.count("Redis is back; limits are shared") == 4


def gauge(program: Program, name: str) -> float | None:
    return Numbers(httpx.get(f"{program.url}/metrics", timeout=20).text).get(name)


def remaining(program: Program) -> int:
    return int(ask(program).headers["x-ratelimit-remaining-requests"])


# without


def test_a_second_process_with_limits_does_not_start(tmp_path: Path) -> None:
    with gateway(tmp_path, toml=LIMITED) as program:
        assert ask(program).status_code == 200
        with gateway(tmp_path) as second:
            assert second.ends() == 2
        waiting, said = second.output.splitlines()
        assert "waiting for another process to end" in waiting
        assert said.startswith(f"{tmp_path / 'data'}: another process with this data_dir may count limits")
        assert WHY in said
        assert ask(program).status_code == 200


def test_several_workers_do_not_start_with_a_key_that_has_limits(tmp_path: Path) -> None:
    assert new_key(tmp_path, "alice", "--limit", "requests_per_minute=5")
    with gateway(tmp_path, "--workers", "2") as program:
        assert program.ends() == 2
    why = "workers cannot count together without store.redis, so limits allow one worker only"
    whose = "keys that have limits: alice (`gateway keys list` lists them)"
    assert program.output == f"--workers 2: {why}; {whose}\n"
    with gateway(tmp_path) as program:
        assert ask(program).status_code == 401


def test_one_with_another_data_dir_does(tmp_path: Path) -> None:
    with gateway(tmp_path, toml=LIMITED), gateway(tmp_path, GATEWAY_SERVER__DATA_DIR="other") as second:
        assert ask(second).status_code == 200


def test_one_that_follows_another_that_ends_does(tmp_path: Path) -> None:
    toml = LIMITED.replace("drain = 1", "drain = 30") + KEEPALIVE
    with gateway(tmp_path, toml=toml) as program, streaming(program, "openai-chat", "!slow 3") as lines:
        program.process.terminate()
        with gateway(tmp_path) as second:
            assert ask(second).status_code == 200
        assert "data: [DONE]" in list(lines)


def test_gunicorn_with_two_workers_stops(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(LIMITED)
    with running([*GUNICORN, "-w", "2"], tmp_path, environment(tmp_path)) as program:
        assert program.ends(20) == 3
    assert WHY in program.output


def test_a_second_process_names_the_keys_that_stop_it(tmp_path: Path) -> None:
    assert new_key(tmp_path, "alice", "--limit", "requests_per_minute=5")
    assert new_key(tmp_path, "bob")
    with gateway(tmp_path, toml="[server]\ndrain = 0\n") as program:
        assert ask(program).status_code == 401  # it holds the place before the other asks for it
        with gateway(tmp_path) as second:
            assert second.ends() == 2
    assert "keys that have limits: alice (`gateway keys list`" in second.output


def test_gunicorn_with_one_worker_serves(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(LIMITED)
    with running([*GUNICORN, "-w", "1"], tmp_path, environment(tmp_path)) as program:
        assert _soon(lambda: ask(program).status_code) == 200


def test_a_key_with_limits_made_later_is_not_served_by_several(tmp_path: Path) -> None:
    with gateway(tmp_path, "--workers", "2", toml='[auth]\nkeys = ["sk-free"]\n') as program:
        wait_until(lambda: gauge(program, "workers") == 2)
        key = new_key(tmp_path, "bob", "--limit", "requests_per_day=5")
        heard: list[httpx.Response] = []

        def refused() -> bool:  # by whichever worker; each learns of the key by itself
            answers = [ask(program, key=key) for _ in range(8)]
            heard.extend(answers)
            return {answer.status_code for answer in answers} == {503}

        wait_until(refused)
        told = [answer for answer in heard if LOCKED_OUT not in answer.text]  # on a slow machine many are unknown
        assert {answer.status_code for answer in told} <= {401, 503}
        assert heard[-1].json()["error"]["code"] == "limits_not_shared"
        assert WHY in heard[-1].json()["error"]["message"]
        used = httpx.get(f"{program.url}/usage", headers={"x-api-key": key}, timeout=20).json()["usage"]
        assert used["today"]["requests"] == 0
        assert ask(program, key="sk-free").status_code == 200


def test_several_make_no_key_with_limits(tmp_path: Path) -> None:
    toml = '[[key]]\nname = "chief"\nsecret = "sk-chief"\nscopes = ["admin"]\n'
    asked: dict[str, object] = {"name": "bob", "limits": {"requests_per_day": 5}}
    with gateway(tmp_path, "--workers", "2", toml=toml) as program:
        wait_until(lambda: gauge(program, "workers") == 2)

        def make(body: dict[str, object]) -> httpx.Response:
            return httpx.post(f"{program.url}/admin/keys", json=body, headers={"x-api-key": "sk-chief"}, timeout=20)

        answers = [make(asked) for _ in range(4)]
        assert {answer.status_code for answer in answers} == {400}
        said = answers[0].json()["error"]["message"]
        assert said.startswith("limits: another process with this data_dir may count limits")
        assert said.endswith("would not be served; set store.redis, or run one process")
        assert make({"name": "bob"}).status_code == 201


def test_who_makes_one_beside_several_is_warned(tmp_path: Path) -> None:
    with gateway(tmp_path, "--workers", "2") as program:
        wait_until(lambda: gauge(program, "workers") == 2)
        limited = made(tmp_path, "bob", "--limit", "requests_per_day=5")
        free = made(tmp_path, "free")
    assert WHY.replace("processes", "they", 1).replace("count", "count limits", 1) in limited.stderr
    assert limited.stderr.startswith("warning: 2 processes run with this server.data_dir")
    assert free.stderr == ""


def test_who_makes_one_beside_one_process_is_not_warned(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        wait_until(lambda: gauge(program, "workers") == 1)
        assert made(tmp_path, "bob", "--limit", "requests_per_day=5").stderr == ""


def new_key(folder: Path, *words: str) -> str:
    """Make a key at run time, and give its text."""
    text: str = json.loads(made(folder, *words).stdout)["secret"]
    return text


def made(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command: Sequence[str | Path] = [PROGRAMS / "gateway", "keys", "new", *words, "--json"]
    return subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True, text=True)


@LINUX
def test_a_worker_is_replaced_though_a_key_with_limits_was_made(tmp_path: Path) -> None:
    with gateway(tmp_path, "--workers", "2", toml='[auth]\nkeys = ["sk-free"]\n') as program:
        wait_until(lambda: gauge(program, "workers") == 2)
        assert new_key(tmp_path, "bob", "--limit", "requests_per_day=5")
        killed = min(workers_of(program))
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in workers_of(program))
        wait_until(lambda: gauge(program, "workers") == 2)
        assert ask(program, key="sk-free").status_code == 200
    assert "waiting for another process" not in program.output


def _soon(asked: Callable[[], int]) -> int:
    for _ in range(100):
        try:
            return asked()
        except httpx.TransportError:  # no worker is there yet
            pass
    return asked()

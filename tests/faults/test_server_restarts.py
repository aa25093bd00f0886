"""Row 24 of docs/faults.md, and restarts one worker after the other: what is open ends by itself, all of it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.proxies import DEPLOY
from tests.faults.streams import COUNT, complete, hundred, toml
from tests.gateway.cli.test_workers import LINUX, alive, workers
from tests.patience import patient
from tests.processes import PROGRAMS, Program, environment, gateway, running

pytestmark = [LINUX, pytest.mark.anyio]

TRIES = 4
AT_ONCE_S = 0.9  # less than the second for which the listener stays


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(patient(60)):
        while not reached():  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.02)


async def url_of(program: Program) -> str:
    return await asyncio.to_thread(lambda: program.url)


async def told(program: Program, words: str, times: int = 1) -> None:
    await until(lambda: program.output.count(words) >= times)


async def test_a_hundred_streams_end_by_themselves_after_sigterm(tmp_path: Path) -> None:
    async with hundred() as streams:
        toml(tmp_path, streams)
        with gateway(tmp_path) as program:
            await streams.open(await url_of(program))
            program.process.terminate()
            await told(program, '"event":"draining"')
            await streams.end()
            assert await asyncio.to_thread(program.ends, 30) == 0
    assert [complete(lines) for lines in streams.answers] == [True] * COUNT


async def test_a_second_sigterm_ends_a_hundred_streams_at_once(tmp_path: Path) -> None:
    taken = []
    for _ in range(TRIES):  # the figure is for a machine that has nothing else to do
        taken.append(await ended_at_once(tmp_path))
        if taken[-1] < AT_ONCE_S:
            break
    assert min(taken) < AT_ONCE_S


async def ended_at_once(tmp_path: Path) -> float:
    """Send the second signal, and give the seconds to the end, which cuts every stream."""
    async with hundred() as streams:
        toml(tmp_path, streams)
        with gateway(tmp_path) as program:
            await streams.open(await url_of(program))
            program.process.terminate()
            await told(program, '"event":"draining"')
            began = time.monotonic()
            program.process.terminate()
            await asyncio.to_thread(program.ends, 30)
            taken = time.monotonic() - began
        await streams.ended()
    assert not any(map(complete, streams.answers))
    return taken


async def test_new_workers_of_gunicorn_take_over_and_cut_no_stream(tmp_path: Path) -> None:
    async with hundred() as streams:
        toml(tmp_path, streams)
        options: list[str | Path] = ["-c", DEPLOY / "gunicorn.conf.py", "-b", "127.0.0.1:0", "-w", "2"]
        with running([PROGRAMS / "gunicorn", *options, "gateway.asgi:app"], tmp_path, environment(tmp_path)) as program:
            url = await url_of(program)
            await told(program, "Booting worker", 2)
            await streams.open(url)
            before = workers(program)
            program.process.send_signal(signal.SIGHUP)
            await until(lambda: len(workers(program) - before) == 2)
            assert before & workers(program)  # those that drain
            await streams.end()
            await until(lambda: not before & workers(program))
            assert await asyncio.to_thread(alive, program)
            program.process.terminate()
            await asyncio.to_thread(program.ends, 40)
    assert [complete(lines) for lines in streams.answers] == [True] * COUNT


async def test_a_changed_configuration_cuts_no_stream_of_any_worker(tmp_path: Path) -> None:
    async with hundred() as streams:
        toml(tmp_path, streams)
        with gateway(tmp_path, "--workers", "2") as program:
            await streams.open(await url_of(program))
            toml(tmp_path, streams, "[defaults]\nmax_tokens = 77\n")
            program.process.send_signal(signal.SIGHUP)
            await told(program, "the configuration has changed", 2)
            await streams.end()
            program.process.terminate()
            assert await asyncio.to_thread(program.ends, 30) == 0
    assert [complete(lines) for lines in streams.answers] == [True] * COUNT

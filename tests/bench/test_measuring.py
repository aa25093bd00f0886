"""One scenario against one server, and all of them in rounds."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bench.frames import Answers
from bench.measuring import measure, measure_rounds
from bench.peers import LITELLM, RAW
from bench.scenarios import OPEN, SHORT, STREAMS_200, WHOLE_1, Scenario
from bench.script import Script
from bench.systems import System
from bench.upstream import Grid, Upstream

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and the CPU clocks of other processes"),
]
FEW = replace(STREAMS_200, connections=4, script=Script("pace", 5, 10))
SOME_WHOLE = replace(WHOLE_1, requests=5, peer_requests=2)
SOME_SHORT = replace(SHORT, requests=5, peer_requests=2)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that waits."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"\n")


@pytest.fixture
async def system(process: subprocess.Popen[bytes]) -> AsyncIterator[System]:
    """Serve the fake upstream here, under the name of that process."""
    answers, grid = Answers(), Grid()
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(answers, grid), "127.0.0.1", 0)
    yield System("one", process, server.sockets[0].getsockname()[1], "gemini", "some-model")
    server.close()
    await server.wait_closed()


async def test_paced_streams_have_times_and_a_length(system: System) -> None:
    figures = await measure(system, FEW)
    assert figures.errors == {}
    assert figures.answers == 4
    assert 0 < figures.chunk_p50_ms <= figures.chunk_p99_ms
    assert figures.late >= 1
    assert figures.open_kb == 0


def hundred_mb(_: int) -> float:
    return 100.0


@asynccontextmanager
async def most_120_mb(_: int) -> AsyncGenerator[Callable[[], float], None]:
    yield lambda: 120.0


async def test_only_streams_held_open_count_memory(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measuring.rss_mb", hundred_mb)
    monkeypatch.setattr("bench.measuring.most_rss_mb", most_120_mb)
    held = replace(OPEN, connections=2, script=Script("pace", 2, 1000))
    assert held.held
    assert not FEW.held
    figures = await measure(system, held)
    assert figures.errors == {}
    assert figures.open_kb == pytest.approx(10_000)
    assert (await measure(system, FEW)).open_kb == 0


async def test_held_streams_come_first_and_every_round_has_all(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def noted(system: System, scenario: Scenario) -> str:
        asked.append(f"{scenario.key} {scenario.connections}")
        return "measured"

    monkeypatch.setattr("bench.measuring.measure", noted)
    rounds = await measure_rounds([system], [SOME_WHOLE, OPEN, SOME_SHORT], 2)
    assert asked[:3] == ["open-1000 16", "open-1000 1000", "open-1000 1000"]
    assert asked[3:5] == ["whole-1 1", "short-1 1"]
    assert [set(one) for one in rounds] == [{OPEN.name, WHOLE_1.name, SHORT.name}] * 2


async def test_a_peer_is_not_asked_what_it_cannot_do(system: System) -> None:
    unfit = replace(system, name="other", peer=replace(LITELLM, unfit={"short-1": "it has no time"}))
    [measured] = await measure_rounds([system, unfit], [SOME_WHOLE, SOME_SHORT], 1)
    assert {name: list(found) for name, found in measured.items()} == {
        WHOLE_1.name: ["one", "other"],
        SHORT.name: ["one"],
    }


async def test_a_gateway_is_asked_less_and_a_floor_is_not(system: System) -> None:
    asked = [(await measure(replace(system, peer=peer), SOME_WHOLE)).answers for peer in (None, RAW, LITELLM)]
    assert asked == [5, 5, 2]

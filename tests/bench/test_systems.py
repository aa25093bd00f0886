"""The servers of a run answer right, whatever upstream speaks, and end with it."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.load import drive
from bench.pairs import PAIRS, Pair
from bench.process import cpu_s
from bench.scenarios import SCENARIOS
from bench.systems import Machine, NotReady, System, wait_ready

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and the CPU clocks of other processes"),
]


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
async def test_both_servers_pass_every_scenario(tmp_path: Path, pair: Pair) -> None:
    with ExitStack() as stack:
        machine = machine_in(tmp_path, stack, pair)
        upstream = machine.upstream()
        systems = [machine.passthrough(upstream), machine.gateway("gateway.asgi:app", upstream)]
        for system in systems:
            assert (await wait_ready(system)).rss_mb > 10
            await all_pass(system)
    assert all(system.process.returncode is not None for system in systems)


def machine_in(folder: Path, stack: ExitStack, pair: Pair) -> Machine:
    cores = set(os.sched_getaffinity(0))
    return Machine(cores, cores, folder, stack, pair)


async def all_pass(system: System) -> None:
    before_s = cpu_s(system.process.pid)
    for scenario in SCENARIOS:
        plan = system.plan(scenario.divided(1000))
        tally = await drive(plan)
        assert not tally.errors
        assert len(tally.chunk_s) == (scenario.units // scenario.requests if plan.script.kind == "pace" else 0)
    assert cpu_s(system.process.pid) > before_s


async def test_an_app_that_cannot_start_is_named_with_its_log(tmp_path: Path) -> None:
    with ExitStack() as stack:
        machine = machine_in(tmp_path, stack, PAIRS["chat-gemini"])
        system = machine.gateway("no.such:app", "http://127.0.0.1:1")
        with pytest.raises(NotReady, match="gateway gives no right answer") as caught:
            await wait_ready(system)
    assert "no" in (tmp_path / caught.value.log).read_text()


def test_a_peer_is_asked_less() -> None:
    assert all(scenario.for_peer.units <= scenario.units for scenario in SCENARIOS)
    assert all(scenario.for_peer.units > 0 for scenario in SCENARIOS)

"""The servers of a run answer right, whatever upstream speaks, and end with it."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bench.load import drive
from bench.pairs import PAIRS, Pair
from bench.peers import NGINX, RAW, SEED_LIKE, Peer
from bench.process import cpu_s
from bench.scenarios import EVERY, IMAGE, LARGE, SCENARIOS, WHOLE_1, Scenario
from bench.systems import Machine, NotReady, System, wait_ready
from tests.deploy.proxies import program

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and the CPU clocks of other processes"),
]


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("app", ["", "gateway.asgi:app"], ids=["run", "uvicorn"])
async def test_both_servers_pass_every_scenario(tmp_path: Path, pair: Pair, app: str) -> None:
    with ExitStack() as stack:
        machine = machine_in(tmp_path, stack, pair)
        upstream = machine.upstream()
        systems = [machine.passthrough(upstream), machine.gateway(upstream, app)]
        for system in systems:
            assert (await wait_ready(system)).rss_mb > 10
            await all_pass(system, *SCENARIOS, IMAGE)
    assert all(system.process.returncode is not None for system in systems)


def machine_in(folder: Path, stack: ExitStack, pair: Pair) -> Machine:
    cores = set(os.sched_getaffinity(0))
    return Machine(cores, cores, folder, stack, pair)


async def all_pass(system: System, *scenarios: Scenario) -> None:
    before_s = cpu_s(system.process.pid)
    for scenario in scenarios:
        warming = scenario.warming
        tally = await drive(system.plan(warming))
        assert not tally.errors
        assert len(tally.chunk_s) == (warming.units if scenario.paced else 0)
    assert cpu_s(system.process.pid) > before_s


async def test_a_talk_as_long_as_the_gateway_takes_is_answered(tmp_path: Path) -> None:
    with ExitStack() as stack:
        machine = machine_in(tmp_path, stack, PAIRS["chat-gemini"])
        system = machine.gateway(machine.upstream())
        await wait_ready(system)
        await all_pass(system, LARGE)


@pytest.mark.parametrize("peer", [SEED_LIKE, RAW, NGINX], ids=lambda peer: peer.name)
async def test_what_is_compared_with_ours_answers_right(tmp_path: Path, peer: Peer) -> None:
    """The plain proxy runs with the libraries of this environment, which are its own."""
    programs = Path(program("nginx")).parent if peer is NGINX else Path(sys.executable).parent
    with ExitStack() as stack:
        machine = machine_in(tmp_path, stack, PAIRS["chat-gemini"])
        system = machine.peer(peer, programs, machine.upstream())
        assert (await wait_ready(system)).rss_mb > 5
        await all_pass(system, *SCENARIOS, IMAGE)
    assert system.process.returncode is not None


async def test_the_plain_proxy_asks_for_a_key(tmp_path: Path) -> None:
    with ExitStack() as stack:
        machine = machine_in(tmp_path, stack, PAIRS["chat-gemini"])
        system = machine.peer(SEED_LIKE, Path(sys.executable).parent, machine.upstream())
        await wait_ready(system)
        [error] = (await drive(replace(system.plan(WHOLE_1), key="sk-other", requests=1))).errors
    assert error.startswith("status 401")


async def test_an_app_that_cannot_start_is_named_with_its_log(tmp_path: Path) -> None:
    with ExitStack() as stack:
        machine = machine_in(tmp_path, stack, PAIRS["chat-gemini"])
        system = machine.gateway("http://127.0.0.1:1", "no.such:app")
        with pytest.raises(NotReady, match="gateway gives no right answer") as caught:
            await wait_ready(system)
    assert "no" in (tmp_path / caught.value.log).read_text()


def test_a_peer_is_asked_less() -> None:
    assert all(0 < scenario.for_peer.units <= scenario.units for scenario in EVERY.values())


def test_a_server_is_warmed_up_by_a_few_connections_and_not_for_long() -> None:
    for scenario in (one.warming for one in EVERY.values()):
        assert scenario.connections <= 16
        assert scenario.script.chunks * scenario.script.pace_ms <= 5000

"""Every scenario against every server, round by round."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence

from bench.figures import Figures, Round
from bench.load import drive, quantile
from bench.process import cpu_s, machine_cpu_s, most_rss_mb, rss_mb
from bench.scenarios import Scenario
from bench.systems import System

__all__ = ["CORES", "measure", "measure_rounds"]

SETTLE_S = 0.25  # work put off until after the answer, such as a batch of the ledger, belongs to it
CORES = os.cpu_count() or 1


async def measure_rounds(systems: Sequence[System], scenarios: Sequence[Scenario], rounds: int) -> list[Round]:
    """Run the rounds; streams held open come first, for their memory shows best in a process that had little yet."""
    held = [one for one in scenarios if one.held]
    rest = [one for one in scenarios if not one.held]
    parts = [await measure_part(systems, part, rounds) for part in (held, rest) if part]
    return [{name: found for one in same for name, found in one.items()} for same in zip(*parts, strict=True)]


async def measure_part(systems: Sequence[System], scenarios: Sequence[Scenario], rounds: int) -> list[Round]:
    """Warm up, then run the rounds; every second round swaps the order of the systems."""
    await measure_round(systems, [one.warming for one in scenarios])
    measured: list[Round] = []
    for number in range(rounds):
        measured.append(await measure_round(systems[:: -1 if number % 2 else 1], scenarios))
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return measured


async def measure_round(systems: Sequence[System], scenarios: Sequence[Scenario]) -> Round:
    """Run every scenario against every system that can serve it."""
    return {
        scenario.name: {system.name: await measure(system, scenario) for system in systems if system.fit_for(scenario)}
        for scenario in scenarios
    }


async def measure(system: System, scenario: Scenario, *, settle_s: float = SETTLE_S) -> Figures:
    """Run one scenario against one system, and wait `settle_s` for what it puts off."""
    pid = system.process.pid
    before_mb, before_s, others_before_s, began = rss_mb(pid), cpu_s(pid), others_s(), time.perf_counter()
    async with most_rss_mb(pid) as most_mb:
        tally = await drive(system.plan(scenario))
    await asyncio.sleep(settle_s)
    used_s = cpu_s(pid) - before_s
    others_used_s = max(others_s() - others_before_s, 0)
    return Figures(
        cpu_us=used_s * 1e6 / system.asked(scenario).units,
        first_p50_ms=quantile(tally.first_s, 0.5) * 1e3,
        first_p99_ms=quantile(tally.first_s, 0.99) * 1e3,
        whole_p50_ms=quantile(tally.whole_s, 0.5) * 1e3,
        whole_p99_ms=quantile(tally.whole_s, 0.99) * 1e3,
        chunk_p50_ms=quantile(tally.chunk_s, 0.5) * 1e3,
        chunk_p99_ms=quantile(tally.chunk_s, 0.99) * 1e3,
        late=max(tally.late, default=0),
        open_kb=(most_mb() - before_mb) * 1e3 / scenario.connections if scenario.held else 0,
        rss_mb=rss_mb(pid),
        others=others_used_s / (time.perf_counter() - began) / CORES,
        answers=len(tally.whole_s),
        errors=dict(tally.errors),
    )


def others_s() -> float:
    """Return the CPU seconds of this machine that went to neither this process nor what it started."""
    return machine_cpu_s() - cpu_s(os.getpid())

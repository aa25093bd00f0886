"""The gateway with everything on against a bare pass-through and other gateways, in one run: `python -m bench.run`.

    load driver ──▶ gateway, pass-through or peer ──▶ fake upstream
      core B                  core A                    core B

One run for each pair of dialects asked for. Each round runs every scenario once against each server, one after the
other, so that all meet the same machine. A figure counts only when every answer of the run was right.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec
import uvloop

from bench.decode import measured
from bench.figures import ROUNDS, Figures, Host, Report, Round, Start
from bench.goals import Verdict, judge
from bench.load import drive, quantile
from bench.pairs import PAIRS, Pair
from bench.peers import PEERS, Peer, cache_folder, install
from bench.process import cpu_s, machine_cpu_s, pinned, rss_mb
from bench.report import write_summary, write_table
from bench.scenarios import SCENARIOS, Scenario
from bench.systems import Machine, NotReady, System, wait_ready

__all__ = ["main"]

SETTLE_S = 0.25  # work put off until after the answer, such as a batch of the ledger, belongs to it
QUICK = 10  # `--quick` asks this many times less
CORES = os.cpu_count() or 1
ALL = "all"
LIBRARIES = ("uvicorn", "uvloop", "httptools", "starlette", "aiohttp", "msgspec")


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` writes of each pair."""

    verdicts: list[Verdict]
    report: Report


def start_all(machine: Machine, app: str, peers: Mapping[Peer, Path]) -> list[tuple[System, Start]]:
    """Start everything, each process alone until it answers."""
    upstream = machine.upstream()
    starts: list[Callable[[], System]] = [
        partial(machine.passthrough, upstream),
        partial(machine.gateway, app, upstream),
        *(partial(machine.peer, peer, programs, upstream) for peer, programs in peers.items()),
    ]
    return [(system, uvloop.run(wait_ready(system))) for system in (start() for start in starts)]


async def measure_rounds(systems: Sequence[System], scenarios: Sequence[Scenario], rounds: int) -> list[Round]:
    """Warm up, then run the rounds; every second round swaps the order of the systems."""
    await measure_round(systems, [replace(one, requests=1, peer_requests=1) for one in scenarios])
    measured: list[Round] = []
    for number in range(rounds):
        measured.append(await measure_round(systems[:: -1 if number % 2 else 1], scenarios))
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return measured


async def measure_round(systems: Sequence[System], scenarios: Sequence[Scenario]) -> Round:
    """Run every scenario against every system."""
    return {
        scenario.name: {system.name: await measure(system, scenario) for system in systems} for scenario in scenarios
    }


async def measure(system: System, scenario: Scenario) -> Figures:
    """Run one scenario against one system."""
    before_s, others_before_s, began = cpu_s(system.process.pid), others_s(), time.perf_counter()
    tally = await drive(system.plan(scenario))
    await asyncio.sleep(SETTLE_S)
    used_s = cpu_s(system.process.pid) - before_s
    others_used_s = max(others_s() - others_before_s, 0)
    return Figures(
        cpu_us=used_s * 1e6 / system.asked(scenario).units,
        first_p50_ms=quantile(tally.first_s, 0.5) * 1e3,
        first_p99_ms=quantile(tally.first_s, 0.99) * 1e3,
        whole_p50_ms=quantile(tally.whole_s, 0.5) * 1e3,
        whole_p99_ms=quantile(tally.whole_s, 0.99) * 1e3,
        chunk_p50_ms=quantile(tally.chunk_s, 0.5) * 1e3,
        chunk_p99_ms=quantile(tally.chunk_s, 0.99) * 1e3,
        rss_mb=rss_mb(system.process.pid),
        others=others_used_s / (time.perf_counter() - began) / CORES,
        answers=len(tally.whole_s),
        errors=dict(tally.errors),
    )


def others_s() -> float:
    """Return the CPU seconds of this machine that went to neither this process nor what it started."""
    return machine_cpu_s() - cpu_s(os.getpid())


def host(machine: Machine, peers: Iterable[Peer]) -> Host:
    """Describe where it runs; the load is that before anything was started."""
    return Host(
        python=platform.python_version(),
        cores=CORES,
        load=os.getloadavg(),
        measured=sorted(machine.measured),
        rest=sorted(machine.rest),
        versions={name: version(name) for name in LIBRARIES} | {peer.name: peer.version for peer in peers},
    )


def report_of(options: argparse.Namespace, pair: Pair, folder: Path, scenarios: Sequence[Scenario]) -> Report:
    """Do a whole run of one pair."""
    peers = {PEERS[name]: install(PEERS[name], cache_folder(os.environ)) for name in options.peers}
    first, *others = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        machine = Machine({first}, set(others) or {first}, folder, stack, pair)
        stack.enter_context(pinned(machine.rest))
        where = host(machine, peers)
        started = start_all(machine, options.app, peers)
        rounds = uvloop.run(measure_rounds([system for system, _ in started], scenarios, options.rounds))
        decoded = measured()
    starts = {system.name: start for system, start in started}
    return Report(pair=pair.name, host=where, quick=options.quick, starts=starts, rounds=rounds, decode_ms=decoded)


def print_run(options: argparse.Namespace, pair: Pair, scenarios: Sequence[Scenario]) -> Report | None:
    """Do a whole run of one pair and print its tables; None when a system did not start."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = report_of(options, pair, Path(folder), scenarios)
        except NotReady as problem:
            print(pair.name, problem, (Path(folder) / problem.log).read_text()[-3000:], sep="\n", file=sys.stderr)
            return None
    print(write_table(report, scenarios), end="\n\n", flush=True)
    return report


def read_options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; exit with 2 when it asks for what cannot be."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Gateway against pass-through and peers.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help=f"ask {QUICK} times less")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts and every figure of every round")
    parser.add_argument("--app", default="gateway.asgi:app", help="another ASGI app in the gateway's place")
    parser.add_argument("--peers", nargs="+", choices=sorted(PEERS), default=[], help="compare with these as well")
    parser.add_argument("--pairs", nargs="+", choices=[*PAIRS, ALL], metavar="PAIR", help=", ".join([*PAIRS, ALL]))
    options = parser.parse_args(words)
    served = [name for name in PAIRS if all(name in PEERS[peer].routes for peer in options.peers)]
    asked = options.pairs or served[:1]
    options.pairs = served if ALL in asked else list(dict.fromkeys(asked))
    if unserved := [name for name in options.pairs if name not in served]:
        parser.error(f"not served by each of the peers: {', '.join(unserved)}")
    return options


def main() -> int:
    """Run, print the tables, write the JSON; 1 when an answer was wrong or a system did not start."""
    options = read_options()
    scenarios = [one.divided(QUICK) if options.quick else one for one in SCENARIOS]
    done = [print_run(options, PAIRS[name], scenarios) for name in options.pairs]
    reports = [report for report in done if report is not None]
    if options.json:
        results = [Results(verdicts=[verdict for _, verdict in judge(report)], report=report) for report in reports]
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    if len(reports) > 1:
        print(write_summary(reports, scenarios))
    return 1 if len(reports) < len(done) or any(report.errors for report in reports) else 0


if __name__ == "__main__":
    raise SystemExit(main())

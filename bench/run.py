"""The gateway with everything on against a bare pass-through and other gateways, in one run: `python -m bench.run`.

    load driver ──▶ gateway, pass-through or peer ──▶ fake upstream
      core B                  core A                    core B

One run for each pair of dialects asked for. Each round runs every scenario once against each server, one after the
other, so that all meet the same machine. A figure counts only when every answer of the run was right.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from compileall import compile_dir
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import uvloop

from bench.decode import measured
from bench.figures import Host, Report, Start
from bench.installing import Missing, cache_folder, install, installed_mb
from bench.measuring import CORES, measure, measure_rounds
from bench.options import read_options, scenarios_of
from bench.pairs import PAIRS, Pair
from bench.peers import PEERS, Peer
from bench.process import allow_files, end_in_order, pinned
from bench.report import write_summary, write_table
from bench.results import write_results
from bench.scenarios import Scenario
from bench.systems import Machine, NotReady, System, wait_ready

__all__ = ["main", "measure"]

FILES = 4096  # that a server has open with 1,000 streams, and some more
LIBRARIES = ("uvicorn", "uvloop", "httptools", "starlette", "aiohttp", "msgspec")


def start_all(machine: Machine, app: str, peers: Mapping[Peer, Path]) -> list[tuple[System, Start]]:
    """Start everything, each process alone until it answers."""
    upstream = machine.upstream()
    starts: list[Callable[[], System]] = [
        partial(machine.passthrough, upstream),
        partial(machine.gateway, upstream, app),
        *(partial(machine.peer, peer, programs, upstream) for peer, programs in peers.items()),
    ]
    return [(system, uvloop.run(wait_ready(system))) for system in (start() for start in starts)]


def host(machine: Machine, peers: Iterable[Peer]) -> Host:
    """Describe where it runs; the load is that before anything was started."""
    return Host(
        python=platform.python_version(),
        cores=CORES,
        load=os.getloadavg(),
        measured=sorted(machine.measured),
        rest=sorted(machine.rest),
        versions={name: version(name) for name in LIBRARIES}
        | {peer.name: peer.version for peer in peers if peer.version},
    )


def installed(names: Iterable[str], pair: Pair, left_out: dict[str, str]) -> dict[Peer, Path]:
    """Install the peers that serve the pair; note in `left_out` why others are not there."""
    found: dict[Peer, Path] = {}
    for peer in map(PEERS.__getitem__, names):
        try:
            if reason := peer.why_not(pair.name):
                raise Missing(reason)
            found[peer] = install(peer, cache_folder(os.environ))
        except Missing as missing:
            left_out[peer.name] = str(missing)
    return found


def possible(scenarios: Sequence[Scenario], peers: Iterable[Peer], left_out: dict[str, str]) -> list[Scenario]:
    """Give what this machine can do; note in `left_out` what it cannot, and what a peer cannot."""
    files = allow_files(FILES)
    for scenario in scenarios:
        left_out |= {
            f"{peer.name}, {scenario.name}": peer.unfit[scenario.key] for peer in peers if scenario.key in peer.unfit
        }
        if scenario.held and files < FILES:
            left_out[scenario.name] = f"a process may have {files} open files here, and needs {FILES}"
    return [one for one in scenarios if one.name not in left_out]


def report_of(options: argparse.Namespace, pair: Pair, folder: Path, scenarios: Sequence[Scenario]) -> Report:
    """Do a whole run of one pair."""
    left_out: dict[str, str] = {}
    peers = installed(options.peers, pair, left_out)
    scenarios = possible(scenarios, peers, left_out)
    first, *others = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        machine = Machine({first}, set(others) or {first}, folder, stack, pair)
        stack.enter_context(pinned(machine.rest))
        where = host(machine, peers)
        started = start_all(machine, options.app, peers)
        rounds = uvloop.run(measure_rounds([system for system, _ in started], scenarios, options.rounds))
        decoded = measured()
    return Report(
        pair=pair.name,
        host=where,
        quick=options.quick,
        starts={system.name: start for system, start in started},
        rounds=rounds,
        decode_ms=decoded,
        install_mb=options.install_mb,
        left_out=left_out,
    )


def run_pair(options: argparse.Namespace, pair: Pair, scenarios: Sequence[Scenario]) -> Report | None:
    """Do a whole run of one pair; say which system did not start, and return None."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return report_of(options, pair, Path(folder), scenarios)
        except NotReady as problem:
            print(pair.name, problem, (Path(folder) / problem.log).read_text()[-3000:], sep="\n", file=sys.stderr)
            return None


def main() -> int:
    """Run, write the JSON, print the tables; 1 when an answer was wrong or a system did not start."""
    end_in_order()
    options = read_options()
    options.install_mb = installed_mb() if options.install_size else None
    for folder in ("adapters", "bench", "gateway", "middleware"):
        compile_dir(Path(__file__).parents[1] / folder, quiet=1)  # as installers do
    reports: list[Report] = []
    for number, name in enumerate(options.pairs):
        if (report := run_pair(options, PAIRS[name], scenarios_of(options, number))) is None:
            continue
        reports.append(report)
        if options.json:
            write_results(options.json, reports)  # a run of many pairs is long, and may be broken off
        print(write_table(report), end="\n\n", flush=True)
    if len(reports) > 1:
        print(write_summary(reports))
    return 1 if len(reports) < len(options.pairs) or any(report.errors for report in reports) else 0


if __name__ == "__main__":
    raise SystemExit(main())

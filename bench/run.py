"""The gateway with everything on against a bare pass-through, in one run: `python -m bench.run`.

    load driver ──▶ gateway or pass-through ──▶ fake upstream
      core B               core A                 core B

Each round runs every scenario once against each of the two, one after the other, so that both meet the same
machine. A figure counts only when every answer of the run was right.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import uvloop

from bench.answers import Wire
from bench.load import Plan, drive, quantile
from bench.process import cpu_s, free_port, pinned, rss_mb, running
from bench.report import Figures, Report, Round, Start, write_table
from bench.scenarios import SCENARIOS, Scenario
from bench.script import WHOLE

__all__ = ["main"]

KEY = "sk-bench-0123456789abcdef"
SETTLE_S = 0.25  # work put off until after the answer, such as a batch of the ledger, belongs to it
START_S = 20.0
QUICK = 10  # `--quick` asks this many times less
CONFIGURING = ("GATEWAY_", "LOG_LEVEL")
SERVER = (
    "--loop",
    "uvloop",
    "--http",
    "httptools",
    "--no-access-log",
    "--no-server-header",
    "--backlog",
    "4096",
)

# The pipeline is the default one: every middleware that this version serves. The limit is never reached.
GATEWAY_TOML = """
[auth]
keys = ["{key}"]
[limits]
requests_per_minute = 1_000_000_000
[log]
level = "info"
format = "json"
[upstream.bench]
type = "v1internal"
base_urls = ["{upstream}"]
models = ["gemini-3-flash"]
[upstream.bench.oauth]
client_id = "bench"
client_secret = "bench"
authorize_url = "{upstream}/authorize"
token_url = "{upstream}/token"
userinfo_url = "{upstream}/userinfo"
[upstream.bench.pool]
refresh_tokens = ["bench-refresh-token"]
"""


@dataclass(frozen=True, slots=True)
class System:
    """A server process that answers on `port` in its own wire format."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    wire: Wire

    def plan(self, scenario: Scenario) -> Plan:
        """Return the plan that puts a scenario to this system."""
        return Plan(
            port=self.port,
            wire=self.wire,
            script=scenario.script,
            stream=scenario.stream,
            connections=scenario.connections,
            requests=scenario.requests,
            key=KEY,
        )


class NotReady(Exception):
    """A system never gave a right answer."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} gives no right answer: {reason}")
        self.log = f"{name}.log"


@dataclass(frozen=True, slots=True)
class Machine:
    """The cores and the folder of a run; what it starts ends with `stack`."""

    measured: set[int]
    rest: set[int]
    folder: Path
    stack: ExitStack

    def start(self, name: str, command: list[str], cores: set[int], **environment: str) -> subprocess.Popen[bytes]:
        """Start a Python module; variables of the caller that would change the gateway do not reach it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURING)}
        run = running([sys.executable, "-m", *command], cores, clean | environment, self.folder / f"{name}.log")
        return self.stack.enter_context(run)

    def serve(self, name: str, app: str, wire: Wire, **environment: str) -> System:
        """Start an ASGI app on the measured core."""
        port = free_port()
        command = ["uvicorn", app, "--port", str(port), *SERVER]
        return System(name, self.start(name, command, self.measured, **environment), port, wire)


def run(app: str, folder: Path, scenarios: list[Scenario], rounds: int) -> Report:
    """Start everything, each process alone until it answers, and measure."""
    first, *others = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        machine = Machine({first}, set(others) or {first}, folder, stack)
        stack.enter_context(pinned(machine.rest))
        port = free_port()
        machine.start("upstream", ["bench.upstream", str(port)], machine.rest)
        url = f"http://127.0.0.1:{port}"
        config = folder / "gateway.toml"
        config.write_text(GATEWAY_TOML.format(key=KEY, upstream=url))
        floor = machine.serve("passthrough", "bench.passthrough:app", "v1internal", BENCH_UPSTREAM=url)
        floor_start = uvloop.run(wait_ready(floor))
        gateway = machine.serve("gateway", app, "chat", GATEWAY_CONFIG=str(config))
        gateway_start = uvloop.run(wait_ready(gateway))
        measured = uvloop.run(measure_rounds([floor, gateway], scenarios, rounds))
    return Report(starts={floor.name: floor_start, gateway.name: gateway_start}, rounds=measured)


async def wait_ready(system: System) -> Start:
    """Wait for the first right answer."""
    began = time.perf_counter()
    plan = Plan(port=system.port, wire=system.wire, script=WHOLE, stream=False, key=KEY, timeout_s=START_S)
    while (tally := await drive(plan)).errors:
        if time.perf_counter() - began > START_S or system.process.poll() is not None:
            raise NotReady(system.name, "; ".join(tally.errors))
        await asyncio.sleep(0.01)
    return Start(ready_s=time.perf_counter() - began, rss_mb=rss_mb(system.process.pid))


async def measure_rounds(systems: list[System], scenarios: list[Scenario], rounds: int) -> list[Round]:
    """Warm up, then run the rounds; every second round swaps the order of the systems."""
    await measure_round(systems, [replace(one, requests=1) for one in scenarios])
    measured: list[Round] = []
    for number in range(rounds):
        measured.append(await measure_round(systems[:: -1 if number % 2 else 1], scenarios))
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return measured


async def measure_round(systems: list[System], scenarios: list[Scenario]) -> Round:
    """Run every scenario against every system."""
    return {
        scenario.name: {system.name: await measure(system, scenario) for system in systems} for scenario in scenarios
    }


async def measure(system: System, scenario: Scenario) -> Figures:
    """Run one scenario against one system."""
    before_s = cpu_s(system.process.pid)
    tally = await drive(system.plan(scenario))
    await asyncio.sleep(SETTLE_S)
    used_s = cpu_s(system.process.pid) - before_s
    return Figures(
        cpu_us=used_s * 1e6 / scenario.units,
        first_p50_ms=quantile(tally.first_s, 0.5) * 1e3,
        first_p99_ms=quantile(tally.first_s, 0.99) * 1e3,
        whole_p50_ms=quantile(tally.whole_s, 0.5) * 1e3,
        whole_p99_ms=quantile(tally.whole_s, 0.99) * 1e3,
        rss_mb=rss_mb(system.process.pid),
        answers=len(tally.whole_s),
        errors=dict(tally.errors),
    )


def main() -> int:
    """Run, print the table, write the JSON; 1 when an answer was wrong or a system did not start."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Gateway against pass-through.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help=f"ask {QUICK} times less")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round")
    parser.add_argument("--app", default="gateway.asgi:app", help="another ASGI app in the gateway's place")
    options = parser.parse_args()
    scenarios = [one.divided(QUICK) if options.quick else one for one in SCENARIOS]
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = run(options.app, Path(folder), scenarios, options.rounds)
        except NotReady as problem:
            print(problem, (Path(folder) / problem.log).read_text()[-3000:], sep="\n", file=sys.stderr)
            return 1
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    print(write_table(report, scenarios))
    return 1 if report.errors else 0


if __name__ == "__main__":
    raise SystemExit(main())

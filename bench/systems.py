"""The servers of a run, each started alone on its cores and timed until its first right answer."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.answers import CHECKS
from bench.configs import GATEWAY, UPSTREAMS
from bench.figures import Start
from bench.installing import filled
from bench.load import Plan, drive
from bench.pairs import Pair
from bench.peers import UVICORN, Peer
from bench.process import free_port, rss_mb, running
from bench.scenarios import WHOLE_1, Scenario
from bench.script import Wire

__all__ = ["Machine", "NotReady", "System", "wait_ready"]

KEY = "sk-bench-0123456789abcdef"
START_S = 60.0
CONFIGURING = ("GATEWAY_", "LOG_LEVEL", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True, slots=True)
class System:
    """A server process that answers on `port` in its own wire format; `peer`: what it is, if it is not ours."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    wire: Wire
    model: str
    peer: Peer | None = None
    headers: str = ""

    def fit_for(self, scenario: Scenario) -> bool:
        """Whether it can serve this."""
        return self.peer is None or scenario.key not in self.peer.unfit

    def asked(self, scenario: Scenario) -> Scenario:
        """Return the scenario as it is put to this system."""
        return scenario if self.peer is None or self.peer.floor else scenario.for_peer

    def plan(self, scenario: Scenario) -> Plan:
        """Return the plan that puts a scenario to this system."""
        asked = self.asked(scenario)
        return Plan(
            port=self.port,
            wire=self.wire,
            script=asked.script,
            stream=asked.stream,
            connections=asked.connections,
            requests=asked.requests,
            key=KEY,
            model=self.model,
            checks=self.peer.checks if self.peer else CHECKS,
            headers=self.headers,
        )


class NotReady(Exception):
    """A system never gave a right answer."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} gives no right answer: {reason}")
        self.log = f"{name}.log"


@dataclass(frozen=True, slots=True)
class Machine:
    """The cores and the folder of a run, and what is spoken at both ends; what it starts ends with `stack`."""

    measured: set[int]
    rest: set[int]
    folder: Path
    stack: ExitStack
    pair: Pair

    def upstream(self) -> str:
        """Start the fake upstream; return its base URL."""
        port = free_port()
        self._start("upstream", [sys.executable, "-m", "bench.upstream", str(port)], self.rest, _inherited())
        return f"http://127.0.0.1:{port}"

    def passthrough(self, upstream: str) -> System:
        """Start the floor."""
        command = ("uvicorn", "bench.passthrough:app", *UVICORN)
        return self._serve("passthrough", command, self.pair.upstream, BENCH_UPSTREAM=upstream)

    def gateway(self, upstream: str, app: str = "", *, name: str = "gateway", base: str = GATEWAY) -> System:
        """Start the gateway as its users do, or in its place an ASGI app under uvicorn."""
        template = base + UPSTREAMS[self.pair.upstream]
        config = self._configure(f"{name}.toml", template, upstream=upstream)
        command = ("uvicorn", app, *UVICORN) if app else ("gateway", "run")
        return self._serve(name, command, self.pair.caller, GATEWAY_CONFIG=config)

    def peer(self, peer: Peer, programs: Path, upstream: str) -> System:
        """Start another gateway, or a floor; of the caller's variables it gets only where programs are."""
        route, port = peer.routes[self.pair.name], free_port()
        values = {
            "provider": route.provider,
            "base": upstream + route.path,
            "address": urlsplit(upstream).netloc,
            "port": str(port),
            "folder": str(self.folder),
            "user": "user root;" if os.geteuid() == 0 else "",  # nginx' workers would be nobody, and could keep nothing
        }
        config = self._configure(peer.name + peer.suffix, peer.settings, **values)
        command, variables = filled(peer, programs, config=config, key=KEY, **values)
        home = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder)}
        run = running(command, self.measured, home | variables, self._log(peer.name), self.folder)
        process = self.stack.enter_context(run)
        wire = self.pair.upstream if peer.floor else self.pair.caller
        headers = peer.headers.format(**values)
        return System(peer.name, process, port, wire, self.pair.model, peer, headers)

    def _configure(self, name: str, template: str, **values: str) -> str:
        config = self.folder / name
        config.write_text(template.format(key=KEY, model=self.pair.model, **values))
        return str(config)

    def _serve(self, name: str, command: Sequence[str], wire: Wire, **environment: str) -> System:
        """Start a server of Python's on the measured core: a module, and its arguments but for the port."""
        port = free_port()
        whole = [sys.executable, "-m", *command, "--port", str(port)]
        process = self._start(name, whole, self.measured, _inherited() | environment)
        return System(name, process, port, wire, self.pair.model)

    def _start(
        self, name: str, command: Sequence[str], cores: set[int], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a command in the repository."""
        return self.stack.enter_context(running(command, cores, environment, self._log(name)))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


async def wait_ready(system: System) -> Start:
    """Wait for the first right answer."""
    began = time.perf_counter()
    plan = replace(system.plan(WHOLE_1), connections=1, requests=1, timeout_s=START_S)
    while (tally := await drive(plan)).errors:
        if time.perf_counter() - began > START_S or system.process.poll() is not None:
            raise NotReady(system.name, "; ".join(tally.errors))
        await asyncio.sleep(0.01)
    return Start(ready_s=time.perf_counter() - began, rss_mb=rss_mb(system.process.pid))


def _inherited() -> dict[str, str]:
    """Return the caller's variables without those that would change the gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURING)}

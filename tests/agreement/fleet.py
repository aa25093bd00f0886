"""Two hosts of two workers that share a PostgreSQL and a Redis, as one site: each request meets another of them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.gateway.cli.test_workers import workers
from tests.patience import patient
from tests.processes import PROGRAMS, Program, environment
from tests.walks.material import Luck

from .material import Json
from .site import LOG, Noting, Site, configure, line_in, noting
from .walking import Walk

__all__ = ["Fleet", "FleetWalk", "fleet"]

WORKERS: Final = 2
START_S: Final = 60.0
_ANY: Final = httpx.URL("http://any.invalid")
KNOWN_S: Final = 1.0  # until all know what an operator has said
# without a key nobody would need one until all have heard of the first
_KEY: Final = '[[key]]\nname = "operator"\nsecret = "sk-operator"\nscopes = ["admin"]\n'


class Fleet(Site):
    """Whoever is asked, it tells the same of all. `hosts`: by their folders; `ended`: the metrics of former lives."""

    hosts: dict[Path, Program]
    ended: list[str]

    async def line(self, id_: str) -> Json:
        """Wait for the line of a request in the log of any host."""
        return await line_in([home / LOG for home in self.hosts], id_)

    async def ledger(self, by: str) -> Json:
        """Ask one for a report, once each has written down what it had."""
        for host in self.hosts.values():
            await self.admin("GET", f"{host.url}/admin/usage")
        return await super().ledger(by)

    async def metrics(self) -> str:
        """Scrape each host."""
        return "".join([*[await self._scraped(home) for home in self.hosts], *self.ended])

    async def admin(self, method: str, path: str, **given: Any) -> Json:
        """Administrate, and wait until all know of it."""
        said = await super().admin(method, path, **given)
        if method == "DELETE":
            await asyncio.sleep(KNOWN_S)
        return said

    async def serves(self, home: Path) -> None:
        """Wait until all workers of a host serve."""
        async with asyncio.timeout(patient(START_S)):
            while f"gateway_workers {WORKERS}.0" not in await self._scraped(home):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.1)

    async def _scraped(self, home: Path) -> str:
        return (await self.http.get(f"{self.hosts[home].url}/metrics")).raise_for_status().text

    async def leaves(self, home: Path) -> None:
        """Remember what a host has counted, for it begins anew."""
        self.ended.append(await self._scraped(home))

    def start(self, home: Path) -> None:
        """Start a host."""
        command = [str(PROGRAMS / "gateway"), "--workers", str(WORKERS), "--port", "0"]
        self.hosts[home] = Program(command, home, environment(home))


class FleetWalk(Walk):
    """One over them, in which workers are killed, hosts drain and come back, and configurations change."""

    site: Fleet

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kinds |= {self.kill: 2, self.restart: 1, self.reload: 2}

    async def kill(self) -> None:
        """Kill a worker; another one takes its place."""
        home = self.home()
        before = workers(self.site.hosts[home])
        os.kill(self.luck.choice(sorted(before)), signal.SIGKILL)
        self.trail.append(f"a worker of {home.name} is killed")
        async with asyncio.timeout(patient(START_S)):
            while len(workers(self.site.hosts[home]) - before) == 0:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.05)
        await self.site.serves(home)

    async def restart(self) -> None:
        """Let a host drain, and come back."""
        home = self.home()
        program = self.site.hosts[home]
        await self.site.leaves(home)
        self.trail.append(f"{home.name} restarts")
        program.process.terminate()
        assert await asyncio.to_thread(program.ends) == 0
        assert [*(home / "data" / "journal").glob("*.jsonl")] == []
        self.site.start(home)
        await self.site.serves(home)

    async def reload(self) -> None:
        """Have a host go on with a configuration that differs in what no request meets."""
        home = self.home()
        file = home / "gateway.toml"
        kept = file.read_text().partition("[timeouts]")[0]
        file.write_text(f"{kept}[timeouts]\nidle = {self.luck.randrange(60, 600)}\n")
        self.trail.append(f"{home.name} reads its configuration again")
        self.site.hosts[home].process.send_signal(signal.SIGHUP)

    def home(self) -> Path:
        """Choose a host."""
        return self.luck.choice([*self.site.hosts])


@asynccontextmanager
async def fleet(folder: Path, database: str, redis: str, seed: int) -> AsyncGenerator[Fleet]:
    """Run all of it."""
    store = f'[store]\ndatabase = "{database}"\nredis = "{redis}"\n{_KEY}'
    async with AsyncExitStack() as stack:
        fakes: dict[str, Noting] = await noting(stack)
        homes = [folder / name for name in ("one", "two")]
        for home in homes:
            home.mkdir()
            configure(home, fakes, more=store)
        hosts: dict[Path, Program] = {}
        client = httpx.AsyncClient(base_url=_ANY, transport=_Anywhere(hosts, seed), timeout=patient(20))
        http = await stack.enter_async_context(client)
        site = Fleet(http, fakes, folder)
        site.hosts, site.ended = hosts, []
        stack.callback(_end, hosts)
        for home in homes:
            site.start(home)
        for home in homes:
            await site.serves(home)
        yield site


def _end(hosts: Mapping[Path, Program]) -> None:
    for program in hosts.values():
        program.kill()


class _Anywhere(httpx.AsyncHTTPTransport):
    """Takes what is for any host to one of them, each time on a connection of its own."""

    def __init__(self, hosts: dict[Path, Program], seed: int) -> None:
        super().__init__(limits=httpx.Limits(max_keepalive_connections=0))
        self._hosts = hosts
        self._luck = Luck(seed)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == _ANY.host:
            host = self._luck.choice([*self._hosts.values()])
            request.url = httpx.URL(host.url).copy_with(raw_path=request.url.raw_path)
            request.headers["host"] = request.url.netloc.decode()
        return await super().handle_async_request(request)

"""What workers have, seen from outside: by their own count, by /proc, and by `/metrics`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping

import httpx
import msgspec
from msgspec import Struct, field

from tests.exposed import Numbers
from tests.gateway.cli.test_workers import workers
from tests.processes import Program
from tests.soak.census import PATH, Counted
from tests.soak.judging import SPARE_FDS, leaked
from tests.soak.site import Site

__all__ = ["Look", "Standing", "busy", "extra", "look", "standing"]

ANSWER_S = 20.0  # for each worker to be met
REQUEST = "RequestResponseCycle.run_asgi"  # uvicorn's task of each
GAUGES = ("requests_under_way", "requests_waiting", "open_streams")


class Look(Struct):
    """A worker. `files`: descriptors but for connections to upstreams that wait for use, which end in a minute."""

    tasks: dict[str, int]
    files: int
    leases: int
    answers: int
    blocks: int = 0
    heap_mb: float = 0


class Standing(Struct):
    """All workers by gateway and pid, and what is open by the gauges and for others to see."""

    workers: dict[str, dict[int, Look]] = field(default_factory=dict[str, dict[int, Look]])
    open: dict[str, int] = field(default_factory=dict[str, int])


async def standing(site: Site) -> Standing:
    """Look at everything."""
    found = Standing(open={"in Redis": await asyncio.to_thread(site.held)})
    for name, program in site.gateways.items():
        found.workers[name] = await look(program)
        shown = Numbers((await asyncio.to_thread(httpx.get, f"{program.url}/metrics", timeout=ANSWER_S)).text)
        found.open |= {f"{gauge} of {name}": int(shown.total(gauge)) for gauge in GAUGES}
    return found


async def look(program: Program) -> dict[int, Look]:
    """Look at each worker of a gateway; whoever does not answer is not there."""
    found: dict[int, Counted] = {}
    async with asyncio.timeout(ANSWER_S), httpx.AsyncClient(timeout=ANSWER_S) as client:
        while missing := workers(program) - found.keys():
            answer = await client.get(program.url + PATH, headers={"connection": "close"})
            counted = msgspec.json.decode(answer.content, type=Counted)
            if counted.pid in missing:
                found[counted.pid] = counted
            await asyncio.sleep(0.005)  # so that it is not always the same one who comes first
    return {
        pid: Look(one.tasks, _files(pid) - one.idle, one.leases, one.answers, one.blocks, one.heap_mb)
        for pid, one in found.items()
    }


def _files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - a list of numbers, which are no paths


def busy(now: Standing) -> Iterator[str]:
    """Find what is under way: nothing of it is left when nobody asks."""
    yield from leaked("open", now.open, {})
    for who, one in _named(now):
        requests = sum(count for name, count in one.tasks.items() if name == REQUEST)
        yield from leaked(who, {"leases": one.leases, "answers of upstreams": one.answers, "requests": requests}, {})


def extra(now: Standing, before: Standing, spare: int = SPARE_FDS) -> Iterator[str]:
    """Find what there is more of than any worker had before: each opens what it needs when it first does."""
    yield from busy(now)
    others = [one for _, one in _named(before)]
    most = max(other.files for other in others)
    for who, one in _named(now):
        yield from leaked(who, {"descriptors": one.files}, {"descriptors": most}, spare)
        yield from leaked(f"{who}: tasks", one.tasks, _most(others))


def _named(found: Standing) -> Iterator[tuple[str, Look]]:
    for name, group in found.workers.items():
        yield from ((f"worker {pid} of {name}", one) for pid, one in group.items())


def _most(looks: list[Look]) -> Mapping[str, int]:
    return {name: max(one.tasks.get(name, 0) for one in looks) for one in looks for name in one.tasks}

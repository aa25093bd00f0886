"""What goes wrong beside the answers: workers are killed, Redis is restarted, upstreams refuse for a while. By seed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from tests.gateway.cli.test_workers import workers
from tests.soak.site import MODELS, Site

__all__ = ["Done", "Fault", "befall", "planned"]

EVERY_S = {"kill": 40, "redis": 150, "storm": 20}
LEAST = {"kill": 1, "redis": 1, "storm": 2}
# where in its share of the time each comes: after the last kill Redis has forgotten the dead at least in a short soak
SHARE = {"kill": (0.1, 0.4), "redis": (0.55, 0.8), "storm": (0.0, 1.0)}
KILLED = "b"


@dataclass(frozen=True, order=True)
class Fault:
    """One of them. `amount`: seconds without Redis, or refusals."""

    at_s: float
    what: str
    upstream: str = ""
    amount: float = 0.0


@dataclass
class Done:
    """What has befallen; `kills` by Unix time."""

    counts: Counter[str] = field(default_factory=Counter[str])
    kills: list[float] = field(default_factory=list[float])


def planned(dice: Random, seconds: float) -> list[Fault]:
    """Draw what happens when."""
    found = list[Fault]()
    for what, every_s in EVERY_S.items():
        count = max(LEAST[what], int(seconds / every_s))
        for place in range(count):
            at_s = (place + dice.uniform(*SHARE[what])) * seconds / count
            upstream = dice.choice(list(MODELS)) if what == "storm" else ""
            amount = dice.randint(5, 40) if what == "storm" else dice.uniform(0.2, 2)
            found.append(Fault(at_s, what, upstream, amount))
    return sorted(found)


async def befall(site: Site, faults: list[Fault], dice: Random, done: Done) -> None:
    """Let them happen in their time."""
    began = time.monotonic()
    for fault in faults:
        await asyncio.sleep(max(0.0, began + fault.at_s - time.monotonic()))
        if fault.what == "kill":
            await _kill(site, dice, done)
        elif fault.what == "redis":
            await asyncio.to_thread(site.redis.stop)
            await asyncio.sleep(fault.amount)
            await asyncio.to_thread(site.redis.start)
        else:
            await asyncio.to_thread(site.storm, fault.upstream, int(fault.amount))
        done.counts[fault.what] += 1


async def _kill(site: Site, dice: Random, done: Done) -> None:
    living = sorted(await asyncio.to_thread(workers, site.gateways[KILLED]))
    if not living:  # it is said at the end that the gateway is gone
        return
    with suppress(ProcessLookupError):  # it was killed before, and nobody has waited for it yet
        os.kill(dice.choice(living), signal.SIGKILL)
    done.kills.append(time.time())

"""One soak from the first request to the last look.

    warm up (more callers) ─► look ─► load and faults, memory sampled ─► callers end ─► look until all is as before ─► …

The workers of gateway a live to the end, so theirs is the memory that is judged; those of b are killed. With idle
streams there is no other load, no fault, and no gateway b: each gets the beginning of its answer, and then signs of
life until its caller leaves. (The words of an answer are kept until it ends, so more of them would be more memory.)
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

import httpx

from tests.gateway.cli.test_workers import workers
from tests.soak.asks import Ask
from tests.soak.callers import DEADLINE_S, ask, call
from tests.soak.faults import Fault, befall, planned
from tests.soak.idle import hold_all
from tests.soak.looking import Standing, busy, extra, standing
from tests.soak.memory import mapped_mb, rss_mb
from tests.soak.noted import Found, Options
from tests.soak.site import KEYS, Patience, Site, site

__all__ = ["soak"]

SETTLE_S = 90.0  # a lease of the dead ends after 30, what a gateway gives up on earlier
LOOK_S = 0.5
MAPPED = 12  # samples between two looks at what is mapped
SILENT_S = 120.0  # longer than the run are the upstreams of idle streams waited for
KEEPALIVE_S = 15.0
CHANGING = ("timestamp", "time", "ts", "request_id", "level")


def soak(folder: Path, options: Options) -> Found:
    """Run it, and give what was noted."""
    found = Found()
    patience = _patient(options) if options.idle_streams else Patience()
    with site(folder, patience, "a" if options.idle_streams else "ab") as running:
        asyncio.run(_run(running, options, found))
        _stop(running, found)
        found.rows, sums = running.rows(), running.usage()
        found.sums = {name: sum(one[name] for one in sums) for name in ("requests", "input_tokens", "output_tokens")}
    return found


def _patient(options: Options) -> Patience:
    return Patience(first_byte=60, idle=options.seconds + SILENT_S, keepalive=min(KEEPALIVE_S, options.seconds / 8))


async def _run(running: Site, options: Options, found: Found) -> None:
    warming = options.warm_times * options.callers
    await _load(running, options, found, options.warm_s, [], range(warming))
    found.before = await _quiet(running)
    if options.idle_streams:
        await hold_all(running, options, found, _watch(running, found, options.seconds))
    else:
        faults = planned(Random(f"{options.seed}-faults"), options.seconds)
        callers = range(warming, warming + options.callers)
        await _load(running, options, found, options.seconds, faults, callers)
    await asyncio.to_thread(running.calm)
    gone = running.gone()
    found.left += gone
    if not gone:
        await _probe(running, found)
        await _settle(running, options, found)


async def _load(
    running: Site, options: Options, found: Found, seconds: float, faults: list[Fault], callers: range
) -> None:
    """Have callers ask for a time; then each ends the request that he has. `callers`: their numbers."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for name, program in running.gateways.items():
            for caller in callers:
                tasks.create_task(call(program.url, name, caller, options.seed, KEYS, stop, found.seen))
        befalls = tasks.create_task(befall(running, faults, Random(f"{options.seed}-whom"), found.done))
        watches = tasks.create_task(_watch(running, found, seconds)) if faults else None
        await asyncio.sleep(seconds)
        await befalls
        if watches is not None:
            watches.cancel()
        stop.set()


async def _watch(running: Site, found: Found, seconds: float) -> None:
    """Sample the memory of the workers that live on, and take what the upstreams have noted."""
    pids = sorted(workers(running.gateways["a"]))
    while True:
        for pid in pids:
            taken = found.samples.setdefault(pid, [])
            taken.append((time.monotonic(), rss_mb(pid)))
            if len(taken) % MAPPED == 1:
                found.mapped.setdefault(pid, []).append((time.monotonic(), mapped_mb(pid)))
        await asyncio.to_thread(running.collect, found.calls)
        await asyncio.sleep(min(5.0, seconds / 100))


async def _probe(running: Site, found: Found) -> None:
    """See that each gateway still answers."""
    for place, (name, program) in enumerate(running.gateways.items()):
        asked = f"openai-{name}-{99_000_000 + place:08}"
        one = Ask(asked, "chat", stream=False, feature="words", text=asked, manner="reads", key=next(iter(KEYS)))
        async with httpx.AsyncClient(base_url=program.url, timeout=None) as client:
            seen = await ask(client, one)
        found.seen.append(seen)
        found.probes[name] = seen.status


async def _quiet(running: Site) -> Standing:
    """Look when what the warm-up has begun is over."""
    until = time.monotonic() + SETTLE_S
    while True:
        now = await standing(running)
        if not [*busy(now)] or time.monotonic() > until:
            return now
        await asyncio.sleep(LOOK_S)


async def _settle(running: Site, options: Options, found: Found) -> None:
    """Look until all is as before, or long enough."""
    began = time.monotonic()
    while True:
        try:
            found.after = await standing(running)
            left = [*extra(found.after, found.before, options.spare)]
        except (httpx.TransportError, TimeoutError) as error:
            left = [f"a worker cannot be asked: {error!r}", *running.gone()]
        found.settled_s = time.monotonic() - began
        if not left or found.settled_s > SETTLE_S:
            break
        await asyncio.sleep(LOOK_S)
    under_way = await asyncio.to_thread(running.collect, found.calls)
    found.left += left + ([f"{under_way} answers of upstreams are under way"] if under_way else [])


def _stop(running: Site, found: Found) -> None:
    """End the gateways as an operator does, and read what they have said."""
    for name, program in running.gateways.items():
        program.process.send_signal(signal.SIGTERM)
        found.codes[name] = program.ends(DEADLINE_S)
        found.complaints += _complaints(name, program.lines)


def _complaints(name: str, lines: Iterable[str]) -> list[str]:
    """Find what is an error, once for each text."""
    bad = Counter[str]()
    for line in lines:
        if line.startswith("{") and (said := json.loads(line)).get("level") == "error":
            bad[json.dumps({name: value for name, value in said.items() if name not in CHANGING})] += 1
        elif "Traceback" in line:
            bad[line.strip()] += 1
    return [f"{name} said {count} times: {text}" for text, count in bad.items()]

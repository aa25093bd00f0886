"""Kill workers of a gateway while callers read their answers, and compare its ledger with what the upstream counted.

    python -m tests.fleet.killing FOLDER URL KILLS SEED

Each request names a model of its own, which leads to the one that the upstream has: so each has a name in the ledger,
in the upstream's list of calls, and in what its caller has seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
from msgspec import Struct, field

from tests.fleet.site import MODEL, TIMEOUT_S, Google, google, toml_of
from tests.gateway.cli.test_workers import wait_until, workers
from tests.processes import Program, gateway

__all__ = ["Seen", "check", "killed"]

WORKERS = 4
CALLERS = 8
PAUSE_S = (0.05, 0.6)  # between two kills
WHOLE = b"data: [DONE]"


class Seen(Struct):
    """What callers know: by the name of each request whether the answer came whole. `killed`: how many workers were."""

    whole: dict[str, bool] = field(default_factory=dict[str, bool])
    killed: int = 0


class Row(Struct):
    """What the ledger knows of a request."""

    asked: str
    end: str
    input: int
    output: int
    estimated: bool
    credential: str


def toml(fake: Google, url: str) -> str:
    store = f'database = "{url}"' if url else ""
    return toml_of(fake, store) + f'[models.alias]\n"ask-*" = "google/{MODEL}"\n[log]\nlevel = "warning"\n'


async def _ask(client: httpx.AsyncClient, url: str, name: str, dice: random.Random, seen: Seen) -> None:
    slow = dice.random() < 0.7
    text = f"{name}\n!say " + "word " * 40 + ("\n!pace 10" if slow else "")
    body = {"model": name, "stream": True, "messages": [{"role": "user", "content": text}]}
    seen.whole[name] = False
    try:
        async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
            got = await answer.aread()
        seen.whole[name] = answer.status_code == 200 and WHOLE in got
    except httpx.TransportError:
        return


async def _call(url: str, dice: random.Random, seen: Seen, stop: asyncio.Event, caller: int) -> None:
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=TIMEOUT_S) as client:
        number = 0
        while not stop.is_set():
            await _ask(client, url, f"ask-{caller:02}-{number:05}", dice, seen)
            number += 1


async def _kill(program: Program, kills: int, dice: random.Random, seen: Seen, stop: asyncio.Event) -> None:
    while seen.killed < kills:
        await asyncio.sleep(dice.uniform(*PAUSE_S))
        answered = sum(seen.whole.values())
        living = await asyncio.to_thread(workers, program)
        if len(living) > 1:  # one that has just been started counts, too
            with suppress(ProcessLookupError):  # it was killed before, and nobody has waited for it yet
                os.kill(dice.choice(sorted(living)), signal.SIGKILL)
                seen.killed += 1
        for _ in range(100):  # so that there is something to be killed in
            if sum(seen.whole.values()) > answered:
                break
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    stop.set()


def killed(program: Program, kills: int, seed: int) -> Seen:
    """Ask all the time while so many workers are killed."""
    seen, stop, dice = Seen(), asyncio.Event(), random.Random(seed)

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            for caller in range(CALLERS):
                tasks.create_task(_call(program.url, random.Random(seed + caller), seen, stop, caller))
            tasks.create_task(_kill(program, kills, dice, seen, stop))

    asyncio.run(run())
    return seen


def rows(folder: Path, url: str) -> list[Row]:
    query = 'SELECT asked, "end", input, output, estimated, credential FROM usage'
    if url:
        with psycopg.connect(url) as connection:
            return [Row(*row) for row in connection.execute(query)]
    with closing(sqlite3.connect(folder / "data" / "gateway.db")) as file:
        return [Row(*row) for row in file.execute(query)]


def check(found: list[Row], seen: Seen, calls: list[dict[str, Any]]) -> Counter[str]:
    """See that each request is there once, with what the upstream has counted; give the ends."""
    by_name = Counter(row.asked for row in found)
    assert max(by_name.values()) == 1, "counted twice: " + str([name for name, times in by_name.items() if times > 1])
    there = {row.asked: row for row in found}
    assert there.keys() <= seen.whole.keys()
    asked = {name: call for call in calls if (name := _named(call))}
    assert asked.keys() <= there.keys(), f"lost: {asked.keys() - there.keys()}"
    lost = [name for name, whole in seen.whole.items() if whole and (name not in there or there[name].end != "done")]
    assert lost == [], f"read to the end, but not done: {lost}"
    done = [row for row in found if row.end == "done"]
    for row in done:
        assert (row.input, row.output, row.estimated) == (*asked[row.asked]["tokens"], False), row
        assert row.credential, row
    assert sum(row.input + row.output for row in done) == sum(sum(asked[row.asked]["tokens"]) for row in done)
    return Counter(row.end for row in found)


def _named(call: dict[str, Any]) -> str:
    if "enerateContent" not in call["method"]:
        return ""
    text: str = call["body"]["request"]["contents"][-1]["parts"][0]["text"]
    return text.partition("\n")[0]


def prove(folder: Path, url: str, kills: int, seed: int) -> tuple[Seen, Counter[str]]:
    """Run a gateway with four workers, kill, let it settle, stop it, and check its ledger."""
    with (
        google(folder, 3, keep=1_000_000) as fake,
        gateway(folder, "--workers", str(WORKERS), toml=toml(fake, url)) as program,
    ):
        wait_until(lambda: len(workers(program)) == WORKERS)
        wait_until(lambda: httpx.get(f"{program.url}/health/ready").status_code == 200)
        seen = killed(program, kills, seed)
        program.process.terminate()
        program.ends(60)
        calls = fake.get("requests")
        from gateway.cli.usage_work import report  # as the command does
        from gateway.config import load

        whole = report(load(folder / "gateway.toml", environ={}), "key", None, None)
        found = rows(folder, url)
        assert whole.total.requests == len(found)
        ends = check(found, seen, calls["requests"] if isinstance(calls, dict) else calls)
        assert [*(folder / "data" / "journal").glob("*.jsonl")] == []
        return seen, ends


def main(folder: str, url: str, kills: str, seed: str) -> None:
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        seen, ends = prove(Path(place), url, int(kills), int(seed))
    print(json.dumps({"kills": seen.killed, "asked": len(seen.whole), **ends, "s": round(time.monotonic() - begin)}))


if __name__ == "__main__":
    main(*sys.argv[1:])

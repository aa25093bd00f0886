"""Rows 20 and 23 of docs/faults.md, at a whole gateway: its disk fails, or its database is locked, and it serves on."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.exposed import Numbers
from tests.fakes.openai_api import FakeOpenAI
from tests.faults.failing import NUMBERS
from tests.patience import patient
from tests.processes import Program, environment, running

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in NUMBERS, reason="system calls are refused by seccomp"
    ),
]

ROOT = Path(__file__).parents[2]
PARTS = {
    "credentials": '"event":"the credential store fails; changes are kept in memory"',
    "usage": '"event":"the ledger cannot be written; the journals are kept until it can"',
}
LOCKED_S = 5.5


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as one:
        yield one


@contextmanager
def serving(folder: Path, fake: FakeOpenAI, errno_: int = 0) -> Iterator[Program]:
    """Run a gateway with two keys, whose writes can be made to fail."""
    (folder / "gateway.toml").write_text(
        f'[upstream.up]\ntype = "openai"\nbase_url = "{fake.url}/v1"\napi_key = ["key-1", "key-2"]\n'
        'models = ["gpt-4.1"]\n[upstream.up.pool]\nuses_per_turn = 1\nhealth = { interval = 0 }\n',
        "utf-8",
    )
    fifo = folder / "fifo"
    if not fifo.exists():
        os.mkfifo(fifo)
    command = [sys.executable, "-m", "tests.faults.failing", str(fifo), str(errno_), "--port", "0"]
    with running(command, folder, environment(folder) | {"PYTHONPATH": str(ROOT)}) as program:
        yield program


async def ask(program: Program, count: int = 1) -> list[int]:
    """Ask so often, one after the other, and give the statuses."""
    url = await asyncio.to_thread(lambda: program.url)
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello"}]}
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        return [(await http.post("/v1/chat/completions", json=body)).status_code for _ in range(count)]


def rows(folder: Path) -> int:
    file = folder / "data" / "gateway.db"
    if not file.exists():
        return 0
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM usage").fetchone()[0])
        except sqlite3.OperationalError:  # the tables are being made
            return 0


async def until_written(folder: Path, count: int) -> None:
    async with asyncio.timeout(patient(60)):
        while rows(folder) < count:  # noqa: ASYNC110 - the file tells nobody
            await asyncio.sleep(0.05)


async def failures(program: Program, part: str) -> float:
    async with httpx.AsyncClient(timeout=60) as http:
        found = Numbers((await http.get(f"{program.url}/metrics")).text)
    return found.get("store_failures_total", part=part) or 0.0


async def until_failed(program: Program) -> None:
    async with asyncio.timeout(patient(60)):
        for part in PARTS:
            while not await failures(program, part):  # noqa: ASYNC110 - numbers tell nobody
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES], ids=errno.errorcode.get)
async def test_a_disk_that_fails_is_told_of_once_and_loses_nothing(
    tmp_path: Path, fake: FakeOpenAI, error: int
) -> None:
    with serving(tmp_path, fake, error) as program:
        assert await ask(program, 3) == [200] * 3
        await until_written(tmp_path, 3)
        os.close(os.open(tmp_path / "fifo", os.O_WRONLY))
        await asyncio.to_thread(program.says, "writes fail")
        fake.fail("429_day", token="key-1")  # which is to be written down
        assert await ask(program, 6) == [200] * 6
        await until_failed(program)
        await asyncio.sleep(1.5)  # they are tried again
        assert await ask(program, 3) == [200] * 3
        assert [await failures(program, part) for part in PARTS] == [1.0, 1.0]
        assert [program.output.count(words) for words in PARTS.values()] == [1, 1]
    with closing(sqlite3.connect(tmp_path / "data" / "gateway.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with serving(tmp_path, fake) as program:
        assert await ask(program) == [200]
        await until_written(tmp_path, 13)
    assert rows(tmp_path) == 13


async def test_a_database_that_is_locked_stops_no_request(tmp_path: Path, fake: FakeOpenAI) -> None:
    with serving(tmp_path, fake) as program:
        assert await ask(program) == [200]
        await until_written(tmp_path, 1)
        asked = 1
        with closing(sqlite3.connect(tmp_path / "data" / "gateway.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            taken, locked = [], time.monotonic()
            while time.monotonic() - locked < LOCKED_S:
                began = time.monotonic()
                assert await ask(program) == [200]
                taken.append(time.monotonic() - began)
                asked += 1
                await asyncio.sleep(0.1)
            other.execute("ROLLBACK")
        await until_written(tmp_path, asked)
    assert sorted(taken)[len(taken) // 2] < patient(1)
    assert rows(tmp_path) == asked

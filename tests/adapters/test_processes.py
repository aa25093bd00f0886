"""Four real processes over one store, in a file and in PostgreSQL, before an endpoint that takes no refresh twice."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.store.keepers import until
from tests.patience import patient

pytestmark = pytest.mark.anyio

WORKERS = 4
ROOT = Path(__file__).parents[2]
QUIET = {"health": {"interval": 0}}


class Worker:
    """One of them."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.ends = 0  # with this code

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.ends = -signal.SIGKILL

    async def said(self) -> Any:
        """Read its next line."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, "it ended"
        return json.loads(line)

    async def ask(self, count: int) -> dict[str, int]:
        """Let it make so many requests at once; count the answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n".encode())
        answers: dict[str, int] = await self.said()
        return answers


@asynccontextmanager
async def worker(given: dict[str, Any]) -> AsyncIterator[Worker]:
    command = (sys.executable, "-m", "tests.adapters.worker", json.dumps(given))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    try:
        yield (made := Worker(process))
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == made.ends
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture(params=["file", "postgres"])
async def workers(
    request: pytest.FixtureRequest, fake_v1internal: FakeV1Internal, tmp_path: Path
) -> AsyncIterator[Sequence[Worker]]:
    """Start four processes, and wait until they serve."""
    store = {"database": request.getfixturevalue("postgres_url")} if request.param == "postgres" else {}
    given = {
        "token_url": fake_v1internal.token_url,
        "userinfo_url": fake_v1internal.userinfo_url,
        "bases": [fake_v1internal.base("a"), fake_v1internal.base("b")],
        "folder": str(tmp_path / "data"),
        "store": store,
        "tokens": ["rt-1"],
        "pool": QUIET,
    }
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(worker(given)) for _ in range(WORKERS)]
        assert await asyncio.gather(*(one.said() for one in made)) == ["ready"] * WORKERS
        yield made


async def answers(workers: Sequence[Worker], count: int) -> list[dict[str, int]]:
    return await asyncio.gather(*(one.ask(count) for one in workers))


async def test_no_token_is_fetched_twice(workers: Sequence[Worker], fake_v1internal: FakeV1Internal) -> None:
    oauth = fake_v1internal.oauth
    oauth.rotate, oauth.delay_s = True, 0.2
    assert await answers(workers, 25) == [{"hi": 25}] * WORKERS
    for round_ in range(2, 4):
        oauth.expire()
        assert await answers(workers, 25) == [{"hi": 25}] * WORKERS
        assert len(oauth.calls.refreshes()) == round_
    assert not oauth.calls.overlapping()
    assert [call.status for call in oauth.calls.all] == [200] * 3
    assert len(fake_v1internal.calls("loadCodeAssist")) == 1


async def test_what_one_learns_of_a_login_holds_for_all(
    workers: Sequence[Worker], fake_v1internal: FakeV1Internal
) -> None:
    oauth = fake_v1internal.oauth
    oauth.delay_s = 0.2
    oauth.fail("invalid_grant", times=99)
    told = [next(iter(one)) for one in await answers(workers, 10)]
    assert [words.partition(":")[0] for words in told] == ["NoCredential"] * WORKERS
    assert len(oauth.calls.refreshes()) == 1


async def test_one_that_is_killed_while_it_asks_does_not_hold_up_the_others(
    workers: Sequence[Worker], fake_v1internal: FakeV1Internal
) -> None:
    oauth = fake_v1internal.oauth
    oauth.gate = asyncio.Event()
    killed, *others = workers
    asking = asyncio.get_running_loop().create_task(killed.ask(1))
    await until(lambda: bool(oauth.calls.refreshes()))
    killed.kill()
    with pytest.raises(AssertionError, match="it ended"):
        await asking
    oauth.gate.set()
    async with asyncio.timeout(patient(45)):
        assert await answers(others, 5) == [{"hi": 5}] * len(others)
    assert len(oauth.calls.refreshes()) == 2

"""The load driver against the fake upstream itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bench.asked import Asked
from bench.frames import Answers
from bench.load import Connection, Plan, Tally, drive, quantile
from bench.script import WHOLE, Script, Wire
from bench.upstream import Grid, Upstream

pytestmark = pytest.mark.anyio
WIRES: tuple[Wire, ...] = ("chat", "anthropic", "gemini", "v1internal")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    answers, grid = Answers(), Grid()
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(answers, grid), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("stream", [True, False])
async def test_every_answer_is_counted_once(port: int, wire: Wire, stream: bool) -> None:
    plan = Plan(port, wire, Script("burst", 5), stream, connections=3, requests=2)
    tally = await drive(plan)
    assert not tally.errors
    assert len(tally.whole_s) == len(tally.first_s) == 6
    assert not tally.chunk_s
    assert not tally.late


@pytest.mark.parametrize("wire", WIRES)
async def test_every_paced_chunk_is_timed(port: int, wire: Wire) -> None:
    tally = await drive(Plan(port, wire, Script("pace", 10, 2), stream=True, connections=2))
    assert not tally.errors
    assert len(tally.chunk_s) == 20
    assert all(0 < wait < 10 for wait in tally.chunk_s)
    assert len(tally.late) == 2
    assert all(late >= 1 for late in tally.late)


async def test_a_stream_is_late_by_what_it_waits_for(port: int) -> None:
    plan = Plan(port, "gemini", Script("pace", 3, 20), stream=True)
    tally = Tally()
    asking = Connection(plan, tally)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: asking, "127.0.0.1", port)
    asking.began -= 1  # as if the question had been asked a second earlier
    await asking.done
    transport.abort()
    assert not tally.errors
    assert tally.late[0] > 1 + 1 / (tally.whole_s[0] - 1)


async def test_an_answer_of_another_kind_is_an_error(port: int) -> None:
    tally = await drive(Plan(port, "responses", WHOLE, stream=False, requests=2))
    assert tally.errors.total() == 2
    assert not tally.whole_s


async def test_a_server_that_is_not_there_is_an_error(port: int) -> None:
    with_nobody = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    gone: int = with_nobody.sockets[0].getsockname()[1]
    with_nobody.close()
    await with_nobody.wait_closed()
    tally = await drive(Plan(gone, "gemini", WHOLE, stream=False, connections=2, requests=3))
    assert tally.errors.total() == 6


class Closing(Upstream):
    """Closes after each answer, and says so."""

    def on_message_complete(self) -> None:
        [answer] = self.answers.writes(Asked("gemini", WHOLE, stream=False))
        self.transport.write(answer.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
        self.transport.close()


async def test_a_server_that_closes_after_each_answer_is_asked_again() -> None:
    closing = await asyncio.get_running_loop().create_server(lambda: Closing(Answers(), Grid()), "127.0.0.1", 0)
    plan = Plan(closing.sockets[0].getsockname()[1], "gemini", WHOLE, stream=False, connections=2, requests=3)
    async with closing:
        tally = await drive(plan)
    assert not tally.errors
    assert len(tally.whole_s) == 6


async def test_a_silent_server_is_an_error() -> None:
    silent = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    plan = Plan(silent.sockets[0].getsockname()[1], "gemini", WHOLE, stream=False, timeout_s=0.05)
    async with silent:
        assert (await drive(plan)).errors == {"not done in time": 1}


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert quantile([], 0.5) == 0

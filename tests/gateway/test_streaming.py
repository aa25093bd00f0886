"""The caller's side of one answer: what goes out when several things happen at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

import pytest
from starlette.types import Message

from gateway.arrival import SLOWEST
from gateway.errors import Draining, UpstreamOverloaded
from gateway.grace import Grace
from gateway.streaming import Client, ClientGone

KEEPALIVE_S = 0.02


async def test_an_error_before_the_first_piece_is_overtaken_by_no_sign_of_life() -> None:
    """Else the reply is open when the error is to be written as one, and the caller gets neither."""
    sent: list[Message] = []
    listening = asyncio.Event()

    async def receive() -> Message:
        listening.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    client = Client(receive, send, Grace(0), keepalive=b": alive\n\n", keepalive_s=KEEPALIVE_S)
    with pytest.raises(UpstreamOverloaded):
        async with client:
            await listening.wait()
            time.sleep(2 * KEEPALIVE_S)  # noqa: ASYNC251 - so that the sign of life is due
            while not any("_sign" in repr(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110 - it has not run yet
                await asyncio.sleep(0)
            raise UpstreamOverloaded("it is too much")
    assert sent == []
    assert not client.started


class Stepping(asyncio.SelectorEventLoop):
    """Its time stands still until somebody moves it."""

    now = 0.0

    def time(self) -> float:
        return self.now

    async def pass_by(self, seconds: float) -> None:
        """Let time go by, and what is due then happen."""
        self.now += seconds
        for _ in range(5):
            await asyncio.sleep(0)


def stepping(main: Callable[[Stepping], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=Stepping) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Stepping)
        runner.run(main(loop))


class Caller:
    """Takes what is sent, and stays; what is not let through waits."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            await self.reads.wait()
            self.bodies.append(message["body"])


def test_a_sign_of_life_comes_after_silence_only() -> None:
    async def main(loop: Stepping) -> None:
        caller = Caller()
        async with Client(caller.receive, caller.send, Grace(0), keepalive=b":", keepalive_s=1) as client:
            for _ in range(5):
                await loop.pass_by(0.75)
                await client.write(b"word")
            assert caller.bodies == [b"word"] * 5
            await loop.pass_by(1)
            assert caller.bodies[5:] == [b":"]
            await loop.pass_by(0.5)
            assert caller.bodies[5:] == [b":"]
            await loop.pass_by(0.5)
            assert caller.bodies[5:] == [b":", b":"]

    stepping(main)


def test_without_signs_of_life_there_are_none_ever() -> None:
    async def main(loop: Stepping) -> None:
        caller = Caller()
        async with Client(caller.receive, caller.send, Grace(0), keepalive=b":", keepalive_s=0) as client:
            await client.write(b"word")
            for _ in range(5):
                await loop.pass_by(100)
            assert caller.bodies == [b"word"]

    stepping(main)


def test_an_answer_that_is_ended_behind_a_sign_of_life_has_its_end() -> None:
    async def main(loop: Stepping) -> None:
        caller = Caller()
        async with Client(caller.receive, caller.send, Grace(0), keepalive=b":", keepalive_s=1) as client:
            caller.reads.clear()
            await loop.pass_by(0)  # it has lasted for long enough to have signs of life
            await loop.pass_by(1)
            loop.call_later(1, client.abort, Draining("the gateway is shutting down"))
            loop.create_task(loop.pass_by(1))
            with pytest.raises(Draining):
                try:
                    await client.write(b"word")
                except asyncio.CancelledError as error:
                    client.check(type(error))
            caller.reads.set()
            await client.finish(b"end")
        assert caller.bodies == [b":", b"end"]

    stepping(main)


@pytest.mark.parametrize(("size", "longer_s"), [(1, 0.0), (60 * SLOWEST, 60.0)])
def test_whoever_reads_nothing_is_left_later_behind_a_large_piece(size: int, longer_s: float) -> None:
    async def main(loop: Stepping) -> None:
        caller = Caller()
        client = Client(caller.receive, caller.send, Grace(0), unread_s=60)
        await client.__aenter__()
        await client.write(bytes(size))
        caller.reads.clear()
        writing = loop.create_task(client.write(b"word"))
        with pytest.raises(asyncio.CancelledError) as left:
            while loop.now < 200:
                await loop.pass_by(1)
        with pytest.raises(ClientGone):
            await client.__aexit__(left.type, left.value, left.tb)
        assert 120 + longer_s <= loop.now <= 125 + longer_s  # the first look is after a minute
        caller.reads.set()
        await writing

    stepping(main)


async def test_a_caller_whose_connection_broke_has_gone() -> None:
    async def send(message: Message) -> None:
        raise BrokenPipeError

    client = Client(Caller().receive, send, Grace(60))
    async with client:
        with pytest.raises(ClientGone):
            await client.write(b"word")

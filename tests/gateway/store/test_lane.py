"""Questions to a store that does not respond: nobody waits for ever, and what goes on has its place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.store.folder import is_there
from gateway.store.lane import Lanes
from gateway.store.stored import StoreFailed
from tests.gateway.store.keepers import until

pytestmark = pytest.mark.anyio

SOON_S, LONG_S = 0.05, 30.0


@contextmanager
def silent() -> Iterator[threading.Event]:
    """Give what a silent store waits for; it answers at the end in any case."""
    answers = threading.Event()
    try:
        yield answers
    finally:
        answers.set()


async def test_who_gets_no_answer_leaves_and_nobody_begins_until_there_is_one() -> None:
    lanes = Lanes(1, SOON_S)
    with silent() as answers:
        for _ in range(3):
            with pytest.raises(StoreFailed, match="does not respond"):
                await lanes.ask(answers.wait)
        answers.set()
        await until(lambda: not lanes._given_up)
        lanes._patience_s = LONG_S
        assert await lanes.ask(lambda: 5) == 5


async def test_what_may_take_long_is_waited_for_and_others_behind_it_are_not() -> None:
    lanes = Lanes(1, SOON_S)
    with silent() as answers:
        filling = asyncio.get_running_loop().create_task(lanes.ask(answers.wait, ends=False))
        await asyncio.sleep(0)
        with pytest.raises(StoreFailed, match="does not respond"):
            await lanes.ask(lambda: 5)
        answers.set()
        assert await filling
    lanes._patience_s = LONG_S
    assert await lanes.ask(lambda: 5) == 5


async def test_who_leaves_early_makes_the_next_one_wait_and_spoils_nothing() -> None:
    lanes, begun = Lanes(1, 30), threading.Event()
    with silent() as answers:

        def work() -> bool:
            begun.set()
            return answers.wait()

        left = asyncio.get_running_loop().create_task(lanes.ask(work))
        await until(begun.is_set)
        left.cancel()
        following = asyncio.get_running_loop().create_task(lanes.ask(lambda: 5))
        await asyncio.wait((following,), timeout=SOON_S)
        assert not following.done()
        answers.set()
        assert await following == 5


async def test_so_many_are_asked_at_a_time() -> None:
    lanes, both = Lanes(2, 30), threading.Barrier(2)
    assert {*await asyncio.gather(*(lanes.ask(both.wait) for _ in range(2)))} == {0, 1}


async def test_what_goes_wrong_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await Lanes(1, 30).ask(lambda: 1 // 0)


async def test_what_cannot_be_looked_at_is_not_there(tmp_path: Path) -> None:
    assert is_there(tmp_path)
    assert not is_there(tmp_path / ("x" * 300))  # as with a folder of another user, to look raises OSError


async def test_it_is_busy_until_the_thread_has_ended_whoever_waits() -> None:
    lanes, begun = Lanes(1, 30), threading.Event()
    with silent() as answers:

        def work() -> bool:
            begun.set()
            return answers.wait()

        waiting = asyncio.get_running_loop().create_task(lanes.ask(work))
        await asyncio.to_thread(begun.wait)
        waiting.cancel()
        await asyncio.wait((waiting,))
        assert lanes.is_busy
        asyncio.get_running_loop().call_soon(answers.set)
        await lanes.free()
        assert not lanes.is_busy

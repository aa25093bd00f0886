"""The system clock is the machine's; the fake one moves only when told, and wakes in order."""

import asyncio
import time

import pytest

from gateway.clock import System
from tests.clocks import FakeClock

pytestmark = pytest.mark.anyio


def test_system_reads_the_machine() -> None:
    before, wall = time.monotonic(), time.time()
    clock = System()
    assert before <= clock.monotonic() <= time.monotonic()
    assert wall <= clock.time() <= time.time() + 1


async def test_system_sleeps() -> None:
    clock = System()
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009


async def test_fake_stands_still() -> None:
    clock = FakeClock(5.0, wall=1000.0)
    await clock.sleep(0)
    assert (clock.monotonic(), clock.time()) == (5.0, 1005.0)


async def test_fake_advances_both_clocks() -> None:
    clock = FakeClock(wall=1000.0)
    await clock.advance(2.5)
    assert (clock.monotonic(), clock.time()) == (2.5, 1002.5)


async def test_fake_wakes_by_deadline_each_at_its_time() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 3.0), ("first", 1.0), ("second", 1.0), ("next", 2.0)):
            group.create_task(sleeper(name, seconds))
        await clock.advance(2.0)
        assert woken == [("first", 1.0), ("second", 1.0), ("next", 2.0)]
        await clock.advance(0.5)
        assert clock.sleepers == 1
        await clock.advance(0.5)
    assert woken[3:] == [("late", 3.0)]


async def test_fake_wakes_again_who_sleeps_again() -> None:
    clock = FakeClock()
    ticks: list[float] = []

    async def ticker() -> None:
        for _ in range(3):
            await clock.sleep(0.1)
            ticks.append(round(clock.monotonic(), 9))

    async with asyncio.TaskGroup() as group:
        group.create_task(ticker())
        await clock.advance(0.3)
    assert ticks == [0.1, 0.2, 0.3]
    assert clock.monotonic() == 0.3


async def test_fake_forgets_cancelled_sleepers() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.advance(0.5)
    task.cancel()
    await clock.advance(1.0)
    assert task.cancelled()
    assert (clock.sleepers, clock.monotonic()) == (0, 1.5)


async def test_fake_lets_the_wall_clock_jump() -> None:
    clock = FakeClock(wall=1000.0)
    clock.wall -= 600.0
    assert (clock.monotonic(), clock.time()) == (0.0, 400.0)

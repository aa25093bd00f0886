"""Who works while others wait: as long as it works, and no longer when it is gone."""

from __future__ import annotations

import asyncio

import pytest

from gateway.adapters.once import alone
from tests.clocks import FakeClock

pytestmark = pytest.mark.anyio

AGES = 3600.0
MOMENT = 15.0


class Leases:
    """The leases of one process, in a table that several share."""

    def __init__(self, clock: FakeClock, table: dict[str, tuple[object, float]]) -> None:
        self._clock = clock
        self._table = table
        self.is_gone = False

    async def take_lease(self, name: str, seconds: float) -> bool:
        await asyncio.sleep(0)
        owner, until = self._table.get(name, (self, 0.0))
        if self.is_gone or (owner is not self and until > self._clock.monotonic()):
            return False
        self._table[name] = self, self._clock.monotonic() + seconds
        return True

    async def end_lease(self, name: str) -> None:
        if not self.is_gone and self._table.get(name, (None, 0.0))[0] is self:
            del self._table[name]


class Work:
    """Takes long; what comes of it all can see."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.begun = self.ended = 0

    async def is_done(self) -> bool:
        return self.ended > 0

    async def do(self) -> None:
        self.begun += 1
        await self._clock.sleep(self._seconds)
        self.ended += 1


def begin(leases: Leases, clock: FakeClock, work: Work) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(alone(leases, clock, "refresh", work.is_done, work.do))


async def test_however_long_it_takes_nobody_else_begins() -> None:
    clock, table = FakeClock(), dict[str, tuple[object, float]]()
    work = Work(clock, AGES)
    one, other = (begin(Leases(clock, table), clock, work) for _ in range(2))
    await clock.advance(AGES - 1)
    assert (work.begun, work.ended) == (1, 0)
    await clock.advance(MOMENT)
    await asyncio.gather(one, other)
    assert (work.begun, work.ended, table, clock.sleepers) == (1, 1, {}, 0)


async def test_who_waits_for_one_that_was_killed_goes_on_soon() -> None:
    clock, table = FakeClock(), dict[str, tuple[object, float]]()
    killed, short = Leases(clock, table), Work(clock, 0.1)
    begin(killed, clock, endless := Work(clock, AGES))
    await clock.advance(100)
    killed.is_gone = True
    other = begin(Leases(clock, table), clock, short)
    await clock.advance(1)
    assert (endless.begun, short.begun) == (1, 0)
    await clock.advance(MOMENT)
    assert (other.done(), short.ended) == (True, 1)


async def test_work_that_fails_lets_the_next_one_try() -> None:
    clock, table = FakeClock(), dict[str, tuple[object, float]]()

    async def fail() -> None:
        await clock.sleep(MOMENT)
        raise OSError

    async def not_yet() -> bool:
        return False

    one = asyncio.get_running_loop().create_task(alone(Leases(clock, table), clock, "refresh", not_yet, fail))
    other = begin(Leases(clock, table), clock, work := Work(clock, 0.1))
    await clock.advance(2 * MOMENT)
    with pytest.raises(OSError):
        await one
    await other
    assert (work.begun, table, clock.sleepers) == (1, {}, 0)


class Slow(Leases):
    """Leases in a store that takes its time once one is had."""

    def __init__(self, clock: FakeClock, table: dict[str, tuple[object, float]]) -> None:
        super().__init__(clock, table)
        self.asked = asyncio.Event()

    async def take_lease(self, name: str, seconds: float) -> bool:
        if name in self._table:
            self.asked.set()
            await asyncio.Event().wait()
        return await super().take_lease(name, seconds)


async def test_who_is_ended_while_the_store_is_asked_keeps_nothing() -> None:
    clock, table = FakeClock(), dict[str, tuple[object, float]]()
    leases, work = Slow(clock, table), Work(clock, MOMENT)
    before = asyncio.all_tasks()
    one = begin(leases, clock, work)
    await clock.advance(MOMENT)
    assert (leases.asked.is_set(), work.ended, one.done()) == (True, 1, False)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    await asyncio.sleep(0)
    assert (asyncio.all_tasks() - before, table) == (set(), {})

"""Timers and tasks are begun for what lasts, in order, once, and on the loop that runs now."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.grace import GRACE_S, Grace, Watchdog
from gateway.histogram import VALUES
from tests.patience import patient

pytestmark = pytest.mark.anyio


class Thing:
    def __init__(self, begun: list[str], name: str = "thing") -> None:
        self.name = name
        self.began = asyncio.Event()
        self._begun = begun

    def begin(self) -> None:
        self._begun.append(self.name)
        self.began.set()


def add(grace: Grace, *things: Thing) -> None:
    loop = grace.here().get_loop()
    for thing in things:
        grace.add(thing, loop, loop.time())


async def test_what_lasts_is_begun_once() -> None:
    begun: list[str] = []
    grace, thing = Grace(), Thing(begun)
    add(grace, thing)
    await asyncio.wait_for(thing.began.wait(), patient(5))
    assert begun == ["thing"]
    assert not grace.discard(thing)


async def test_what_ends_before_is_not_begun() -> None:
    begun: list[str] = []
    grace, short, later = Grace(), Thing(begun, "short"), Thing(begun, "later")
    add(grace, short, later)
    assert grace.discard(short)
    await asyncio.wait_for(later.began.wait(), patient(5))
    assert begun == ["later"]


async def test_first_come_first_begun() -> None:
    begun: list[str] = []
    grace, one, two = Grace(), Thing(begun, "one"), Thing(begun, "two")
    add(grace, one)
    await asyncio.sleep(GRACE_S / 4)
    add(grace, two)
    await asyncio.wait_for(two.began.wait(), patient(5))
    assert begun == ["one", "two"]


async def test_it_begins_again_after_a_pause() -> None:
    begun: list[str] = []
    grace, one, two = Grace(), Thing(begun, "one"), Thing(begun, "two")
    add(grace, one)
    await asyncio.wait_for(one.began.wait(), patient(5))
    add(grace, two)
    await asyncio.wait_for(two.began.wait(), patient(5))
    assert begun == ["one", "two"]


def test_a_new_loop_gets_a_timer_of_its_own() -> None:
    grace = Grace()
    begun: list[str] = []

    async def leave_waiting() -> None:
        add(grace, Thing(begun, "left"))

    async def wait() -> None:
        thing = Thing(begun, "begun")
        add(grace, thing)
        await asyncio.wait_for(thing.began.wait(), patient(5))

    asyncio.run(leave_waiting())
    asyncio.run(wait())
    assert "begun" in begun


def test_each_thread_finds_its_own_task() -> None:
    grace = Grace()
    both = threading.Barrier(2, timeout=patient(10))

    async def look() -> bool:
        task = asyncio.current_task()
        both.wait()  # both loops run a task now
        found = [grace.here() is task for _ in range(100)]
        both.wait()
        return all(found)

    with ThreadPoolExecutor(2) as threads:
        assert all(threads.map(lambda _: asyncio.run(look()), range(2)))


@pytest.mark.parametrize("limit_s", [GRACE_S / 4, GRACE_S * 2])
@pytest.mark.parametrize("grace", [None, Grace()], ids=["alone", "graced"])
async def test_silence_raises(limit_s: float, grace: Grace | None) -> None:
    start = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError), Watchdog(limit_s, grace):
        await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() - start >= limit_s - 0.002


async def test_feeding_puts_it_off() -> None:
    limit_s = patient(0.5)
    with Watchdog(limit_s, Grace()) as watchdog:
        for _ in range(4):
            await asyncio.sleep(limit_s * 0.4)
            watchdog.feed()


async def test_what_is_waited_for_is_measured_and_what_holds_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    silences = [0.0] * VALUES
    with Watchdog(60, Grace(), silences) as watchdog:
        times = iter([watchdog._last + after for after in (0.3, 7.3, 7.301)])
        monkeypatch.setattr(watchdog, "_time", lambda: next(times))
        watchdog.hold()
        watchdog.feed()
        watchdog.hold()
        monkeypatch.undo()
    assert (sum(silences[:-1]), silences[0]) == (2, 1)
    assert silences[-1] == pytest.approx(0.3 + 0.001)


async def test_a_foreign_cancellation_passes() -> None:
    async def waiting() -> None:
        with Watchdog(60, Grace()):
            await asyncio.Event().wait()

    task = asyncio.create_task(waiting())
    await asyncio.sleep(GRACE_S * 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

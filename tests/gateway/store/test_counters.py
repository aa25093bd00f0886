"""The counters in memory: windows slide, a refused hit counts nowhere, what has expired goes."""

import pytest

from gateway.store.counters import LazyMemory
from tests.clocks import FakeClock

pytestmark = pytest.mark.anyio

LIMIT, WINDOW_S = 10, 60  # the fake clock starts at the beginning of a minute


async def hits(storage: LazyMemory, number: int, key: str = "alice") -> int:
    """Try that many hits; give how many were counted."""
    return sum([await storage.acquire_sliding_window_entry(key, LIMIT, WINDOW_S) for _ in range(number)])


async def test_hits_up_to_the_limit_are_counted() -> None:
    storage = LazyMemory(FakeClock().time)
    assert await hits(storage, 15) == 10
    assert await storage.get_sliding_window("alice", WINDOW_S) == (0, 0.0, 10, 120)


async def test_hits_of_the_last_window_fade() -> None:
    clock = FakeClock()
    storage = LazyMemory(clock.time)
    await hits(storage, 10)
    await clock.advance(WINDOW_S + 30)  # half of the last window still counts
    assert await hits(storage, 10) == 5
    assert await storage.get_sliding_window("alice", WINDOW_S) == (10, 30, 5, 90)


async def test_window_before_the_last_is_forgotten() -> None:
    clock = FakeClock()
    storage = LazyMemory(clock.time)
    await hits(storage, 10)
    await clock.advance(2 * WINDOW_S)
    assert await storage.get_sliding_window("alice", WINDOW_S) == (0, 0.0, 0, 120)


async def test_clock_that_is_set_back_gives_no_new_hits() -> None:
    clock = FakeClock()
    storage = LazyMemory(clock.time)
    await hits(storage, 10)
    clock.wall -= WINDOW_S
    assert await hits(storage, 1) == 0


async def test_windows_of_other_keys_and_other_lengths_are_apart() -> None:
    storage = LazyMemory(FakeClock().time)
    await hits(storage, 10)
    assert await hits(storage, 1, "bob") == 1
    assert await storage.acquire_sliding_window_entry("alice", LIMIT, 3600)


async def test_cleared_window_is_empty() -> None:
    storage = LazyMemory(FakeClock().time)
    await hits(storage, 10)
    await storage.clear_sliding_window("alice", WINDOW_S)
    assert await hits(storage, 1) == 1


async def test_counter_lives_from_its_first_hit() -> None:
    clock = FakeClock()
    storage = LazyMemory(clock.time)
    assert [await storage.incr("month", 10), await storage.incr("month", 10, 2)] == [1, 3]
    assert await storage.get_expiry("month") == clock.time() + 10
    await clock.advance(10)
    assert await storage.get("month") == 0
    assert await storage.incr("month", 10) == 1


async def test_what_has_expired_makes_room() -> None:
    clock = FakeClock()
    storage = LazyMemory(clock.time)
    for number in range(2048):
        await storage.incr(f"month-{number}", 30)
        await hits(storage, 1, f"caller-{number}")
    await clock.advance(3 * WINDOW_S)
    await hits(storage, 1)
    assert await storage.reset() == 1


async def test_what_still_counts_is_kept_when_room_is_made() -> None:
    clock = FakeClock()
    storage = LazyMemory(clock.time)
    await hits(storage, 10)
    await clock.advance(WINDOW_S)
    for number in range(5000):
        await hits(storage, 1, f"caller-{number}")
    assert await hits(storage, 1) == 0

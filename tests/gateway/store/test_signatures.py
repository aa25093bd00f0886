"""What workers and hosts share of signatures, in a real Redis: bounded, sealed, and never in anybody's way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.clock import System
from gateway.config import LogConfig
from gateway.logs import logger_of
from gateway.signatures import CALLS, PICTURES
from gateway.store.signatures import SharedSignatures
from tests.clocks import FakeClock
from tests.patience import patient
from tests.ports import free_port
from tests.redis_server import READ_ONLY, RedisServer

pytestmark = pytest.mark.anyio

PATIENT = 5.0
KEY = "k" * 43 + "="

Make = Callable[..., Any]


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Make hosts, and part them from Redis at the end; none gives it up because the machine is busy."""
    monkeypatch.setattr("gateway.store.signatures._GIVE_UP_S", patient(2))
    async with AsyncExitStack() as stack:

        async def made(url: str, *keys: str, clock: Any = None, patience_s: float = PATIENT, **over: Any) -> Any:
            bounds = {name: over.pop(name) for name in ("size", "shared_bytes") if name in over}
            over = {"pictures": PICTURES, "ttl_s": 60.0, **over, "calls": replace(CALLS, **bounds)}
            logger = logger_of(LogConfig(level="info", format="json"))
            one = SharedSignatures(url, keys, clock or System(), logger, patience_s=patience_s, **over)
            await one.start()
            stack.push_async_callback(one.stop)
            return one

        yield made


async def test_another_host_finds_what_one_has_put(redis: RedisServer, make: Make) -> None:
    one, other = await make(redis.url), await make(redis.url)
    await one.put("alice", {"call_1": b"signed", "call_2": b"too"})
    assert await other.get("alice", ["call_1", "call_2", "call_3"]) == {"call_1": b"signed", "call_2": b"too"}


async def test_a_caller_finds_its_own_only(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url)
    await one.put("alice", {"call_1": b"signed"})
    assert await one.get("bob", ["call_1"]) == {}


async def test_who_reads_redis_learns_nothing(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url)
    await one.put("alice", {"call_1": b"signed"})
    kept = list(redis.do("KEYS", "*"))
    assert len(kept) == 3
    dumped = b"".join((*kept, *(redis.do("GET", name) for name in kept if redis.do("TYPE", name) == b"string")))
    assert [word for word in (b"alice", b"call_1", b"signed") if word in dumped] == []


async def test_only_hosts_with_the_key_can_read(redis: RedisServer, make: Make) -> None:
    await (await make(redis.url, KEY)).put("alice", {"call_1": b"signed"})
    assert await (await make(redis.url)).get("alice", ["call_1"]) == {}
    assert await (await make(redis.url, "another", KEY)).get("alice", ["call_1"]) == {"call_1": b"signed"}


async def test_what_was_changed_in_redis_is_not_taken(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url)
    await one.put("alice", {"call_1": b"signed"})
    (name,) = [name for name in redis.do("KEYS", "*}:????????*") if redis.do("STRLEN", name) > 20]
    redis.do("SETRANGE", name, 14, "y" if redis.do("GETRANGE", name, 14, 14) == b"x" else "x")
    assert await one.get("alice", ["call_1"]) == {}
    redis.do("SET", name, "short")
    assert await one.get("alice", ["call_1"]) == {}


async def test_an_entry_ends_with_its_time(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url, ttl_s=60.0)
    await one.put("alice", {"call_1": b"signed"})
    assert all(0 < redis.do("TTL", name) <= 60 for name in redis.do("KEYS", "*"))


async def test_pictures_have_room_of_their_own(redis: RedisServer, make: Make) -> None:
    """What signs one is about 1 MB: a dozen of them would push out all that is kept of a caller's calls."""
    one = await make(redis.url, pictures=replace(PICTURES, shared_bytes=3_000_000))
    await one.put("alice", {"call_1": b"signed"})
    for number in range(5):
        await one.put("alice", {f"picture {number}": b"x" * 900_000}, pictures=True)
    assert await one.get("alice", ["call_1"]) == {"call_1": b"signed"}
    assert await one.get("alice", ["call_1"], pictures=True) == {}
    found = await one.get("alice", [f"picture {number}" for number in range(5)], pictures=True)
    assert sorted(found) == ["picture 2", "picture 3", "picture 4"]
    assert await one.get("bob", ["picture 4"], pictures=True) == {}


async def test_a_picture_is_waited_for_longer(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url, patience_s=patient(0.01))
    await one.put("alice", {"p": b"x" * 8_000_000}, pictures=True)
    for _ in range(5):
        assert len((await one.get("alice", ["p"], pictures=True))["p"]) == 8_000_000
    assert not one.away


async def test_the_oldest_go_when_there_are_too_many(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url, size=10)
    for number in range(30):
        await one.put("alice", {f"call_{number}": b"x"})
    found = await one.get("alice", [f"call_{number}" for number in range(30)])
    assert len(found) == 10
    assert len(redis.do("KEYS", "*")) == 12


async def test_the_oldest_go_when_they_are_too_large(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url, shared_bytes=10_000)
    for number in range(30):
        await one.put("alice", {f"call_{number}": b"x" * 1000})
    assert len(await one.get("alice", [f"call_{number}" for number in range(30)])) == 9
    (total,) = redis.do("KEYS", "*:bytes")
    assert int(redis.do("GET", total)) == 9 * 1028


async def test_putting_twice_counts_once(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url)
    for _ in range(3):
        await one.put("alice", {"call_1": b"x" * 100})
    (total,) = redis.do("KEYS", "*:bytes")
    assert int(redis.do("GET", total)) == 128


async def test_without_redis_nothing_is_found_and_nobody_waits(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    one = await make(f"redis://127.0.0.1:{free_port()}/0")
    began = time.monotonic()
    assert await one.get("alice", ["call_1"]) is None
    for _ in range(1000):
        await one.put("alice", {"call_1": b"signed"})
        assert await one.get("alice", ["call_1"]) is None
    assert time.monotonic() - began < patient(PATIENT)
    assert one.away
    assert not await one.ask()
    assert capfd.readouterr().err.count("Redis keeps no signatures") == 1


async def test_a_frozen_redis_costs_a_few_milliseconds_and_then_none(redis: RedisServer, make: Make) -> None:
    clock = FakeClock()
    one = await make(redis.url, clock=clock, patience_s=0.01)
    await one.put("alice", {"call_1": b"signed"})
    with redis.frozen():
        slow = []
        for _ in range(3):  # the machine may hold up some, too
            waits: list[float] = []
            for _ in range(20):
                began = time.monotonic()
                assert await one.get("alice", ["call_1"]) is None
                waits.append(time.monotonic() - began)
            slow.append(sum(wait > 0.005 for wait in waits))
    assert one.away
    assert min(slow) <= 3


async def test_what_is_put_while_it_answers_too_late_is_kept(redis: RedisServer, make: Make) -> None:
    """Its conversation would go on without it in every other process."""
    one, other = await make(redis.url, clock=FakeClock(), patience_s=0.01), await make(redis.url)
    await one.put("alice", {"call_1": b"signed"})
    with redis.frozen():
        async with asyncio.timeout(patient(5)):
            while not one.away:  # a wait in which this process was held up does not count
                await one.get("alice", ["call_1"])
        await one.put("alice", {"call_2": b"signed"})
    async with asyncio.timeout(patient(5)):
        while not await other.get("alice", ["call_2"]):  # noqa: ASYNC110 - Redis has no event for it
            await asyncio.sleep(0.01)
    assert not one.away


async def test_a_process_that_is_busy_does_not_take_redis_for_slow(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url, patience_s=0.01)
    await one.put("alice", {"call_1": b"signed"})
    asked = [asyncio.create_task(one.get("alice", ["call_1"])) for _ in range(5)]
    await asyncio.sleep(0.001)
    time.sleep(0.05)  # noqa: ASYNC251 - other work of the process
    assert await asyncio.gather(*asked) == [{"call_1": b"signed"}] * 5
    assert not one.away


async def test_who_probes_hears_of_a_frozen_redis_within_a_second(redis: RedisServer, make: Make) -> None:
    """Kubernetes waits no longer, and would take a gateway that serves out of the Service."""
    waits = []
    for _ in range(3):  # the machine may hold up some
        one = await make(redis.url)
        assert await one.ask()
        redis.freeze()
        began = time.monotonic()
        assert not await one.ask()
        waits.append(time.monotonic() - began)
        redis.thaw()
    assert min(waits) < 0.9


async def test_it_is_asked_again_after_a_second(
    redis: RedisServer, make: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    one = await make(redis.url, clock=clock)
    redis.stop()
    assert await one.get("alice", ["call_1"]) is None
    redis.start()
    assert await one.get("alice", ["call_1"]) is None
    assert one.away
    await clock.advance(1.01)
    await one.put("alice", {"call_1": b"signed"})
    assert await one.get("alice", ["call_1"]) == {"call_1": b"signed"}
    assert not one.away
    assert "Redis is back" in capfd.readouterr().err


async def test_a_restart_between_two_calls_is_not_noticed(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url)
    await one.put("alice", {"call_1": b"signed"})
    redis.stop()
    redis.start()
    await one.put("alice", {"call_2": b"signed"})
    assert await one.get("alice", ["call_1", "call_2"]) == {"call_2": b"signed"}


async def test_a_full_redis_is_as_good_as_none(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url)
    assert await one.ask()
    redis.do("CONFIG", "SET", "maxmemory", "1")
    await one.put("alice", {"call_1": b"signed"})
    assert one.away


@pytest.mark.parametrize(("falls_ill", "recovers"), READ_ONLY)
async def test_one_that_keeps_nothing_more_is_read_and_that_is_told_once(
    redis: RedisServer,
    make: Make,
    falls_ill: tuple[str, ...],
    recovers: tuple[str, ...],
    capfd: pytest.CaptureFixture[str],
) -> None:
    clock = FakeClock()
    one = await make(redis.url, clock=clock)
    await one.put("alice", {"call_1": b"signed"})
    redis.do(*falls_ill)
    for _ in range(3):
        await one.put("alice", {"call_2": b"signed"})
        assert await one.get("alice", ["call_1", "call_2"]) == {"call_1": b"signed"}
        assert one.away
        await clock.advance(1.01)
    redis.do(*recovers)
    await one.put("alice", {"call_2": b"signed"})
    assert not one.away
    said = capfd.readouterr().err
    assert (said.count("Redis keeps no signatures"), said.count("Redis is back")) == (1, 1)


async def test_one_that_became_a_replica_is_left_for_the_one_in_its_place(redis: RedisServer, make: Make) -> None:
    """It keeps its connections, and a new one leads to the other one, at the same address."""
    one = await make(redis.url)
    await one.put("alice", {"call_1": b"signed"})
    before = redis.connections()
    redis.do("REPLICAOF", "127.0.0.1", "1")
    await one.put("alice", {"call_2": b"signed"})
    assert one.away
    assert await one.get("alice", ["call_1"]) == {"call_1": b"signed"}
    assert before & redis.connections() == set()


async def test_a_slow_answer_is_still_taken_by_redis(redis: RedisServer, make: Make) -> None:
    """Nobody waits for it, and it is there for the next one."""
    one, other = await make(redis.url, patience_s=0.0), await make(redis.url)
    await one.put("alice", {"call_1": b"signed"})
    async with asyncio.timeout(patient(5)):
        while not await other.get("alice", ["call_1"]):  # noqa: ASYNC110 - Redis has no event for it
            await asyncio.sleep(0.01)


async def test_stopping_leaves_nothing_behind(redis: RedisServer, make: Make) -> None:
    one = await make(redis.url, patience_s=0.0)
    redis.freeze()
    await one.get("alice", ["call_1"])
    try:
        await one.stop()
    finally:
        redis.thaw()
    assert await one.get("alice", ["call_1"]) is None

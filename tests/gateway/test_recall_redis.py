"""What was used before Redis counted, or before it lost what it counted, counts there once."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.app import lifespan
from gateway.clock import System
from gateway.config import parse_limits
from gateway.context import Principal
from gateway.limiter import Limiter
from gateway.plans import plan_of
from gateway.store.reports import Sums
from gateway.store.windows import Span
from tests.gateway.test_limiter import CHAT, PRICE, question
from tests.gateway.test_limiter_redis import becomes, process, together
from tests.gateway.test_recall import Past
from tests.middleware.asgi import call, scope_of
from tests.patience import patient
from tests.redis_server import RedisServer
from tests.scripted import Scripted, app_of, say

pytestmark = pytest.mark.anyio

LIMITS = {"requests_per_month": 100, "tokens_per_month": 1000}
PLAN = plan_of("alice", parse_limits(LIMITS))
APART_S = 0.01  # what began less than this before the first request is of its time: no process starts so soon


@asynccontextmanager
async def knowing(redis: RedisServer, past: Past) -> AsyncIterator[Limiter]:
    async with process(redis) as limiter:
        limiter.recall.past = past
        yield limiter


async def left(limiter: Limiter) -> list[float]:
    found = await limiter.left(Principal(name="alice", id="alice"), parse_limits(LIMITS))
    return [one.left for one in found]


async def asks(limiter: Limiter, ago_s: float = 0.0) -> None:
    """Make a request of no tokens, as the middleware does."""
    if not limiter.knows(PLAN):
        await limiter.recall.read(PLAN, ago_s)
    _, hold = await limiter.admit_shared(PLAN, ago_s)
    assert hold is not None
    await limiter.reserve(hold, [0])
    ending = limiter.end(hold, [0])
    assert ending is not None
    await ending


async def asks_alone(limiter: Limiter, redis: RedisServer) -> None:
    """Make a request while Redis is away; it has lost everything when it is back."""
    with redis.away():
        await becomes(limiter, shared=False)
        await asks(limiter)
    await becomes(limiter, shared=True)


async def settled(limiter: Limiter, redis: RedisServer) -> None:
    """Make a request of a process that Redis knows by name, and so has no doubt."""
    async with asyncio.timeout(patient(5)):
        while not redis.do("EXISTS", "gateway:open:{-}"):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.02)
    await asks(limiter)


async def leaves(limiter: Limiter, expected: list[float]) -> None:
    async with asyncio.timeout(patient(5)):
        while await left(limiter) != expected:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)


async def test_several_that_begin_at_once_count_it_once(redis: RedisServer) -> None:
    past = Past()
    async with knowing(redis, past) as one, knowing(redis, past) as two:
        await asyncio.gather(*[asks(limiter) for limiter in (one, two) for _ in range(5)])
        assert await left(one) == await left(two) == [100 - 3 - 10, 1000 - 40]


async def test_a_redis_that_remembers_is_not_told_again(redis: RedisServer) -> None:
    async with knowing(redis, Past()) as first:
        await asks(first)
    later = Past()
    async with knowing(redis, later) as limiter:
        await asks(limiter)
        assert await left(limiter) == [95, 960]
    assert later.asked == []


async def test_a_redis_that_has_lost_everything_is_told_again(redis: RedisServer) -> None:
    past = Past()
    async with knowing(redis, past) as limiter:
        await asks(limiter)
        redis.do("FLUSHALL")
        await asks(limiter)  # nobody has noticed yet
        await leaves(limiter, [96, 960])
    seconds, microseconds = redis.do("TIME")
    ((_, until),) = set(past.asked[-1])
    assert until <= int(seconds) + int(microseconds) / 1e6


async def test_what_is_let_in_before_the_loss_is_noticed_is_not_read_for_it(redis: RedisServer) -> None:
    past = Past()
    async with knowing(redis, past) as limiter:
        await settled(limiter, redis)
        redis.do("FLUSHALL")
        began = time.time()
        await asyncio.sleep(3 * APART_S)
        await asks(limiter, time.time() - began)
        await leaves(limiter, [96, 960])
    assert all(until <= began for _, until in past.asked[-1])


@pytest.mark.parametrize("lost", ["requests", "tokens"])
async def test_a_counter_that_a_full_redis_has_dropped_is_told_again(redis: RedisServer, lost: str) -> None:
    async with knowing(redis, Past()) as limiter:
        await settled(limiter, redis)
        (key,) = [rule.key for rule in PLAN.lasting if rule.name.startswith(lost)]
        assert redis.do("DEL", key)
        await asks(limiter)
        await leaves(limiter, [96 if lost == "requests" else 95, 960])


async def test_what_one_process_cannot_read_another_adds(redis: RedisServer) -> None:
    async with knowing(redis, Past(failures=9)) as limiter:
        await asks(limiter)
        assert await left(limiter) == [99, 1000]
    async with knowing(redis, Past()) as limiter:
        await asks(limiter)
        assert await left(limiter) == [95, 960]


async def test_what_is_let_in_behind_the_begin_of_a_counter_is_not_read_for_it(redis: RedisServer) -> None:
    """It began before, on a busy machine long before, and has counted already."""
    other = Past()
    async with knowing(redis, Past(failures=1)) as one, knowing(redis, other) as two:
        began = time.time()
        await asyncio.sleep(3 * APART_S)
        await asks(one, time.time() - began)
        await asks(two)
        assert await left(two) == [100 - 3 - 2, 1000 - 40]
    ((_, until),) = set(other.asked[-1])
    assert until <= began


async def test_what_begins_earlier_than_what_is_being_read_is_not_read_with_it(redis: RedisServer) -> None:
    slow, other = Past(), Past(failures=1)
    reading, told = asyncio.Event(), asyncio.Event()
    sums = slow.sums

    async def wait(key_id: str, spans: Sequence[Span]) -> Sequence[Sums]:
        reading.set()
        await told.wait()
        return await sums(key_id, spans)

    slow.sums = wait  # type: ignore[method-assign]
    async with knowing(redis, slow) as one, knowing(redis, other) as two:
        began = time.time()
        await asyncio.sleep(3 * APART_S)
        first = asyncio.ensure_future(asks(one))
        await reading.wait()
        await asks(two, time.time() - began)
        told.set()
        await first
        await asks(one)
        assert await left(one) == await left(two) == [100 - 3 - 3, 1000 - 40]
    ((_, until),) = set(slow.asked[-1])
    assert until <= began


async def test_a_redis_that_is_away_keeps_nobody_waiting(redis: RedisServer) -> None:
    past = Past()
    async with knowing(redis, past) as limiter:
        with redis.away():
            await limiter.recall.read(PLAN, 0.0)
            seen, _ = await limiter.admit_shared(PLAN)
            assert seen.admitted
            assert limiter.knows(PLAN)  # as far as it is to
        assert past.asked == []
        await becomes(limiter, shared=True)
        assert await left(limiter) == [97, 960]


async def test_what_comes_after_a_look_in_vain_is_read_too(redis: RedisServer) -> None:
    past = Past()
    async with knowing(redis, past) as limiter:
        with redis.away():
            await limiter.recall.read(PLAN, 0.0)
            await becomes(limiter, shared=False)
            await asyncio.sleep(2 * APART_S)
            began = time.time()
            await asks(limiter)
            await asyncio.sleep(2 * APART_S)
        await becomes(limiter, shared=True)
        assert await left(limiter) == [97, 960]
    assert min(end for _, end in past.asked[-1]) > began


async def test_what_the_ledger_tells_of_an_absence_counts_once(redis: RedisServer) -> None:
    async with knowing(redis, Past()) as limiter:
        await asks_alone(limiter, redis)
        assert await left(limiter) == [97, 960]


async def test_what_the_ledger_has_told_of_an_absence_is_not_told_again_by_who_comes_back_later(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = Past()
    async with knowing(redis, past) as one, knowing(redis, past) as two:
        later, behind = asyncio.Event(), together(two)
        settle_late = behind._settle_late

        async def wait() -> None:
            await later.wait()
            await settle_late()

        _, hold = await two.admit_shared(PLAN)
        assert hold is not None
        await two.reserve(hold, [700])
        with redis.away():
            await becomes(one, shared=False)
            await becomes(two, shared=False)
            monkeypatch.setattr(behind, "_settle_late", wait)
            two.end(hold, [7])
            await asks(two)
        await becomes(one, shared=True)
        assert await left(one) == [97, 960]
        later.set()
        await becomes(two, shared=True)
        assert await left(one) == await left(two) == [97, 960]


async def test_what_is_open_when_redis_loses_everything_counts_once(redis: RedisServer) -> None:
    async with knowing(redis, Past()) as limiter:
        await limiter.recall.read(PLAN, 0.0)
        _, hold = await limiter.admit_shared(PLAN)
        assert hold is not None
        await limiter.reserve(hold, [700])
        redis.do("FLUSHALL")
        ending = limiter.end(hold, [7])  # of what the ledger tells then
        assert ending is not None
        await ending
        await leaves(limiter, [97, 960])


async def test_what_no_ledger_tells_of_an_absence_counts(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        await asks_alone(limiter, redis)
        assert await left(limiter) == [99, 1000]


async def test_a_budget_outlives_the_move_to_redis(redis: RedisServer, tmp_path: Path) -> None:
    said = list[int]()
    for store in ({}, {"redis": redis.url}, {"redis": redis.url}):
        config = {"server": {"data_dir": str(tmp_path)}, "limits": {"requests_per_month": 2}, "usage": PRICE}
        app = app_of(Scripted(say("Hello")), config={**config, "store": store}, clock=System())
        async with lifespan(app):
            said.append((await call(app, scope_of(CHAT), [question(max_tokens=5)])).status)
        await asyncio.sleep(2 * APART_S)
    assert said == [200, 200, 429]

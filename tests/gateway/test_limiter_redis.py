"""The limits of several processes, before a real Redis that comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from gateway import create_app
from gateway.clock import Clock, System
from gateway.config import ConfigError, parse_limits
from gateway.context import Principal
from gateway.limiter import Hold, Limiter
from gateway.plans import Plan, plan_of
from gateway.store.shared_limits import SharedLimits
from gateway.store.tally import Tally
from gateway.store.windows import Taken
from gateway.together import Together
from tests.patience import patient
from tests.redis_server import READ_ONLY, RedisServer

pytestmark = pytest.mark.anyio

PLAN = plan_of("alice", parse_limits({"requests_per_day": 100, "concurrent": 2, "tokens_per_day": 1000}))


@asynccontextmanager
async def process(
    redis: RedisServer,
    lease_s: float = 30.0,
    logger: CapturingLogger | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Limiter]:
    """Make what one process has."""
    tally = Tally()
    tally.open()
    shared = SharedLimits(redis.url, lease_s=lease_s, give_up_s=patient(0.3))
    limiter = Limiter(clock, shared=shared, tally=tally, logger=logger)
    limiter.start()
    try:
        yield limiter
    finally:
        await limiter.stop()


def together(limiter: Limiter) -> Together:
    assert limiter.together is not None
    return limiter.together


async def admitted(limiter: Limiter, plan: Plan = PLAN) -> Hold:
    seen, hold = await (limiter.admit_shared(plan) if limiter.is_shared else asyncio.to_thread(limiter.admit, plan))
    assert seen.admitted
    assert hold is not None
    return hold


async def refuses(limiter: Limiter, plan: Plan = PLAN) -> bool:
    seen, _ = await limiter.admit_shared(plan)
    return not seen.admitted


async def ended(limiter: Limiter, hold: Hold, used: int = 0) -> None:
    ending = limiter.end(hold, [used])
    assert ending is not None
    await ending


async def becomes(limiter: Limiter, *, shared: bool) -> None:
    async with asyncio.timeout(patient(5)):
        while limiter.is_shared is not shared:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


def gauge(limiter: Limiter) -> float:
    tally = limiter._tally
    assert tally is not None
    return float(tally.values[tally.at("limits_shared", live=True)])


async def tokens_left(limiter: Limiter) -> float:
    defaults = parse_limits({"tokens_per_day": 1000})
    return (await limiter.left(Principal(name="alice", id="alice"), defaults))[0].left


async def test_two_processes_have_one_limit_on_open_answers(redis: RedisServer) -> None:
    async with process(redis) as one, process(redis) as two:
        first, _ = await admitted(one), await admitted(two)
        assert await refuses(one)
        assert await refuses(two)
        await ended(one, first)
        await admitted(two)


@pytest.mark.usefixtures("within_a_minute")
async def test_all_windows_count_or_none_does(redis: RedisServer) -> None:
    plan = plan_of("alice", parse_limits({"requests_per_minute": 1, "requests_per_day": 9}))
    async with process(redis) as limiter:
        await admitted(limiter, plan)
        assert await refuses(limiter, plan)
        seen, _ = await together(limiter)._shared.look("alice", plan.requests)
        assert [window.left for window in seen.windows] == [0, 8]


async def test_many_at_once_reserve_no_more_than_there_is(redis: RedisServer) -> None:
    plan = plan_of("alice", parse_limits({"tokens_per_day": 1000}))
    async with process(redis) as one, process(redis) as two:
        holds = [await admitted(limiter, plan) for limiter in (one, two) for _ in range(20)]
        seen = await asyncio.gather(*(one.reserve(hold, [90]) for hold in holds))
        assert sum(taken.amount for one_seen in seen if one_seen.admitted for taken in one_seen.taken) == 990
        assert sum(one_seen.admitted for one_seen in seen) == 11


async def test_a_process_that_was_killed_gives_back_what_it_held(redis: RedisServer) -> None:
    lease_s = patient(0.2)
    async with process(redis, lease_s=lease_s) as killed:
        hold = await admitted(killed)
        await killed.reserve(hold, [700])
        await admitted(killed)
        together(killed)._watching.cancel()  # type: ignore[union-attr]  # as in one that is not there any more
        async with process(redis) as other:
            assert await refuses(other)
            assert await tokens_left(other) == 300
            await asyncio.sleep(lease_s + 0.05)  # by the clock of Redis
            await admitted(other)
            assert await tokens_left(other) == 1000


async def test_what_is_open_is_renewed(redis: RedisServer) -> None:
    lease_s = patient(0.3)
    async with process(redis, lease_s=lease_s) as one, process(redis) as other:
        await admitted(one)
        await admitted(one)
        for _ in range(3):
            await asyncio.sleep(lease_s / 2)
            await together(one)._shared.renew(together(one)._ids())
        assert await refuses(other)


async def test_a_cluster_behind_one_address_counts(tmp_path: Path) -> None:
    """As those of clouds are, which take no question about keys of several slots."""
    with closing(RedisServer(tmp_path, "--cluster-enabled", "yes")) as redis:
        redis.start()
        redis.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        async with asyncio.timeout(patient(10)):
            while b"cluster_state:ok" not in redis.do("CLUSTER", "INFO"):  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.05)
        async with process(redis) as one, process(redis) as two:
            hold = await admitted(one)
            assert (await one.reserve(hold, [700])).admitted
            assert await tokens_left(two) == 300
            await asyncio.wait_for(together(two)._shared.renew(together(two)._itself), patient(1))
            await ended(one, hold, 200)
            assert await tokens_left(two) == 800


async def test_scripts_that_redis_has_forgotten_are_given_again(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        await admitted(limiter)
        redis.do("SCRIPT", "FLUSH")
        await admitted(limiter)
        assert limiter.is_shared


async def test_without_redis_nothing_is_refused_and_it_is_told(redis: RedisServer) -> None:
    logger = CapturingLogger()
    async with process(redis, logger=logger) as limiter:
        await admitted(limiter)
        assert gauge(limiter) == 1
        redis.stop()
        await admitted(limiter)
        assert (limiter.is_shared, gauge(limiter)) == (False, 0)
        redis.start()
        await becomes(limiter, shared=True)
        assert gauge(limiter) == 1
    assert [one.method_name for one in logger.calls] == ["warning", "info"]


class Counting(System):
    """The clock of this machine. `rests`: how often somebody has slept by it."""

    rests = 0

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self.rests += 1


@pytest.mark.parametrize(("falls_ill", "recovers"), READ_ONLY)
async def test_a_redis_that_can_only_be_read_is_away_and_told_once(
    redis: RedisServer, falls_ill: tuple[str, ...], recovers: tuple[str, ...]
) -> None:
    logger, clock, plan = CapturingLogger(), Counting(), plan_of("alice", parse_limits({"requests_per_day": 100}))
    async with process(redis, logger=logger, clock=clock) as limiter:
        await admitted(limiter, plan)
        redis.do(*falls_ill)
        await admitted(limiter, plan)
        assert not limiter.is_shared
        await together(limiter)._shared.look("", ())  # what only reads goes on
        looks = clock.rests + 3
        while clock.rests < looks:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        assert not limiter.is_shared
        redis.do(*recovers)
        await becomes(limiter, shared=True)
    assert [one.method_name for one in logger.calls] == ["warning", "info"]


async def test_one_that_became_a_replica_is_left_for_the_one_in_its_place(redis: RedisServer) -> None:
    """It keeps its connections, and a new one leads to the other one, at the same address."""
    async with process(redis) as limiter:
        await admitted(limiter)
        (before,) = redis.connections()
        redis.do("REPLICAOF", "127.0.0.1", "1")
        await admitted(limiter)
        async with asyncio.timeout(patient(10)):
            while before in redis.connections():  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)
        redis.do("REPLICAOF", "NO", "ONE")
        await becomes(limiter, shared=True)


async def test_a_frozen_redis_is_left_alone(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        await admitted(limiter)
        with redis.frozen():
            await admitted(limiter)
            assert not limiter.is_shared
            assert together(limiter).problem == "no response in time"
        await becomes(limiter, shared=True)


async def test_what_a_frozen_redis_has_heard_of_takes_no_place_when_it_is_back(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        await ended(limiter, await admitted(limiter))
        with redis.frozen():
            hold = await admitted(limiter)
        await becomes(limiter, shared=True)
        assert redis.do("ZRANGE", "gateway:open:{alice}", 0, -1) == [hold.id.encode()]


async def test_without_redis_a_process_still_keeps_its_own_bounds(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        await admitted(limiter)
        redis.stop()
        await becomes(limiter, shared=False)
        await admitted(limiter)
        seen, _ = limiter.admit(PLAN)
        assert not seen.admitted


async def test_what_ends_while_redis_is_away_is_settled_when_it_is_back(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        hold = await admitted(limiter)
        await limiter.reserve(hold, [700])
        with redis.frozen():
            await becomes(limiter, shared=False)
            await ended(limiter, hold, used=40)
        await becomes(limiter, shared=True)
        assert await tokens_left(limiter) == 960


async def test_an_end_that_a_frozen_redis_has_heard_of_counts_once(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        hold = await admitted(limiter)
        await limiter.reserve(hold, [700])
        await ended(limiter, await admitted(limiter))  # the scripts are known
        with redis.frozen():
            await ended(limiter, hold, used=40)
        await becomes(limiter, shared=True)
        assert await tokens_left(limiter) == 960


async def test_an_end_that_redis_may_have_heard_of_counts_once_whether_it_has_or_not(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        hold = await admitted(limiter)
        await limiter.reserve(hold, [700])
        used = [Taken(one.rule, one.number, 40) for one in hold.shared]
        for _ in range(2):
            await together(limiter)._shared.settle("alice", used, hold.id, late=True, again=True)
            assert await tokens_left(limiter) == 960


@pytest.mark.usefixtures("within_a_minute")
async def test_what_begins_while_redis_is_away_counts_there_when_it_is_back(redis: RedisServer) -> None:
    limits = {"requests_per_day": 100, "requests_per_minute": 100, "tokens_per_day": 1000}
    plan = plan_of("alice", parse_limits(limits))
    async with process(redis) as limiter:
        await ended(limiter, await admitted(limiter, plan))
        with redis.frozen():
            await becomes(limiter, shared=False)
            for used in (40, 2):
                _, hold = await limiter.admit_shared(plan)
                assert hold is not None
                await limiter.reserve(hold, [700])
                await ended(limiter, hold, used=used)
            _, open_ = await limiter.admit_shared(plan)
            assert open_ is not None
            await limiter.reserve(open_, [100])
        await becomes(limiter, shared=True)
        await ended(limiter, open_, used=3)
        async with asyncio.timeout(patient(5)):
            while await tokens_left(limiter) != 955:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.05)
        found = await limiter.left(Principal(name="alice", id="alice"), parse_limits(limits))
        assert [one.left for one in found] == [96, 99, 955]


async def test_what_waits_to_be_asked_when_redis_falls_silent_counts_there_once(redis: RedisServer) -> None:
    plan = plan_of("alice", parse_limits({"requests_per_day": 100}))
    async with process(redis) as limiter:
        await admitted(limiter, plan)
        with redis.frozen():
            asking = [asyncio.create_task(limiter.admit_shared(plan))]  # it is on its way, and may be heard
            await asyncio.sleep(0.05)
            asking += [asyncio.create_task(limiter.admit_shared(plan)) for _ in range(5)]
            await asyncio.gather(*asking)
        await becomes(limiter, shared=True)
        seen, _ = await together(limiter)._shared.look("alice", plan.requests)
        assert seen.windows[0].left in (100 - 6, 100 - 7)


async def test_what_is_open_counts_in_a_redis_that_has_lost_everything(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        hold = await admitted(limiter)
        await limiter.reserve(hold, [700])
        await admitted(limiter)
        redis.stop()
        await becomes(limiter, shared=False)
        redis.start()
        await becomes(limiter, shared=True)
        assert await refuses(limiter)
        await ended(limiter, hold, used=40)
        assert await tokens_left(limiter) == 960


class Standing(System):
    """The clock of this machine, by which no time passes: nothing is renewed because it is time."""

    def monotonic(self) -> float:
        return 0.0


async def test_what_is_open_counts_again_in_a_redis_that_was_empty_for_a_moment(redis: RedisServer) -> None:
    """It restarts within the time between two looks, or another one takes its place."""
    async with process(redis, clock=Standing()) as limiter:
        holds = [await admitted(limiter), await admitted(limiter)]
        redis.do("FLUSHALL")
        async with asyncio.timeout(patient(5)):
            while redis.do("ZCARD", "gateway:open:{alice}") < len(holds):  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.05)
        assert limiter.is_shared
        assert await refuses(limiter)


async def test_a_caller_that_leaves_while_redis_thinks_holds_nothing(redis: RedisServer) -> None:
    async with process(redis) as limiter:
        await admitted(limiter)
        asking = asyncio.create_task(limiter.admit_shared(PLAN))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, *together(limiter)._tasks, return_exceptions=True)
        await asyncio.gather(*together(limiter)._tasks)
        await admitted(limiter)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("redis://h/0?ssl_cert_reqs=none", "has an unknown option: 'ssl_cert_reqs'"),
        ("rediss://h/0?ssl_cert_reqs=CERT_NONE", "Invalid SSL Certificate Requirements Flag: CERT_NONE"),
        ("redis://h/0?socket_timeout=soon", "Invalid value for 'socket_timeout' in connection URL."),
        ("redis://h/0?retry=3", "'str' object has no attribute 'update_supported_errors'"),
        ("redis://h/0?decode_responses=true", "decode_responses: data in Redis is binary"),
    ],
)
def test_an_address_of_which_no_connection_can_be_made_stops_the_start(address: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        create_app({"store": {"redis": address}})
    assert str(caught.value) == f"configuration: store.redis: {said}"

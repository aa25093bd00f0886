"""T12: whatever happens to two pools with one store, nobody is lent who must not be, turns are fair, leases end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from copy import deepcopy
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from gateway.adapters.account import Account
from gateway.adapters.pool import Lease
from gateway.config import LogConfig, PoolConfig
from gateway.logs import logger_of
from gateway.store.keeper import Keeper
from gateway.store.known import Change, Quota, StoredCredential
from gateway.store.states import TRANSITIONS, Event, State
from tests.adapters.pools import Hub, Member, pool_of
from tests.clocks import FakeClock
from tests.gateway.store.places import BOTH, Place
from tests.patience import patient
from tests.properties.examples import share
from tests.redis_server import RedisServer

_T = TypeVar("_T")
Shared = tuple[list[Keeper], Iterator[int] | None]  # and numbers for what is written to be waited for
Borrowed = tuple[Lease[Account], int]  # and from which pool
Make = Callable[[FakeClock], Coroutine[Any, Any, Shared]]

STRATEGIES: tuple[str, ...] = get_args(PoolConfig.__annotations__["strategy"])
EVENTS: tuple[Event, ...] = get_args(Event)
GIVEN, MOST = 4, 7
MODELS = st.sampled_from(["a", "b"])
POOLS = st.integers(0, 1)
PLACES = st.integers(0, MOST - 1)
SECONDS = st.integers(5, 100)
TRIAL_S = 300.0  # a suspect that was left alone for so long may prove that it works, although others serve


class Facts:
    """What a pool must have heard of, by the id of the credential."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.rests: dict[tuple[str, str], float] = {}
        self.low: dict[tuple[str, str], float] = {}

    def free(self, model: str, now: float) -> set[str]:
        rests = {
            id_ for table in (self.rests, self.low) for (id_, of), end in table.items() if of == model and end > now
        }
        return {id_ for id_, state in self.states.items() if state in ("active", "suspected")} - rests

    def active(self, ids: set[str]) -> set[str]:
        return {id_ for id_ in ids if self.states[id_] == "active"}


class PoolMachine(RuleBasedStateMachine):
    """Two pools, one use a turn, and a model of what each should know."""

    leases = Bundle("leases")

    def __init__(self, make: Make, strategy: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.keepers, self.numbers = self.runner.run(make(self.clock))
        self.pools = [
            pool_of(GIVEN, self.clock, keeper=keeper, strategy=strategy, uses_per_turn=1, quota_floor=0.1)
            for keeper in self.keepers
        ]
        self.strategy = strategy
        self.facts = [Facts(), Facts()]
        for facts in self.facts:
            facts.states = {one.id: "active" for one in self.pools[0].credentials}
        self.news: int | None = None  # the pool that knows something the other may not have heard
        self.lent = [0, 0]
        self.held: list[Lease[Account]] = []
        self.uses: list[dict[str, int]] = [{}, {}]  # since the last change of who may be lent
        self.touched: list[dict[str, float]] = [{}, {}]  # when a pool lent it last, or changed its state
        self.names = count()

    def run(self, work: Callable[[], _T]) -> _T:
        async def ran() -> _T:
            return work()

        return self.runner.run(ran())

    def heard(self, at: int) -> Facts:
        """Let everything be known to both but what a pool is about to learn."""
        if self.news not in (None, at):
            self.see()
        self.news = at
        self.uses = [{}, {}]
        return self.facts[at]

    def one(self, at: int, place: int) -> Account:
        return self.pools[at].credentials[place % len(self.pools[at].credentials)]

    # what happens

    @rule(target=leases, at=POOLS, model=MODELS, talk=st.integers(0, 3), times=st.integers(1, 6), seen=st.booleans())
    def borrow(self, at: int, model: str, talk: int, times: int, seen: bool) -> MultipleResults[Borrowed]:
        """Borrow so many times; `seen`: with all news known to both."""
        if seen and self.news is not None:
            self.see()
        borrowed = [self.borrow_one(at, model, talk) for _ in range(times)]
        return multiple(*((lease, at) for lease in borrowed if lease is not None))

    def borrow_one(self, at: int, model: str, talk: int) -> Lease[Account] | None:
        now = self.clock.monotonic()
        lease = self.run(lambda: self.pools[at].pick(model, session=lambda: bytes([talk]) * 32))
        free, other = (facts.free(model, now) for facts in (self.facts[at], self.facts[1 - at]))
        if lease is None:
            assert not (free & other)
            return None
        self.held.append(lease)
        id_ = lease.credential.id
        assert id_ in free | other  # the same, once both have heard of everything
        if "active" not in (self.facts[0].states.get(id_), self.facts[1].states.get(id_)):
            trial = now - self.touched[at].get(id_, -TRIAL_S) >= TRIAL_S
            assert trial or not (self.facts[at].active(free) & self.facts[1 - at].active(other))
        self.touched[at][id_] = now
        self.uses[at][id_] = self.uses[at].get(id_, 0) + 1
        self.lent[at] += 1
        return lease

    @rule(borrowed=leases)
    def give_back(self, borrowed: Borrowed) -> None:
        lease, at = borrowed
        before = self.pools[at].leases
        lease.release()
        lease.release()
        self.lent[at] -= before - self.pools[at].leases

    @rule(at=POOLS, place=PLACES, model=MODELS, seconds=SECONDS)
    def cool(self, at: int, place: int, model: str, seconds: int) -> None:
        facts, one = self.heard(at), self.one(at, place)
        self.run(lambda: self.pools[at].cool(one, model, seconds))
        until = self.clock.monotonic() + seconds
        facts.rests[one.id, model] = max(until, facts.rests.get((one.id, model), 0))

    @rule(at=POOLS, place=PLACES, model=MODELS, left=st.sampled_from([0.0, 0.1, 0.2]), seconds=SECONDS)
    def state_quota(self, at: int, place: int, model: str, left: float, seconds: int) -> None:
        facts, one, now = self.heard(at), self.one(at, place), self.clock.time()
        self.run(lambda: one.learn(Change(id=one.id, quota={model: Quota(left, now + seconds, now)})))
        facts.low[one.id, model] = self.clock.monotonic() + seconds if left <= 0.1 else 0.0

    @rule(at=POOLS, place=PLACES, event=st.sampled_from(EVENTS))
    def happen(self, at: int, place: int, event: Event) -> None:
        facts, one = self.heard(at), self.one(at, place)
        self.run(lambda: self.pools[at].happen(one, event, "why"))
        was = facts.states[one.id]
        facts.states[one.id] = TRANSITIONS[was].get(event, was)
        if facts.states[one.id] != was:
            self.touched[at][one.id] = self.clock.monotonic()

    @precondition(lambda self: len(self.facts[0].states) < MOST)
    @rule(at=POOLS)
    def log_in(self, at: int) -> None:
        facts, name = self.heard(at), f"login-{next(self.names)}"
        row = StoredCredential(id=name, source="login", refresh_token=name, added_at=self.clock.time())
        kept = self.runner.run(self.keepers[at].add(row))
        self.run(lambda: self.pools[at].take(kept))
        facts.states[name] = "active"

    @rule(at=POOLS, place=PLACES)
    def remove(self, at: int, place: int) -> None:
        facts, one = self.heard(at), self.one(at, place)
        if not self.pools[at].gives(one.id):
            self.runner.run(self.keepers[at].remove(one.id))
            self.run(lambda: self.pools[at].take(replace(one.row, removed=True)))
            del facts.states[one.id]

    @rule()
    def see(self) -> None:
        """Let each pool see what the other wrote."""
        for pool in self.pools:
            self.run(pool.catch_up)
        if self.news is not None:
            if self.numbers is not None:
                self.runner.run(self.told(self.news, f"mark-{next(self.numbers)}"))
            self.facts[1 - self.news] = deepcopy(self.facts[self.news])
            self.news, self.uses = None, [{}, {}]

    async def told(self, at: int, mark: str) -> None:
        """Wait until the other pool has heard of all that one has learnt: the mark is written last."""
        await self.keepers[at].now(Change(id=mark, uses=1))
        async with asyncio.timeout(patient(10)):
            while True:
                rows = self.keepers[1 - at].fresh()
                for row in rows:
                    self.pools[1 - at].take(row)
                if any(row.id == mark for row in rows):
                    return
                await asyncio.sleep(0.002)

    @rule(seconds=st.sampled_from([1.0, 50.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.runner.run(self.clock.advance(seconds))
        self.uses = [{}, {}]

    # what must hold

    @invariant()
    def leases_are_counted(self) -> None:
        assert [pool.leases for pool in self.pools] == self.lent

    @invariant()
    def turns_are_fair(self) -> None:
        """While the same credentials can serve every model, no turn is ahead of another by more than one."""
        if self.strategy != "round_robin" or self.news is not None:
            return
        now = self.clock.monotonic()
        for facts, uses in zip(self.facts, self.uses, strict=True):
            free, other = (facts.active(facts.free(model, now)) for model in ("a", "b"))
            if free and free == other:
                counts = [uses.get(id_, 0) for id_ in free]
                assert max(counts) - min(counts) <= 1

    @invariant()
    def a_shortage_is_told_exactly_when_there_is_one(self) -> None:
        if self.news is None:
            for pool, facts in zip(self.pools, self.facts, strict=True):
                for model in ("a", "b"):
                    assert (pool.shortage(model) is None) == bool(facts.free(model, self.clock.monotonic()))

    def teardown(self) -> None:
        for lease in self.held:
            lease.release()
        assert [pool.leases for pool in self.pools] == [0, 0]
        assert not any(lease.credential.open for lease in self.held)
        for keeper in self.keepers:
            self.runner.run(keeper.close())
        self.runner.close()


async def in_memory(clock: FakeClock) -> Shared:
    """Make two keepers that hand each other what they write."""
    hub = Hub(clock)
    return [Member(hub), Member(hub)], None


async def in_store(place: Place, redis: str, numbers: Iterator[int], clock: FakeClock) -> Shared:
    """Make two keepers of an upstream that is new in the store, each with connections of its own."""
    upstream, logger = f"upstream-{next(numbers)}", logger_of(LogConfig(level="error"))
    keepers = [Keeper(place.store(), upstream, logger, clock, redis=redis) for _ in range(2)]
    for keeper in keepers:
        await asyncio.to_thread(keeper.load)
        await keeper.start()
    return keepers, numbers


def run(make: Make, strategy: str, part: float, steps: int) -> None:
    class Machine(PoolMachine):
        def __init__(self) -> None:
            super().__init__(make, strategy)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=share(part), stateful_step_count=steps, deadline=None)
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_t12_pools_in_memory(strategy: str) -> None:
    run(in_memory, strategy, 0.5, 40)


@pytest.mark.parametrize("strategy", ["round_robin", "sticky"])
def test_t12_pools_that_share_a_file(tmp_path: Path, strategy: str) -> None:
    place = Place(tmp_path)
    run(partial(in_store, place, "", count()), strategy, 0.025, 30)
    place.close()


def test_t12_pools_that_share_a_database(tmp_path: Path, postgres_url: str) -> None:
    """What another one wrote is seen within a second, so this takes some."""
    place = Place(tmp_path, postgres_url)
    run(partial(in_store, place, "", count()), "round_robin", 0.015, 20)
    place.close()


@pytest.mark.parametrize("kind", BOTH)
def test_t12_pools_that_share_a_store_and_redis(
    kind: str, tmp_path: Path, redis: RedisServer, request: pytest.FixtureRequest
) -> None:
    place = Place(tmp_path, request.getfixturevalue("postgres_url") if kind == "postgres" else "")
    run(partial(in_store, place, redis.url, count()), "round_robin", 0.015, 30)
    place.close()

"""T11: no schedule gets more than a limit, and this process and Redis decide alike."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from gateway.config import Limit, parse_limits
from gateway.costs import BILLION
from gateway.plans import Plan, plan_of
from gateway.store.own_limits import OwnLimits
from gateway.store.shared_limits import SharedLimits
from gateway.store.windows import SECOND, Rule, Seen, Taken, Window, place_of
from tests.clocks import FakeClock
from tests.properties.examples import EXAMPLES, share
from tests.redis_server import RedisServer

NAMES = (f"name-{number}" for number in count())
WINDOWS = ("second", "minute", "hour", "day", "month")


class Ask(Struct, frozen=True):
    """A request that comes after a pause, may need so much, uses so much, and stays for so many others."""

    pause: float
    need: int
    used: int
    stays: int


asks = st.builds(
    Ask,
    pause=st.one_of(st.just(0.0), st.floats(0, 2), st.floats(0, 120), st.floats(0, 90_000), st.floats(0, 3e6)),
    need=st.integers(0, 60),
    used=st.integers(0, 60),
    stays=st.integers(0, 3),
)
limits = st.builds(
    lambda requests, tokens, money, at_once: [*requests, *tokens, *money, *at_once],
    st.lists(st.builds(Limit, st.just("requests"), st.integers(0, 6), st.sampled_from(WINDOWS)), max_size=2),
    st.lists(st.builds(Limit, st.just("tokens"), st.integers(0, 100), st.sampled_from(WINDOWS)), max_size=2),
    st.lists(st.builds(Limit, st.just("usd"), st.floats(0, 100), st.sampled_from(WINDOWS)), max_size=1),
    st.lists(st.builds(Limit, st.just("concurrent"), st.integers(0, 3), st.none()), max_size=1),
)


class Open(Struct):
    """A request that was let in, in both places."""

    id: str
    own: Seen | None
    shared: Seen | None
    used: int
    left: int


class Pair:
    """Both places, asked the same at the same moment; `taken`: what was given in each window of a rule."""

    def __init__(self, plan: Plan, url: str) -> None:
        self.clock = FakeClock()
        self.plan = plan
        self.own = OwnLimits(self.clock)
        self.shared = SharedLimits(url, now=lambda: int(self.clock.time() * SECOND), lease_s=1e9)
        self.open: list[Open] = []
        self.taken = defaultdict[tuple[str, int], int](int)

    async def ask(self, asked: Ask) -> None:
        self.clock.wall += asked.pause
        who, plan, id_ = self.plan.who, self.plan, next(NAMES)
        own = self.own.admit(who, plan.requests, plan.at_once)
        shared = await self.shared.admit(who, plan.requests, plan.at_once, id_)
        assert bare(own) == bare(shared)
        if not own.admitted:
            return
        self.note(plan.requests, [1] * len(plan.requests))
        request = Open(id_, None, None, asked.used, asked.stays)
        self.open.append(request)
        assert plan.at_once is None or len(self.open) <= plan.at_once
        if plan.amounts:
            needs = [scaled(asked.need, rule) for rule in plan.amounts]
            mine = self.own.reserve(who, plan.amounts, needs)
            theirs = await self.shared.reserve(who, plan.amounts, needs, id_)
            assert bare(mine) == bare(theirs)
            if mine.admitted:
                request.own, request.shared = mine, theirs
                assert all(one.amount <= one.rule.amount for one in mine.taken)
                stands = zip(mine.windows, mine.taken, needs, strict=True)
                assert all(one.amount == need or not window.left for window, one, need in stands)

    async def end_some(self) -> None:
        for request in self.open:
            request.left -= 1
        for request in [one for one in self.open if one.left < 0]:
            self.open.remove(request)
            amounts = self.plan.amounts
            used = [scaled(request.used, rule) for rule in amounts]
            if request.own is not None:
                self.own.settle(self.plan.who, request.own.taken, used)
            self.own.leave(self.plan.who)
            taken = request.shared.taken if request.shared is not None else ()
            ended = [Taken(one.rule, one.number, scaled(request.used, one.rule)) for one in taken]
            await self.shared.settle(self.plan.who, ended, request.id)
        rules = (*self.plan.requests, *self.plan.amounts)
        seen, opened = await self.shared.look(self.plan.who, rules)
        assert [*map(row, self.own.look(rules))] == [*map(row, seen.windows)]
        assert opened == len(self.open)

    def note(self, rules: Sequence[Rule], amounts: Sequence[int]) -> None:
        for rule, amount in zip(rules, amounts, strict=True):
            number, _, _ = place_of(rule.seconds, int(self.clock.time() * SECOND))
            self.taken[rule.key, number] += amount
            assert self.taken[rule.key, number] <= rule.amount


def scaled(amount: int, rule: Rule) -> int:
    return amount * BILLION + 1 if rule.is_money else amount


def bare(seen: Seen) -> object:
    taken = [(one.number, one.amount) for one in seen.taken] if seen.admitted else []
    return seen.admitted, seen.others, [*map(row, seen.windows)], [one for one in taken if one[1]]


def row(window: Window) -> tuple[int, ...]:
    counted = window.counted
    return counted.number, counted.previous, counted.current, window.remains_us, counted.fades_us, window.left


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with closing(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        server.start()
        yield server.url


@settings(EXAMPLES, max_examples=share(0.75), suppress_health_check=[*HealthCheck])
@given(st.lists(asks, max_size=25), limits)
def test_t11_no_schedule_gets_more_and_both_places_decide_alike(
    url: str, schedule: list[Ask], limits: list[Limit]
) -> None:
    async def run() -> None:
        pair = Pair(plan_of(next(NAMES), limits), url)
        pair.shared.start()
        try:
            for asked in schedule:
                await pair.ask(asked)
                await pair.end_some()
        finally:
            await pair.shared.stop()

    anyio.run(run)


@pytest.mark.parametrize("window", WINDOWS)
def test_a_clock_that_is_set_back_for_long_holds_up_both_alike_and_not_for_as_long(url: str, window: str) -> None:
    async def run() -> None:
        pair = Pair(plan_of(next(NAMES), parse_limits({f"requests_per_{window}": 2, f"tokens_per_{window}": 50})), url)
        pair.shared.start()
        try:
            for pause in (0.0, 0.0, 0.0, -300 * 86_400.0, 0.0, *[40 * 86_400.0] * 3):
                pair.taken.clear()
                await pair.ask(Ask(pause, 20, 20, 0))
                await pair.end_some()
            (rule, *_) = pair.plan.requests
            assert pair.own.look([rule])[0].left == 1
        finally:
            await pair.shared.stop()

    anyio.run(run)

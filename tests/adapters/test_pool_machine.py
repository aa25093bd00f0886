"""Whatever happens to a pool: no resting or disabled credential is lent, turns are fair, every lease ends."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from gateway.adapters.account import Account
from gateway.adapters.pool import Lease
from tests.adapters.pools import pool_of
from tests.clocks import FakeClock

MODELS = st.sampled_from(["a", "b"])
PLACES = st.integers(0, 3)
SECONDS = st.floats(5, 100)


class PoolMachine(RuleBasedStateMachine):
    """A pool of four, one use a turn, and a model of what it should know."""

    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.pool = pool_of(4, self.clock, uses_per_turn=1)
        self.resting: dict[tuple[int, str], float] = {}
        self.out: set[int] = set()
        self.lent = 0
        self.uses = [0] * 4  # since the last change of who may be lent

    def free(self, model: str) -> set[int]:
        now = self.clock.monotonic()
        return {place for place in range(4) if place not in self.out and self.resting.get((place, model), 0) <= now}

    def forget_uses(self) -> None:
        self.uses = [0] * 4

    @rule(target=leases, model=MODELS)
    def borrow(self, model: str) -> object:
        free = self.free(model)
        lease = self.pool.pick(model)
        if lease is None:
            assert not free
            return multiple()
        place = self.pool.credentials.index(lease.credential)
        assert place in free
        self.uses[place] += 1
        self.lent += 1
        return lease

    @rule(lease=leases)
    def give_back(self, lease: Lease[Account]) -> None:
        before = self.pool.leases
        lease.release()
        lease.release()
        self.lent -= before - self.pool.leases

    @rule(place=PLACES, model=MODELS, seconds=SECONDS)
    def cool(self, place: int, model: str, seconds: float) -> None:
        self.pool.cool(self.pool.credentials[place], model, seconds)
        until = self.clock.monotonic() + seconds
        self.resting[place, model] = max(until, self.resting.get((place, model), 0))
        self.forget_uses()

    @precondition(lambda self: len(self.out) < 3)
    @rule(place=PLACES)
    def disable(self, place: int) -> None:
        self.pool.disable(self.pool.credentials[place], "invalid_grant")
        self.out.add(place)
        self.forget_uses()

    @precondition(lambda self: len(self.out) < 3)
    @rule(place=PLACES)
    def verify(self, place: int) -> None:
        self.pool.need_verification(self.pool.credentials[place], None)
        self.out.add(place)
        self.forget_uses()

    @rule(seconds=st.sampled_from([1.0, 50.0, 200.0]))
    def wait(self, seconds: float) -> None:
        asyncio.run(self.clock.advance(seconds))
        self.forget_uses()

    @invariant()
    def leases_are_counted(self) -> None:
        assert self.pool.leases == self.lent

    @invariant()
    def turns_are_fair(self) -> None:
        """While every usable credential can serve every model, no turn is ahead of another by more than one."""
        if self.free("a") == self.free("b"):
            usable = [self.uses[place] for place in self.free("a")]
            assert not usable or max(usable) - min(usable) <= 1

    @invariant()
    def a_shortage_is_told_exactly_when_there_is_one(self) -> None:
        for model in ("a", "b"):
            assert (self.pool.shortage(model) is None) == bool(self.free(model))


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_pool_machine = PoolMachine.TestCase

"""Which of several credentials a strategy gives, and that all of them respect what keeps one from serving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import get_args

import pytest

from gateway.adapters.account import Account
from gateway.adapters.pool import Lease, Pool
from gateway.config import PoolConfig
from gateway.store.known import Change, Quota
from tests.adapters.pools import pool_of, verification
from tests.clocks import FakeClock

M = "gemini-3-flash"
STRATEGIES = get_args(PoolConfig.__annotations__["strategy"])


def talk(number: int) -> Callable[[], bytes]:
    """Give the id of a conversation."""
    return lambda: sha256(str(number).encode()).digest()


def lent(pool: Pool[Account], number: int = 0, model: str = M) -> Lease[Account]:
    lease = pool.pick(model, session=talk(number))
    assert lease is not None
    return lease


def place(pool: Pool[Account], number: int = 0, model: str = M) -> int:
    """Borrow for a conversation, give it back, and say which one it was."""
    lease = lent(pool, number, model)
    lease.release()
    return pool.credentials.index(lease.credential)


def fill(pool: Pool[Account], place: int, left: float) -> None:
    """Say how much is left."""
    one, now = pool.credentials[place], FakeClock().time()
    one.learn(Change(id=one.id, quota={M: Quota(left, now + 3600, now)}))


def home(pool: Pool[Account], number: int) -> str:
    return pool.credentials[place(pool, number)].id


def test_every_strategy_of_the_configuration_is_there() -> None:
    assert set(STRATEGIES) == {"round_robin", "sticky", "fill_first", "least_used", "quota"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_respects_states_rests_floors_and_those_already_tried(strategy: str) -> None:
    pool = pool_of(7, FakeClock(), strategy=strategy, quota_floor=0.1)
    for number in range(20):
        place(pool, number)  # whoever's turn it is, it may be one of those
    pool.disable(pool.credentials[0], "refused")
    pool.need_verification(pool.credentials[1], verification())
    pool.cool(pool.credentials[2], M, 60)
    fill(pool, 3, 0.05)
    pool.happen(pool.credentials[4], "probe_failed", "500")
    tried = {pool.credentials[5].id}
    for number in range(20):
        lease = pool.pick(M, besides=tried, session=talk(number))
        assert lease is not None
        assert pool.credentials.index(lease.credential) == 6
        lease.release()
    pool.cool(pool.credentials[6], M, 60)
    lease = pool.pick(M, besides=tried, session=talk(0))
    assert lease is not None
    assert pool.credentials.index(lease.credential) == 4  # suspected: the last resort


# sticky


def test_a_conversation_stays_with_its_credential() -> None:
    pool = pool_of(10, FakeClock(), strategy="sticky")
    assert all(len({place(pool, number) for _ in range(5)}) == 1 for number in range(50))


def test_conversations_spread_over_all_credentials() -> None:
    pool = pool_of(10, FakeClock(), strategy="sticky")
    homes = Counter(place(pool, number) for number in range(2000))
    assert min(homes.values()) > 150
    assert max(homes.values()) < 250


def test_all_processes_agree_without_asking_each_other() -> None:
    pools = [pool_of(10, FakeClock(), strategy="sticky") for _ in range(3)]
    for number in range(30):
        place(pools[1], number + 1000)  # what one has served is nothing to the others
    assert all(len({home(pool, number) for pool in pools}) == 1 for number in range(50))


def test_where_a_conversation_goes_does_not_change_with_a_release() -> None:
    """Computed from the definition alone; whoever changes it moves every conversation once."""
    pool = pool_of(10, FakeClock(), strategy="sticky")
    assert [place(pool, number) for number in range(8)] == [3, 6, 3, 6, 1, 7, 2, 9]


def test_removing_one_of_ten_moves_only_its_own_conversations() -> None:
    whole = pool_of(10, FakeClock(), strategy="sticky")
    homes = {number: home(whole, number) for number in range(500)}
    gone = whole.credentials[3]
    whole.disable(gone, "refused")
    moved = {number for number in homes if home(whole, number) != homes[number]}
    assert moved == {number for number, where in homes.items() if where == gone.id}
    assert len({home(whole, number) for number in moved}) > 3  # and not all to the same one


def test_a_conversation_returns_when_its_credential_does() -> None:
    pool = pool_of(10, FakeClock(), strategy="sticky")
    first = place(pool, 1)
    pool.disable(pool.credentials[first], "refused")
    assert place(pool, 1) != first
    pool.happen(pool.credentials[first], "enabled")
    assert place(pool, 1) == first


def test_one_with_more_than_its_share_passes_conversations_on_to_the_next_in_order() -> None:
    pool = pool_of(4, FakeClock(), strategy="sticky")
    leases = [lent(pool, 1) for _ in range(40)]
    held = sorted(Counter(lease.credential.id for lease in leases).values())
    assert sum(held) == 40
    assert max(held) <= 40 * 1.25 / 4 + 1
    assert leases[0].credential is leases[3].credential  # several questions of one conversation are no load
    for lease in leases:
        lease.release()
    assert lent(pool, 1).credential is leases[0].credential


def test_what_belongs_to_no_conversation_goes_by_turns() -> None:
    pool = pool_of(3, FakeClock(), strategy="sticky")
    picked = [pool.pick(M) for _ in range(6)]
    assert Counter(pool.credentials.index(one.credential) for one in picked if one) == {0: 2, 1: 2, 2: 2}


# the others


def test_fill_first_uses_the_next_one_only_while_the_first_cannot() -> None:
    pool = pool_of(3, FakeClock(), strategy="fill_first")
    assert [place(pool) for _ in range(3)] == [0, 0, 0]
    pool.cool(pool.credentials[0], M, 60)
    assert [place(pool), place(pool, model="other")] == [1, 0]


@pytest.mark.anyio
async def test_fill_first_goes_back_to_the_first() -> None:
    clock = FakeClock()
    pool = pool_of(2, clock, strategy="fill_first")
    pool.cool(pool.credentials[0], M, 60)
    assert place(pool) == 1
    await clock.advance(60)
    assert place(pool) == 0


def test_least_used_gives_the_one_with_the_fewest_open() -> None:
    pool = pool_of(3, FakeClock(), strategy="least_used")
    first, second = lent(pool), lent(pool)
    assert {first.credential, second.credential} == set(pool.credentials[:2])
    assert place(pool) == 2
    first.release()
    assert pool.credentials[place(pool)] in (first.credential, pool.credentials[2])


def test_least_used_gives_each_as_many_when_none_is_busy() -> None:
    pool = pool_of(3, FakeClock(), strategy="least_used")
    assert Counter(place(pool) for _ in range(30)) == {0: 10, 1: 10, 2: 10}


def test_least_used_does_not_drown_one_that_was_away() -> None:
    pool = pool_of(3, FakeClock(), strategy="least_used")
    pool.cool(pool.credentials[2], M, 60)
    for _ in range(30):
        place(pool)
    assert Counter(place(pool, model="other") for _ in range(9)) == {0: 3, 1: 3, 2: 3}


@pytest.mark.anyio
@pytest.mark.parametrize(("away_s", "shares"), [(60, {0: 6, 1: 6, 2: 6, 3: 6}), (120, {0: 8, 1: 8, 2: 8})])
async def test_least_used_does_not_drown_one_of_several_that_were_away(away_s: float, shares: dict[int, int]) -> None:
    clock = FakeClock()
    pool = pool_of(4, clock, strategy="least_used")
    for _ in range(4):
        place(pool)
    pool.cool(pool.credentials[2], M, 60)
    pool.cool(pool.credentials[3], M, away_s)
    for _ in range(30):
        place(pool)
    await clock.advance(60)
    assert Counter(place(pool) for _ in range(24)) == shares


def test_quota_gives_the_one_with_most_left_for_the_model() -> None:
    pool = pool_of(3, FakeClock(), strategy="quota")
    for number, left in enumerate((0.3, 0.8, 0.5)):
        fill(pool, number, left)
    assert [place(pool) for _ in range(3)] == [1, 1, 1]
    fill(pool, 1, 0.4)
    assert place(pool) == 2


def test_quota_takes_turns_where_nothing_is_known() -> None:
    pool = pool_of(3, FakeClock(), strategy="quota")
    for number, left in enumerate((0.3, 0.8, 0.5)):
        fill(pool, number, left)
    assert [place(pool, model="other") for _ in range(4)] == [0, 1, 2, 0]

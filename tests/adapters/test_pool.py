"""Which credential is lent, how long it rests, and what is told when none is left."""

import math

import pytest

from gateway.adapters.account import Account
from gateway.adapters.pool import Lease, Pool
from gateway.config import CooldownConfig, OAuthConfig
from gateway.errors import NoCredential, UpstreamRateLimited
from tests.adapters.pools import Notes, pool_of
from tests.clocks import FakeClock

M = "gemini-3-flash"


def turns(pool: Pool[Account], count: int, model: str = M) -> list[int]:
    """Borrow so many times, and give the places of the credentials."""
    return [pool.credentials.index(borrowed(pool, model).credential) for _ in range(count)]


def borrowed(pool: Pool[Account], model: str = M) -> Lease[Account]:
    lease = pool.pick(model)
    assert lease is not None
    lease.release()
    return lease


def test_a_credential_serves_three_requests_before_the_next_one_takes_over() -> None:
    assert turns(pool_of(3, FakeClock()), 11) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0]


def test_with_one_use_a_turn_the_credentials_alternate() -> None:
    assert turns(pool_of(3, FakeClock(), uses_per_turn=1), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_a_resting_credential_is_passed_over_for_that_model_only() -> None:
    pool = pool_of(2, FakeClock(), uses_per_turn=1)
    pool.cool(pool.credentials[0], M, 60)
    assert turns(pool, 3) == [1, 1, 1]
    assert turns(pool, 2, "claude-sonnet-4-5") == [0, 1]


@pytest.mark.anyio
async def test_a_rested_credential_takes_one_turn_and_no_more() -> None:
    clock = FakeClock()
    pool = pool_of(2, clock, uses_per_turn=1)
    pool.cool(pool.credentials[0], M, 60)
    assert turns(pool, 4) == [1, 1, 1, 1]
    await clock.advance(60)
    assert turns(pool, 4) == [0, 1, 0, 1]


def test_mixed_models_starve_no_credential() -> None:
    pool = pool_of(3, FakeClock(), uses_per_turn=1)
    pool.cool(pool.credentials[0], M, 60)
    others = [turns(pool, 1, model) for model in (M, "other") * 6][1::2]
    assert {place for (place,) in others} == {0, 1, 2}


def test_what_is_disabled_or_to_be_verified_is_not_lent() -> None:
    pool = pool_of(3, FakeClock())
    pool.disable(pool.credentials[0], "invalid_grant: gone")
    pool.need_verification(pool.credentials[1], "https://example.invalid/verify")
    assert turns(pool, 5) == [2] * 5


def test_those_already_tried_are_not_lent_again() -> None:
    pool = pool_of(2, FakeClock())
    lease = pool.pick(M, besides={pool.credentials[0].id})
    assert lease is not None
    assert lease.credential is pool.credentials[1]
    assert pool.pick(M, besides={one.id for one in pool.credentials}) is None


def test_leases_are_counted_and_given_back_once() -> None:
    pool = pool_of(1, FakeClock())
    first, second = pool.pick(M), pool.pick(M)
    assert first is not None
    assert second is not None
    assert pool.leases == 2
    first.release()
    first.release()
    assert pool.leases == 1


@pytest.mark.parametrize(
    ("wait_s", "at_most_s", "rests_s"),
    [(None, math.inf, 60), (1, math.inf, 5), (900, math.inf, 900), (100_000, math.inf, 1000), (None, 30, 30)],
)
def test_a_cool_down_keeps_its_bounds(wait_s: float | None, at_most_s: float, rests_s: float) -> None:
    pool = pool_of(1, FakeClock(), cooldown=CooldownConfig(min=5, max=1000, unknown=60))
    pool.cool(pool.credentials[0], M, wait_s, at_most_s=at_most_s)
    assert pool.rest_s(M) == rests_s


def test_a_shorter_cool_down_does_not_end_a_longer_one() -> None:
    pool = pool_of(1, FakeClock())
    pool.cool(pool.credentials[0], M, 600)
    pool.cool(pool.credentials[0], M, 10)
    assert pool.rest_s(M) == 600


def test_the_shortest_rest_is_what_a_caller_waits_for() -> None:
    pool = pool_of(3, FakeClock())
    for credential, wait_s in zip(pool.credentials, (300, 41, 7000), strict=True):
        pool.cool(credential, M, wait_s)
    shortage = pool.shortage(M)
    assert isinstance(shortage, UpstreamRateLimited)
    assert shortage.retry_after == 41
    assert shortage.message == "3 of 3 credentials cool down for gemini-3-flash, next in 41 s"


def test_a_pool_of_which_all_are_disabled_has_no_credential() -> None:
    pool = pool_of(3, FakeClock())
    for credential, reason in zip(pool.credentials[:2], ("invalid_grant: a", "invalid_grant: b"), strict=True):
        pool.disable(credential, reason)
    pool.need_verification(pool.credentials[2], "https://accounts.example.invalid/?fake=1")
    shortage = pool.shortage(M)
    assert isinstance(shortage, NoCredential)
    assert shortage.message == (
        "upstream google has no usable credential: 2 disabled: invalid_grant, 1 must be verified by the owner; "
        "this gateway's operator must act"
    )
    assert not pool.usable


def test_an_empty_pool_says_what_to_set() -> None:
    pool = pool_of(0, FakeClock())
    assert pool.pick(M) is None
    assert isinstance(pool.shortage(M), NoCredential)
    assert pool.state() == "no credential: set upstream.google.pool.refresh_tokens or pool.import"


def test_a_pool_without_oauth_client_says_what_to_set() -> None:
    pool = pool_of(1, FakeClock(), oauth=OAuthConfig())
    assert pool.state() == "no OAuth client: set upstream.google.oauth"
    assert pool.pick(M) is None
    assert isinstance(pool.shortage(M), NoCredential)


def test_no_shortage_is_told_while_one_is_free() -> None:
    pool = pool_of(2, FakeClock())
    pool.cool(pool.credentials[0], M, 60)
    assert pool.shortage(M) is None


def test_what_changes_is_kept() -> None:
    notes = Notes()
    pool = pool_of(2, FakeClock(), keeper=notes)
    pool.cool(pool.credentials[0], M, 60)
    pool.disable(pool.credentials[0], "x")
    pool.disable(pool.credentials[0], "again")
    assert notes.kept == ["active", "disabled"]

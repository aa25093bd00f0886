"""Which credential is lent, how long it rests, and what is told when none is left."""

import json
import math

import pytest
from msgspec.structs import replace

from gateway.adapters.account import Account
from gateway.adapters.pool import Lease, Pool
from gateway.config import CooldownConfig, OAuthConfig
from gateway.errors import NoCredential, UpstreamRateLimited, UpstreamUnavailable
from gateway.store.known import Change, Quota, StoredCredential
from tests.adapters.pools import Notes, pool_of, verification
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
async def test_the_last_error_of_a_credential_is_the_newest() -> None:
    clock = FakeClock()
    pool = pool_of(1, clock)
    (one,) = pool.credentials
    one.happen("probe_failed", "models: 500")
    await clock.advance(5)
    pool.cool(one, M, 60, error=UpstreamRateLimited("used up"))
    assert one.view("google").last_error == "used up"


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
    pool.need_verification(pool.credentials[1], verification("https://example.invalid/verify"))
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
    assert shortage.message == "3 credentials: 3 cooling until 08:01 UTC"


def test_why_they_cool_is_told_each_reason_once_and_in_short() -> None:
    pool = pool_of(7, FakeClock())
    for credential, words in zip(pool.credentials, ("one", "two", "one", "x" * 500, "four", "five", ""), strict=True):
        pool.cool(credential, M, 60, error=UpstreamRateLimited(words))
    pool.cool(pool.credentials[0], "another", 60, error=UpstreamRateLimited("of another model"))
    pool.happen(pool.credentials[1], "probe_failed", "models: 500")
    shortage = pool.shortage(M)
    assert shortage is not None
    assert shortage.message == f"7 credentials: 7 cooling until 08:01 UTC; one; two; {'x' * 299}…; …"
    assert shortage.code == "rate_limit_exceeded"


@pytest.mark.anyio
async def test_why_one_cooled_is_forgotten_with_its_rest() -> None:
    clock = FakeClock()
    pool = pool_of(1, clock)
    pool.cool(pool.credentials[0], M, 60, error=UpstreamRateLimited("first"))
    await clock.advance(61)
    pool.cool(pool.credentials[0], M, 60)
    shortage = pool.shortage(M)
    assert shortage is not None
    assert shortage.message == "1 credential: 1 cooling until 08:03 UTC"


def test_what_less_is_left_of_than_shall_be_kept_has_no_words_of_the_upstream() -> None:
    clock = FakeClock()
    pool = pool_of(1, clock, quota_floor=0.1)
    (one,) = pool.credentials
    pool.happen(one, "probe_failed", "models: 500")
    one.learn(Change(id=one.id, quota={M: Quota(0.05, clock.time() + 60, clock.time())}))
    shortage = pool.shortage(M)
    assert shortage is not None
    assert shortage.message == "1 credential: 1 cooling until 08:01 UTC"


def test_the_code_of_a_used_up_quota_stays_where_it_keeps_all() -> None:
    pool = pool_of(3, FakeClock())
    for credential in pool.credentials[:2]:
        pool.cool(credential, M, 60, error=UpstreamRateLimited("no money", code="insufficient_quota"))
    pool.happen(pool.credentials[2], "stopped")
    shortage = pool.shortage(M)
    assert shortage is not None
    assert (shortage.code, shortage.status) == ("insufficient_quota", 429)
    assert shortage.message.endswith(", 1 disabled; insufficient_quota: no money")
    pool.happen(pool.credentials[2], "enabled")
    pool.cool(pool.credentials[2], M, 60, error=UpstreamRateLimited("too fast"))
    shortage = pool.shortage(M)
    assert shortage is not None
    assert shortage.code == "rate_limit_exceeded"


@pytest.mark.anyio
@pytest.mark.parametrize("heard_first", [False, True])
async def test_another_process_knows_why_one_cools(heard_first: bool) -> None:
    clock = FakeClock()
    here, there = pool_of(1, clock), pool_of(1, clock)
    here.happen(here.credentials[0], "probe_failed", "models: 500")
    there.take(here.credentials[0].row)
    await clock.advance(1)
    here.cool(here.credentials[0], M, 60, error=UpstreamRateLimited("no money", code="insufficient_quota"))
    row = here.credentials[0].row
    if heard_first:  # over Redis, without words
        there.take(replace(there.credentials[0].row, cooling=row.cooling))
    there.take(row)
    shortage = there.shortage(M)
    assert shortage is not None
    assert (shortage.message.partition("; ")[2], shortage.code) == (
        "insufficient_quota: no money",
        "insufficient_quota",
    )


def test_why_one_cools_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    pool = pool_of(1, FakeClock(), level="debug")
    pool.cool(pool.credentials[0], M, 60, error=UpstreamRateLimited("too fast"))
    (line,) = capfd.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "a credential cools down"
    assert json.loads(line)["reason"] == "too fast"


def test_a_pool_of_which_all_are_disabled_has_no_credential() -> None:
    pool = pool_of(3, FakeClock())
    for credential, reason in zip(pool.credentials[:2], ("invalid_grant: a", "invalid_grant: b"), strict=True):
        pool.disable(credential, reason)
    pool.need_verification(pool.credentials[2], verification("https://accounts.example.invalid/?fake=1"))
    shortage = pool.shortage(M)
    assert isinstance(shortage, NoCredential)
    assert shortage.message == "3 credentials: 1 needs verification, 2 disabled; the operator of this gateway must act"
    assert pool.state() == "no credential: 2 disabled: invalid_grant, 1 must be verified by the owner"
    assert not pool.usable


def test_an_empty_pool_of_a_store_that_fails_asks_for_no_login() -> None:
    """It may hold accounts, and a new one could not be written there."""
    keeper = Notes()
    keeper.fails = True
    pool = pool_of(0, FakeClock(), keeper=keeper)
    assert pool.state() == "no credential: the credential store fails; the gateway's log says why"
    keeper.fails = False
    assert pool.state() == "no credential: gateway login --upstream google adds an account"


def test_an_empty_pool_says_what_to_set() -> None:
    pool = pool_of(0, FakeClock())
    assert pool.pick(M) is None
    assert pool.state() == "no credential: gateway login --upstream google adds an account"
    shortage = pool.shortage(M)
    assert isinstance(shortage, NoCredential)
    assert shortage.message == f"upstream google: {pool.state()}; the operator of this gateway must act"


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
    cooled, disabled = notes.kept
    assert cooled.cooling == {M: pool.credentials[0].cooling[M]}
    assert [happening.event for happening in disabled.events] == ["refused"]


def suspect(pool: Pool[Account], *places: int) -> None:
    for place in places:
        pool.happen(pool.credentials[place], "probe_failed", "models: 500")


def test_what_is_suspected_serves_only_when_no_other_can() -> None:
    pool = pool_of(3, FakeClock(), uses_per_turn=1)
    suspect(pool, 0, 1)
    assert turns(pool, 3) == [2, 2, 2]
    pool.cool(pool.credentials[2], M, 60)
    assert set(turns(pool, 4)) == {0, 1}


@pytest.mark.anyio
async def test_a_suspect_may_prove_once_in_a_while_that_it_works_again() -> None:
    """Nobody else may ever ask it: checks can be off, and a busy pool makes none."""
    clock = FakeClock()
    pool = pool_of(2, clock, uses_per_turn=1)
    suspect(pool, 0)
    for _ in range(2):
        await clock.advance(299)
        assert turns(pool, 3) == [1, 1, 1]
        await clock.advance(1)
        assert turns(pool, 3) == [0, 1, 1]
    pool.served(pool.credentials[0])
    assert sorted(turns(pool, 4)) == [0, 0, 1, 1]


def test_a_turn_ends_when_its_credential_becomes_a_suspect() -> None:
    pool = pool_of(2, FakeClock(), uses_per_turn=9)
    assert turns(pool, 1) == [0]
    suspect(pool, 0)
    assert turns(pool, 2) == [1, 1]


def test_the_truth_names_every_kind_of_rest_and_the_earliest_end() -> None:
    pool = pool_of(6, FakeClock(), quota_floor=0.1)
    one, two, three, four, five, six = pool.credentials
    wall = FakeClock().time()  # 08:00
    pool.cool(one, M, 7200)
    pool.cool(two, M, 23_520)
    three.learn(Change(id=three.id, quota={M: Quota(0.05, wall + 9000, wall)}))
    pool.cool(four, M, 90_000)
    pool.need_verification(five, verification("https://accounts.example.invalid"))
    pool.happen(six, "stopped", "bob@example.invalid has left")
    shortage = pool.shortage(M)
    assert isinstance(shortage, UpstreamRateLimited)
    assert shortage.message == "6 credentials: 4 cooling until 10:00 UTC, 1 needs verification, 1 disabled"
    assert shortage.retry_after == 7200
    assert pool.state() == ("usable: 4 of 6 credentials; 4 cooling until 10:00 UTC, 1 needs verification, 1 disabled")
    assert pool.states() == {"active": 0, "suspected": 0, "cooling": 4, "needs_verification": 1, "disabled": 1}


def test_how_many_are_suspected_is_said_of_a_pool_that_can_be_used() -> None:
    pool = pool_of(3, FakeClock())
    for one in pool.credentials[:2]:
        pool.happen(one, "failing", "500")
    assert pool.state() == "usable: 3 of 3 credentials; 2 suspected"
    pool.happen(pool.credentials[2], "stopped", "bob@example.invalid has left")
    assert pool.state() == "usable: 2 of 3 credentials; 1 disabled; 2 suspected"


def test_a_model_of_which_too_little_is_left_is_shown_as_cooling() -> None:
    clock = FakeClock()
    pool = pool_of(1, clock, quota_floor=0.1)
    (one,), wall = pool.credentials, clock.time()
    one.learn(Change(id=one.id, quota={"a": Quota(0.0, wall + 60, wall), "b": Quota(0.05, wall + 90, wall)}))
    pool.cool(one, "b", 3600)
    pool.cool(one, "c", 30)
    assert one.view("google").cooling == pytest.approx({"a": wall + 60, "b": wall + 3600, "c": wall + 30})


def test_another_day_stands_with_its_date() -> None:
    pool = pool_of(1, FakeClock())
    pool.cool(pool.credentials[0], M, 72_000)
    shortage = pool.shortage(M)
    assert shortage is not None
    assert shortage.message == "1 credential: 1 cooling until 2027-01-16 04:00 UTC"


def test_a_day_s_last_minute_is_told_as_the_first_one_of_the_next_day() -> None:
    pool = pool_of(1, FakeClock(), cooldown=CooldownConfig(min=1))
    pool.cool(pool.credentials[0], M, 16 * 3600 - 10)
    shortage = pool.shortage(M)
    assert shortage is not None
    assert shortage.message == "1 credential: 1 cooling until 2027-01-16 00:00 UTC"


def test_what_the_operator_must_mend_is_told_in_its_own_words_and_disables_nobody() -> None:
    pool = pool_of(2, FakeClock())
    for credential in pool.credentials:
        credential.pause("no project: set pool.project_ids", 300, ours=True)
    shortage = pool.shortage(M)
    assert isinstance(shortage, NoCredential)
    assert shortage.message == (
        "2 credentials: 2 paused until 08:05 UTC; no project: set pool.project_ids; "
        "the operator of this gateway must act"
    )
    assert (shortage.status, shortage.retry_after) == (503, 300)


@pytest.mark.anyio
async def test_a_pool_that_waits_for_the_operator_is_not_usable() -> None:
    clock = FakeClock()
    pool = pool_of(2, clock)
    for credential in pool.credentials:
        assert pool.usable
        credential.pause("no project: set pool.project_ids", 300, ours=True)
    assert (pool.usable, pool.state()) == (False, "no credential: 2 paused: no project: set pool.project_ids")
    await clock.advance(301)  # it is tried again
    assert pool.usable


def test_a_pool_whose_token_endpoint_is_down_stays_usable() -> None:
    pool = pool_of(1, FakeClock())
    pool.credentials[0].pause("the token endpoint responded with 503", 5)
    assert pool.usable


def test_a_token_endpoint_that_is_down_is_told_as_such() -> None:
    pool = pool_of(1, FakeClock())
    pool.credentials[0].pause("the token endpoint responded with 503", 5)
    shortage = pool.shortage(M)
    assert isinstance(shortage, UpstreamUnavailable)
    assert shortage.message == "no access token: the token endpoint responded with 503"


def test_one_that_only_cools_makes_it_a_429_whatever_ails_the_others() -> None:
    pool = pool_of(2, FakeClock())
    pool.credentials[0].pause("the token endpoint responded with 503", 5)
    pool.cool(pool.credentials[1], M, 60)
    shortage = pool.shortage(M)
    assert isinstance(shortage, UpstreamRateLimited)
    assert shortage.message == "2 credentials: 1 cooling until 08:01 UTC, 1 paused until 08:01 UTC"
    assert shortage.retry_after == 5


def test_a_spent_quota_is_stated_until_it_is_whole_also_beyond_the_longest_rest() -> None:
    clock = FakeClock()
    pool = pool_of(1, clock, cooldown=CooldownConfig(max=3600))
    one = pool.credentials[0]
    pool.cool(one, M, 90_000, spent=True)
    assert one.row.quota[M] == Quota(0.0, clock.time() + 90_000, clock.time())
    assert (one.left(M), pool.rest_s(M)) == (0.0, 3600)


def test_a_wait_beyond_all_calendars_can_be_told() -> None:
    clock = FakeClock()
    pool = pool_of(1, clock, quota_floor=0.1)
    pool.cool(pool.credentials[0], M, 1e15, spent=True)
    shortage = pool.shortage(M)
    assert isinstance(shortage, UpstreamRateLimited)
    assert pool.credentials[0].view("google").quota[M][0] == 0.0


def test_a_spent_quota_without_a_reset_is_not_guessed_at() -> None:
    pool = pool_of(1, FakeClock())
    pool.cool(pool.credentials[0], M, None, spent=True)
    assert pool.credentials[0].row.quota == {}


def test_an_account_that_another_process_logged_in_is_lent() -> None:
    notes = Notes()
    pool = pool_of(0, FakeClock(), keeper=notes)
    notes.arriving.append(StoredCredential(id="b" * 64, source="login", refresh_token="rt-new", added_at=1))
    assert borrowed(pool).credential.id == "b" * 64


def test_an_account_that_another_process_removed_is_lent_no_more() -> None:
    notes = Notes()
    pool = pool_of(1, FakeClock(), keeper=notes, uses_per_turn=3)
    row = StoredCredential(id="b" * 64, source="login", refresh_token="rt-new", added_at=1)
    notes.arriving.append(row)
    assert turns(pool, 4) == [0, 0, 0, 1]
    lease = pool.pick(M)
    assert lease is not None
    notes.arriving.append(replace(row, removed=True, state="disabled"))
    assert turns(pool, 3) == [0, 0, 0]
    assert not pool.lends(lease.credential, M)
    lease.release()
    assert pool.leases == 0


def test_what_the_configuration_gives_stays_although_a_row_says_that_it_was_removed() -> None:
    notes = Notes()
    pool = pool_of(1, FakeClock(), keeper=notes)
    notes.arriving.append(StoredCredential(id=pool.credentials[0].id, source="login", removed=True, state="disabled"))
    assert turns(pool, 1) == [0]


def test_a_row_of_another_configuration_is_no_account_of_this_one() -> None:
    notes = Notes()
    pool = pool_of(1, FakeClock(), keeper=notes)
    notes.arriving.append(StoredCredential(id="c" * 64, source="config"))
    assert turns(pool, 2) == [0, 0]
    assert len(pool.credentials) == 1


def test_accounts_come_in_the_order_in_which_they_were_added() -> None:
    notes = Notes()
    pool = pool_of(1, FakeClock(), keeper=notes)
    rows = [
        StoredCredential(id=id_ * 64, source="login", refresh_token=id_, added_at=at)
        for id_, at in (("d", 2), ("c", 1))
    ]
    notes.arriving += rows
    pool.catch_up()
    assert [one.id[0] for one in pool.credentials[1:]] == ["c", "d"]


def test_however_many_come_they_are_put_in_order_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by itself took the square of their number: two minutes for 16,000 keys, and as long at each reload."""
    ordered: list[int] = []
    order = Pool[Account]._order

    def counted(pool: Pool[Account]) -> None:
        order(pool)
        ordered.append(len(pool.credentials))

    monkeypatch.setattr(Pool, "_order", counted)
    notes = Notes()
    pool = pool_of(20, FakeClock(), keeper=notes)
    assert ordered == [20]
    notes.arriving += [
        StoredCredential(id=f"{number:064}", source="login", refresh_token=f"{number}", added_at=1)
        for number in range(30)
    ]
    pool.catch_up()
    notes.arriving.append(replace(pool.credentials[0].row, uses=1))
    pool.catch_up()
    assert ordered == [20, 50]


def test_while_all_rest_the_one_that_has_rested_first_would_be_lent() -> None:
    pool = pool_of(3, FakeClock())
    first, second, third = pool.credentials
    pool.happen(first, "stopped", "by an operator")
    pool.cool(second, M, 3600)
    pool.cool(third, M, 60)
    assert pool.foresee(M) is third
    pool.happen(second, "stopped", "by an operator")
    pool.happen(third, "stopped", "by an operator")
    assert pool.foresee(M) is None


def test_who_would_be_lent_is_told_without_lending() -> None:
    pool = pool_of(2, FakeClock(), uses_per_turn=1)
    for place in (0, 1, 0):
        assert pool.foresee(M) is pool.foresee(M) is pool.credentials[place]
        borrowed(pool)
    assert pool.leases == 0


def test_the_log_says_which_use_of_its_turn_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    pool = pool_of(2, FakeClock(), level="debug")
    turns(pool, 4)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["use"] for line in lines] == ["1/3", "2/3", "3/3", "1/3"]

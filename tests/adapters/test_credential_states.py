"""What happens to a credential goes the ways of one table, and nothing else moves it."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from gateway.adapters.account import Account
from gateway.adapters.credential import FAILING, Credential
from gateway.redact import Secret
from gateway.store.known import Change, Happening, Quota, StoredCredential
from gateway.store.states import TRANSITIONS, Event, State
from tests.adapters.pools import Notes, pool_of
from tests.clocks import FakeClock

STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)
MOVES = [(state, event) for state, event in product(STATES, EVENTS) if event in TRANSITIONS[state]]
RESTS = [(state, event) for state, event in product(STATES, EVENTS) if event not in TRANSITIONS[state]]
# by hand, so that a slip in the table does not pass with the code that reads it
DISABLED_BY = {"revoked", "refused", "stopped"}
M = "gemini-3-flash"


def credential(state: State = "active", clock: FakeClock | None = None) -> tuple[Credential, Notes]:
    """Make one in a state, and what it tells."""
    notes = Notes()
    row = StoredCredential(id="a" * 64, state=state, reason="before" if state != "active" else "")
    one = Credential(Secret("key"), clock or FakeClock(), row)
    one.join(notes)
    return one, notes


@pytest.mark.parametrize(("state", "event"), MOVES)
def test_every_transition_happens_and_is_told(state: State, event: Event) -> None:
    one, notes = credential(state)
    assert one.happen(event, "why")
    assert one.state == TRANSITIONS[state][event]
    assert one.reason == ("" if one.state == "active" else "why")
    assert [happening.event for change in notes.kept for happening in change.events] == [event]


@pytest.mark.parametrize(("state", "event"), RESTS)
def test_every_other_event_changes_nothing_and_is_told_to_nobody(state: State, event: Event) -> None:
    one, notes = credential(state)
    if (state, event) != ("needs_verification", "unverified"):  # which may bring another link
        assert not one.happen(event, "why")
        assert notes.kept == []
    assert one.state == state


@pytest.mark.parametrize(("state", "event"), [*MOVES, *RESTS])
def test_only_three_events_disable_and_only_one_enables(state: State, event: Event) -> None:
    one, _ = credential(state)
    one.happen(event, "why")
    if state == "disabled":
        assert (one.state == "disabled") == (event != "enabled")
    else:
        assert (one.state == "disabled") == (event in DISABLED_BY)


def test_another_link_replaces_the_one_before() -> None:
    one, notes = credential()
    one.happen("unverified", "verify", "https://a.invalid")
    assert one.happen("unverified", "verify", "https://b.invalid")
    assert not one.happen("unverified", "verify", "https://b.invalid")
    assert (one.link, len(notes.kept)) == ("https://b.invalid", 2)


def test_three_failures_in_a_row_make_a_suspect() -> None:
    one, _ = credential()
    assert [one.failed("500") for _ in range(FAILING)] == [False, False, True]
    assert (one.state, one.row.last_error) == ("suspected", "500")


def test_an_answer_between_failures_begins_the_count_anew() -> None:
    one, notes = credential()
    for _ in range(4):
        one.failed("500")
        one.failed("500")
        one.served()
    assert (one.state, notes.kept) == ("active", [])


def test_one_answer_heals_a_suspect_at_once() -> None:
    one, _ = credential("suspected")
    assert one.served()
    assert (one.state, one.reason) == ("active", "")


def test_models_are_told_in_the_order_in_which_they_are_kept() -> None:
    clock = FakeClock()
    models = [f"m{number}" for number in range(8)]
    one, _ = credential(clock=clock)
    one.take(StoredCredential(id=one.id, cooling=dict.fromkeys(models, clock.time() + 60)))
    assert list(one.cooling) == models


def test_cooling_is_no_state_but_is_what_people_are_told() -> None:
    clock = FakeClock()
    one, _ = credential("suspected", clock)
    one.learn(Change(id=one.id, cooling={M: clock.time() + 60}))
    assert (one.state, one.standing, one.serves(M), one.serves("other")) == ("suspected", "cooling", False, True)


@pytest.mark.anyio
async def test_a_rest_ends_by_the_monotonic_clock_although_the_other_one_jumps() -> None:
    clock = FakeClock()
    one, _ = credential(clock=clock)
    one.learn(Change(id=one.id, cooling={M: clock.time() + 60}))
    clock.wall += 7200
    one.learn(Change(id=one.id, uses=1))
    assert one.rests_s(M) == 60
    clock.wall -= 14_400
    one.take(one.row)
    assert one.rests_s(M) == 60
    await clock.advance(60)
    assert one.serves(M)


def test_a_longer_rest_that_another_process_wrote_is_taken_over_and_a_shorter_one_is_not() -> None:
    clock = FakeClock()
    one, _ = credential(clock=clock)
    for seconds, rests_s in ((60, 60), (300, 300), (10, 300)):
        one.take(StoredCredential(id=one.id, cooling={M: clock.time() + seconds}))
        assert one.rests_s(M) == rests_s


def test_no_more_rests_are_remembered_than_upstreams_have_models() -> None:
    """A caller may ask for any name, and an account that has used up its quota refuses each of them."""
    clock = FakeClock()
    one, _ = credential(clock=clock)
    one.learn(Change(id=one.id, cooling={"": clock.time() + 1}))
    for number in range(600):
        until = clock.time() + 60 + number
        spent = Quota(0.0, until, clock.time() + number)
        one.learn(Change(id=one.id, cooling={f"m{number}": until}, quota={f"m{number}": spent}))
    assert (len(one.cooling), len(one.row.cooling), len(one.row.quota)) == (501, 501, 500)
    assert (one.rests_s("") > 0, one.serves("m99"), one.serves("m599")) == (True, True, False)


def test_a_rest_from_an_earlier_run_is_no_longer_than_the_longest() -> None:
    clock = FakeClock()
    one, notes = credential(clock=clock)
    one.take(StoredCredential(id=one.id, cooling={M: clock.time() + 10_000_000}))
    one.join(notes, longest_s=86_400)
    assert one.rests_s(M) == 86_400


def test_what_another_process_learnt_of_its_state_holds_here() -> None:
    one, notes = credential()
    one.take(StoredCredential(id=one.id, state="disabled", reason="refused"))
    assert (one.state, one.serves(M), notes.kept) == ("disabled", False, [])


@pytest.mark.parametrize(
    ("floor", "remaining", "reset_s", "rests_s"),
    [
        (0.0, 0.5, 3600, 0),
        (0.0, 0.0, 3600, 3600),
        (0.0, 0.0, 200_000, 86_400),  # then it is tried, whatever was said so long ago
        (0.0, 0.0, None, 86_400),
        (0.1, 0.11, 3600, 0),
        (0.1, 0.1, 3600, 3600),
        (0.1, 0.05, 200_000, 200_000),  # the operator's floor holds until it is whole
        (0.1, 0.05, -10, 0),
    ],
)
def test_too_little_quota_keeps_it_from_the_model_until_it_is_whole(
    floor: float, remaining: float, reset_s: float | None, rests_s: float
) -> None:
    clock = FakeClock()
    one, notes = credential(clock=clock)
    one.join(notes, floor=floor, longest_s=86_400)
    now = clock.time()
    quota = Quota(remaining, None if reset_s is None else now + reset_s, now)
    one.learn(Change(id=one.id, quota={M: quota}))
    assert one.rests_s(M) == rests_s
    assert one.serves("other")


def test_newer_figures_end_a_rest_for_want_of_quota() -> None:
    clock = FakeClock()
    one, notes = credential(clock=clock)
    one.join(notes, floor=0.1)
    now = clock.time()
    one.learn(Change(id=one.id, quota={M: Quota(0.05, now + 3600, now)}))
    one.learn(Change(id=one.id, quota={M: Quota(0.9, now + 3600, now + 1)}))
    assert (one.serves(M), one.left(M)) == (True, 0.9)


@pytest.mark.anyio
async def test_a_quota_that_has_been_reset_counts_as_whole() -> None:
    clock = FakeClock()
    one, _ = credential(clock=clock)
    one.learn(Change(id=one.id, quota={M: Quota(0.0, clock.time() + 60, clock.time())}))
    await clock.advance(60)
    assert (one.left(M), one.serves(M), one.standing) == (1.0, True, "active")


def test_a_pause_rests_it_for_all_models_without_a_word_against_it() -> None:
    one, notes = credential()
    one.pause("no project: set pool.project_ids", 300, ours=True)
    assert (one.state, one.rests_s(M), one.cools_s(M), notes.kept) == ("active", 300, 0, [])
    one.resume()
    assert one.serves(M)


def test_uses_are_told_now_and_then_and_never_lost() -> None:
    one, notes = credential()
    for _ in range(3):
        one.used()
    assert (one.uses, notes.kept) == (3, [])
    one.tell_uses()
    one.tell_uses()
    assert (one.uses, [change.uses for change in notes.kept]) == (3, [3])


def test_a_credential_is_shown_without_its_secret() -> None:
    clock = FakeClock()
    pool = pool_of(1, clock)
    one: Account = pool.credentials[0]
    now = clock.time()
    one.learn(Change(id=one.id, email="a@example.invalid", project=("p", "discovered"), cooling={M: now + 60}))
    one.learn(Change(id=one.id, quota={M: Quota(0.25, now + 60, now), "old": Quota(0.5, now - 1, now - 9)}))
    one.happen("unverified", "the account must be verified", "https://a.invalid")
    view = one.view("google")
    assert (view.account, view.project, view.project_source) == ("a@example.invalid", "p", "discovered")
    assert (view.state, view.link, view.enabled) == ("needs_verification", "https://a.invalid", True)
    assert (view.cooling, view.quota) == ({M: now + 60}, {M: (0.25, now + 60), "old": (1.0, None)})
    assert "rt-0" not in repr(view)


def test_what_models_share_is_shown_and_decides_nothing() -> None:
    clock = FakeClock()
    one: Account = pool_of(1, clock).credentials[0]
    now = clock.time()
    one.learn(Change(id=one.id, quota={"weekly": Quota(0.0, now + 60, now, group=True), M: Quota(0.5, None, now)}))
    view = one.view("google")
    assert (view.groups, view.quota) == ({"weekly": (0.0, now + 60)}, {M: (0.5, None)})
    assert (view.state, view.cooling) == ("active", {})


def test_happening_is_what_the_keeper_gets() -> None:
    one, notes = credential()
    one.happen("probe_failed", "models: 500")
    assert notes.kept[0].events == (Happening("probe_failed", "models: 500"),)
    assert notes.kept[0].last_error == "models: 500"

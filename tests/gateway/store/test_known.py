"""How news change what is known of a credential, whoever brings them, and in whichever order they come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.store.known import Change, Happening, Quota, StoredCredential, StoredTokens, changed
from gateway.store.states import TRANSITIONS, Event, State, next_state
from tests.gateway.store.places import ROW

NOW = 1000.0
MODELS = st.sampled_from(["gemini-3-flash", "claude", "x"])
TIMES = st.floats(0, 2 * NOW)
COOLING = st.dictionaries(MODELS, TIMES)
EVENTS: tuple[Event, ...] = (
    "served", "probed", "verified", "probe_failed", "failing", "limited", "unverified", "revoked", "refused",
    "stopped", "enabled",
)  # fmt: skip
MOVES = [(state, event) for state in TRANSITIONS for event in EVENTS]


def at_its_own_time(strategy: Any) -> Any:
    """Draw two of them, said at different moments."""
    return st.tuples(strategy, strategy).filter(lambda pair: pair[0].at != pair[1].at)


QUOTAS = st.builds(Quota, st.floats(0, 1), st.none() | TIMES, TIMES)
TOKENS = st.builds(StoredTokens, st.text(min_size=1), TIMES, TIMES, st.text())


def changes(**fields: Any) -> Any:
    return st.builds(Change, id=st.just("a"), **fields)


@given(COOLING, COOLING)
def test_the_longest_rest_stays(old: dict[str, float], new: dict[str, float]) -> None:
    row = changed(StoredCredential(id="a", cooling=old), Change(id="a", cooling=new), NOW)
    longest = {model: max(old.get(model, 0), new.get(model, 0)) for model in {**old, **new}}
    assert row.cooling == {model: until for model, until in longest.items() if until > NOW}


@given(
    changes(cooling=COOLING, uses=st.integers(0, 99), last_used_at=TIMES),
    changes(cooling=COOLING, uses=st.integers(0, 99), last_used_at=TIMES),
)
def test_rests_and_uses_of_two_processes_add_up_in_any_order(one: Change, other: Change) -> None:
    row = StoredCredential(id="a", uses=3)
    assert changed(changed(row, one, NOW), other, NOW) == changed(changed(row, other, NOW), one, NOW)
    assert changed(changed(row, one, NOW), other, NOW).uses == 3 + one.uses + other.uses


@given(at_its_own_time(QUOTAS))
def test_the_newest_quota_stays_in_any_order(quotas: tuple[Quota, Quota]) -> None:
    one, other = (Change(id="a", quota={"m": quota}) for quota in quotas)
    row = StoredCredential(id="a")
    newest = max(quotas, key=lambda quota: quota.at)
    assert changed(changed(row, one, NOW), other, NOW).quota == {"m": newest}
    assert changed(changed(row, other, NOW), one, NOW).quota == {"m": newest}


@given(at_its_own_time(TOKENS))
def test_the_newest_tokens_stay_in_any_order(tokens: tuple[StoredTokens, StoredTokens]) -> None:
    one, other = (Change(id="a", tokens=found) for found in tokens)
    row = StoredCredential(id="a", refresh_token="first")
    either = changed(changed(row, one, NOW), other, NOW)
    assert either == changed(changed(row, other, NOW), one, NOW)
    newest = max(tokens, key=lambda found: found.at)
    assert (either.access_token, either.access_until, either.access_at) == (
        newest.access_token,
        newest.until,
        newest.at,
    )


def test_a_refresh_token_that_comes_late_is_not_lost() -> None:
    rotated, newer = StoredTokens("ya29.1", 50.0, 1.0, "1//rotated"), StoredTokens("ya29.2", 60.0, 2.0)
    row = StoredCredential(id="a", refresh_token="1//first")
    for order in ((rotated, newer), (newer, rotated)):
        found = row
        for tokens in order:
            found = changed(found, Change(id="a", tokens=tokens), NOW)
        assert (found.refresh_token, found.access_token) == ("1//rotated", "ya29.2")


def test_an_older_refresh_token_does_not_come_back() -> None:
    row = changed(StoredCredential(id="a"), Change(id="a", tokens=StoredTokens("ya29.2", 60.0, 2.0, "1//second")), NOW)
    late = Change(id="a", tokens=StoredTokens("ya29.1", 50.0, 1.0, "1//first"))
    assert changed(row, late, NOW).refresh_token == "1//second"


@given(
    changes(cooling=COOLING, quota=st.dictionaries(MODELS, QUOTAS), uses=st.integers(0, 9), email=st.text()),
    changes(cooling=COOLING, quota=st.dictionaries(MODELS, QUOTAS), uses=st.integers(0, 9), email=st.text()),
)
def test_two_changes_in_one_are_as_one_after_the_other(one: Change, other: Change) -> None:
    row = StoredCredential(id="a", cooling={"x": NOW + 5})
    assert changed(row, one.then(other), NOW) == changed(changed(row, one, NOW), other, NOW)


@given(st.lists(st.sampled_from(EVENTS)), st.lists(st.sampled_from(EVENTS)))
def test_events_in_one_change_happen_in_their_order(first: list[Event], then: list[Event]) -> None:
    one = Change(id="a", events=tuple(Happening(event, event) for event in first))
    other = Change(id="a", events=tuple(Happening(event, event) for event in then))
    row = StoredCredential(id="a")
    assert changed(row, one.then(other), NOW) == changed(changed(row, one, NOW), other, NOW)


@pytest.mark.parametrize(("state", "event"), MOVES)
def test_an_event_moves_a_credential_as_the_table_says(state: State, event: Event) -> None:
    row = replace(ROW, state=state, reason="before", link="")
    after = changed(row, Change(id=ROW.id, events=(Happening(event, "why", "where"),)), NOW)
    assert after.state == next_state(state, event)
    if after.state != state:
        assert after.reason == ("" if after.state == "active" else "why")
    assert bool(after.link) == ((after.state, event) == ("needs_verification", "unverified"))


def test_nothing_changes_what_was_removed() -> None:
    row = replace(ROW, removed=True)
    events = tuple(Happening(event) for event in EVENTS)
    assert changed(row, Change(id=ROW.id, events=events, uses=3, tokens=StoredTokens("t", 9e9, 9e9)), NOW) == row


def test_a_wrong_project_is_forgotten() -> None:
    row = changed(ROW, Change(id=ROW.id, project=("", "")), NOW)
    assert (row.project_id, row.project_source) == ("", "")
    assert changed(ROW, Change(id=ROW.id), NOW).project_id == "p"


def test_an_older_error_does_not_hide_a_newer_one() -> None:
    assert changed(ROW, Change(id=ROW.id, last_error="old", last_error_at=3.0), NOW).last_error == ROW.last_error
    assert changed(ROW, Change(id=ROW.id, last_error="new", last_error_at=4.0), NOW).last_error == "new"

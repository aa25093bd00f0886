"""Keys that are made at run time: numbered, revoked for all to see, their texts nowhere."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import event

from gateway.store.stored import StoreFailed
from gateway.store.stored_keys import KeyExists, StoredKey
from tests.gateway.store.places import ROW, Place

ALICE = StoredKey(
    name="alice",
    sha256="a1" * 32,
    prefix="gw-alice",
    models=("claude-*", "gemini-*"),
    upstreams=("openai",),
    scopes=("chat", "metrics"),
    expires=1_900_000_000.5,
    limits={"requests_per_minute": 60, "usd_per_month": 2.5},
    created_at=3.5,
)


def named(name: str, **more: Any) -> StoredKey:
    return replace(ALICE, name=name, sha256=f"{sum(name.encode()):064x}", **more)


def test_a_key_comes_back_as_it_was_written(place: Place) -> None:
    place.callers().add(ALICE)
    assert place.callers().since(0) == [replace(ALICE, number=1)]


def test_an_end_after_the_year_9999_is_that_of_the_year(place: Place) -> None:
    place.callers().add(replace(ALICE, expires=253_402_300_800.0))
    (key,) = place.callers().since(0)
    assert key.expires == 253_402_300_799.0


def test_a_name_is_given_once(place: Place) -> None:
    store = place.callers()
    store.add(ALICE)
    with pytest.raises(KeyExists):
        store.add(replace(ALICE, sha256="b2" * 32))
    assert [key.sha256 for key in store.since(0)] == [ALICE.sha256]


def test_a_revoked_key_stays_for_all_to_learn_it(place: Place) -> None:
    store = place.callers()
    store.add(ALICE)
    store.remove("alice")
    assert store.since(1) == [replace(ALICE, number=2, removed=True)]


def test_a_revoked_name_can_be_given_again(place: Place) -> None:
    store = place.callers()
    store.add(ALICE)
    store.remove("alice")
    store.add(replace(ALICE, sha256="b2" * 32))
    assert [(key.sha256, key.number, key.removed) for key in store.since(0)] == [("b2" * 32, 3, False)]


@pytest.mark.parametrize("before", [[], ["revoked"]])
def test_what_is_not_there_cannot_be_revoked(place: Place, before: list[str]) -> None:
    store = place.callers()
    if before:
        store.add(ALICE)
        store.remove("alice")
    with pytest.raises(KeyError):
        store.remove("alice")
    assert store.latest() == 2 * len(before)  # no number was taken


def test_a_name_that_no_database_can_hold_is_that_of_no_key(place: Place) -> None:
    with pytest.raises(KeyError):
        place.callers().remove("a\0")


def test_numbers_are_those_of_all_rows(place: Place) -> None:
    place.opened().add("google", ROW)
    place.callers().add(ALICE)
    assert place.callers().latest() == place.opened().begin("google").number == 2


def test_numbers_have_no_gap_that_a_reader_could_miss(place: Place) -> None:
    place.callers().open()

    def add(number: int) -> None:
        place.callers().add(named(f"k{number}"))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(add, range(12)))
    assert [key.number for key in place.callers().since(0)] == list(range(1, 13))


def test_the_newer_use_stays(place: Place) -> None:
    store = place.callers()
    store.add(ALICE)
    for at in (8.0, 5.0):
        store.note_uses({ALICE.sha256: at, "f" * 64: 9.0})
    assert [(key.last_used_at, key.number) for key in store.since(0)] == [(8.0, 1)]


def test_the_uses_of_many_keys_hold_nobody_up(on_disk: Place) -> None:
    """Of 5,000 out of 10,000 keys they took as long as another writer waits, every half a minute."""
    store, many = on_disk.callers(), 300
    for number in range(many):
        store.add(replace(ALICE, name=f"k{number}", sha256=f"{number:064x}"))
    hundreds: list[None] = []

    def counted(connection: sqlite3.Connection, _: object) -> None:
        connection.set_progress_handler(lambda: hundreds.append(None), 100)

    event.listen(store._database._engine, "connect", counted)
    store.note_uses({f"{number:064x}": 9.0 for number in range(many)})
    assert {key.last_used_at for key in store.all()} == {9.0}
    assert len(hundreds) < many


def test_news_are_what_came_after(place: Place) -> None:
    store = place.callers()
    store.add(ALICE)
    first = store.news(0)
    assert first is not None
    assert (first.whole, [key.name for key in first.rows]) == (True, ["alice"])
    assert store.news(1) is None
    place.callers().add(named("bob"))
    later = store.news(1)
    assert later is not None
    assert (later.whole, [key.name for key in later.rows]) == (False, ["bob"])


def test_all_is_news_where_the_numbers_begin_anew(place: Place) -> None:
    store = place.callers()
    store.add(ALICE)
    store.news(0)
    news = store.news(7)  # as before a backup was put back
    assert news is not None
    assert (news.whole, [key.name for key in news.rows]) == (True, ["alice"])


def test_a_damaged_row_is_told(place: Place) -> None:
    place.callers().add(ALICE)
    place.do("UPDATE keys SET models = 'no JSON'")
    with pytest.raises(StoreFailed, match="the row of the key 'alice' is damaged"):
        place.callers().since(0)

"""What one process does for all: also where the clock of the machine was set back since it was done last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.store.turns import Done, take_turn
from gateway.store.usage import UsageStore
from tests.gateway.store.places import Place
from tests.gateway.store.test_filling import write
from tests.gateway.store.test_journal import opened
from tests.gateway.store.test_usage import DAY_S, NOON, fill

EVERY_S = 300.0


@pytest.fixture
def store(place: Place, tmp_path: Path) -> Iterator[UsageStore]:
    made = UsageStore(place.file, tmp_path / "journal", url=place.url, keep_days=30)
    yield made
    made.close()


def take(store: UsageStore, folder: Path, now: float, *, since: float = NOON) -> Done | None:
    return take_turn(store, folder / "journal", now, say_since=since, every_s=EVERY_S)


def late(store: UsageStore) -> float:
    """How long a row of another host is waited for."""
    return 5.0 if store._database.url else 0.0


def test_one_of_all_hosts_says_it_with_what_the_others_take_in_late(
    tmp_path: Path, postgres_url: str, request: pytest.FixtureRequest
) -> None:
    one, other = (
        UsageStore(tmp_path / "gateway.db", tmp_path / name / "journal", url=postgres_url, keep_days=30)
        for name in ("one", "other")
    )
    request.addfinalizer(one.close)
    request.addfinalizer(other.close)
    fill(one, tmp_path / "one", {"id": "one", "started_at": NOON + 290})
    (tmp_path / "other" / "journal").mkdir(parents=True)
    first = take(one, tmp_path / "one", NOON + 300)
    assert take(other, tmp_path / "other", NOON + 300.5) == Done()
    fill(other, tmp_path / "other", {"id": "late", "started_at": NOON + 298})
    second = take(other, tmp_path / "other", NOON + 600)
    assert [done and [row.requests for row in done.sums or ()] for done in (first, second)] == [[1], [1]]


def test_the_next_line_begins_where_the_last_one_ended(store: UsageStore, tmp_path: Path) -> None:
    fill(store, tmp_path, {}, {"started_at": NOON + 320})
    for now, seconds in ((NOON + 300, 300.0 - late(store)), (NOON + 610, 310.0)):
        done = take(store, tmp_path, now)
        assert done is not None
        assert done.sums is not None
        assert ([row.requests for row in done.sums], done.seconds) == ([1], seconds)
    assert take(store, tmp_path, NOON + 640) == Done()  # another process comes a little later


def test_what_a_killed_process_had_open_since_before_the_last_line_is_in_the_next_one(
    place: Place, tmp_path: Path
) -> None:
    now = NOON
    with closing(UsageStore(place.file, tmp_path / "journal", url=place.url, keep_days=30, now=lambda: now)) as store:
        fill(store, tmp_path, {})
        lines = [take(store, tmp_path, NOON + 300)]
        write(tmp_path / "journal", "2", [replace(opened("killed"), started_at=NOON + 10)])
        now = NOON + 400
        assert store.fill() == 1  # for a report
        lines += [take(store, tmp_path, NOON + at) for at in (600, 900)]
        assert [done and [(row.requests, row.errors) for row in done.sums or ()] for done in lines] == [
            [(1, 0)], [(1, 1)], [],
        ]  # fmt: skip
        assert [(row.id, row.total_s) for row in store.rows(None, None, 10)] == [("killed", None), ("0", 1.0)]
        assert [point.total_s for point in store.series(NOON, NOON + 60, 60)] == [1.0]


def test_a_clock_that_was_set_back_holds_up_neither_lines_nor_what_is_dropped(
    store: UsageStore, tmp_path: Path
) -> None:
    now = time.time()
    fill(store, tmp_path, {"started_at": now - 10}, {"started_at": now - 31 * DAY_S})
    ahead = now + 10 * DAY_S
    assert take(store, tmp_path, ahead + EVERY_S, since=ahead) is not None
    fill(store, tmp_path, {"id": "new", "started_at": now - 31 * DAY_S})
    done = take(store, tmp_path, now, since=ahead)
    assert done is not None
    assert done.sums is not None
    assert ([row.requests for row in done.sums], done.seconds) == ([1], EVERY_S)
    assert [row.id for row in store.rows(None, None, 10)] == ["0"]


def test_much_that_is_old_is_dropped_in_several_turns(
    store: UsageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After keep_days was lowered it took minutes, in which nobody could ask for the usage."""
    monkeypatch.setattr("gateway.store.usage._DROPPING_S", 0.0)
    now = time.time()
    old = now - 31 * DAY_S
    fill(store, tmp_path, {"started_at": now}, *({"started_at": old - number} for number in range(700)))
    done = [take(store, tmp_path, now + second) for second in range(3)]
    assert [turn and turn.is_clean for turn in done] == [False, True, True]
    assert [row.id for row in store.rows(None, None, 10)] == ["0"]

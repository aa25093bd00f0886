"""What requests came to by steps of time, filtered, and their rows in parts; on every kind of database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, insert

from gateway.store.tables import usage
from gateway.store.usage import UsageStore
from tests.gateway.store.places import Place

NOW = 1_800_000_000.0
ROW = {
    "key": "alice", "key_id": "a1", "credential": "", "dialect": "openai-chat", "upstream": "openai", "asked": "m",
    "model": "gpt-4.1", "status": 200, "end": "done", "input": 10, "cached": 0, "cache_write": 0, "output": 5,
    "reasoning": 0, "estimated": False, "usd": 0.5, "first_byte_s": 0.2, "total_s": 1.0,
}  # fmt: skip


@pytest.fixture
def store(place: Place) -> Iterator[UsageStore]:
    """Give a ledger of a few requests: one a minute before now, two an hour before, one of another key."""
    made = UsageStore(place.folder / "gateway.db", place.folder / "journal", url=place.url, keep_days=400)
    made.open()
    rows: list[dict[str, Any]] = [
        {"id": "1", "started_at": NOW - 60},
        {"id": "2", "started_at": NOW - 3600 + 0.75, "end": "error", "usd": None, "first_byte_s": None, "total_s": 3.0},
        {"id": "3", "started_at": NOW - 3600 + 0.75},
        {"id": "4", "started_at": NOW - 7200 - 0.25, "key": "bob", "key_id": "b1", "upstream": "demo", "model": "demo"},
    ]
    with made._database.writing(None) as connection:
        connection.execute(insert(usage), [{**ROW, **row} for row in rows])
    yield made
    made.close()


def test_each_step_has_what_began_in_it(store: UsageStore) -> None:
    points = store.series(NOW - 3 * 3600, NOW, 3600)
    assert [(point.at - NOW, point.requests, point.errors) for point in points] == [(-10_800, 1, 0), (-3600, 3, 1)]
    assert (points[1].input_tokens, points[1].output_tokens, points[1].usd) == (30, 15, 1.0)
    assert (points[1].first_byte_s, points[1].total_s) == pytest.approx((0.2, 5 / 3))


@pytest.mark.parametrize(
    ("only", "requests"),
    [({"key": "bob"}, 1), ({"model": "gpt-4.1"}, 3), ({"upstream": "demo", "key": "alice"}, 0), ({}, 4)],
)
def test_only_those_that_are_meant_count(store: UsageStore, only: Any, requests: int) -> None:
    assert sum(point.requests for point in store.series(NOW - 3 * 3600, NOW, 3600, only)) == requests
    assert store.report("key", None, None, only=only).total.requests == requests
    assert len(store.rows(None, None, 10, only)) == requests


@pytest.mark.parametrize("name", ["key", "model", "upstream"])
def test_no_request_has_a_name_that_no_database_can_hold(store: UsageStore, name: str) -> None:
    """An operator's misspelt address is no failure of the ledger."""
    only: Any = {name: "a\0"}
    assert store.series(NOW - 3 * 3600, NOW, 3600, only) == []
    assert store.report("key", None, None, only=only).rows == []
    assert store.rows(None, None, 10, only) == []
    assert [row.id for row in store.rows(None, None, 1, after=(NOW - 60, "\0"))] == ["2"]


def test_rows_that_began_together_come_once_each_in_parts(store: UsageStore) -> None:
    seen: list[str] = []
    after: tuple[float, str] | None = None
    while rows := store.rows(None, None, 1, after=after):
        seen += [row.id for row in rows]
        after = rows[-1].started_at, rows[-1].id
    assert seen == ["1", "2", "3", "4"]
    assert [row.id for row in store.rows(None, NOW - 3600, 10, after=(NOW, "1"))] == ["4"]


def test_the_last_part_of_many_rows_takes_no_longer_than_the_first(on_disk: Place) -> None:
    """Else a CSV takes four times as long for twice as many requests: of a year's, hours."""
    store = UsageStore(on_disk.file, on_disk.folder / "journal", keep_days=400)
    store.open()
    with store._database.writing(None) as connection:
        connection.execute(insert(usage), [{**ROW, "id": f"{n:05}", "started_at": NOW - n} for n in range(3000)])
    steps: list[None] = []

    def counted(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_progress_handler(lambda: steps.append(None), 10)

    event.listen(store._database._engine, "checkout", counted)
    assert len(store.rows(NOW - 9000, NOW, 10)) == 10
    first = len(steps)
    assert [row.id for row in store.rows(NOW - 9000, NOW, 10, after=(NOW - 2989, "02989"))] == [
        f"{n:05}" for n in range(2990, 3000)
    ]
    assert len(steps) - first < 2 * first
    store.close()

"""Reports of the ledger, on both kinds of database."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from msgspec.structs import asdict

from gateway.store.journal import Ended
from gateway.store.reports import By, Sums
from gateway.store.stored import StoreFailed
from gateway.store.usage import UsageStore
from tests.gateway.store.places import ROW, Place
from tests.gateway.store.test_filling import write

DAY_S = 86_400
NOON = 1_800_014_400.0  # 2027-01-15 12:00 UTC


@pytest.fixture
def store(place: Place, tmp_path: Path) -> Iterator[UsageStore]:
    made = UsageStore(place.file, tmp_path / "journal", url=place.url, keep_days=30)
    yield made
    made.close()


def fill(store: UsageStore, folder: Path, *given: dict[str, Any]) -> None:
    """Take requests of which these are known, one second after the other."""
    common = {"key": "alice", "key_id": "k1", "dialect": "anthropic", "upstream": "one", "model": "m", "end": "done"}
    lines = [
        Ended(**{"id": f"{place}", "started_at": NOON + place, "total_s": 1.0, **common, **each})
        for place, each in enumerate(given)
    ]
    write(folder / "journal", "1", [*lines])
    store.fill()


def names(store: UsageStore, by: By) -> dict[str | None, int]:
    return {row.name: row.requests for row in store.report(by, None, None).rows}


def test_tokens_and_money_are_summed_up_by_name(store: UsageStore, tmp_path: Path) -> None:
    used = {"input": 100, "cached": 40, "output": 20, "reasoning": 5}
    fill(store, tmp_path, used | {"usd": 0.5}, used | {"usd": 0.25, "estimated": True}, {"key": "bob", "end": "killed"})
    report = store.report("key", None, None)
    alice = Sums(
        name="alice",
        requests=2,
        input_tokens=200,
        cached_tokens=80,
        output_tokens=40,
        reasoning_tokens=10,
        usd=0.75,
        estimated=1,
    )
    assert report.rows == [alice, Sums(name="bob", requests=1, errors=1, unpriced=1)]
    assert asdict(report.total) == asdict(alice) | {"name": None, "requests": 3, "errors": 1, "unpriced": 1}


def test_money_is_unknown_only_where_no_price_is_known_of_any(store: UsageStore, tmp_path: Path) -> None:
    fill(store, tmp_path, {"usd": 0.0}, {"usd": None}, {"key": "bob", "usd": None})
    assert [row.usd for row in store.report("key", None, None).rows] == [0.0, None]


def test_requests_whose_cost_nobody_knows_are_told_beside_the_money(store: UsageStore, tmp_path: Path) -> None:
    failed: dict[str, Any] = {"end": "error", "usd": None}
    unpriced: list[dict[str, Any]] = [{"output": 1, "usd": None}, {"end": "killed", "usd": None}, failed | {"input": 5}]
    fill(store, tmp_path, {"input": 5, "usd": 0.5}, {"usd": 0.0}, {"model": "", "usd": None}, failed, *unpriced)
    assert [(row.usd, row.unpriced) for row in store.report("key", None, None).rows] == [(0.5, 3)]


def test_those_that_failed_or_were_killed_are_errors_and_those_that_left_are_not(
    store: UsageStore, tmp_path: Path
) -> None:
    fill(store, tmp_path, *({"end": end} for end in ("done", "error", "client_closed", "cancelled", "killed")))
    assert store.report("key", None, None).total.errors == 2


@pytest.mark.parametrize("by", ["key", "model", "upstream"])
def test_rows_are_grouped_by_what_is_asked_for_and_none_is_unknown(store: UsageStore, tmp_path: Path, by: By) -> None:
    fill(store, tmp_path, {by: "x"}, {by: "y"}, {by: "y"}, {by: ""})
    assert names(store, by) == {"y": 2, "x": 1, None: 1}


def test_days_are_those_of_utc_and_in_order(store: UsageStore, tmp_path: Path) -> None:
    fill(
        store,
        tmp_path,
        {"started_at": NOON + 12 * 3600},
        {"started_at": NOON + 12 * 3600 - 0.001, "usd": 9.0},
        {"started_at": NOON - 12 * 3600},
    )
    assert [*names(store, "day").items()] == [("2027-01-15", 2), ("2027-01-16", 1)]


def test_an_account_is_named_by_its_e_mail_and_a_key_by_the_beginning_of_its_id(
    place: Place, store: UsageStore, tmp_path: Path
) -> None:
    place.opened().add("one", ROW)
    keys = [{"credential": ROW.id}, {"credential": ROW.id, "upstream": "two"}, {"credential": "0123456789abcdef"}, {}]
    fill(store, tmp_path, *keys)
    assert names(store, "credential") == {ROW.email: 1, ROW.id[:8]: 1, "01234567": 1, None: 1}


def test_a_credential_is_one_row_whatever_upstreams_it_was_used_at(
    place: Place, store: UsageStore, tmp_path: Path
) -> None:
    for upstream in ("one", "two"):
        place.opened().add(upstream, ROW)
    at = [{"upstream": upstream, "input": 1} for upstream in ("one", "two", "three", "")]
    fill(store, tmp_path, *({**each, "credential": id_} for each in at for id_ in (ROW.id, "0123456789abcdef", "")))
    report = store.report("credential", None, None)
    assert [(row.name, row.requests, row.input_tokens) for row in report.rows] == [
        (None, 4, 4),
        ("01234567", 4, 4),
        (ROW.email, 2, 2),
        (ROW.id[:8], 2, 2),
    ]
    assert (report.total.requests, report.total.input_tokens) == (12, 12)


def test_a_report_begins_with_since_and_ends_before_until(store: UsageStore, tmp_path: Path) -> None:
    fill(store, tmp_path, {}, {}, {})
    assert store.report("key", NOON + 1, NOON + 2).total.requests == 1


def test_one_key_can_be_asked_for(store: UsageStore, tmp_path: Path) -> None:
    fill(store, tmp_path, {}, {"key_id": "k2"}, {"key_id": "k2"})
    assert store.report("day", None, None, "k2").total.requests == 2


def test_the_newest_requests_come_first_and_whole(store: UsageStore, tmp_path: Path) -> None:
    fill(store, tmp_path, {}, {}, {"usd": 0.5, "estimated": True, "first_byte_s": 0.25})
    newest, older = store.rows(None, None, 2)
    assert (newest.id, newest.usd, newest.estimated, newest.first_byte_s, older.id) == ("2", 0.5, True, 0.25, "1")


def test_what_has_ended_in_a_time_is_summed_up_by_when_it_ended(store: UsageStore, tmp_path: Path) -> None:
    fill(store, tmp_path, {"total_s": 100.0}, {"total_s": 5.0}, {"total_s": 5.0, "upstream": "two"})
    assert {row.name: row.requests for row in store.ended(NOON, NOON + 50)} == {"one": 1, "two": 1}
    assert {row.name: row.requests for row in store.ended(NOON + 50, NOON + 150)} == {"one": 1}


def test_what_is_older_than_keep_days_is_dropped(store: UsageStore, tmp_path: Path) -> None:
    now = time.time()
    old = now - 30 * DAY_S - 1
    fill(store, tmp_path, *({"started_at": old - number} for number in range(1200)), {"started_at": old + DAY_S})
    while not store.drop(now):
        pass
    assert [row.id for row in store.rows(None, None, 10)] == ["1200"]


def test_a_host_whose_clock_is_wrong_drops_nothing_of_what_others_keep(postgres_url: str, tmp_path: Path) -> None:
    store = UsageStore(tmp_path / "gateway.db", tmp_path / "journal", url=postgres_url, keep_days=30)
    now = time.time()
    fill(store, tmp_path, {"started_at": now}, {"started_at": now - 31 * DAY_S})
    store.drop(now + 3650 * DAY_S)
    assert [row.id for row in store.rows(None, None, 10)] == ["0"]
    store.close()


def test_nothing_is_written_into_a_file_that_was_removed(tmp_path: Path) -> None:
    file = tmp_path / "gateway.sqlite3"
    with closing(UsageStore(file, tmp_path / "journal", keep_days=30)) as store:
        fill(store, tmp_path, {"id": "a"})
        assert names(store, "key") == {"alice": 1}
        file.unlink()
        write(
            tmp_path / "journal", "2", [Ended(id="b", started_at=NOON, key="bob", key_id="k2", dialect="", end="done")]
        )
        with pytest.raises(StoreFailed, match="the file was removed"):
            store.fill()
        assert not file.exists()
    file.with_name(f"{file.name}-wal").unlink()  # it may hold what is nowhere else
    with closing(UsageStore(file, tmp_path / "journal", keep_days=30)) as store:
        assert (store.fill(), names(store, "key")) == (1, {"bob": 1})


def test_a_file_of_sqlite_loads_nothing_of_postgresql(tmp_path: Path) -> None:
    row = Ended(id="1", started_at=NOON, total_s=1.0, key="alice", key_id="k1", dialect="anthropic", end="done")
    code = f"""
import sys
from pathlib import Path
from gateway.store.journal import Ended
from gateway.store.usage import UsageStore
folder = Path({str(tmp_path)!r})
store = UsageStore(folder / "gateway.db", folder / "journal", keep_days=30)
store.fill()
print(store.report("key", None, None).total.requests, "sqlalchemy.dialects.postgresql" in sys.modules)
"""
    write(tmp_path / "journal", "1", [row])
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1 False\n"


def test_sums_of_money_are_as_people_write_them(store: UsageStore, tmp_path: Path) -> None:
    """In floats 0.1 and 0.2 are 0.30000000000000004."""
    fill(store, tmp_path, {"usd": 0.1}, {"usd": 0.2}, {"usd": 0.1, "key": "bob"}, {"usd": 0.2, "key": "eve"})
    report = store.report("key", None, None)
    assert [row.usd for row in report.rows] == [0.3, 0.2, 0.1]
    assert report.total.usd == 0.6
    assert [point.usd for point in store.series(NOON, NOON + 60, 60)] == [0.6]

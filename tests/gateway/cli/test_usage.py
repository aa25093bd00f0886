"""`gateway usage`: it takes in what processes have left, and sums it up."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from gateway.cli.usage_work import table
from gateway.store.journal import Ended
from gateway.store.reports import Report, Sums
from tests.gateway.cli.conftest import Run
from tests.gateway.store.test_filling import write
from tests.gateway.store.test_journal import opened

DAY_S = 86_400
COMMON = {"key_id": "k", "dialect": "anthropic", "upstream": "openai", "end": "done", "input": 1000, "output": 50}


def left(folder: Path, **ages_s: float) -> None:
    """Write what processes have left of requests of these keys, so many seconds ago."""
    (folder / "gateway.toml").write_text("[upstream.demo]\n")
    lines = [
        Ended(id=key, key=key, model="gpt-4.1", started_at=time.time() - age, usd=0.0024, **COMMON)  # type: ignore[arg-type]
        for key, age in ages_s.items()
    ]
    write(folder / "data" / "journal", "1", [*lines, opened("open")])


def test_a_table_has_a_line_for_each_name_and_the_sums(run: Run, folder: Path) -> None:
    left(folder, alice=10, bob=10)
    done = run("usage", "--by", "model")
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()] == [
        ["MODEL", "REQUESTS", "ERRORS", "INPUT", "CACHED", "OUTPUT", "REASONING", "USD"],
        ["gpt-4.1", "2", "0", "2000", "0", "100", "0", "0.0048"],
        ["-", "1", "1", "0", "0", "0", "0", "0.0000"],
        ["total", "3", "1", "2000", "0", "100", "0", "0.0048"],
    ]


def test_money_to_which_something_is_to_be_added_says_so() -> None:
    sums = [Sums(usd=0.5, unpriced=3), Sums(unpriced=3), Sums(usd=0.5)]
    lines = table(Report(by="key", since=None, until=None, rows=sums, total=sums[0])).splitlines()
    assert [line.split()[-1] for line in lines] == ["USD", "0.5000+", "?", "0.5000", "0.5000+"]


def test_json_is_that_of_the_administration(run: Run, folder: Path) -> None:
    left(folder, alice=10)
    report = json.loads(run("usage", "--since", "1h", "--json").out)
    row: dict[str, object] = {"requests": 1, "errors": 0, "input_tokens": 1000, "cached_tokens": 0, "output_tokens": 50}
    row |= {"reasoning_tokens": 0, "usd": 0.0024, "estimated": 0, "unpriced": 0}
    assert (report["by"], report["until"], report["total"]) == ("key", None, row)
    assert report["rows"] == [{"name": "alice"} | row]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--since", "2h"), {"alice"}),
        (("--until", "2h", "--since", "9d"), {"bob"}),
        (("--since", "9d"), {"alice", "bob"}),
    ],
)
def test_since_and_until_bound_the_time(run: Run, folder: Path, words: tuple[str, ...], names: set[str]) -> None:
    left(folder, alice=10, bob=86_400)
    assert {row["name"] for row in json.loads(run("usage", "--json", *words).out)["rows"]} == names


def test_until_a_day_is_until_its_end(run: Run, folder: Path) -> None:
    day = time.time() // DAY_S * DAY_S - 2 * DAY_S
    left(folder, alice=time.time() - day - 10, bob=time.time() - day - DAY_S + 10, carol=time.time() - day - DAY_S - 10)
    named = time.strftime("%Y-%m-%d", time.gmtime(day))
    rows = json.loads(run("usage", "--json", "--since", named, "--until", named).out)["rows"]
    assert {row["name"] for row in rows} == {"alice", "bob"}


def test_a_moment_that_is_none_is_refused_with_what_would_be_one(run: Run, folder: Path) -> None:
    left(folder, alice=10)
    done = run("usage", "--since", "yesterday")
    assert done.code == 2
    assert "--since: 'yesterday' is not a time: a day such as 2026-11-30" in done.err


def test_a_time_that_ends_before_it_begins_is_refused(run: Run, folder: Path) -> None:
    left(folder, alice=10)
    done = run("usage", "--since", "1h", "--until", "2h")
    assert (done.code, done.out) == (2, "")
    assert "--since: must be before --until" in done.err


def test_before_the_first_request_there_is_nothing_and_no_file(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text("[upstream.demo]\n")
    assert run("usage").out == "no requests in this period\n"
    assert not (folder / "data").exists()


@pytest.mark.parametrize("place", ["file", "file/data"])
def test_a_place_that_can_keep_nothing_is_no_empty_ledger(run: Run, folder: Path, place: str) -> None:
    (folder / "file").touch()
    (folder / "gateway.toml").write_text(f'[server]\ndata_dir = "{place}"\n')
    done = run("usage")
    why = f"cannot be used: {folder / 'file'}: Not a directory; nothing is stored there"
    assert (done.code, done.out, done.err) == (2, "", f"gateway.toml:2: server.data_dir: {why}\n")


def test_a_folder_of_somebody_else_is_no_empty_ledger(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("gateway.cli.usage_work.store_of", forbidden)  # the superuser may look everywhere
    done = run("usage")
    assert (done.code, done.out) == (2, "")
    assert f"server.data_dir: cannot be used: {folder / 'data'}: Permission denied" in done.err


def test_a_journal_on_a_disk_that_became_read_only_is_told(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are in the database, and it cannot be removed."""
    left(folder, alice=10)

    def fixed(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "unlink", fixed)
    done = run("usage", "--json")
    assert (done.code, json.loads(done.out)["total"]["requests"]) == (0, 2)
    (journal,) = (folder / "data" / "journal").glob("*.jsonl")
    why = f"{journal}: Read-only file system"
    assert done.err == f"warning: requests that this machine has not saved there yet are missing: {why}\n"

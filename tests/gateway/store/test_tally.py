"""Counts that several processes share: what is summed, what stays when one is killed, what goes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.store.tally import SIZE, Tally

KEY, OPEN = b'["requests","a"]', b'["open"]'
COUNTING = """
import sys
from pathlib import Path
from gateway.store.tally import Tally
tallies = [Tally(Path(sys.argv[1]), "group") for _ in range(int(sys.argv[3]))]
for number, tally in enumerate(tallies):
    assert tally.open() == ""
    tally.values[tally.place(b'["requests","a"]')] += float(sys.argv[2]) * 10 ** number
    tally.values[tally.place(b'["open"]', live=True)] += 1
print("ready", flush=True)
sys.stdin.read()
for tally in tallies:
    tally.close()
"""


@contextmanager
def worker(folder: Path, count: float, apps: int = 1) -> Generator[subprocess.Popen[str]]:
    """Run another process that has counted so much and stays until its input ends."""
    command = [sys.executable, "-c", COUNTING, str(folder), str(count), str(apps)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def opened(folder: Path | None, group: str = "group", count: float = 0) -> Tally:
    tally = Tally(folder, group)
    assert tally.open() == ""
    tally.values[tally.place(KEY)] += count
    return tally


def summed(tally: Tally, key: bytes = KEY) -> float:
    return tally.totals().values.get(key, [0.0])[0]


def test_a_process_sees_the_counts_of_all(tmp_path: Path) -> None:
    mine = opened(tmp_path, count=1)
    with worker(tmp_path, 2), worker(tmp_path, 4):
        assert (summed(mine), mine.totals().workers) == (7, 3)


def test_what_a_killed_process_counted_stays_and_what_it_had_open_goes(tmp_path: Path) -> None:
    mine = opened(tmp_path, count=1)
    with worker(tmp_path, 2) as other:
        assert summed(mine, OPEN) == 1
        other.kill()
        other.wait()
        assert (summed(mine), summed(mine, OPEN), mine.totals().workers) == (3, 0, 1)


def test_the_next_process_goes_on_where_a_killed_one_stopped(tmp_path: Path) -> None:
    mine = opened(tmp_path, count=1)
    for _ in range(3):
        with worker(tmp_path, 2) as other:
            assert summed(mine, OPEN) == 1
            other.kill()
            other.wait()
    assert summed(mine) == 7
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_process_that_ended_in_order_counted_stays_while_another_lives(tmp_path: Path) -> None:
    mine = opened(tmp_path, count=1)
    with worker(tmp_path, 2) as other:
        other.communicate()
        assert (summed(mine), mine.totals().workers) == (3, 1)


def test_the_last_one_takes_the_files_away(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "metrics"
    mine = opened(folder, count=1)
    with worker(folder, 2) as other:
        mine.close()
        assert folder.exists()
        other.communicate()
    assert not folder.exists()


def test_after_that_it_starts_at_zero(tmp_path: Path) -> None:
    opened(tmp_path, count=5).close()
    assert summed(opened(tmp_path)) == 0


def test_groups_are_apart(tmp_path: Path) -> None:
    one, two = opened(tmp_path, "one", 1), opened(tmp_path, "two", 2)
    assert (summed(one), summed(two)) == (1, 2)


def test_two_apps_of_one_process_and_one_group_are_apart_and_each_has_its_workers(tmp_path: Path) -> None:
    one, two = opened(tmp_path, count=1), opened(tmp_path, count=2)
    with worker(tmp_path, 4, apps=2):
        assert (summed(one), summed(two)) == (5, 42)


def test_the_files_of_a_group_that_nobody_is_in_go(tmp_path: Path) -> None:
    with worker(tmp_path, 2) as other:
        other.kill()
        other.wait()
        opened(tmp_path, "another").close()
        assert list(tmp_path.parent.glob(f"{tmp_path.name}/*")) == []


def test_without_a_folder_it_counts_alone() -> None:
    assert summed(opened(None, count=3)) == 3


def test_where_it_cannot_write_it_counts_alone_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tally = Tally(tmp_path / "file" / "metrics", "group")
    assert "Not a directory" in tally.open()
    tally.values[tally.place(KEY)] += 1
    assert (summed(tally), tally.totals().workers) == (1, 1)


def test_what_another_user_has_counted_spoils_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, who may open anything, would not be kept away: so that file is refused here."""
    theirs = tmp_path / "group-0.0"
    theirs.write_bytes(bytes(SIZE))
    really = os.open

    def kept_away(file: Path, *given: int) -> int:
        if file == theirs:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return really(file, *given)

    monkeypatch.setattr(os, "open", kept_away)
    mine = opened(tmp_path, count=1)
    assert summed(mine) == 1
    mine.close()
    assert [*tmp_path.iterdir()] == [theirs]


def test_a_file_of_another_size_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "group-0.0").write_bytes(b"damaged")
    assert summed(opened(tmp_path, count=2)) == 2
    assert {file.stat().st_size for file in tmp_path.iterdir()} == {SIZE}


def test_a_place_stays_the_same(tmp_path: Path) -> None:
    tally = opened(tmp_path)
    assert tally.place(KEY) == tally.place(KEY) != tally.place(OPEN)


def test_a_key_may_have_several_values(tmp_path: Path) -> None:
    tally = opened(tmp_path)
    place = tally.place(b"odd-length", 3)
    for number in range(3):
        tally.values[place + number] += number
    assert tally.totals().values[b"odd-length"] == [0, 1, 2]


def test_what_finds_no_room_is_counted_nowhere(tmp_path: Path) -> None:
    tally = opened(tmp_path)
    keys = [b"%d" % number for number in range(SIZE // 64)]
    for key in keys:
        tally.values[tally.place(key, 20)] += 1
    assert not tally.has_room
    found = tally.totals().values
    assert 0 < len(found) < len(keys)
    assert {values[0] for key, values in found.items() if key != KEY} == {1}


def test_counting_after_the_end_is_no_error(tmp_path: Path) -> None:
    tally = opened(tmp_path, count=1)
    place = tally.place(KEY)
    tally.close()
    tally.values[place] += 1
    assert tally.open() == ""
    assert summed(tally) == 0


def test_only_its_owner_may_look_into_the_folder_and_the_one_around_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "metrics"
    tally = opened(folder)
    assert [each.stat().st_mode & 0o777 for each in (folder.parent, folder)] == [0o700, 0o700]
    tally.close()

"""What a process writes down of its requests, and what happens while the disk takes nothing."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from gateway.store.journal import WHOLE, Ended, Journal, Line, Opened, read_lines
from gateway.store.locks import lock
from tests.disk import full_disk

WHO = {"started_at": 1.0, "key": "alice", "key_id": "k", "dialect": "openai-chat"}


def opened(id_: str) -> Opened:
    return Opened(id=id_, **WHO)  # type: ignore[arg-type]  # the values fit


def ended(id_: str) -> Ended:
    return Ended(id=id_, end="done", **WHO)  # type: ignore[arg-type]


def lines(folder: Path) -> list[Line]:
    return read_lines(b"".join(file.read_bytes() for file in sorted(folder.glob("*.jsonl"))))


def is_locked(file: Path) -> bool:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        return not lock(descriptor)
    finally:
        os.close(descriptor)


def test_nothing_is_made_before_the_first_line(tmp_path: Path) -> None:
    Journal(tmp_path / "data" / "journal").close()
    assert list(tmp_path.iterdir()) == []


def test_both_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    Journal(tmp_path / "data" / "journal").open(opened("a"))
    modes = [(tmp_path / path).stat().st_mode & 0o777 for path in ("data", "data/journal")]
    assert modes == [0o700, 0o700]


def test_a_request_has_a_line_when_it_begins_and_one_when_it_ends(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    file = journal.open(opened("a"))
    assert lines(tmp_path) == [opened("a")]
    journal.end(ended("a"), file)
    assert lines(tmp_path) == [opened("a"), ended("a")]
    (file_,) = tmp_path.glob("*.jsonl")
    assert [line[:12] for line in file_.read_bytes().splitlines()] == [b'{"is":"open"', b'{"is":"end",']


def test_a_file_is_locked_until_the_last_request_in_it_has_ended(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    file = journal.open(opened("a"))
    journal.close()
    (path,) = tmp_path.iterdir()
    assert is_locked(path)
    journal.end(ended("a"), file)
    assert not is_locked(path)


def test_a_large_file_is_left_and_what_was_opened_in_it_ends_in_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path, large_bytes=1)
    first = journal.open(opened("a"))
    journal.end(ended("b"), journal.open(opened("b")))
    journal.end(ended("a"), first)
    old, new = sorted(tmp_path.iterdir())
    assert [line.id for line in read_lines(old.read_bytes())] == ["a", "a"]
    assert (is_locked(old), is_locked(new)) == (False, True)


def test_ends_wait_while_the_disk_is_full_and_are_written_whole_when_it_is_not(tmp_path: Path) -> None:
    now = 0.0
    journal = Journal(tmp_path, lambda: now)
    files = {name: journal.open(opened(name)) for name in "abc"}
    (path,) = tmp_path.iterdir()
    with full_disk(path.stat().st_size + 20):
        for name in "ab":
            journal.end(ended(name), files[name])
        assert "File too large" in journal.problem or "No space" in journal.problem
        assert journal.waiting == 2
        assert journal.open(opened("d")) is None
    now = 1.0
    journal.end(ended("c"), files["c"])
    assert (journal.problem, journal.waiting) == ("", 0)
    assert [line.id for line in lines(tmp_path) if isinstance(line, Ended)] == ["a", "b", "c"]


def test_a_folder_that_cannot_be_made_is_tried_again_after_a_moment(tmp_path: Path) -> None:
    now, place = 0.0, tmp_path / "data"
    place.write_text("in the way")
    journal = Journal(place / "journal", lambda: now)
    journal.end(ended("a"), journal.open(opened("a")))
    place.unlink()
    journal.settle()
    assert journal.waiting == 1
    now = 1.0
    journal.settle()
    assert lines(place / "journal") == [ended("a")]


def test_a_disk_without_locks_is_not_filled_with_files_that_were_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some of other hosts are: each try, every second, had left one."""

    def unlocked(_: int) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as disk:
        disk.setattr("gateway.store.journal.lock", unlocked)
        now = 0.0
        journal = Journal(tmp_path, lambda: now)
        for now in (0.0, 1.0, 2.0):
            journal.end(ended(f"{now}"), journal.open(opened(f"{now}")))
        assert list(tmp_path.iterdir()) == []
        assert journal.problem == f"{tmp_path}: No locks available"
    now = 3.0
    journal.settle()
    assert len(lines(tmp_path)) == 3


def test_after_a_file_was_removed_ends_go_into_a_new_one(tmp_path: Path) -> None:
    now, place = 0.0, tmp_path / "data" / "journal"
    journal = Journal(place, lambda: now)
    file = journal.open(opened("a"))
    shutil.rmtree(place.parent)
    place.parent.write_text("in the way")
    journal.settle()
    assert "File exists" in journal.problem
    journal.end(ended("a"), file)
    assert journal.waiting == 1
    place.parent.unlink()
    now = 1.0
    assert journal.open(opened("b")) is None
    journal.end(ended("b"))
    assert (journal.problem, lines(place)) == ("", [ended("a"), ended("b")])
    shutil.rmtree(place.parent)
    journal.settle()
    assert "it was removed" in journal.problem
    journal.end(ended("c"), journal.open(opened("c")))
    assert (journal.problem, lines(place)) == ("", [opened("c"), ended("c")])


def test_memory_keeps_the_newest_ends_and_counts_what_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.journal._WAITING", 2)
    place = tmp_path / "data"
    place.write_text("in the way")
    now = 0.0
    journal = Journal(place, lambda: now)
    for name in "abc":
        journal.end(ended(name))
    place.unlink()
    now = 1.0
    journal.settle()
    assert journal.lost == 1
    assert [line.id for line in lines(place)] == ["b", "c"]


def test_a_file_says_that_nothing_is_open_in_it_when_it_is_left(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    file = journal.open(opened("a"))
    journal.close()
    (path,) = tmp_path.iterdir()
    assert not path.read_bytes().endswith(WHOLE)
    journal.end(ended("a"), file)
    assert path.read_bytes().splitlines(keepends=True)[-1] == WHOLE
    assert lines(tmp_path) == [opened("a"), ended("a")]


def test_a_file_in_which_an_end_was_lost_does_not_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.journal._WAITING", 1)
    now = 0.0
    journal = Journal(tmp_path, lambda: now)
    files = [journal.open(opened(name)) for name in "ab"]
    (path,) = tmp_path.iterdir()
    with full_disk(path.stat().st_size):
        for name, file in zip("ab", files, strict=True):
            journal.end(ended(name), file)
    now = 1.0
    journal.close()
    assert journal.lost == 1
    assert lines(tmp_path) == [opened("a"), opened("b"), ended("b")]
    assert not is_locked(path)
    assert not path.read_bytes().endswith(WHOLE)

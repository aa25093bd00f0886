"""What processes of one host tell each other beside the database."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from gateway.store.board import Board
from gateway.store.database import Database


def test_what_one_says_another_hears_once(tmp_path: Path) -> None:
    one, other = (Board(tmp_path / "gateway.db", "google") for _ in range(2))
    one.say(b"first")
    one.say(b"second")
    assert other.look() == [b"first", b"second"]
    assert other.look() == []
    other.say(b"third")
    assert one.look() == [b"first", b"second", b"third"]  # also its own: the words say whose they are


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_who_has_the_folder(tmp_path: Path) -> None:
    """`sudo gateway keys new` before the first start would keep the gateway from its own database."""
    os.chown(tmp_path, 1234, 5678)
    Database(tmp_path / "gateway.db").open()
    Board(tmp_path / "gateway.db", "google").close()
    made = [*tmp_path.iterdir()]
    assert {"gateway.db", "gateway.db-said"} <= {file.name for file in made}
    assert {(file.stat().st_uid, file.stat().st_gid) for file in made} == {(1234, 5678)}


def test_what_was_said_before_is_not_heard(tmp_path: Path) -> None:
    Board(tmp_path / "gateway.db", "google").say(b"old")
    assert Board(tmp_path / "gateway.db", "google").look() == []


def test_each_upstream_has_its_own(tmp_path: Path) -> None:
    google, other = (Board(tmp_path / "gateway.db", name) for name in ("google", "other"))
    google.say(b"words")
    assert other.look() == []


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    board = Board(tmp_path / "gateway.db", "google")
    board.say(b"whole")
    file = tmp_path / "gateway.db-said"
    line = file.read_bytes()
    with file.open("ab") as half:
        half.write(line[:10])
        half.flush()
        assert board.look() == [b"whole"]
        half.write(line[10:])
        half.flush()
    assert board.look() == [b"whole"]


def test_a_file_that_has_grown_large_is_emptied(tmp_path: Path) -> None:
    one, other = (Board(tmp_path / "gateway.db", "google") for _ in range(2))
    words = b"x" * 2000
    for _ in range(600):
        one.say(words)
    assert (tmp_path / "gateway.db-said").stat().st_size < 1 << 20
    assert other.look()
    one.say(b"last")
    assert other.look() == [b"last"]


def test_a_disk_that_fails_holds_up_nobody(tmp_path: Path) -> None:
    board = Board(tmp_path / "gateway.db", "google")
    folder = os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, board._file)  # what cannot be read, as a server of files that has gone leaves it
    os.close(folder)
    board.say(b"words")
    assert board.look() == []
    board.close()


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    Board(tmp_path / "gateway.db", "google")
    assert stat.S_IMODE((tmp_path / "gateway.db-said").stat().st_mode) == 0o600


def test_a_full_disk_stops_nobody(tmp_path: Path) -> None:
    board = Board(tmp_path / "gateway.db", "google")
    os.dup2(os.open("/dev/full", os.O_RDWR), board._file)
    board.say(b"words")


def _say_many(file: Path, name: str) -> None:
    board = Board(file, "google")
    for number in range(500):
        board.say(f"{name} {number}".encode())


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    board = Board(tmp_path / "gateway.db", "google")
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_say_many, args=(tmp_path / "gateway.db", name)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    heard = board.look()
    assert len(heard) == 2000
    for name in "abcd":
        assert [line for line in heard if line.startswith(name.encode())] == [
            f"{name} {number}".encode() for number in range(500)
        ]

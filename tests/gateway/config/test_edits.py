"""Noticing an edit: once, when it is over, however the file was put there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import Edits, files_of
from gateway.config.edits import stamp


def in_place(file: Path) -> None:
    file.write_text("after, and longer")


def renamed(file: Path) -> None:
    new = file.with_name(".gateway.toml.swp")
    new.write_text("after")
    new.replace(file)


def away_and_back(file: Path) -> None:
    file.rename(f"{file}~")
    file.write_text("after")


def removed(file: Path) -> None:
    file.unlink()


def closed(file: Path) -> None:
    file.chmod(0)


def dotenv(file: Path) -> None:
    (file.parent / ".env").write_text("A=b")


def edits_of(file: Path) -> Edits:
    return Edits(files_of(file), stamp(files_of(file)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text("before")
    return file


@pytest.mark.parametrize("edit", [in_place, renamed, away_and_back, removed, closed, dotenv])
def test_an_edit_is_told_once_when_it_is_over(file: Path, edit: Callable[[Path], None]) -> None:
    edits = edits_of(file)
    assert not edits.look()
    edit(file)
    assert [edits.look() for _ in range(4)] == [False, True, False, False]


def test_a_swapped_config_map_is_an_edit(tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "gateway.toml").write_text("same")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "gateway.toml").symlink_to("..data/gateway.toml")
    edits = edits_of(tmp_path / "gateway.toml")
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert [edits.look() for _ in range(3)] == [False, True, False]


def test_while_it_is_written_nothing_is_told(file: Path) -> None:
    edits = edits_of(file)
    for size in range(1, 4):
        file.write_text("x" * size)
        assert not edits.look()
    assert edits.look()


def test_a_file_that_is_only_emptied_is_not_told(file: Path) -> None:
    edits = edits_of(file)
    file.write_text("")
    assert [edits.look() for _ in range(3)] == [False, False, False]
    file.write_text("after")
    assert [edits.look() for _ in range(2)] == [False, True]


def test_what_is_read_for_another_reason_is_not_told(file: Path) -> None:
    edits = edits_of(file)
    in_place(file)
    edits.note()
    assert [edits.look() for _ in range(3)] == [False, False, False]


def test_what_is_edited_between_reading_and_the_first_look_is_told(file: Path) -> None:
    seen = stamp(files_of(file))
    in_place(file)
    edits = Edits(files_of(file), seen)
    assert [edits.look() for _ in range(2)] == [False, True]


def test_an_edit_that_is_taken_back_is_none(file: Path) -> None:
    edits, link = edits_of(file), file.with_name("kept")
    os.link(file, link)
    renamed(file)
    edits.look()
    link.replace(file)
    assert [edits.look() for _ in range(2)] == [False, False]

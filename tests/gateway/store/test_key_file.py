"""Looks at a SQLite file that others write, or make, or put another one in the place of."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.store.key_file import KeyFile
from gateway.store.stored import StoreFailed
from tests.gateway.store.places import ROW, Place
from tests.gateway.store.test_faults import closed_to_us, open_to_all
from tests.gateway.store.test_key_store import ALICE, named

__all__ = ["open_to_all"]  # a fixture

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(on_disk: Place) -> Iterator[KeyFile]:
    made = KeyFile(on_disk.file)
    yield made
    made.close()


def names(file: KeyFile, number: int = 0) -> list[str] | None:
    news = file.news(number)
    file.seen()
    return None if news is None else [key.name for key in news.rows]


def test_no_file_has_no_keys_and_none_is_made(on_disk: Place, file: KeyFile) -> None:
    assert (file.changed(), file.news(0), file.since(0)) == (False, None, [])
    assert not on_disk.file.parent.exists()


def test_a_file_that_appears_is_seen(on_disk: Place, file: KeyFile) -> None:
    assert names(file) is None
    on_disk.callers().add(ALICE)
    assert (file.changed(), names(file), file.changed()) == (True, ["alice"], False)


def test_what_others_write_is_seen_once(on_disk: Place, file: KeyFile) -> None:
    on_disk.callers().add(ALICE)
    assert names(file) == ["alice"]
    on_disk.callers().add(named("bob"))
    assert (file.changed(), names(file, 1), names(file, 2)) == (True, ["bob"], None)


def test_what_was_read_and_not_heard_is_still_news(on_disk: Place, file: KeyFile) -> None:
    on_disk.callers().add(ALICE)
    for _ in range(2):
        news = file.news(0)
        assert news is not None
        assert (news.whole, [key.name for key in news.rows], file.changed()) == (True, ["alice"], True)


def test_what_is_no_key_is_no_news(on_disk: Place, file: KeyFile) -> None:
    on_disk.callers().add(ALICE)
    names(file)
    on_disk.opened().add("google", ROW)
    assert (file.changed(), names(file, 1), file.changed()) == (True, None, False)


def test_another_file_in_its_place_is_read_as_a_whole(on_disk: Place, file: KeyFile) -> None:
    on_disk.callers().add(ALICE)
    names(file)
    other = Place(on_disk.folder / "other")
    other.callers().add(named("bob"))  # with the same number
    other.file.replace(on_disk.file)
    news = file.news(1)
    assert news is not None
    assert (news.whole, [key.name for key in news.rows]) == (True, ["bob"])


def test_a_file_that_is_gone_tells_nothing(on_disk: Place, file: KeyFile) -> None:
    on_disk.callers().add(ALICE)
    names(file)
    on_disk.file.unlink()
    assert (file.changed(), file.news(1)) == (False, None)


def test_a_file_of_an_older_version_has_none(on_disk: Place, file: KeyFile) -> None:
    on_disk.file.parent.mkdir()
    with closing(sqlite3.connect(on_disk.file)) as older:
        older.execute("CREATE TABLE settings (name TEXT)")
    assert (names(file), file.since(0)) == ([], [])


def test_its_connection_can_be_closed_before_a_fork(on_disk: Place, file: KeyFile) -> None:
    on_disk.callers().add(ALICE)
    names(file)
    file.close()
    assert names(file, 1) == ["alice"]  # all there is, again


def test_a_file_that_may_only_be_read_is_read(open_to_all: Place) -> None:
    open_to_all.callers().add(ALICE)
    file = KeyFile(open_to_all.file)
    with closed_to_us(open_to_all.file, open_to_all.file.parent):
        assert names(file) == ["alice"]
    file.close()


def test_what_is_no_database_is_told(on_disk: Place, file: KeyFile) -> None:
    on_disk.file.parent.mkdir()
    on_disk.file.write_bytes(b"something else" * 100)
    with pytest.raises(StoreFailed, match="file is not a database"):
        file.changed()


def test_a_writer_holds_up_nobody(on_disk: Place, file: KeyFile) -> None:
    on_disk.callers().add(ALICE)
    with closing(sqlite3.connect(on_disk.file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE keys SET name = 'carol'")
        assert [replace(key, number=0) for key in file.since(0)] == []  # nothing was opened yet
        assert names(file) == ["alice"]


def test_a_database_that_is_opened_again_hides_nothing(on_disk: Place, file: KeyFile) -> None:
    on_disk.callers().add(ALICE)
    names(file)
    on_disk.callers().open()  # to close a file gives back all locks that the process has on it, SQLite's, too
    program = (
        "import sys\nfrom pathlib import Path\nfrom gateway.store.keys import KeyStore\n"
        "from gateway.store.stored_keys import StoredKey\n"
        "KeyStore(Path(sys.argv[1])).add(StoredKey(name=sys.argv[2], sha256='', prefix='', created_at=0.0))\n"
    )
    for number, name in enumerate(("bob", "carol"), 1):
        subprocess.run([sys.executable, "-c", program, on_disk.file, name], cwd=ROOT, check=True)
        assert names(file, number) == [name]

"""A connection that only reads, and that is not left open where the file is none of SQLite's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.peek import peek


def opened(file: Path) -> int:
    return [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()].count(str(file))


def test_it_reads_and_does_not_write(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("CREATE TABLE t (n)")
        with closing(peek(f"{file.as_uri()}?mode=rw", "SELECT n FROM t", wait_s=0)) as reader:
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.execute("INSERT INTO t VALUES (1)")
            assert opened(file) == 2


@pytest.mark.parametrize("content", [b"no database at all, whatever it is called" * 30, b""], ids=["words", "nothing"])
def test_what_does_not_answer_is_closed(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.db"
    file.write_bytes(content)
    errors: list[sqlite3.Error] = []
    for _ in range(3):
        try:
            peek(f"{file.as_uri()}?mode=rw", "SELECT n FROM t", wait_s=0)
        except sqlite3.Error as error:
            errors.append(error)  # holds the frame, and all that is in it
    assert len(errors) == 3
    assert opened(file) == 0

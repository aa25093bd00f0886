"""A disk that is full, a folder that is read-only, a database that is locked or away: told of once, and made good."""

from __future__ import annotations

import asyncio
import os
import pwd
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from gateway.store.folder import explained
from gateway.store.key_file import KeyFile
from gateway.store.known import Change, StoredTokens
from gateway.store.stored import StoreFailed
from tests.disk import full_disk
from tests.gateway.store.keepers import NOW, joined, keeper_of, logged, until
from tests.gateway.store.places import ROW, Place, key
from tests.patience import patient
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

NEWS = Change(id="ab12", tokens=StoredTokens("ya29.newer", 4 * NOW, NOW, "1//rotated"), cooling={"m": 4 * NOW})


@contextmanager
def closed_to_us(*paths: Path) -> Iterator[None]:
    """Take the right to write; root is nobody meanwhile, for it needs no rights."""
    modes = [(path, path.stat().st_mode) for path in paths]
    root, nobody = os.geteuid() == 0, pwd.getpwnam("nobody").pw_uid
    for path, mode in modes:
        path.chmod(mode & ~0o222 | (0o055 if path.is_dir() else 0o044))
    if root:
        os.seteuid(nobody)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes:
            path.chmod(mode)


def kept(place: Place) -> tuple[str, str, float]:
    row = place.opened().load("google")["ab12"]
    return row.access_token, row.refresh_token, row.cooling.get("m", 0.0)


WRITTEN = ("ya29.newer", "1//rotated", 4 * NOW)


async def test_a_full_disk_breaks_nothing_and_is_made_good(on_disk: Place, capfd: pytest.CaptureFixture[str]) -> None:
    on_disk.opened().add("google", ROW)
    async with joined(keeper := keeper_of(on_disk.store())):
        logged(capfd)
        with full_disk(4096):
            for _ in range(3):
                await keeper.now(NEWS)
            assert keeper.unwritten("ab12") is not None
            await asyncio.sleep(0.8)  # it is tried again
            (line,) = logged(capfd)
            assert (line["level"], line["event"]) == ("error", "the credential store fails; changes are kept in memory")
            assert line["reason"] in ("disk I/O error", "database or disk is full")
            assert on_disk.store(read_only=True).load("google")["ab12"].access_token == "ya29.access"
        await until(lambda: keeper.unwritten("ab12") is None, within_s=1.0)
        assert kept(on_disk) == WRITTEN
    with closing(sqlite3.connect(on_disk.file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.fixture
def open_to_all() -> Iterator[Place]:
    """Give a place that anybody may enter; those of pytest are its owner's alone."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Place(Path(folder))


async def test_a_folder_that_becomes_read_only_is_made_good(
    open_to_all: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    on_disk = open_to_all
    on_disk.opened().add("google", ROW)
    keeper = keeper_of(on_disk.store())
    with closed_to_us(on_disk.file.parent, on_disk.file):
        rows, _ = keeper.load()
        assert rows["ab12"].access_token == "ya29.access"  # what is there is used
        await keeper.start()
        logged(capfd)
        await keeper.now(NEWS)
        await asyncio.sleep(0.8)
        assert logged(capfd) == []  # it was told of already
        assert keeper.unwritten("ab12") is not None
    await until(lambda: keeper.unwritten("ab12") is None, within_s=1.0)
    assert kept(on_disk) == WRITTEN
    await keeper.close()


def test_a_read_only_folder_is_named(open_to_all: Place, capfd: pytest.CaptureFixture[str]) -> None:
    on_disk = open_to_all
    on_disk.file.parent.mkdir()
    with closed_to_us(on_disk.file.parent):
        assert keeper_of(on_disk.store()).load() == ({}, None)
    (line,) = logged(capfd)
    assert (line["reason"], line["store"]) == ("Permission denied", str(on_disk.file))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is somebody else besides")
def test_a_file_of_another_user_is_named_so(open_to_all: Place) -> None:
    """As it is where somebody ran a command as root; SQLite says only that it cannot open it."""
    open_to_all.opened()
    open_to_all.close()
    open_to_all.file.parent.chmod(0o755)
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        with pytest.raises(StoreFailed, match="it belongs to another user"):
            open_to_all.store().open()
        with pytest.raises(StoreFailed, match="it belongs to another user"):
            KeyFile(open_to_all.file).news(0)
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_file_that_its_own_user_may_not_open_is_not_said_to_be_of_another(open_to_all: Place) -> None:
    open_to_all.opened()
    open_to_all.close()
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(open_to_all.file, nobody, -1)
    open_to_all.file.chmod(0)
    open_to_all.file.parent.chmod(0o755)
    os.seteuid(nobody)
    try:
        with pytest.raises(StoreFailed, match="unable to open database file: its mode is 0000"):
            open_to_all.store().open()
    finally:
        os.seteuid(0)


def test_a_file_on_a_disk_that_is_read_only_is_not_said_to_be_of_another(
    on_disk: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a container is."""
    on_disk.opened()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    monkeypatch.setattr(os, "supports_effective_ids", {os.access})
    said = explained("unable to open database file", on_disk.file)
    assert said == "unable to open database file: its disk is read-only"


@pytest.mark.parametrize("lost", ["emptied", "removed"])
def test_a_log_without_its_database_is_kept(on_disk: Place, lost: str) -> None:
    """As after a kill, where the log holds most: SQLite removes it beside a file that is empty, even as it reads."""
    log = on_disk.file.with_name("gateway.db-wal")
    written = b"what was written last" * 99
    on_disk.opened().add("google", ROW)
    on_disk.close()
    log.write_bytes(written)
    on_disk.file.write_bytes(b"") if lost == "emptied" else on_disk.file.unlink()
    keys = KeyFile(on_disk.file)
    for open_it in (on_disk.store().open, on_disk.store(read_only=True).open, keys.changed):
        with pytest.raises(StoreFailed, match="gateway.db is missing or empty, and gateway.db-wal is not: put"):
            open_it()
    assert log.read_bytes() == written
    log.unlink()
    assert on_disk.opened().load("google") == {}


async def test_a_file_that_is_locked_for_long_is_made_good(on_disk: Place, capfd: pytest.CaptureFixture[str]) -> None:
    on_disk.opened().add("google", ROW)
    async with joined(keeper := keeper_of(on_disk.store())):
        with closing(sqlite3.connect(on_disk.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            await keeper.now(NEWS)
            assert 4.5 < time.monotonic() - began < patient(30)
            assert keeper.unwritten("ab12") is not None
            took_s = []
            for number in range(3):  # the figure is for a machine that has nothing else to do
                began = time.monotonic()
                await keeper.now(NEWS)
                assert await keeper.take_lease(f"refresh-{number}", 60)
                keeper.fresh()
                took_s.append(time.monotonic() - began)
            assert min(took_s) < 3  # nobody waits a second time
            other.execute("ROLLBACK")
        await until(lambda: keeper.unwritten("ab12") is None, within_s=1.5)
        assert kept(on_disk) == WRITTEN
    assert [line["reason"] for line in logged(capfd, "the credential store fails")] == ["database is locked"]


async def test_a_lock_of_a_moment_is_waited_for(on_disk: Place, capfd: pytest.CaptureFixture[str]) -> None:
    on_disk.opened().add("google", ROW)
    async with joined(keeper := keeper_of(on_disk.store())):
        logged(capfd)
        with closing(sqlite3.connect(on_disk.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.create_task(keeper.now(NEWS))
            await asyncio.sleep(0.3)
            assert not writing.done()
            other.execute("ROLLBACK")
            await writing
        assert kept(on_disk) == WRITTEN
    assert logged(capfd, "fails") == []


async def test_a_database_that_stops_is_made_good(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, postgres_url)
    place.opened().add("google", ROW)
    async with joined(keeper := keeper_of(place.store())):
        logged(capfd)
        await asyncio.to_thread(postgres_server.stop)
        for _ in range(3):
            await keeper.now(NEWS)
        assert await keeper.take_lease("refresh", 60)
        assert keeper.fresh() == ()
        assert keeper.unwritten("ab12") is not None
        await asyncio.sleep(1.2)  # a poll, and two tries
        (line,) = logged(capfd)
        assert line["event"] == "the credential store fails; changes are kept in memory"
        assert "postgres@" not in str(line)
        await asyncio.to_thread(postgres_server.start)
        await until(lambda: keeper.unwritten("ab12") is None, within_s=1.5)
        assert kept(place) == WRITTEN
        assert len(logged(capfd, "works again")) == 1
    place.close()


async def test_a_database_that_can_only_be_read_is_told_of_once(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place, secret = Place(tmp_path, postgres_url), key()
    place.opened(secret).add("google", ROW)
    place.close()
    forbid = f"ALTER DATABASE {postgres_url.rpartition('/')[2]} SET default_transaction_read_only".encode()
    postgres_server.do(forbid + b" = on")  # for connections that are made from now on
    async with joined(keeper := keeper_of(place.store(secret))):
        for number in range(3):
            assert await keeper.take_lease(f"refresh-{number}", 60)
            await asyncio.sleep(1.1)  # a poll, which reads
        (line,) = logged(capfd)
        assert line["event"] == "the credential store fails; changes are kept in memory"
        postgres_server.do(forbid + b" = off")
        await until(lambda: not keeper.fails, within_s=3.0)
        events = [line["event"] for line in logged(capfd)]
        assert events[-1] == "the credential store works again"
        assert len(events) <= 3  # a connection of before may fail once more
    place.close()


async def test_a_database_that_crashes_while_it_is_used_is_made_good(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    place = Place(tmp_path, postgres_url)
    place.opened().add("google", ROW)
    async with joined(keeper := keeper_of(place.store())):
        await keeper.now(Change(id="ab12", uses=1))
        await asyncio.to_thread(postgres_server.crash)
        await asyncio.to_thread(postgres_server.start)
        await keeper.now(NEWS)
        await until(lambda: keeper.unwritten("ab12") is None, within_s=1.5)
        row = place.opened().load("google")["ab12"]
        assert (row.access_token, row.uses) == ("ya29.newer", 8)
    place.close()


async def test_a_database_that_is_not_there_at_the_start_is_read_later(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    place = Place(tmp_path, postgres_url)
    place.opened().add("google", ROW)
    place.close()
    await asyncio.to_thread(postgres_server.stop)
    keeper = keeper_of(place.store())
    assert await asyncio.to_thread(keeper.load) == ({}, None)
    await keeper.start()
    keeper.later(NEWS)
    await asyncio.to_thread(postgres_server.start)
    arrived: dict[str, str] = {}

    def written() -> bool:
        arrived.update({row.id: row.email for row in keeper.fresh()})
        return keeper.unwritten("ab12") is None and "ab12" in arrived

    await until(written, within_s=3.0)
    await keeper.close()
    assert arrived == {"ab12": "a@example.org"}
    assert kept(place) == WRITTEN
    place.close()


async def test_a_database_that_says_nothing_holds_nobody_up_for_long(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, postgres_url)
    place.opened().add("google", ROW)
    async with joined(keeper := keeper_of(place.store())):
        logged(capfd)
        postgres_server.freeze()
        began = time.monotonic()
        await keeper.now(NEWS)
        assert time.monotonic() - began < patient(30)
        took_s = []
        for number in range(3):
            began = time.monotonic()
            await keeper.now(NEWS)
            assert await keeper.take_lease(f"refresh-{number}", 60)
            took_s.append(time.monotonic() - began)
        assert min(took_s) < 3
        (line,) = logged(capfd)
        assert line["reason"] in ("it does not respond", "connection timeout expired")
        postgres_server.thaw()
        await until(lambda: keeper.unwritten("ab12") is None, within_s=1.5)
        assert kept(place) == WRITTEN
    place.close()


async def test_a_row_that_is_damaged_is_named(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.opened().add("google", ROW)
    place.do("UPDATE credentials SET quota = '[]'")
    assert keeper_of(place.store()).load() == ({}, None)
    assert "the row of credential ab12 is damaged" in str(logged(capfd, "fails")[0]["reason"])

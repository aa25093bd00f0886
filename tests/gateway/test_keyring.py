"""The keys of one app: what others make and revoke is known at once, and a store that fails changes nothing."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.clock import Clock, System
from gateway.config import ConfigError, Limit, LogConfig, NewKey, load
from gateway.errors import StoreUnavailable
from gateway.keyring import Keyring
from gateway.keys import digest_of
from gateway.logs import logger_of
from gateway.store.stored_keys import KeyNews
from tests.clocks import FakeClock
from tests.gateway.store.keepers import logged, until
from tests.gateway.store.places import BOTH, Place, key
from tests.gateway.store.test_key_store import ALICE
from tests.patience import patient
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
NEW = NewKey(
    name="bob",
    models=("claude-*",),
    upstreams=("demo",),
    scopes=("chat", "admin"),
    expires=datetime(2031, 2, 3, tzinfo=UTC),
    limits=(Limit("requests", 60, "minute"),),
)


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, request.getfixturevalue("postgres_url") if request.param == "postgres" else "")
    yield made
    made.close()


def keyring(place: Place, clock: Clock | None = None, **config: Any) -> Keyring:
    tables = {"server": {"data_dir": str(place.file.parent)}, "store": {"database": place.url}, **config}
    ring = Keyring(load(tables, environ={}), clock or System(), logger_of(LogConfig(format="json")))
    ring.load()
    return ring


@asynccontextmanager
async def started(ring: Keyring) -> AsyncGenerator[Keyring]:
    await ring.start()
    try:
        yield ring
    finally:
        await ring.stop()


def knows(ring: Keyring, digest: str = ALICE.sha256) -> bool:
    return ring.find(digest) is not None


async def test_what_was_made_before_the_start_is_known(place: Place) -> None:
    place.callers().add(ALICE)
    ring = keyring(place)
    found = ring.find(ALICE.sha256)
    assert found is not None
    principal, expires = found
    assert (principal.name, principal.id, principal.scopes) == ("alice", "a1" * 8, frozenset(ALICE.scopes))
    assert (principal.models, principal.upstreams) == (ALICE.models, ALICE.upstreams)
    assert principal.limits == (Limit("requests", 60, "minute"), Limit("usd", 2.5, "month"))
    assert expires == datetime.fromtimestamp(1_900_000_000.5, UTC)
    assert ring.by_id("a1" * 8) is found


async def test_what_others_make_and_revoke_is_known_within_a_second(place: Place) -> None:
    async with started(keyring(place)) as ring:
        await asyncio.to_thread(place.callers().add, ALICE)
        await until(lambda: knows(ring), within_s=1.0)
        await asyncio.to_thread(place.callers().remove, "alice")
        await until(lambda: not knows(ring), within_s=1.0)


async def test_what_a_process_without_room_for_a_thread_missed_is_known_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []
    start = threading.Thread.start

    def starts(thread: threading.Thread) -> None:
        if failed or thread.name != "gateway-apart":
            start(thread)
            return
        failed.append("once")
        raise RuntimeError("can't start new thread")

    ring = keyring(place)
    place.callers().add(ALICE)
    monkeypatch.setattr(threading.Thread, "start", starts)
    async with started(ring):
        await until(lambda: knows(ring))
    assert failed


async def test_what_was_read_for_one_who_has_left_is_known_all_the_same(place: Place) -> None:
    ring = keyring(place)
    place.callers().add(ALICE)
    leaving = asyncio.create_task(ring._look())
    await asyncio.sleep(0)
    assert ring._reads.is_busy
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await ring._reads.free()
    async with started(ring):
        await until(lambda: knows(ring), within_s=1.0)


async def test_a_name_that_was_given_again_is_another_key(place: Place) -> None:
    async with started(keyring(place)) as ring:
        old = (await ring.make(NEW))[1]
        await ring.revoke("bob")
        new = (await ring.make(NEW))[1]
        assert (knows(ring, digest_of(old)), knows(ring, digest_of(new))) == (False, True)


async def test_its_own_changes_are_known_at_once_and_nowhere_is_the_text(place: Place) -> None:
    async with started(keyring(place)) as ring:
        row, text = await ring.make(NEW)
        assert re.fullmatch(r"gw-[\w-]{43}", text)
        digest = sha256(text.encode()).hexdigest()
        assert (row.prefix, row.source, row.id) == (text[:8], "store", digest[:16])
        assert knows(ring, digest)
        await ring.revoke("bob")
        assert not knows(ring, digest)
    assert text.encode() not in place.content()


async def test_gateway_toml_is_not_changed_from_here(place: Place) -> None:
    given: Any = {"key": [{"name": "bob", "secret": "sk-bob"}], "auth": {"keys": ["sk-plain"]}}
    async with started(keyring(place, **given)) as ring:
        with pytest.raises(ValueError, match='gateway.toml has a key named "bob"'):
            await ring.make(NEW)
        with pytest.raises(ValueError, match='gateway.toml defines the key "key-1"; remove it there'):
            await ring.revoke("key-1")
        with pytest.raises(KeyError):
            await ring.revoke("nobody")
        assert knows(ring, digest_of("sk-bob"))


async def test_a_name_in_use_is_refused(place: Place) -> None:
    async with started(keyring(place)) as ring:
        await ring.make(NEW)
        with pytest.raises(ValueError, match='a key named "bob" already exists'):
            await ring.make(NEW)


async def test_rows_show_both_sources_and_no_text(place: Place) -> None:
    given = {"name": "carl", "secret": "sk-carl-and-more", "models": ["gpt-*"], "expires": "2030-01-01"}
    place.callers().add(ALICE)
    async with started(keyring(place, key=[given])) as ring:
        carl, alice = await ring.rows()
    assert (carl.name, carl.source, carl.prefix, carl.models, carl.expires) == (
        "carl", "config", None, ("gpt-*",), datetime(2030, 1, 1, tzinfo=UTC).timestamp(),
    )  # fmt: skip
    assert (alice.name, alice.source, alice.prefix, alice.last_used_at) == ("alice", "store", "gw-alice", None)
    assert alice.limits == {"requests_per_minute": 60, "usd_per_month": 2.5}


async def test_uses_are_written_in_batches(place: Place) -> None:
    place.callers().add(ALICE)
    clock = FakeClock()

    def written() -> float:
        return place.callers().all()[0].last_used_at

    async with started(keyring(place, clock)) as ring:
        ring.used.add("a1" * 8)
        await clock.advance(29)
        (row,) = await ring.rows()
        assert (written(), row.last_used_at) == (0.0, clock.wall)
        await clock.advance(1)
        await until(lambda: written() == clock.wall)
        ring.used.add("a1" * 8)
        await clock.advance(7)
    assert written() >= clock.wall + 30  # the end writes the rest


# before a key is refused


def looks_of(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], asyncio.Event]:
    """Note when it looks, and hold each look until the event."""
    looks, go_on, look = list[float](), asyncio.Event(), ring._look

    async def noted() -> None:
        looks.append(asyncio.get_running_loop().time())
        await look()
        await go_on.wait()

    monkeypatch.setattr(ring, "_look", noted)
    return looks, go_on


async def test_a_key_that_was_made_a_moment_ago_is_known_before_it_is_refused(place: Place) -> None:
    async with started(keyring(place, FakeClock())) as ring:  # no other look comes
        await ring.catch_up()
        await asyncio.to_thread(place.callers().add, ALICE)
        assert not knows(ring)
        await ring.catch_up()
        assert knows(ring)
        await asyncio.to_thread(place.callers().remove, "alice")
        await ring.catch_up()
        assert not knows(ring)


async def test_one_who_comes_as_a_look_begins_waits_for_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with started(keyring(place, FakeClock())) as ring:
        await asyncio.sleep(0)  # its own first look
        await asyncio.to_thread(place.callers().add, ALICE)
        waiting, found = list[asyncio.Task[None]](), list[bool]()
        for _ in range(5):  # one in each turn of the loop
            waiting.append(asyncio.create_task(ring.catch_up()))
            waiting[-1].add_done_callback(lambda _: found.append(knows(ring)))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        await asyncio.sleep(0)
        assert found == [True] * 5
    place.close()


async def test_a_look_is_one_for_all_who_wait_and_they_are_few(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with started(keyring(place, FakeClock())) as ring:
        await asyncio.sleep(0)  # its own first look
        looks, go_on = looks_of(ring, monkeypatch)
        go_on.set()
        await asyncio.gather(*(ring.catch_up() for _ in range(200)))
        assert len(looks) == 1
        for _ in range(5):
            await asyncio.gather(*(ring.catch_up() for _ in range(200)))
        assert len(looks) == 6
        assert min(after - before for before, after in pairwise(looks)) > 0.09


async def test_one_who_comes_while_a_look_is_under_way_waits_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    async with started(keyring(place, FakeClock())) as ring:
        await asyncio.sleep(0)
        looks, go_on = looks_of(ring, monkeypatch)
        first = asyncio.create_task(ring.catch_up())
        await until(lambda: bool(looks))
        await asyncio.to_thread(place.callers().add, ALICE)
        second = asyncio.create_task(ring.catch_up())
        await asyncio.sleep(0)
        go_on.set()
        await first
        assert not knows(ring)
        await second
        assert (knows(ring), len(looks)) == (True, 2)
    place.close()


async def test_a_flood_is_answered_by_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.keyring._MOST", 2)
    async with started(keyring(Place(tmp_path), FakeClock())) as ring:
        await asyncio.sleep(0)
        _, go_on = looks_of(ring, monkeypatch)
        waiting = [asyncio.create_task(ring.catch_up()) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.wait_for(ring.catch_up(), 0.5)
        assert not any(one.done() for one in waiting)
        go_on.set()
        await asyncio.gather(*waiting)


async def test_one_who_leaves_takes_no_look_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with started(keyring(Place(tmp_path), FakeClock())) as ring:
        await asyncio.sleep(0)
        _, go_on = looks_of(ring, monkeypatch)
        leaving, staying = (asyncio.create_task(ring.catch_up()) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        go_on.set()
        await staying
        assert ring._waiting == 0


async def test_a_database_that_says_nothing_delays_a_refusal_once_and_by_a_second(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    place = Place(tmp_path, postgres_url)

    async def delay_s() -> float:
        began = loop.time()
        await ring.catch_up()
        return loop.time() - began

    async def later_s(wait_s: float) -> float:
        await asyncio.sleep(wait_s)
        return await delay_s()

    async with started(keyring(place, FakeClock())) as ring:
        await ring.catch_up()
        await asyncio.sleep(0.2)
        postgres_server.freeze()
        try:
            delays = await asyncio.gather(*(later_s(number / 10) for number in range(15)))
        finally:
            postgres_server.thaw()
        assert 0.9 < delays[0] < patient(1.2)
        assert max(delays) < patient(1.2)
        assert max(delays[12:]) < 0.1  # it is overdue
        await ring._reads.free()
        await asyncio.to_thread(place.callers().add, ALICE)
        await ring.catch_up()
        assert knows(ring)
    place.close()


async def test_while_the_keys_were_never_read_nobody_knows_that_one_is_wrong(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    place = Place(tmp_path, postgres_url)
    place.callers().add(ALICE)
    place.close()
    postgres_server.stop()
    async with started(keyring(place, FakeClock())) as ring:
        for _ in range(3):
            ring._take(KeyNews([replace(ALICE, name="carl", sha256="c1" * 32)], whole=False))  # what it has made itself
            with pytest.raises(StoreUnavailable, match="the key store does not respond") as refused:
                await ring.catch_up()
            assert refused.value.retry_after == 3
        postgres_server.start()
        await ring.catch_up()
        assert knows(ring)
        postgres_server.stop()
        await ring.catch_up()  # what was read is known


# while no key exists


async def test_a_key_is_needed_as_soon_as_one_was_made(place: Place) -> None:
    async with started(keyring(place)) as ring:
        assert not ring
        await asyncio.to_thread(place.callers().add, ALICE)
        await until(lambda: bool(ring), within_s=1.0)


async def test_revoking_the_last_key_lets_nobody_in(place: Place) -> None:
    async with started(keyring(place)) as ring:
        await ring.make(NEW)
        await ring.revoke("bob")
        assert ring
    assert keyring(place)


# stores that fail


def test_a_file_that_cannot_be_read_may_hold_keys(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path)
    place.file.parent.mkdir()
    place.file.write_bytes(b"something else" * 100)
    assert keyring(place)
    (line,) = logged(capfd)
    assert line["event"] == "the key store fails; it may have keys, so nobody is admitted without one"
    assert line["reason"] == "file is not a database"


async def test_known_keys_go_on_while_the_database_is_away(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, postgres_url)
    place.callers().add(ALICE)
    place.close()
    async with started(keyring(place)) as ring:
        logged(capfd)
        postgres_server.stop()
        said = list[dict[str, object]]()

        def told() -> bool:
            said.extend(logged(capfd))
            return bool(said)

        await until(told)
        await asyncio.sleep(0.8)  # it is told once
        assert [line["event"] for line in said + logged(capfd)] == ["the key store fails; known keys keep working"]
        assert knows(ring)
        assert [row.name for row in await ring.rows()] == ["alice"]
        postgres_server.start()
        await until(lambda: any("works again" in str(line["event"]) for line in logged(capfd)), within_s=10)
        await asyncio.to_thread(place.callers().remove, "alice")
        await until(lambda: not knows(ring), within_s=1.0)
        place.close()


def test_an_encryption_key_that_does_not_fit_stops_the_start(postgres_url: str, tmp_path: Path) -> None:
    place = Place(tmp_path, postgres_url)
    place.opened(key())
    place.close()
    with pytest.raises(ConfigError, match=r"store\.encryption_key: does not open"):
        keyring(place, store={"database": postgres_url, "encryption_key": key()})


async def test_a_row_of_a_later_version_lets_nobody_in(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path)
    place.callers().add(ALICE)
    with sqlite3.connect(place.file) as file:
        file.execute("""UPDATE keys SET limits = '{"pictures_per_day": 3}'""")
    file.close()
    assert not knows(keyring(place))
    (line,) = logged(capfd)
    assert (line["event"], line["name"]) == ("a key is not accepted", "alice")
    assert "pictures_per_day: unknown limit" in str(line["reason"])


# what it costs


def test_no_database_is_loaded_while_there_is_none(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, structlog\n"
        "from gateway.clock import System\n"
        "from gateway.config import load\n"
        "from gateway.keyring import Keyring\n"
        "ring = Keyring(load({'server': {'data_dir': sys.argv[1]}}), System(), structlog.get_logger())\n"
        "ring.load()\n"
        "async def live():\n"
        "    await ring.start()\n"
        "    await asyncio.sleep(0.6)\n"
        "    assert not await ring.rows()\n"
        "    await ring.stop()\n"
        "asyncio.run(live())\n"
        "print('sqlalchemy' in sys.modules, bool(ring))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "data")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False\n"
    assert not (tmp_path / "data").exists()

"""Connections to databases: the stores of a process share those to a PostgreSQL, and none is left open."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import QueuePool, text

from gateway import create_app
from gateway.config import ConfigError
from gateway.store import engines
from gateway.store.credentials import CredentialStore
from gateway.store.database import Database
from gateway.store.responses import ResponseStore
from gateway.store.stored import StoreFailed
from gateway.store.usage import UsageStore
from tests.gateway.store.keepers import NOW
from tests.gateway.store.places import ROW, Place
from tests.patience import patient

pytestmark = pytest.mark.anyio

OPEN = """SELECT count(*) FROM pg_stat_activity
          WHERE application_name = 'asgi-llm-gateway' AND datname = current_database()"""


def connections(place: Place) -> int:
    return int(place.do(OPEN)[0][0])


async def reach(place: Place, count: int) -> None:
    """Wait until the server, too, has noticed what was closed."""
    async with asyncio.timeout(patient(20)):
        while connections(place) != count:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.02)


@pytest.fixture
def shared(tmp_path: Path, postgres_url: str) -> Place:
    return Place(tmp_path, postgres_url)


async def test_stores_that_take_turns_need_one_connection(shared: Place) -> None:
    credentials = [shared.opened() for _ in range(6)]
    usage = UsageStore(shared.file, shared.folder, url=shared.url, keep_days=30)
    responses = ResponseStore(shared.file, url=shared.url, keep_days=30, max_bytes=1000)
    credentials[0].add("google", ROW)
    assert [store.load("google").keys() for store in credentials] == [{"ab12"}] * 6
    assert usage.report("day", None, None).total.requests == 0
    assert responses.load("resp_1", "alice", 0.0) is None
    assert connections(shared) == 1
    usage.close()
    responses.close()
    for store in credentials[1:]:
        store.close()
    assert (credentials[0].load("google")["ab12"].id, connections(shared)) == ("ab12", 1)
    credentials[0].close()
    await reach(shared, 0)
    assert credentials[0].load("google")["ab12"].id == "ab12"  # it opens itself again
    shared.close()
    await reach(shared, 0)


async def test_stores_that_are_asked_at_once_do_not_wait_for_each_other(shared: Place) -> None:
    stores = [shared.opened() for _ in range(20)]
    stores[0].add("google", ROW)
    inside = Barrier(20, timeout=patient(30))

    def hold(store: CredentialStore) -> int:
        with store.database.reading():
            return inside.wait()

    with ThreadPoolExecutor(20) as threads:
        assert len(list(threads.map(hold, stores))) == 20
    await reach(shared, 4)  # what is kept for the next ones
    shared.close()


def test_a_server_that_became_a_standby_is_left_for_the_one_in_its_place(shared: Place) -> None:
    """It goes on to answer, and to whoever connects anew the other one does, at the same address."""
    store = shared.opened()
    store.add("google", ROW)
    pool = engines.share(shared.url, shared)
    with pool.connect() as one, pool.connect() as other:
        for connection in (one, other):
            connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            connection.commit()
    assert store.load("google").keys() == {"ab12"}
    with pytest.raises(StoreFailed, match="in a read-only transaction"):
        store.remove("google", "ab12", NOW)
    store.remove("google", "ab12", NOW)
    assert store.load("google")["ab12"].removed
    engines.leave(shared.url, shared)
    shared.close()


def test_a_file_that_is_in_use_while_its_store_closes_is_closed_afterwards(tmp_path: Path) -> None:
    database = Database(tmp_path / "gateway.db", pool=QueuePool)
    with database.reading() as connection:
        opened = connection.connection.driver_connection
        assert isinstance(opened, sqlite3.Connection)
        database.close()
        assert connection.scalar(text("SELECT 1")) == 1
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        opened.execute("SELECT 1")
    with database.reading() as connection:  # it opens itself again
        assert connection.scalar(text("SELECT 1")) == 1
    database.close()


async def test_a_connection_that_is_in_use_while_the_last_store_closes_is_closed_afterwards(shared: Place) -> None:
    store = shared.opened()
    store.add("google", ROW)
    with store.database.reading():
        store.close()
        assert connections(shared) == 1
    await reach(shared, 0)
    shared.close()


@pytest.mark.parametrize("option", ["schema", "pgbouncer", "connection_limit"])
def test_an_option_that_another_program_has_put_into_the_address_stops_the_start(option: str) -> None:
    """As Prisma's do for LiteLLM: each connection would fail, and whoever has a key of the store would get a 503."""
    with pytest.raises(ConfigError) as caught:
        create_app({"store": {"database": f"postgresql://h/name?sslmode=require&{option}=1"}})
    assert str(caught.value) == f'configuration: store.database: invalid connection option "{option}"'


def test_options_that_postgresql_knows_are_none(shared: Place) -> None:
    create_app({"store": {"database": f"{shared.url}?sslmode=prefer&prepare_threshold=0&application_name=x"}})

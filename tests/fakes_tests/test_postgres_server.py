"""The real PostgreSQL of the tests: databases of one's own, and a server that can be stopped, frozen and crashed."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres_server import PostgresServer, driver_url


def rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM t").fetchone()
    assert found is not None
    return int(found[0])


def fill(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t (x int)")
        connection.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize("_", range(2))
def test_each_test_begins_with_an_empty_database(postgres_url: str, _: int) -> None:
    fill(postgres_url)
    assert rows(postgres_url) == 1


def test_the_address_has_a_spelling_for_sqlalchemy() -> None:
    assert driver_url("postgresql://u@h/d") == "postgresql+psycopg://u@h/d"


def test_what_was_committed_is_there_after_a_stop(postgres_url: str, postgres_server: PostgresServer) -> None:
    fill(postgres_url)
    postgres_server.stop()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(postgres_url)
    postgres_server.start()
    assert rows(postgres_url) == 1


def test_what_was_committed_is_there_after_a_crash(postgres_url: str, postgres_server: PostgresServer) -> None:
    fill(postgres_url)
    postgres_server.crash()
    assert not postgres_server.running
    postgres_server.start()
    assert rows(postgres_url) == 1


def test_a_frozen_server_says_nothing_until_it_thaws(postgres_url: str, postgres_server: PostgresServer) -> None:
    fill(postgres_url)
    postgres_server.freeze()
    with pytest.raises(psycopg.OperationalError, match="timeout"):
        psycopg.connect(postgres_url, connect_timeout=1)
    postgres_server.thaw()
    assert rows(postgres_url) == 1


def test_a_test_may_leave_the_server_stopped(postgres_server: PostgresServer) -> None:
    postgres_server.stop()


def test_a_database_can_be_made_after_a_template(postgres_url: str, postgres_server: PostgresServer) -> None:
    fill(postgres_url)
    name = postgres_server.create(postgres_url.rpartition("/")[2])
    assert rows(postgres_server.url(name)) == 1
    postgres_server.drop(name)

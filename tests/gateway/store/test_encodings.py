"""A PostgreSQL whose databases are not UTF-8, as `initdb` makes them where there is no locale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from gateway.store.credentials import CredentialStore
from gateway.store.stored import StoreFailed
from gateway.store.usage import UsageStore
from tests.gateway.store.places import ROW
from tests.gateway.store.test_filling import write
from tests.gateway.store.test_journal import ended
from tests.postgres_server import PostgresServer

ASKED = "gpt-5-\u6a21\u578b\N{ROCKET}"

Create = Callable[[str], str]  # an encoding → the address of a database


@pytest.fixture
def create(postgres_server: PostgresServer) -> Iterator[Create]:
    """Make databases, which are gone after the test."""
    with ExitStack() as stack:

        def create(encoding: str) -> str:
            name = f"in_{encoding.lower()}"
            postgres_server.do(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0".encode())
            stack.callback(postgres_server.drop, name)
            return postgres_server.url(name)

        yield create


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "UTF8"])
def test_every_character_is_kept(tmp_path: Path, create: Create, encoding: str) -> None:
    url = create(encoding)
    row = msgspec.structs.replace(ROW, last_error=ASKED)
    credentials = CredentialStore(tmp_path / "no.db", url=url)
    ledger = UsageStore(tmp_path / "no.db", tmp_path / "journal", url=url, keep_days=30)
    write(tmp_path / "journal", "1", [msgspec.structs.replace(ended("a"), asked=ASKED, model=ASKED)])
    try:
        credentials.add("google", row)
        assert credentials.load("google")["ab12"].last_error == ASKED
        assert ledger.fill() == 1
        assert [one.asked for one in ledger.rows(None, None, 9)] == [ASKED]
        assert [one.name for one in ledger.report("model", None, None).rows] == [ASKED]
    finally:
        credentials.close()
        ledger.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_one_that_has_not_every_character_is_refused(tmp_path: Path, create: Create, read_only: bool) -> None:
    """Else the first name of a model that it cannot hold would keep all others out of the ledger."""
    store = CredentialStore(tmp_path / "no.db", url=create("LATIN1"), read_only=read_only)
    try:
        with pytest.raises(StoreFailed, match=r"^its encoding is LATIN1: make one with ENCODING 'UTF8'"):
            store.open()
    finally:
        store.close()

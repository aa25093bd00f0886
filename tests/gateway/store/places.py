"""Where a store is kept: a file, or a real PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet
from msgspec import Struct

from gateway.store.credentials import CredentialStore
from gateway.store.keys import KeyStore
from gateway.store.known import Quota, StoredCredential
from tests.patience import patient

__all__ = ["BOTH", "ROW", "Place", "key"]

BOTH = ("sqlite", "postgres")
ROW = StoredCredential(
    id="ab12",
    source="login",
    email="a@example.org",
    state="needs_verification",
    reason="the account must be verified",
    link="https://accounts.example.org/verify?token=secret-link",
    project_id="p",
    project_source="discovered",
    refresh_token="1//refresh",
    refresh_at=4.0,
    access_token="ya29.access",
    access_until=3604.0,
    access_at=4.0,
    cooling={"gemini-3-flash": 1_900_000_000.5},
    quota={"gemini-3-flash": Quota(0.25, None, 3.0), "claude": Quota(1.0, 1_900_000_000.0, 4.0)},
    uses=7,
    last_used_at=5.0,
    last_error="503: overloaded",
    last_error_at=3.5,
    other='{"note":"kept as it was"}',
    added_at=1.5,
    updated_at=6.0,
)
SECRETS = (b"1//refresh", b"ya29.access", b"secret-link", b"kept as it was")


class Place(Struct, frozen=True):
    """A folder, and the address of a database, "" = the file in the folder."""

    folder: Path
    url: str = ""
    stores: list[CredentialStore | KeyStore] = []

    @property
    def file(self) -> Path:
        return self.folder / "data" / "gateway.db"

    def store(self, *keys: str, read_only: bool = False) -> CredentialStore:
        """Make a store; it is not opened yet."""
        store = CredentialStore(self.file, keys, url=self.url, read_only=read_only)
        self.stores.append(store)
        return store

    def opened(self, *keys: str) -> CredentialStore:
        """Open the store, as another start would."""
        store = self.store(*keys)
        store.open()
        return store

    def callers(self) -> KeyStore:
        """Make a store of the keys of callers; it opens itself."""
        store = KeyStore(self.file, url=self.url)
        self.stores.append(store)
        return store

    def close(self) -> None:
        """Close all stores that were made here."""
        while self.stores:
            self.stores.pop().close()

    def do(self, statement: str) -> list[Any]:
        """Run a statement besides the store; give its rows."""
        with self._connected() as connection:
            cursor = connection.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            connection.commit()
            return rows

    def until_alone(self) -> None:
        """Wait until the database has done with a process that was killed: what it was told last may be under way."""
        others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        until = time.monotonic() + patient(20)
        while self.url and self.do(others):
            assert time.monotonic() < until, "somebody is still connected"
            time.sleep(0.002)

    def content(self) -> bytes:
        """Give all that is there, byte by byte."""
        if self.url:
            tables = [name for (name,) in self.do("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
            return "\n".join(f"{name}: {row}" for name in sorted(tables) for row in self.rows(name)).encode()
        return b"".join(file.read_bytes() for file in sorted(self.file.parent.iterdir()))

    def rows(self, table: str) -> list[Any]:
        """Give the rows of a table, each as text."""
        return sorted(str(row) for row in self.do(f"SELECT * FROM {table}"))

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        if self.url:
            with psycopg.connect(self.url) as connection:
                yield connection
        else:
            with closing(sqlite3.connect(self.file, timeout=10)) as file:
                yield file


def key() -> str:
    return Fernet.generate_key().decode()

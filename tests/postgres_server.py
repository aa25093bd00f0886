"""A real PostgreSQL on a free port of loopback, one for each pytest worker; each test has a database of its own.

    def test_x(postgres_url: str) -> None: ...            # "postgresql://postgres@127.0.0.1:PORT/test_7", empty
    def test_y(postgres_url: str, postgres_server: PostgresServer) -> None:
        postgres_server.stop()                            # refuses connections from now on; what it held stays
        postgres_server.start()                           # the same address

`PostgresServer.freeze` and `thaw` hold its processes, so that it takes connections and says nothing. Whatever a test
does to the server, the next one finds it running. SQLAlchemy's spelling of an address is `driver_url(postgres_url)`.
PostgreSQL refuses root: then its programs run as the user `postgres`, whom its package makes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.abc import Query

from tests.patience import patient
from tests.ports import free_port

__all__ = ["PostgresServer", "driver_url"]

START_S = 30.0
STOP_S = 10.0
USER = "postgres"
VERSIONED = Path("/usr/lib/postgresql")
# a test may kill the server, never the machine: what is committed need not reach the disk
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


class PostgresServer:
    """One server; `port` and what it holds stay the same from start to start."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._programs = _programs()
        self._data = folder / "data"
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        made = ("initdb", "-D", str(self._data), "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")
        assert self._run(made).wait(patient(START_S)) == 0, self._log.read_text()

    @property
    def running(self) -> bool:
        """Say whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = USER) -> str:
        """Give the address of a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        if self.running:
            return
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self._process = self._run(("postgres", "-D", str(self._data), "-p", str(self.port), *settings))
        until = time.monotonic() + patient(START_S)
        while not self._answers():
            assert self._process.poll() is None, f"postgres ended:\n{self._log.read_text()}"
            assert time.monotonic() < until, f"postgres does not answer:\n{self._log.read_text()}"
            time.sleep(0.02)  # it has no event for it

    def stop(self) -> None:
        """End it and every connection; what was committed stays."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it without a goodbye; it recovers at its next start."""
        self._end(signal.SIGQUIT)

    def freeze(self) -> None:
        """Let it hold its connections and say nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def do(self, query: Query, database: str = USER) -> list[tuple[Any, ...]]:
        """Run a statement, outside any transaction; give its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "template0") -> str:
        """Make a database, empty or as a template of one's own is; give its name."""
        name = f"test_{next(self._numbers)}"
        self.do(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.do(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(signal.SIGCONT)
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and to the processes that serve its connections."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        parent = self._process.pid
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split():
            try:
                os.kill(int(child), number)
            except ProcessLookupError:
                continue  # its connection has just ended

    def _run(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        owner = USER if os.geteuid() == 0 else None
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(self._programs / command[0]), *command[1:]],
                cwd=self._data.parent,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=owner,
                group=owner,
                extra_groups=None if owner is None else [],
            )

    def _answers(self) -> bool:
        try:
            return self.do(b"SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False


def driver_url(url: str) -> str:
    """Give the address of a database as SQLAlchemy spells it for psycopg."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _programs() -> Path:
    """Find the folder of the newest version's programs."""
    versions = sorted(VERSIONED.glob("*/bin/postgres"), key=lambda found: float(found.parts[-3]))
    found = versions[-1] if versions else shutil.which("postgres")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("needs postgresql, which .ci/run installs")
    assert found is not None, "apt-get install postgresql"
    return Path(found).resolve().parent


@pytest.fixture(scope="session")
def _postgres() -> Iterator[PostgresServer]:
    # the temporary folder of pytest is closed to other users
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def postgres_server(_postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Give the server, which runs again after the test."""
    yield _postgres
    _postgres.thaw()
    _postgres.start()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the address of an empty database; it is gone after the test."""
    postgres_server.start()
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.thaw()
    postgres_server.start()
    postgres_server.drop(name)

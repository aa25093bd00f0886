"""A real Redis on a free port of loopback, which a test may stop, freeze and start again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.patience import patient
from tests.ports import hold_port

__all__ = ["READ_ONLY", "RedisServer"]

START_S = 20.0
# what makes it refuse whatever is to be written, and what ends that
READ_ONLY = [
    pytest.param(("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"), id="full"),
    pytest.param(("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), id="replica"),
]


class RedisServer:
    """One server; `url` stays the same from start to start."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = shutil.which("redis-server")
        if program is None and os.environ.get("CI") != "true":
            pytest.skip("needs redis-server, which .ci/run installs")
        assert program is not None, "apt-get install redis-server"
        self._held = hold_port()
        self.port: int = self._held.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "no", *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + patient(START_S)
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended"
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.01)  # it has no event for it

    def stop(self) -> None:
        """End it; what it held is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @contextmanager
    def away(self) -> Iterator[None]:
        """End it for a while; it comes back with nothing."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._held.close()

    def freeze(self) -> None:
        """Let it hold its connections and say nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it for a while."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def do(self, *words: str | int) -> Any:
        """Send a command, and give its answer."""
        with Redis.from_url(self.url) as client:
            return client.execute_command(*words)

    def connections(self) -> set[str]:
        """Give the ids of those that are open, without the one that asks."""
        with Redis.from_url(self.url) as client:
            return {one["id"] for one in client.client_list()} - {str(client.client_id())}

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as asked:
                asked.sendall(b"PING\r\n")
                return asked.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis of one's own."""
    with closing(RedisServer(tmp_path)) as server:
        server.start()
        yield server

"""What `gateway run` says to systemd, which waits for it before it has `systemctl start` return."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.patience import patient
from tests.processes import gateway

# the names of a folder that pytest makes can be longer than an address may be
ADDRESSES = ["/tmp/ready-{}.sock", "@ready-{}"] if sys.platform == "linux" else ["/tmp/ready-{}.sock"]


@pytest.fixture(params=ADDRESSES)
def notified(request: pytest.FixtureRequest) -> Iterator[tuple[str, socket.socket]]:
    address = str(request.param).format(os.getpid())
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as told:
        told.bind(address.replace("@", "\0"))
        told.settimeout(patient(20))
        yield address, told
    Path(address).unlink(missing_ok=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_is_said_by_each_worker_that_answers(
    folder: Path, notified: tuple[str, socket.socket], workers: int
) -> None:
    address, told = notified
    with gateway(folder, "--workers", str(workers), NOTIFY_SOCKET=address) as program:
        assert [told.recv(99) for _ in range(workers)] == [b"READY=1"] * workers
        assert httpx.get(f"{program.url}/health").status_code == 200
    told.setblocking(False)
    with pytest.raises(BlockingIOError):
        told.recv(99)


def test_it_serves_where_nobody_hears_it(folder: Path) -> None:
    with gateway(folder, NOTIFY_SOCKET="/nowhere/notify") as program:
        assert httpx.get(f"{program.url}/health").status_code == 200


def test_a_start_that_fails_is_not_said(folder: Path, notified: tuple[str, socket.socket]) -> None:
    address, told = notified
    with gateway(folder, "--host", "0.0.0.0", NOTIFY_SOCKET=address) as program:
        assert program.ends() == 2
    told.setblocking(False)
    with pytest.raises(BlockingIOError):
        told.recv(99)

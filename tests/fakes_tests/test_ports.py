"""A port that is held is free for who names it, and for nobody else."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from contextlib import closing

import pytest

from tests.ports import free_port, hold_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the rules of Linux")

IP_LOCAL_PORT_RANGE = 51  # the socket module has no name for it before 3.14
AT_RANDOM = ("127.0.0.1", 0)


def only(port: int) -> socket.socket:
    """Give a socket to which the machine may give this port alone."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("=I", port << 16 | port))
    except OSError:
        one.close()
        pytest.skip("Linux before 6.3 has no range for one socket")
    return one


def test_it_is_given_to_no_server_and_to_no_connection() -> None:
    port = free_port()
    with socket.create_server(AT_RANDOM) as there, only(port) as server, only(port) as client:
        with pytest.raises(OSError) as bound:
            server.bind(AT_RANDOM)
        with pytest.raises(OSError) as connected:
            client.connect(there.getsockname())
    assert (bound.value.errno, connected.value.errno) == (errno.EADDRINUSE, errno.EADDRNOTAVAIL)


def test_nobody_answers_until_a_server_names_it() -> None:
    with closing(hold_port()) as held:
        address = held.getsockname()
        for _ in range(2):
            with socket.socket() as client:
                assert client.connect_ex(address) == errno.ECONNREFUSED
            with socket.create_server(address), socket.create_connection(address):
                pass

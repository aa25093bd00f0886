"""The socket that `gateway run` listens on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.cli.run import _listen
from gateway.config import load

pytestmark = pytest.mark.anyio


class Accepted(asyncio.Protocol):
    """Tells of its connection."""

    def __init__(self, told: asyncio.Future[socket.socket]) -> None:
        self.told = told

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.set_result(transport.get_extra_info("socket"))


async def test_connections_do_not_wait_to_fill_a_packet() -> None:
    """With Nagle's algorithm an answer's body waits for the acknowledgement of its headers, 40 ms."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[socket.socket] = loop.create_future()
    listener = _listen(load({"server": {"port": 0}}, environ={}))
    async with await loop.create_server(lambda: Accepted(told), sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        accepted = await told
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        await writer.wait_closed()

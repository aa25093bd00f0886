"""The socket that `gateway run` listens on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


@asynccontextmanager
async def accepted() -> AsyncIterator[socket.socket]:
    """Give a connection as it is on the side of the gateway."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[socket.socket] = loop.create_future()
    listener = _listen(load({"server": {"port": 0}}, environ={}))
    async with await loop.create_server(lambda: Accepted(told), sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        yield await told
        writer.close()
        await writer.wait_closed()


async def test_connections_do_not_wait_to_fill_a_packet() -> None:
    """With Nagle's algorithm an answer's body waits for the acknowledgement of its headers, 40 ms."""
    async with accepted() as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_caller_who_has_gone_without_a_word_is_missed_after_a_minute() -> None:
    """What is written for him waits in the kernel, for a quarter of an hour else, and the upstream's answer goes on."""
    tcp = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
    async with accepted() as connection:
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert [connection.getsockopt(socket.IPPROTO_TCP, one) for one in tcp] == [30, 10, 3, 60_000]

"""A host that goes without a word is missed within a minute; what the kernel is told, read off the open sockets."""

from __future__ import annotations

import socket
from collections.abc import Collection

import pytest

from gateway.store import engines
from gateway.transport import Transport
from tests.gateway.wire import OK, connections, post, saying, upstream

pytestmark = pytest.mark.anyio

# whether it asks; after how long, how often, how many times; what may stay unacknowledged, in ms
ASKS = (1, 30, 10, 3, 30_000)


def options(port: int, besides: Collection[object] = ()) -> list[tuple[int, ...]]:
    """Give what keeps each open connection to a port alive, but for those from these addresses."""
    tcp = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
    return [
        (
            one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            *(one.getsockopt(socket.IPPROTO_TCP, option) for option in tcp),
        )
        for one in connections(port)
        if one.getsockname() not in besides
    ]


async def test_an_upstream(transport: Transport) -> None:
    async with upstream(saying(OK)) as server:
        await post(transport, server.url)
        assert options(int(server.url.rpartition(":")[2])) == [ASKS]


@pytest.mark.parametrize(
    ("said", "asks"), [("", ASKS), ("?keepalives_idle=60&tcp_user_timeout=5000", (1, 60, 10, 3, 5000))]
)
def test_the_database(postgres_url: str, said: str, asks: tuple[int, ...]) -> None:
    """What the operator's address says of it holds."""
    engine = engines.postgres(postgres_url + said)
    port = int(postgres_url.rpartition(":")[2].partition("/")[0])
    others = [one.getsockname() for one in connections(port)]  # of a test in which the server froze
    try:
        with engine.connect():
            assert options(port, others) == [asks]
    finally:
        engine.dispose()

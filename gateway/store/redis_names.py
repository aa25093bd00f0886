"""The name of a Redis is looked up by us: its client has the event loop do it, again with each try to connect.

Each of these would have one of the loop's few threads as long as a resolver says nothing, and upstreams none.
"""

from typing import Any, Protocol, TypeVar

from gateway.names import addresses

__all__ = ["named"]


class _Pool(Protocol):
    """What of the client's pool is used."""

    connection_class: type[Any]


_P = TypeVar("_P", bound=_Pool)


def named(pool: _P) -> _P:
    """Have the connections of a pool begin with a look-up for which nobody else waits."""
    kind = pool.connection_class

    async def connect(connection: Any) -> None:
        host = getattr(connection, "host", None)  # a Unix socket has none
        if host and not connection.is_connected:
            await addresses(host, connection.port)  # the client asks once more, of a resolver that has just answered
        await kind.connect(connection)

    pool.connection_class = type(kind.__name__, (kind,), {"connect": connect})
    return pool

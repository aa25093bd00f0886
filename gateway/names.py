"""Look up the addresses of names, in threads of their own: where a resolver is silent one may take half a minute.

Event loops have a few threads for it, four with uvloop, and wait for them at their end: some names that nobody resolves
would keep all others waiting.
"""

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakKeyDictionary

from gateway.lending import begun_apart, heard

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Found", "addresses"]

Found = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]]  # as getaddrinfo gives it
_Asked = tuple[str, int, int, int]
_UnderWay = dict[_Asked, "asyncio.Future[Found]"]

_UNDER_WAY: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, _UnderWay]()


async def addresses(host: str, port: int, family: int = socket.AF_UNSPEC, flags: int = 0) -> Found:
    """Ask for the addresses of a name, once for all who want them at a time; who leaves does not end it."""
    under_way = _UNDER_WAY.setdefault(asyncio.get_running_loop(), {})
    asked = host, port, family, flags
    answer = under_way.get(asked)
    if answer is None:
        ask = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=flags)
        answer = under_way[asked] = begun_apart(cast("Callable[[], Found]", ask))  # its own type is narrower
        answer.add_done_callback(partial(_answered, under_way, asked))
    await asyncio.wait((answer,))
    return answer.result()


def _answered(under_way: _UnderWay, asked: _Asked, answer: "asyncio.Future[Found]") -> None:
    del under_way[asked]
    heard(answer)

"""How a connection that stays open learns that the other host, or the way there, has gone without a word.

A network that changes, a machine that stops or a firewall that forgets would cost minutes else: of what is sent the
kernel waits a quarter of an hour for a sign, and on silence it does not ask at all.
"""

import socket
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["LIBPQ", "UNREAD_S", "asking", "lively"]

UNREAD_S: Final = 60  # that a caller may leave what it gets, whether it is there and reads nothing or has gone
_SILENT_S: Final = 30  # how long the other host may say nothing, and leave what it gets unacknowledged
_AGAIN_S: Final = 10
_TIMES: Final = 3

# by their names, for no system has them all; TCP_KEEPALIVE is what macOS calls the first
_OPTIONS: Final[Mapping[str, int]] = {
    "TCP_KEEPIDLE": _SILENT_S,
    "TCP_KEEPALIVE": _SILENT_S,
    "TCP_KEEPINTVL": _AGAIN_S,
    "TCP_KEEPCNT": _TIMES,
}
_UNREAD: Final = "TCP_USER_TIMEOUT"
LIBPQ: Final[Mapping[str, int]] = {
    "keepalives": 1,
    "keepalives_idle": _SILENT_S,
    "keepalives_interval": _AGAIN_S,
    "keepalives_count": _TIMES,
    "tcp_user_timeout": _SILENT_S * 1000,
}


def lively(address: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
    """Make a socket for an address, as getaddrinfo gives it, that asks; it is not connected yet."""
    made = socket.socket(address[0], address[1], address[2])
    asking(made)
    return made


def asking(made: socket.socket, unread_s: int = _SILENT_S) -> None:
    """Have a socket ask, or all that a listener accepts; `unread_s`: how long the other host may leave what it gets."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {**_OPTIONS, _UNREAD: unread_s * 1000}.items():
        option = getattr(socket, name, None)
        if option is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)

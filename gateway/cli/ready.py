"""What systemd hears from a service of `Type=notify` once it answers."""

import os
import socket
from contextlib import suppress
from typing import Final

__all__ = ["tell_systemd"]

_ABSTRACT: Final = "@"  # stands for the zero byte with which an address begins that is no file


def tell_systemd() -> None:
    """Say that requests are answered from now on, if somebody waits for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", _ABSTRACT)):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller:
            teller.connect(address.replace(_ABSTRACT, "\0", 1) if address.startswith(_ABSTRACT) else address)
            teller.send(b"READY=1")

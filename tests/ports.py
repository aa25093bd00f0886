"""Ports of loopback that a server is to be told of, or that nobody listens on."""

import socket
import sys

__all__ = ["free_port", "hold_port"]


def hold_port() -> socket.socket:
    """Find a port on which nobody listens, and keep the machine from giving it to anybody until this is closed.

    It is bound without listening, so that it is neither the port of another test's server, nor that of a connection
    that somebody opens. A server that names it may listen there, if it sets SO_REUSEADDR, as all of them do.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def free_port() -> int:
    """Find a port on which nobody listens, and hold it for as long as this process lives."""
    held = hold_port()
    port: int = held.getsockname()[1]
    if sys.platform == "linux":
        held.detach()
    else:
        held.close()  # elsewhere, nobody else could listen there
    return port

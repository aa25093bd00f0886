"""Whether the gateway can listen where it shall, or does so already."""

import errno
import socket
from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.cli.doctor_finding import Finding, ok, problem
from gateway.cli.itself import local_address
from gateway.config import Loaded, host_and_port
from gateway.transport import Transport, TransportError

__all__ = ["port"]

_WAIT_S: Final = 5.0
_STATES: Final = frozenset({"ready", "draining", "unusable"})
_FIXES: Final = {
    errno.EACCES: "set server.port to one above 1023",
    errno.EADDRNOTAVAIL: "set server.host to an address of this machine",
    errno.EAFNOSUPPORT: "set server.host to an IPv4 address: this machine has no IPv6",
}


class _Ready(msgspec.Struct):
    status: str


async def port(loaded: Loaded, transport: Transport) -> list[Finding]:
    """Try the port; where somebody listens, ask whether it is a gateway."""
    server = loaded.config.server
    where = host_and_port(server.host, server.port)
    error = _tried(server.host, server.port)
    if error is None:
        return [ok("port", f"{where} is free")]
    if error.errno != errno.EADDRINUSE:
        fix = _FIXES.get(error.errno or 0, "set server.host and server.port to an address that is free")
        return [problem("port", f"cannot listen on {where}: {error.strerror}", fix)]
    return list(_listening(where, await _state(loaded, transport)))


def _tried(host: str, number: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host.strip("[]"), number))
            tried.listen()  # to bind is allowed beside a listener of another address
    except OSError as error:
        return error
    return None


def _listening(where: str, state: str) -> Iterator[Finding]:
    if state in _STATES:
        yield ok("port", f"a gateway is listening on {where}, and is {state}")
    else:
        yield problem("port", f"another program is listening on {where}", "stop it, or set server.port")


async def _state(loaded: Loaded, transport: Transport) -> str:
    """Ask who listens how it is; "" when it is no gateway."""
    url = f"{local_address(loaded)}/health/ready"
    try:
        answer = await transport.fetch("GET", url, headers={"accept": "application/json"}, timeout_s=_WAIT_S)
        return msgspec.json.decode(answer.body, type=_Ready).status
    except (TransportError, msgspec.DecodeError, ValueError):
        return ""

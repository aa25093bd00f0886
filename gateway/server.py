"""uvicorn as `gateway run` starts it: a shutdown in steps, and a banner when the socket listens.

SIGTERM or SIGINT: new work is refused with 503 for a second while load balancers notice, then the listener closes;
open streams get `server.drain` seconds; those left end with their dialect's error. A second signal ends at once.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from gateway.app import Gateway

__all__ = ["Server"]

NOTICE_S = 1.0
_ENDING_S = 2.0  # for the errors to go out


class Server(uvicorn.Server):
    """A uvicorn server that drains."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._announce = announce
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if not self.should_exit:
            self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle both signals here; the exit code stays 0."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; end at once when asked twice."""
        if self._draining is not None:
            os._exit(0)
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        self._gateway.drain()
        await asyncio.sleep(NOTICE_S)
        for server in self.servers:
            server.close()
        deadline = asyncio.get_running_loop().time() + self._gateway.loaded.config.server.drain
        while self._gateway.relay.open_requests and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        self._gateway.relay.abort()
        for _ in range(int(_ENDING_S / 0.05)):
            if not self._gateway.relay.open_requests:
                break
            await asyncio.sleep(0.05)
        self.should_exit = True

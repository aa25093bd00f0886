"""The listeners: one aiohttp application on several ports, each a base with a name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable

from aiohttp import web


class Ports:
    """Binds the bases and knows their connections."""

    def __init__(self, names: Iterable[str], host: str, port: int) -> None:
        self.host = host
        self.numbers = {name: port + place if port else 0 for place, name in enumerate(names)}
        self._sites: dict[str, web.SockSite] = {}
        self._runner: web.AppRunner | None = None

    async def open(self, app: web.Application) -> None:
        """Listen; a handler is cancelled when its client goes away."""
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        for name, port in self.numbers.items():
            listener = socket.create_server((self.host, port), backlog=1024)
            self.numbers[name] = listener.getsockname()[1]
            self._sites[name] = web.SockSite(self._runner, listener)
            await self._sites[name].start()

    async def close(self) -> None:
        """Close every connection and listener."""
        if self._runner is not None:
            self._hang_up(set(self.numbers.values()))
            await self._runner.cleanup()

    async def close_one(self, name: str) -> None:
        """Close one base: from now on connections to it are refused."""
        for listener in self._listeners(self.numbers[name]):
            asyncio.get_running_loop().remove_reader(listener)
        for _ in range(3):  # one who was let in just now comes to the server, which else would never close him
            await asyncio.sleep(0)
        await self._sites.pop(name).stop()
        self._hang_up({self.numbers[name]})

    def _listeners(self, number: int) -> list[int]:
        """Give the sockets that listen on a port."""
        sockets = [one for site in self._sites.values() for one in getattr(site._server, "sockets", ())]
        return [one.fileno() for one in sockets if one.getsockname()[1] == number]

    @property
    def connections(self) -> int:
        """Count the open connections of all bases."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    def name_of(self, request: web.Request) -> str:
        """Say at which base a request came in."""
        port = (request.get_extra_info("sockname") or ("", 0))[1]
        return next((name for name, number in self.numbers.items() if number == port), "")

    def _hang_up(self, numbers: set[int]) -> None:
        server = self._runner.server if self._runner else None
        for connection in list(server.connections) if server else []:
            transport = connection.transport
            if transport is not None and transport.get_extra_info("sockname")[1] in numbers:
                transport.abort()

"""Serve an ASGI app on a real loopback socket inside the test's own loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Literal

import anyio
import uvicorn
from starlette.types import ASGIApp

__all__ = ["Serving", "serve"]

LOOK_S = 0.005
TICK_S = 0.1  # as uvicorn counts


class Serving(uvicorn.Server):
    """A server that leaves the signals to pytest, and ends as soon as it can: uvicorn itself sleeps for 0.2 s."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def leave(self) -> None:
        """Have it end."""
        self.should_exit = True
        self._told.set()

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with anyio.move_on_after(TICK_S):
                await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with anyio.move_on_after(self.config.timeout_graceful_shutdown or 0):
            while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - nor for these
                await anyio.sleep(LOOK_S)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()


@asynccontextmanager
async def serve(
    app: ASGIApp, *, root_path: str = "", http: type[asyncio.Protocol] | Literal["auto"] = "auto"
) -> AsyncIterator[str]:
    """Give the base URL of the running app. `http`: the class of the connections."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY on these only
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=http,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,  # both ends would forget a connection after 5 s, and a request meet the closing
        root_path=root_path,
    )
    server = Serving(config)
    with listener:  # a cancelled server leaves it open
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await anyio.sleep(LOOK_S)
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.leave()

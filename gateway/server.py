"""uvicorn as `gateway run` starts it: a shutdown in steps, and a banner when the socket listens.

    SIGTERM, SIGINT   new work gets 503, for a second the listener stays so that load balancers notice
    listener closed   idle connections, too; what is open has `server.drain` seconds to end by itself
    time is up        what is left ends with its dialect's error; whoever does not read it is left after two seconds

A second signal ends the process at once. SIGHUP has the configuration read again, or, where it means that the terminal
is gone, counts as SIGTERM.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import Any, Final, cast

import uvicorn

from gateway.app import Gateway
from gateway.generations import Generations
from gateway.hangup import HANGUP, Terminal

__all__ = ["Server"]

_NOTICE_S: Final = 1.0
_ENDING_S: Final = 2.0  # for the errors to go out
_LOOK_S: Final = 0.02


class Server(uvicorn.Server):
    """A uvicorn server that drains; `announce` is called when it listens.

    `leash`: a file descriptor; when it becomes readable, that counts as a signal.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        generations: Generations[Gateway],
        announce: Callable[[], Awaitable[None]],
        leash: int | None = None,
    ) -> None:
        super().__init__(config)
        self._generations = generations
        self._announce = announce
        self._leash = leash
        self._terminal = Terminal()
        self._told = asyncio.Event()
        self._asked = asyncio.Event()  # for a new configuration

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so; raise NotAlone before anything has begun."""
        await self._generations.current.claim()
        await super().startup(sockets)
        if not self.should_exit:
            await self._announce()

    async def main_loop(self) -> None:
        """Serve until a signal, then drain."""
        if self._leash is not None:
            asyncio.get_running_loop().add_reader(self._leash, self._told.set)
        async with asyncio.TaskGroup() as tasks:
            ending, changing = tasks.create_task(self._end()), tasks.create_task(self._change())
            await super().main_loop()
            await ending
            changing.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle both signals here; uvicorn would raise them again at the end, and the exit code be theirs."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        if HANGUP is not None:
            before[HANGUP] = signal.signal(HANGUP, self._hang_up)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (HANGUP,))  # which the parent has held back
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; end at once when asked twice."""
        self._terminal.has_gone()
        if self._told.is_set():
            os._exit(0)
        self._told.set()

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        """Read the configuration again, unless the terminal is gone."""
        if self._leash is None and self._terminal.has_gone():
            self.handle_exit(number, frame)
        else:
            self._asked.set()

    async def _change(self) -> None:
        while await self._asked.wait():
            self._asked.clear()
            await self._generations.reload()

    async def _end(self) -> None:
        await self._told.wait()
        if self._leash is not None:
            asyncio.get_running_loop().remove_reader(self._leash)
        gateway = self._generations.current
        drain_s = gateway.loaded.config.server.drain
        self._generations.drain()
        cast(Any, self.config.http_protocol_class).ends = True  # whoever tries again finds another process only anew
        gateway.logger.info("draining", open_requests=len(self.server_state.tasks), drain_s=drain_s)
        try:
            await asyncio.sleep(_NOTICE_S)
            for server in self.servers:
                server.close()
            for connection in tuple(self.server_state.connections):
                connection.shutdown()  # of one that is served: after its answer
            await self._settle(drain_s)
            self._generations.abort()
            await self._close(_ENDING_S)
        finally:
            self.should_exit = True

    async def _settle(self, limit_s: float) -> None:
        """Wait for the requests that are open now; those that come later are refused at once."""
        tasks = set(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=limit_s)

    async def _close(self, limit_s: float) -> None:
        """Wait for the connections to end with their answers; those of callers that do not read would never."""
        connections = self.server_state.connections
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while connections:  # noqa: ASYNC110 - sockets tell nobody
                    await asyncio.sleep(_LOOK_S)
        for connection in tuple(connections):
            connection.transport.abort()

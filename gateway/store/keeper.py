"""Write to a blocking store behind the requests' back, one write after the other."""

import asyncio
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from gateway.store.credentials import StoreFailed

__all__ = ["Keeper", "Write"]

Write = Callable[[], None]


class Keeper:
    """Writes in worker threads. A store that fails is told of once, and the service goes on from memory.

    What is given makes the write when its turn has come, so that it writes what is known then.
    """

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing = False

    def later(self, take: Callable[[], Write]) -> None:
        """Write soon; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(self.now(take))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def now(self, take: Callable[[], Write]) -> None:
        """Write, and return when it is on disk or has failed."""
        async with self._lock:
            try:
                await asyncio.to_thread(take())
            except StoreFailed as error:
                self._tell(error)
            else:
                self._failing = False

    async def close(self) -> None:
        """Wait for what is still to be written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _tell(self, error: StoreFailed) -> None:
        if not self._failing:
            self._failing = True
            self._logger.error("the credential store fails; its changes stay in memory", reason=str(error))

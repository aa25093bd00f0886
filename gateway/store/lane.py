"""Questions to a store that blocks: in worker threads, one after the other, and nobody waits for ever."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar, cast

from gateway.store.stored import StoreFailed

__all__ = ["Lane"]

_T = TypeVar("_T")

_PATIENCE_S: Final = 6.0  # longer than a store waits for another writer
_SILENT: Final = "it does not answer"


class Lane:
    """One thing at a time."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._working: asyncio.Task[object] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a thread is at work."""
        return self._lock.locked() or (self._working is not None and not self._working.done())

    async def free(self) -> None:
        """Wait for the thread that is at work, whose waiter has left, but not for ever."""
        if self._working is not None:
            await asyncio.wait((self._working,), timeout=_PATIENCE_S)

    async def ask(self, work: Callable[[], _T]) -> _T:
        """Do it in a worker thread; raise what it raises, and StoreFailed where nothing is heard."""
        async with self._lock:
            if self._working is not None and not self._working.done():
                raise StoreFailed(_SILENT)
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(work))
            task.add_done_callback(_heard)
            self._working = cast("asyncio.Task[object]", task)  # a Task is invariant
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    return await asyncio.shield(task)  # a thread goes on when its waiter has left
            except TimeoutError:
                raise StoreFailed(_SILENT) from None


def _heard(task: "asyncio.Task[_T]") -> None:
    """Take note of a failure that nobody waits for any more."""
    if not task.cancelled():
        task.exception()

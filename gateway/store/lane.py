"""Questions to a store that blocks: in worker threads, a few at a time, and nobody waits for ever."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.lending import heard, in_thread
from gateway.store.stored import StoreFailed

__all__ = ["Lanes", "Silent"]

_T = TypeVar("_T")


class Silent(StoreFailed):
    """Nothing was heard in time."""

    def __init__(self) -> None:
        super().__init__("it does not respond")


class Lanes:
    """So many things at a time; what nobody waits for any more has its place until it has ended.

    `patience_s`: how long one waits for a place, and then for an answer. As long as one that was given up goes on,
    nobody else begins.
    """

    def __init__(self, width: int, patience_s: float) -> None:
        self._places = asyncio.Semaphore(width)
        self._patience_s = patience_s
        self._working: set[asyncio.Task[Any]] = set()
        self._given_up: set[asyncio.Task[Any]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a thread is at work."""
        return bool(self._working)

    async def free(self) -> None:
        """Wait for the threads that are at work, whose waiters may have left, but not for ever."""
        if self._working:
            await asyncio.wait(self._working, timeout=self._patience_s)

    async def ask(self, work: Callable[[], _T], *, ends: bool = True) -> _T:
        """Do it in a worker thread; raise what it raises, and Silent where nothing is heard.

        `ends` false: it may take as long as it does.
        """
        if self._given_up:
            raise Silent
        patience_s = self._patience_s if ends else None
        try:
            async with asyncio.timeout(patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise Silent from None
        task = asyncio.get_running_loop().create_task(in_thread(work))
        self._working.add(task)
        task.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.shield(task)
        except TimeoutError:
            if not task.done():
                self._given_up.add(task)
            raise Silent from None

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._places.release()
        self._working.discard(task)
        self._given_up.discard(task)
        heard(task)

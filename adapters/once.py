"""Do a piece of work once, however many wait for what comes of it: here (`Shared`), and among all processes (`alone`).

take the lease ─┬─ ours: look whether it has been done ─► else do it, and keep the lease ─► end it
                └─ another's: wait, look whether it has been done, else try again

A lease is short, for those who wait for a process that was killed wait for its end.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, Protocol, TypeVar

from gateway.clock import Clock
from gateway.lending import heard

__all__ = ["Leases", "Shared", "alone"]

_T = TypeVar("_T")

_FIRST_LOOK_S: Final = 0.05
_LONGEST_S: Final = 0.5
_LEASE_S: Final = 10.0
_KEEP_S: Final = 3.0  # between two times that it is taken for longer


class Shared(Generic[_T]):
    """One running piece of work with any number of waiters."""

    def __init__(self, tasks: set[asyncio.Task[Any]]) -> None:
        self._tasks = tasks
        self._task: asyncio.Task[_T] | None = None

    def begin(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> asyncio.Task[_T]:
        """Give the running task, or start one; `tasks` keeps it for the owner to end."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(work())
            self._tasks.add(self._task)
            self._task.add_done_callback(self._ended)
        return self._task

    async def join(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Wait for the running work, or start it; being cancelled ends the wait only."""
        return await asyncio.shield(self.begin(work))

    def _ended(self, task: asyncio.Task[_T]) -> None:
        self._tasks.discard(task)
        heard(task)


class Leases(Protocol):
    """Who may do what, among all processes; a lease that its owner does not end ends by itself."""

    async def take_lease(self, name: str, seconds: float) -> bool:
        """Take a lease, or keep it for longer; False when it is another's."""
        ...

    async def end_lease(self, name: str) -> None:
        """Give a lease back."""
        ...


async def alone(
    leases: Leases,
    clock: Clock,
    name: str,
    done: Callable[[], Awaitable[bool]],
    work: Callable[[], Awaitable[None]],
) -> None:
    """Work while nobody else does, or wait until another one has; `done` looks for what came of that."""
    pause_s = _FIRST_LOOK_S
    while not await leases.take_lease(name, _LEASE_S):
        await clock.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret
        pause_s = min(2 * pause_s, _LONGEST_S)
        if await done():
            return
    try:
        if not await done():
            async with _kept(leases, clock, name):
                await work()
    finally:
        await leases.end_lease(name)


@asynccontextmanager
async def _kept(leases: Leases, clock: Clock, name: str) -> AsyncGenerator[None]:
    """Take a lease for longer, again and again; when this ends, nothing is on its way that takes it."""
    asking = asyncio.Lock()

    async def keep() -> None:
        while True:
            await clock.sleep(_KEEP_S)
            async with asking:
                await leases.take_lease(name, _LEASE_S)

    keeping = asyncio.get_running_loop().create_task(keep())
    try:
        yield
    finally:
        try:
            await asking.acquire()
        finally:
            keeping.cancel()

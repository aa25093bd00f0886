"""A clock for tests: time stands still until somebody moves it."""

import asyncio
import heapq
import itertools
from typing import Final

from gateway.clock import Clock

__all__ = ["FakeClock"]

_TURNS: Final = 20  # of the loop after each wake-up, so that what the sleeper set off comes to rest
_TOLERANCE: Final = 1e-9  # 0.1 + 0.2 is due at 0.3


class FakeClock(Clock):
    """Wake sleepers in the order of their deadlines, each at its own time.

    `wall` is the difference between the two clocks; change it to let the wall clock jump.
    """

    def __init__(self, now: float = 0.0, *, wall: float = 1_800_000_000.0) -> None:
        self.wall = wall
        self._now: float = now
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Return the time that `advance` has made."""
        return self._now

    def time(self) -> float:
        """Return the same on the wall."""
        return self._now + self.wall

    async def sleep(self, seconds: float) -> None:
        """Sleep until `advance` comes by."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wakened = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), wakened))
        await wakened

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass; those who sleep again meanwhile are woken again."""
        end = self._now + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end + _TOLERANCE:
            deadline, _, wakened = heapq.heappop(self._sleepers)
            if not wakened.done():  # its sleeper was cancelled
                self._now = min(deadline, end)
                wakened.set_result(None)
                await _settle()
        self._now = end

    @property
    def sleepers(self) -> int:
        """Count those asleep."""
        return sum(not wakened.done() for _, _, wakened in self._sleepers)


async def _settle() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)

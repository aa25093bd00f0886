"""Time as a parameter: the monotonic clock for waits, the wall clock for dates, and sleep."""

import asyncio
import time
from abc import ABC, abstractmethod

__all__ = ["Clock", "System"]


class Clock(ABC):
    """What the gateway asks of time."""

    __slots__ = ()

    @abstractmethod
    def monotonic(self) -> float:
        """Return seconds from some fixed point; never goes back, right for waits and deadlines."""

    @abstractmethod
    def time(self) -> float:
        """Return seconds since 1970 in UTC; may jump, right for dates that others read."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once, but not before other tasks had a turn, if that is not positive."""


class System(Clock):
    """The clocks of this machine."""

    __slots__ = ()

    def monotonic(self) -> float:
        """Return the monotonic clock's reading."""
        return time.monotonic()

    def time(self) -> float:
        """Return the wall clock's reading."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running loop."""
        await asyncio.sleep(seconds)

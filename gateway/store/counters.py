"""Request counters in memory for the `limits` library, without timers: what has expired is swept when it grows.

The library's own memory storage starts a task for each key after every hit.
"""

import time

from limits.aio.storage import SlidingWindowCounterSupport, Storage

__all__ = ["LazyMemory"]

_SWEEP_AT = 4096


class LazyMemory(Storage, SlidingWindowCounterSupport):
    """Counters of one process; nothing here suspends, so a check and its hits are one step of the loop."""

    STORAGE_SCHEME: list[str] | None = ["lazy-memory"]  # noqa: RUF012 - as the base class declares it

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, tuple[int, float]] = {}
        self._sweep_at = _SWEEP_AT

    @property
    def base_exceptions(self) -> type[Exception]:
        """Name the errors of this storage."""
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter that lives for `expiry` seconds from its first hit."""
        now = time.time()
        count, until = self._counts.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + expiry
        self._counts[key] = (count + amount, until)
        if len(self._counts) > self._sweep_at:
            self._sweep(now)
        return count + amount

    async def get(self, key: str) -> int:
        """Read a counter; 0 when it has expired."""
        count, until = self._counts.get(key, (0, 0.0))
        return count if until > time.time() else 0

    async def get_expiry(self, key: str) -> float:
        """Read when a counter expires, in Unix seconds."""
        return self._counts.get(key, (0, time.time()))[1]

    async def check(self) -> bool:
        """Say that memory is there."""
        return True

    async def reset(self) -> int:
        """Forget everything."""
        number = len(self._counts)
        self._counts.clear()
        return number

    async def clear(self, key: str) -> None:
        """Forget one counter."""
        self._counts.pop(key, None)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a hit if the weighted windows allow it."""
        previous, previous_ttl, current, _ = await self.get_sliding_window(key, expiry)
        if int(previous * previous_ttl / expiry + current) + amount > limit:
            return False
        await self.incr(self._window(key, expiry, time.time()), 2 * expiry, amount)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Give the count and the seconds left of the previous and of the current window."""
        now = time.time()
        previous = await self.get(self._window(key, expiry, now - expiry))
        current = await self.get(self._window(key, expiry, now))
        left = expiry - now % expiry
        return previous, left if previous else 0.0, current, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget both windows."""
        now = time.time()
        await self.clear(self._window(key, expiry, now))
        await self.clear(self._window(key, expiry, now - expiry))

    @staticmethod
    def _window(key: str, expiry: int, now: float) -> str:
        return f"{key}/{int(now // expiry)}"

    def _sweep(self, now: float) -> None:
        self._counts = {key: entry for key, entry in self._counts.items() if entry[1] > now}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._counts))

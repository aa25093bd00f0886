"""Request counters in memory for the `limits` library, without timers: what has expired is swept when it grows.

The library's own memory storage starts a task for each key after every hit.
"""

import time
from collections.abc import Callable

from limits.aio.storage import SlidingWindowCounterSupport, Storage

from gateway.store.windows import SECOND, Windows, place_of

__all__ = ["LazyMemory", "Windows"]

_SWEEP_AT = 4096


class LazyMemory(SlidingWindowCounterSupport, Storage):  # the other way round every method is wrapped twice
    """Counters of one process; nothing here suspends, so a check and its hits are one step of the loop.

    `now`: the wall clock, in Unix seconds.
    """

    STORAGE_SCHEME: list[str] | None = ["lazy-memory"]  # noqa: RUF012 - as the base class declares it

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now = now
        self._counts: dict[str, tuple[int, float]] = {}
        self._windows: dict[tuple[str, int], Windows] = {}
        self._sweep_at = _SWEEP_AT

    @property
    def base_exceptions(self) -> type[Exception]:
        """Name the errors of this storage."""
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter that lives for `expiry` seconds from its first hit."""
        return self.add(key, expiry, self._now(), amount)

    async def get(self, key: str) -> int:
        """Read a counter; 0 when it has expired."""
        return self.count(key, self._now())

    async def get_expiry(self, key: str) -> float:
        """Read when a counter expires, in Unix seconds."""
        return self._counts.get(key, (0, self._now()))[1]

    async def check(self) -> bool:
        """Say that memory is there."""
        return True

    async def reset(self) -> int:
        """Forget everything."""
        number = len(self._counts) + len(self._windows)
        self._counts.clear()
        self._windows.clear()
        return number

    async def clear(self, key: str) -> None:
        """Forget one counter."""
        self._counts.pop(key, None)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a hit if the weighted windows allow it."""
        now = self._now()
        windows = self.windows(key, expiry, now)
        used = windows.current
        if windows.previous:
            used = int(windows.previous * (expiry - now % expiry) / expiry + used)
        if used + amount > limit:
            return False
        windows.current += amount
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Give the count and the seconds left of the previous and of the current window."""
        now = self._now()
        windows = self.windows(key, expiry, now)
        left = expiry - now % expiry
        return windows.previous, left if windows.previous else 0.0, windows.current, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget both windows."""
        self._windows.pop((key, expiry), None)

    def add(self, key: str, expiry: int, now: float, amount: int = 1) -> int:
        """Add to a counter as it stands at a moment."""
        count, until = self._counts.get(key, (0, 0.0))
        if until <= now:
            self._make_room(now)
            count, until = 0, now + expiry
        self._counts[key] = (count + amount, until)
        return count + amount

    def count(self, key: str, now: float) -> int:
        """Read a counter as it stands at a moment."""
        count, until = self._counts.get(key, (0, 0.0))
        return count if until > now else 0

    def windows(self, key: str, expiry: int, now: float) -> Windows:
        """Give the windows of this moment, which a hit changes."""
        return self.windows_at(key, expiry, int(now // expiry), now)

    def windows_at(self, key: str, expiry: int, number: int, now: float) -> Windows:
        """Give those of the window with this number; a clock that was set back stays in the later one.

        `expiry` 0: of a calendar month, after which nothing fades.
        """
        windows = self._windows.get((key, expiry))
        if windows is not None and windows.number >= number:
            return windows
        self._make_room(now)
        fades = expiry and windows is not None and windows.number == number - 1
        windows = self._windows[key, expiry] = Windows(number, windows.current if windows and fades else 0)
        return windows

    def last(self, key: str, expiry: int) -> Windows | None:
        """Give the windows as they were when they were last looked at."""
        return self._windows.get((key, expiry))

    def _make_room(self, now: float) -> None:
        """Sweep what has expired once it may be half of all there is."""
        if len(self._counts) + len(self._windows) < self._sweep_at:
            return
        self._counts = {key: entry for key, entry in self._counts.items() if entry[1] > now}
        now_us = int(now * SECOND)
        self._windows = {
            key: entry for key, entry in self._windows.items() if entry.number + 2 > place_of(key[1], now_us)[0]
        }
        self._sweep_at = max(_SWEEP_AT, 2 * (len(self._counts) + len(self._windows)))

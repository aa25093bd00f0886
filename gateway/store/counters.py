"""Counters of one process, each with the windows of one length; what has expired is swept when there are many."""

from gateway.store.windows import SECOND, Windows, place_of

__all__ = ["Counters"]

_SWEEP_AT = 4096


class Counters:
    """Nothing here suspends, so a check and what it counts are one step of the loop."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, int], Windows] = {}
        self._sweep_at = _SWEEP_AT

    def __len__(self) -> int:
        """Count the counters that are remembered."""
        return len(self._windows)

    def windows_at(self, key: str, expiry: int, number: int, now: float) -> Windows:
        """Give those of the window with this number; a clock that was set back stays in the later one.

        `expiry`: seconds, 0 = of a calendar month, after which nothing fades. `now`: in Unix seconds.
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
        if len(self._windows) < self._sweep_at:
            return
        now_us = int(now * SECOND)
        self._windows = {
            key: entry for key, entry in self._windows.items() if entry.number + 2 > place_of(key[1], now_us)[0]
        }
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._windows))

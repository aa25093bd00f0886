"""Counters of one process, by rule; what has expired is swept when there are many."""

from typing import Final

from gateway.store.windows import DAY, Rule, Windows, place_of

__all__ = ["Counters"]

_SWEEP_AT: Final = 4096
_TWO_MONTHS: Final = 62 * DAY


class Counters:
    """Nothing here suspends, so a check and what it counts are one step of the loop."""

    def __init__(self) -> None:
        self._windows: dict[str, Windows] = {}
        self._sweep_at = _SWEEP_AT

    def __len__(self) -> int:
        """Count the counters that are remembered."""
        return len(self._windows)

    def at(self, rule: Rule, now_us: int) -> Windows:
        """Give those of a rule as of now.

        With a clock that was set back, those of the later window; by more than a window, what is in it has just passed.
        """
        try:
            windows = self._windows[rule.key]
        except KeyError:
            return self._begun(rule, now_us, None)
        if now_us < windows.ends_us and now_us >= windows.since_us:
            return windows
        return self._begun(rule, now_us, windows)

    def last(self, rule: Rule) -> Windows | None:
        """Give those of a rule as they were when they were last looked at."""
        return self._windows.get(rule.key)

    def _begun(self, rule: Rule, now_us: int, before: Windows | None) -> Windows:
        self._make_room(now_us)
        number, ends_us, fades_us = place_of(rule.seconds, now_us)
        counted = before.current if before is not None and before.number >= number - bool(fades_us) else 0
        fading, current = (counted, 0) if fades_us else (0, counted)
        since_us = ends_us - (2 * fades_us or _TWO_MONTHS)
        begun = self._windows[rule.key] = Windows(number, fading, current, ends_us, fades_us, since_us)
        return begun

    def _make_room(self, now_us: int) -> None:
        """Sweep what has expired once it may be half of all there is."""
        if len(self._windows) < self._sweep_at:
            return
        self._windows = {key: one for key, one in self._windows.items() if one.ends_us + one.fades_us > now_us}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._windows))

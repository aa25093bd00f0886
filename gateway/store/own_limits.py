"""The limits as this process counts them by itself: nothing here waits, so a check and what it counts are one step."""

from collections.abc import Iterable, Sequence

from gateway.clock import Clock
from gateway.store.counters import Counters
from gateway.store.windows import SECOND, Rule, Seen, Taken, Window

__all__ = ["OwnLimits"]


class OwnLimits:
    """Counters of all callers. `open`: how many answers each of them has open."""

    def __init__(self, clock: Clock) -> None:
        self.open: dict[str, int] = {}
        self._clock = clock
        self._counters = Counters()
        self._reserved: dict[str, int] = {}

    def look(self, rules: Iterable[Rule]) -> list[Window]:
        """Say how these stand now."""
        now_us = int(self._clock.time() * SECOND)
        at = self._counters.at
        return [Window(rule, at(rule, now_us), now_us) for rule in rules]

    def admit(self, who: str, rules: Sequence[Rule], at_once: int | None) -> Seen:
        """Count a request against each rule and let it in, or neither; see `leave`."""
        windows = self.look(rules)
        for window in windows:
            if not window.left:
                return Seen(False, windows)
        count = self.open.get(who, 0)
        if at_once is not None and count >= at_once:
            return Seen(False, windows, others=True)
        for window in windows:
            window.counted.current += 1
        self.open[who] = count + 1
        return Seen(True, windows)

    def enter(self, who: str) -> None:
        """Know of a request that was let in elsewhere."""
        self.open[who] = self.open.get(who, 0) + 1

    def leave(self, who: str) -> None:
        """Give back the place of a request that was let in."""
        left = self.open.pop(who) - 1
        if left:
            self.open[who] = left

    def reserve(self, who: str, rules: Sequence[Rule], needs: Sequence[int]) -> Seen:
        """Take what a request may need of each rule, or nothing; see `settle`.

        A caller with nothing reserved gets what is left, if that is less.
        """
        windows, reserved = self.look(rules), self._reserved.get(who, 0)
        amounts: list[int] = []
        for window, need in zip(windows, needs, strict=True):
            left = window.left
            if not left or (need > left and reserved):
                return Seen(False, windows, others=reserved > 0)
            amounts.append(min(left, need))
        taken: list[Taken] = []
        for window, amount in zip(windows, amounts, strict=True):
            counted = window.counted
            counted.current += amount
            taken.append(Taken(window.rule, counted.number, amount))
        self._reserved[who] = reserved + 1
        return Seen(True, windows, taken=tuple(taken))

    def settle(self, who: str, taken: Sequence[Taken], used: Sequence[int]) -> None:
        """Put what was used in the place of what was reserved, where that still counts."""
        for one, amount in zip(taken, used, strict=True):
            self._add(one, amount - one.amount)
        left = self._reserved.pop(who, 0) - 1
        if left > 0:
            self._reserved[who] = left

    def recall(self, used: Iterable[Taken]) -> None:
        """Count what was used before this process counted."""
        for one in used:
            self.look((one.rule,))  # from now on it is known
            self._add(one, one.amount)

    def _add(self, to: Taken, amount: int) -> None:
        """Add to the window in which something was taken, as long as it is known; nothing falls below 0."""
        counted = self._counters.last(to.rule)
        if counted is None:
            return
        if counted.number == to.number:
            counted.current = max(0, counted.current + amount)
        elif counted.number == to.number + 1 and counted.fades_us:
            counted.previous = max(0, counted.previous + amount)

"""The limits as this process counts them by itself: nothing here waits, so a check and what it counts are one step."""

from collections import Counter
from collections.abc import Iterable, Sequence

from gateway.clock import Clock
from gateway.store.counters import Counters
from gateway.store.windows import SECOND, Rule, Seen, Taken, Window, place_of

__all__ = ["OwnLimits"]


class OwnLimits:
    """Counters of all callers. `open`: how many answers each of them has open."""

    def __init__(self, clock: Clock) -> None:
        self.open: dict[str, int] = {}
        self._clock = clock
        self._counters = Counters()
        self._reserved = Counter[str]()

    def look(self, rules: Sequence[Rule]) -> list[Window]:
        """Say how these stand now."""
        now = self._clock.time()
        now_us = int(now * SECOND)
        windows_at = self._counters.windows_at
        found: list[Window] = []
        for rule in rules:
            number, remains_us, fades_us = place_of(rule.seconds, now_us)
            counted = windows_at(rule.key, rule.seconds, number, now)
            found.append(Window(rule, counted.number, counted.previous, counted.current, remains_us, fades_us, counted))
        return found

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
            _add(window, 1)
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
        windows, others = self.look(rules), self._reserved[who] > 0
        amounts: list[int] = []
        for window, need in zip(windows, needs, strict=True):
            left = window.left
            if not left or (need > left and others):
                return Seen(False, windows, others=others)
            amounts.append(min(left, need))
        taken: list[Taken] = []
        for window, amount in zip(windows, amounts, strict=True):
            _add(window, amount)
            taken.append(Taken(window.rule, window.number, amount))
        self._reserved[who] += 1
        return Seen(True, windows, taken=tuple(taken))

    def settle(self, who: str, taken: Sequence[Taken], used: Sequence[int]) -> None:
        """Put what was used in the place of what was reserved, where that still counts."""
        for one, amount in zip(taken, used, strict=True):
            self._add(one, amount - one.amount)
        self._reserved[who] -= 1
        if not self._reserved[who]:
            del self._reserved[who]

    def recall(self, used: Iterable[Taken]) -> None:
        """Count what was used before this process counted."""
        for one in used:
            self.look((one.rule,))  # from now on it is known
            self._add(one, one.amount)

    def _add(self, to: Taken, amount: int) -> None:
        """Add to the window in which something was taken, as long as it is known; nothing falls below 0."""
        counted = self._counters.last(to.rule.key, to.rule.seconds)
        if counted is None:
            return
        if counted.number == to.number:
            counted.current = max(0, counted.current + amount)
        elif counted.number == to.number + 1 and to.rule.seconds:
            counted.previous = max(0, counted.previous + amount)


def _add(window: Window, amount: int) -> None:
    window.current += amount
    if window.counted is not None:
        window.counted.current += amount

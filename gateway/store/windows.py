"""The windows of time in which limits count, as the sliding window counter of `limits` has them.

Windows of one length follow each other from 1970 on. What was counted in the one before fades evenly until the current
one ends. A month is that of the calendar, in UTC, and begins empty. Moments are whole microseconds: so this process and
Redis come to the same result.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeAlias

from msgspec import Struct

__all__ = [
    "DAY",
    "SECOND",
    "Away",
    "Rule",
    "Seen",
    "Span",
    "Taken",
    "Unheard",
    "Window",
    "Windows",
    "place_of",
    "spans_of",
]

SECOND: Final = 1_000_000  # in microseconds
DAY: Final = 86_400 * SECOND

Span: TypeAlias = tuple[float, float]  # from when until before when, Unix seconds


class Away(Exception):
    """What all processes count together cannot be asked now; the message says why. It may have heard the question."""


class Unheard(Away):
    """It was not asked, and so has counted nothing."""


class Rule(Struct, frozen=True):
    """A limit of one caller. `name`: as in gateway.toml; `key`: of its counter; `what`: in words.

    `amount`: requests, tokens or billionths of a dollar; `seconds`: of its window, 0 for the calendar month.
    """

    name: str
    key: str
    amount: int
    seconds: int
    what: str
    is_money: bool = False


class Windows(Struct):
    """What was counted in window `number`, counted from 1970, and in the one before.

    `ends_us`: when the window ends; `fades_us`: how long what is in it fades after that, 0 where the next one begins
    empty; `since_us`: to when the clock may be set back and it still counts.
    """

    number: int
    previous: int = 0
    current: int = 0
    ends_us: int = 0
    fades_us: int = 0
    since_us: int = 0


class Window(Struct):
    """What counts against one rule at one moment."""

    rule: Rule
    counted: Windows
    now_us: int

    @property
    def number(self) -> int:
        """Which one of its length it is, counted from 1970."""
        return self.counted.number

    @property
    def remains_us(self) -> int:
        """Until the window ends; as long as a window at most, where the clock was set back."""
        counted = self.counted
        remains_us = counted.ends_us - self.now_us
        return min(remains_us, counted.fades_us) if counted.fades_us else remains_us

    @property
    def left(self) -> int:
        """How much more fits now."""
        counted = self.counted
        used = counted.current
        if counted.previous:
            used += int(float(counted.previous) * self.remains_us / counted.fades_us)  # as Redis reckons
        amount = self.rule.amount
        return amount - used if used < amount else 0

    def until(self, below: int) -> float:
        """Seconds until less than this counts, if nothing is added."""
        counted = self.counted
        current, fades_us = counted.current, counted.fades_us
        room = below - current
        if room <= 0:
            return (self.remains_us + (fades_us * (1 - below / current) if current else fades_us)) / SECOND
        if not counted.previous:
            return 0.0
        return max(0.0, self.remains_us - room * fades_us / counted.previous) / SECOND

    @property
    def wait(self) -> float:
        """Seconds until something fits."""
        return self.until(self.rule.amount)

    @property
    def reset(self) -> float:
        """Seconds until the whole limit is free."""
        return self.until(1)


class Taken(Struct, frozen=True):
    """What is reserved for one request: how much of a rule, in the window of which number.

    `at_us`: when it was used, where a counter that has begun since then is told of it by the ledger; 0 = by nobody.
    """

    rule: Rule
    number: int
    amount: int
    at_us: int = 0


class Seen(Struct, frozen=True):
    """What became of a question, and how its windows stand after it.

    `admitted`: it counts in all of them, else in none. `others`: requests of the same caller stood in its way, and may
    make room at any moment. `taken`: what is reserved for it. `begins`: a counter of hours, days or months begins with
    it in Redis, which had none, or has lost it.
    """

    admitted: bool
    windows: list[Window]
    others: bool = False
    taken: tuple[Taken, ...] = ()
    begins: bool = False


def place_of(seconds: int, now_us: int) -> tuple[int, int, int]:
    """Give the number of the window of this moment, when it ends, and how long it fades after that."""
    if seconds:
        length = seconds * SECOND
        number = now_us // length
        return number, (number + 1) * length, length
    number, end = _month(now_us // DAY)
    return number, end, 0


def spans_of(seconds: int, now_us: int) -> list[tuple[int, Span]]:
    """Give the numbers and times of the windows that count at this moment."""
    if seconds:
        number = now_us // (seconds * SECOND)
        return [(one, (float(one * seconds), float((one + 1) * seconds))) for one in (number - 1, number)]
    number, end = _month(now_us // DAY)
    begin = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return [(number, (begin.timestamp(), end / SECOND))]


@lru_cache(maxsize=8)
def _month(day: int) -> tuple[int, int]:
    """Give the number of the month of a day since 1970, and its end in microseconds."""
    date = datetime.fromtimestamp(day * 86_400, UTC)
    end = (date.replace(day=28) + timedelta(days=4)).replace(day=1)
    return date.year * 12 + date.month - 1, int(end.timestamp()) * SECOND

"""What is left of a limit on requests, as each dialect's headers say it.

    OpenAI      x-ratelimit-limit-requests, -remaining-requests, -reset-requests: a duration such as 6m0s
    Anthropic   anthropic-ratelimit-requests-limit, -remaining, -reset: a time such as 2026-01-01T00:06:00Z
    Gemini      none; the body of a 429 has google.rpc.RetryInfo

`reset` is when the whole limit is free again, not when the next request fits: that is `retry-after`.
"""

import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from msgspec import Struct

from gateway.routes import DialectName
from gateway.store.counters import Windows

__all__ = ["Headers", "Window", "rate_headers"]

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Window(Struct):
    """The hits against one limit at one moment.

    `what`: the limit in words. `previous`: the hits of the window before, which fade evenly until the current one ends,
    in `remains` seconds. `fades`: how long the hits of the current one fade after it, 0 where the next begins empty.
    `counted`: where a hit goes, if not into a counter of the month.
    """

    what: str
    amount: int
    previous: int
    current: int
    remains: float
    fades: float
    counted: Windows | None = None

    @property
    def left(self) -> int:
        """How many more requests fit now."""
        used = self.current
        if self.previous:
            used = int(self.previous * self.remains / self.fades + used)
        return self.amount - used if used < self.amount else 0

    def until(self, below: int) -> float:
        """Seconds until fewer than this count, if no more are made."""
        room = below - self.current
        if room > 0:
            return max(0.0, self.remains - room * self.fades / self.previous) if self.previous else 0.0
        return self.remains + (self.fades * (1 - below / self.current) if self.current else self.fades)

    @property
    def wait(self) -> float:
        """Seconds until one more request fits."""
        return self.until(self.amount)

    @property
    def reset(self) -> float:
        """Seconds until the whole limit is free."""
        return self.until(1)


def rate_headers(dialect: DialectName, window: Window, now: float) -> Headers:
    """Say what is left; `now` in Unix seconds."""
    write = _WRITERS.get(dialect)
    return write(window, now) if write is not None else ()


def _openai(window: Window, _: float) -> Headers:
    return (
        (b"x-ratelimit-limit-requests", b"%d" % window.amount),
        (b"x-ratelimit-remaining-requests", b"%d" % window.left),
        (b"x-ratelimit-reset-requests", _duration(window.until(1))),
    )


def _anthropic(window: Window, now: float) -> Headers:
    return (
        (b"anthropic-ratelimit-requests-limit", b"%d" % window.amount),
        (b"anthropic-ratelimit-requests-remaining", b"%d" % window.left),
        (b"anthropic-ratelimit-requests-reset", _instant(math.ceil(now + window.reset))),
    )


_WRITERS: Final[Mapping[DialectName, Callable[[Window, float], Headers]]] = {
    "openai-chat": _openai,
    "openai-responses": _openai,
    "anthropic": _anthropic,
}


def _duration(seconds: float) -> bytes:
    """Write a duration as Go does, rounded up: 20ms, 1s, 6m0s, 24h0m0s."""
    if 0 < seconds <= 0.999:
        return b"%dms" % math.ceil(seconds * 1000)
    return _whole(math.ceil(seconds))


@lru_cache(maxsize=256)
def _whole(seconds: int) -> bytes:
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest
    return b"%dh%dm%ds" % (*divmod(minutes, 60), rest)


@lru_cache(maxsize=256)
def _instant(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second)).encode()

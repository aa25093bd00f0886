"""What is left of a limit on requests or tokens, as each dialect's headers say it.

    OpenAI      x-ratelimit-limit-requests, -remaining-requests, -reset-requests: a duration such as 6m0s
    Anthropic   anthropic-ratelimit-requests-limit, -remaining, -reset: a time such as 2026-01-01T00:06:00Z
    Gemini      none; the body of a 429 has google.rpc.RetryInfo

Of a limit on tokens with that word in the place of `requests`. `reset` is when the whole limit is free again, not when
the next request fits: that is `retry-after`.
"""

import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from gateway.store.windows import Window

__all__ = ["Headers", "What", "rate_headers"]

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
Names: TypeAlias = tuple[bytes, ...]  # of the limit, of what is left, of when it is free
What = Literal["requests", "tokens"]

_WHAT: Final[tuple[What, ...]] = ("requests", "tokens")


def rate_headers(dialect: str, what: What, window: Window, now: float) -> Headers:
    """Say what is left; `now` in Unix seconds."""
    write = _WRITERS.get(dialect)
    return write(_NAMES[dialect, what], window, now) if write is not None else ()


def _openai(names: Names, window: Window, _: float) -> Headers:
    limit, remaining, reset = names
    return (
        (limit, b"%d" % window.rule.amount),
        (remaining, b"%d" % window.left),
        (reset, _duration(window.until(1))),
    )


def _anthropic(names: Names, window: Window, now: float) -> Headers:
    limit, remaining, reset = names
    return (
        (limit, b"%d" % window.rule.amount),
        (remaining, b"%d" % window.left),
        (reset, _instant(math.ceil(now + window.reset))),
    )


_WRITERS: Final[Mapping[str, Callable[[Names, Window, float], Headers]]] = {
    "openai-chat": _openai,
    "openai-responses": _openai,
    "anthropic": _anthropic,
}
_PATTERNS: Final[Mapping[str, str]] = {
    "openai-chat": "x-ratelimit-{part}-{what}",
    "openai-responses": "x-ratelimit-{part}-{what}",
    "anthropic": "anthropic-ratelimit-{what}-{part}",
}
_NAMES: Final[Mapping[tuple[str, What], Names]] = {
    (dialect, what): tuple(pattern.format(what=what, part=part).encode() for part in ("limit", "remaining", "reset"))
    for dialect, pattern in _PATTERNS.items()
    for what in _WHAT
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

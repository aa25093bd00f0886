"""How long an upstream says to wait: in a header, in words, or by when a limit that is used up begins anew.

retry-after: 7      try again in 1m3.5s      wait 3600 seconds      resets at 2026-05-15T15:00:00Z
x-ratelimit-remaining-requests: 0, x-ratelimit-reset-requests: 1.2s, 33011.4 or 1744070400000
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Final

from gateway.dialects.gemini.errors import duration, header_wait

__all__ = ["wait_of"]

# Every quantifier is bounded: the text is not ours.
_MILLISECONDS: Final = re.compile(r"\d{1,12}(?:\.\d{1,12})?")
_AMOUNT: Final = re.compile(
    r"(?i)\b(?:(?:try again|retry)(?: in| after)|wait(?: for)?) (\d{1,9}(?:\.\d{1,9})?) ?(s\b|sec|min|hour)"
)
_UNITS: Final = {"s": 1.0, "sec": 1.0, "min": 60.0, "hour": 3600.0}
_SPOKEN: Final = re.compile(
    r"(?i)\b(?:try again|retry after|retry|reset)(?: in| after)? (\d[\d.]{0,15}[dhmsµn][\dhmsµ.]{0,30})"
)
_MOMENT: Final = re.compile(
    r"(?i)(?:\bresets? at|将在) (\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?)"
)
_BEIJING: Final = timezone(timedelta(hours=8))  # Z.ai and Zhipu name no zone
_LEFT: Final = re.compile(r"(?:x-)?ratelimit-remaining(?:-[a-z-]{1,40})?")
_SPENT: Final = re.compile(r"-\d{1,12}|0(?:\.0{1,12})?")
_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,12})?")
_EPOCH_S: Final = 1e9
_EPOCH_MS: Final = 1e12


def wait_of(said: str, headers: Mapping[str, str], now: float | None) -> float | None:
    """Give the seconds to wait; None when nothing says so.

    `headers`: by names in lower case. `now` (Unix seconds) is needed for moments; without it those count as unknown.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _MILLISECONDS.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    given = headers.get("retry-after", "").strip()
    if given and (wait := header_wait(given, now)) is not None:
        return wait
    wait = _spoken(said, now)
    return wait if wait is not None else _until_reset(headers, now)


def _spoken(said: str, now: float | None) -> float | None:
    amount = _AMOUNT.search(said)
    if amount is not None:
        return float(amount[1]) * _UNITS[amount[2].lower()]
    spoken = _SPOKEN.search(said)
    if spoken is not None:
        return duration(spoken[1].rstrip("."))
    moment = _MOMENT.search(said)
    return _until(moment[1], now) if moment is not None and now is not None else None


def _until(text: str, now: float) -> float | None:
    """Give the seconds to a moment that is still to come."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    wait = (moment if moment.tzinfo is not None else moment.replace(tzinfo=_BEIJING)).timestamp() - now
    return wait if wait > 0 else None


def _until_reset(headers: Mapping[str, str], now: float | None) -> float | None:
    """Give the seconds until the last of the limits that are used up begins anew."""
    spent = (name for name, left in headers.items() if _LEFT.fullmatch(name) and _SPENT.fullmatch(left.strip()))
    resets = (headers.get(name.replace("remaining", "reset"), "").strip() for name in spent)
    return max(filter(None, (_reset(text, now) for text in resets)), default=None)


def _reset(text: str, now: float | None) -> float | None:
    """Read a duration, as OpenAI writes it, seconds, or a moment in seconds or milliseconds."""
    if not _NUMBER.fullmatch(text):
        return duration(text)
    number = float(text)
    if number < _EPOCH_S:
        return number
    moment = number / 1000 if number >= _EPOCH_MS else number
    return max(moment - now, 0.0) if now is not None else None

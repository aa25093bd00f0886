"""Moments as people write them: a day, a time as RFC 3339 has it, or how long ago.

What is before 1970 means its begin, and what is after the year 9999 its end: nothing happened before or will after.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["WAYS", "read_moment", "whole_minute"]

WAYS: Final = "a day such as 2026-11-30, a time such as 2026-11-30T12:00:00Z, or how long ago, such as 7d, 12h or 30m"
_AGO: Final = re.compile(r"(\d{1,6})([dhm])")
_UNITS_S: Final = {"d": 86_400, "h": 3600, "m": 60}
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
_PLUS: Final = re.compile(r"(T[\d:.]+) (?=\d\d:?\d\d)")  # a "+" that nobody escaped in an address
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def read_moment(text: str, now: float, *, end: bool = False) -> float:
    """Give Unix seconds; without a zone it is UTC. `end`: a day means its end, so that it counts. Raise ValueError."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(now - int(ago[1]) * _UNITS_S[ago[2]], 0.0)
    try:
        moment = datetime.fromisoformat(_PLUS.sub(r"\1+", text))
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        if end and _DAY.fullmatch(text):
            moment += timedelta(days=1)
        return min(max(moment.timestamp(), 0.0), _LAST)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is not a time: {WAYS}") from None


def whole_minute(moment: float) -> float:
    """Give the first whole minute at which what lasts until a moment is over; both are Unix seconds."""
    return min(math.ceil(round(moment) / 60) * 60.0, _LAST)

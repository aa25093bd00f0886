"""Write moments, durations and parts, for programs and for people."""

import math
from datetime import UTC, datetime
from typing import Final

from gateway.periods import whole_minute

__all__ = ["amount", "held", "iso", "iso_or_none", "money", "percent", "seconds", "span", "standing", "utc", "words"]

_LEAST_USD: Final = 0.000001  # what few tokens of a cheap model cost
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def iso(time: float) -> str:
    """Write Unix seconds as RFC 3339 has them."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


def iso_or_none(time: float | None) -> str | None:
    """Write them likewise, where they are known."""
    return None if time is None else iso(time)


def utc(time: float, now: float) -> str:
    """Write Unix seconds for people, to the minute by which it is then; the day only where it is another one."""
    then = datetime.fromtimestamp(whole_minute(time) if time > now else time, UTC)
    today = datetime.fromtimestamp(now, UTC)
    day = f"{then.day} {then:%b} " if then.date() != today.date() else ""
    year = f"{then.year} " if then.year != today.year else ""
    return f"{day}{year}{then:%H:%M} UTC"


def span(seconds: float) -> str:
    """Write a duration in its two largest units."""
    rest, words = max(1, int(abs(seconds))), list[str]()
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {unit}")
        elif words:
            break
    return " ".join(words[:2])


def percent(part: float) -> str:
    """Write a part of a whole; what is nearly used up is not nothing, and nearly whole not all."""
    whole = round(part * 100)
    if part > 0 and whole == 0:
        return "< 1 %"
    return "> 99 %" if part < 1 and whole == 100 else f"{whole} %"


def amount(number: float) -> str:
    """Write how many, in groups of three digits."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.2f}"


def money(usd: float | None) -> str:
    """Write USD, small sums to two digits that are not 0; what is not nothing is not written as nothing."""
    if usd is None:
        return "not known"
    if usd >= 1 or usd == 0:
        return f"${usd:,.2f}"
    if usd < _LEAST_USD:
        return f"< ${_LEAST_USD:f}"
    decimals = 1 - math.floor(math.log10(usd))
    whole, _, part = f"{usd:.{decimals}f}".partition(".")
    return f"${whole}.{part.rstrip('0').ljust(2, '0')}"


def seconds(duration: float | None) -> str:
    """Write how long something took."""
    if duration is None:
        return "not known"
    if duration < 1:
        return f"{max(1, round(duration * 1000))} ms"
    return f"{duration:.1f} s" if duration < 100 else f"{duration:.0f} s"


def standing(state: str) -> str:
    """Say how a credential stands."""
    return "needs verification" if state == "needs_verification" else f"is {state}"


def held(limit: str, number: float) -> str:
    """Write how much of a limit."""
    return money(number) if limit.startswith("usd") else amount(number)


def words(limit: str) -> str:
    """Write the name of a limit."""
    text = limit.replace("_", " ").replace("usd", "USD")
    return text[0].upper() + text[1:]

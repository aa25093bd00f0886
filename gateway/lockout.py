"""Failed attempts to get in, by address: after ten in a minute no unknown key or password from there is looked at.

One for all doors of an app. The window slides; each process counts for itself, and forgets the addresses that have
been quiet for longest when there are very many.
"""

from ipaddress import IPv6Address, ip_address
from typing import Final

from gateway.clock import Clock, System
from gateway.errors import RateLimited
from gateway.store.windows import Windows

__all__ = ["Lockout"]

_ALLOWED: Final = 10
_WINDOW_S: Final = 60
_MOST: Final = 16_384  # addresses
_SITE_BITS: Final = 64  # of an IPv6 address; the rest is for the site to choose


class Lockout:
    """Counts in this process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or System()
        self._sites: dict[str, Windows] = {}  # the one that has failed last stands last

    def check(self, address: str) -> None:
        """Raise RateLimited for an address that has failed too often."""
        windows = self._sites.get(_site(address))
        if windows is None:
            return
        now = self._clock.monotonic()
        windows = _moved(windows, now)
        left_s = _WINDOW_S - now % _WINDOW_S
        if windows.current + windows.previous * left_s / _WINDOW_S >= _ALLOWED:
            wait_s = _wait_s(windows, left_s)
            raise RateLimited("too many failed attempts from this address; wait and try again", retry_after=wait_s)

    def failed(self, address: str) -> None:
        """Count one."""
        site, now = _site(address), self._clock.monotonic()
        known = self._sites.pop(site, None)
        windows = _moved(known, now) if known is not None else Windows(int(now // _WINDOW_S))
        windows.current += 1
        self._sites[site] = windows
        if len(self._sites) > _MOST:
            del self._sites[next(iter(self._sites))]

    @property
    def addresses(self) -> int:
        """Count the addresses that are remembered."""
        return len(self._sites)


def _wait_s(windows: Windows, left_s: float) -> float:
    """Say when one more attempt is looked at, if there is none till then."""
    if windows.current >= _ALLOWED:  # not before the next window, in which they fade
        return left_s + _WINDOW_S * (1 - _ALLOWED / windows.current) + 1
    return left_s - _WINDOW_S * (_ALLOWED - windows.current) / windows.previous + 1


def _moved(windows: Windows, now: float) -> Windows:
    """Give the windows as of now."""
    number = int(now // _WINDOW_S)
    if windows.number == number:
        return windows
    return Windows(number, windows.current if windows.number == number - 1 else 0)


def _site(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or int(parsed) >> (128 - _SITE_BITS))
    return address

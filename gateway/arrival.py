"""How long the body of a request may take, under every server: silence ends it, and so does a drip."""

import asyncio
from typing import Final

from gateway.errors import RequestTimeout

__all__ = ["SILENCE_S", "SLOWEST", "Pace"]

SILENCE_S: Final = 60.0  # between two pieces; and what every body has, however small
SLOWEST: Final = 4096  # bytes a second: a line of 32 kbit/s


class Pace:
    """How fast one body comes; begun with its first piece."""

    __slots__ = ("_bytes", "_last", "_seconds", "_time")

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._last = self._time()
        self._seconds = 0.0
        self._bytes = 0

    def take(self, piece: bytes) -> None:
        """Take a piece; raise RequestTimeout when all of it comes too slowly."""
        now = self._time()
        self._seconds += now - self._last
        self._last = now
        self._bytes += len(piece)
        if self._seconds > SILENCE_S + self._bytes / SLOWEST:
            raise RequestTimeout(f"the body came too slowly: {self._bytes} bytes in {self._seconds:.0f} s")

    def resume(self) -> None:
        """Go on; what somebody else did since the last piece does not count."""
        self._last = self._time()

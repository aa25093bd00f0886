"""When a call has come in at the earliest: a loop that is busy comes late to its sockets, and must blame nobody for it.

While it runs, the loop notes the time every few milliseconds, or as often as it comes to it. What a handler sees now
was on the socket after the note that is some rounds old: one for the poll, and the rounds until its handler runs.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

BEAT_S = 0.005
ROUNDS = 4


class Arrivals:
    """Notes the rounds of the running loop, from `start` to `stop`."""

    def __init__(self) -> None:
        self._rounds: deque[float] = deque(maxlen=ROUNDS)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to note, unless that has begun."""
        if self._timer is None:
            self._note(asyncio.get_running_loop())

    def stop(self) -> None:
        """Note no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def earliest(self) -> float:
        """Say when a call that a handler sees now was not there yet."""
        return self._rounds[0] if len(self._rounds) == ROUNDS else time.monotonic()

    def _note(self, loop: asyncio.AbstractEventLoop) -> None:
        self._rounds.append(time.monotonic())
        self._timer = loop.call_later(BEAT_S, self._note, loop)

"""How long a piece of work holds the processor, and work that holds it for so long."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["cpu_seconds", "work"]


def cpu_seconds(work: Callable[[], object], *, tries: int = 4, below: float = 0.0) -> float:
    """Measure this thread's time of the processor: the least of several tries, which end at the first one `below`.

    A collection of garbage, cold caches and other programs only add to a try; what the work itself costs is in each.
    """
    least = float("inf")
    for _ in range(tries):
        began = time.thread_time()
        work()
        least = min(least, time.thread_time() - began)
        if least < below:
            break
    return least


def work(seconds: float) -> None:
    """Use the processor for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

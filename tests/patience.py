"""How long a test waits: figures are for a machine that has nothing else to do."""

import os

__all__ = ["patient"]


def patient(seconds: float) -> float:
    """Give as many times as long as the machine is busy, and some more: what is waited for is not alone on it."""
    busy = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
    return seconds * max(1.0, 5 * busy)

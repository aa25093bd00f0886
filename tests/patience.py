"""How long a test waits: figures are for a machine that has nothing else to do."""

import os
from pathlib import Path

__all__ = ["cores", "patient"]

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of processors in a period, and the period
_NOW = Path("/proc/loadavg")  # three averages, and "programs that run/all of them"


def patient(seconds: float) -> float:
    """Give as many times as long as the machine is busy, and some more: what is waited for is not alone on it."""
    return seconds * max(1.0, 5 * _wanting() / cores())


def cores(quota: str | None = None) -> float:
    """Tell how many processors this process may use: a container has fewer than its machine, or parts of them."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted, _, period = (_read(_QUOTA) if quota is None else quota).partition(" ")
    return min(allowed, int(granted) / int(period)) if granted.isdecimal() else allowed


def _wanting() -> float:
    """Tell how many programs want a processor: in the last minute, now, and as workers of these tests."""
    average = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    running = _read(_NOW).partition("/")[0].rpartition(" ")[2]
    return max(average, float(running or 0), float(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")))


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except OSError:
        return ""

"""Clocks for tests: in one, time stands still until somebody moves it; that of the machine can be made to stand."""

import time

import pytest

from gateway.clock import System
from gateway.testing.clock import FakeClock

__all__ = ["FakeClock", "stopped"]


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> float:
    """Stop the wall clock of the gateways of this process, and give what it shows.

    What is counted by the minute, the day or the month would be another count after the end of it, which some test
    of each run meets.
    """
    now = time.time()
    monkeypatch.setattr(System, "time", lambda _: now)
    return now

"""Clocks for tests: in one, time stands still until somebody moves it; that of the machine can be made to stand."""

import time

import pytest

from gateway.clock import System
from gateway.testing.clock import FakeClock
from tests.patience import patient

__all__ = ["FakeClock", "day_is_over_in", "minute_is_over_in", "stopped"]

DAY_S, MINUTE_S = 86_400, 60
EVENING_S = 90  # of the day of UTC, in which no test begins: on a busy machine one takes a minute


def day_is_over_in(now: float) -> float:
    """Give how many seconds remain of the day of UTC when it is all but over, else 0."""
    remains = DAY_S - now % DAY_S
    return remains if remains <= EVENING_S else 0.0


def pytest_runtest_setup() -> None:
    """Let the day end first: servers of their own count by it, too, and their clocks cannot be made to stand."""
    if remains := day_is_over_in(time.time()):  # sleep(0) gives the processor away, once a test
        time.sleep(remains)


def minute_is_over_in(now: float, takes_s: float) -> float:
    """Give how many seconds remain of the minute when what takes so long would see its end, else 0."""
    remains = MINUTE_S - now % MINUTE_S
    return remains if remains <= min(takes_s, MINUTE_S - 10) else 0.0


@pytest.fixture
def within_a_minute() -> None:
    """Let the minute end first: Redis counts by it, and its clock cannot be made to stand."""
    time.sleep(minute_is_over_in(time.time(), patient(1.5)))


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> float:
    """Stop the wall clock of the gateways of this process, and give what it shows.

    What is counted by the minute, the day or the month would be another count after the end of it, which some test
    of each run meets.
    """
    now = time.time()
    monkeypatch.setattr(System, "time", lambda _: now)
    return now

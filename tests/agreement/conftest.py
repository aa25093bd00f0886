"""What each walk begins with."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .site import Site, running

DAY_S = 86_400
WALK_S = 300  # on a machine that is busy


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the gateway try again at once."""
    monkeypatch.setattr("gateway.adapters.journey._LEAST_PAUSE_S", 0.001)


@pytest.fixture
def within_a_day() -> None:
    """Let the day end first, for limits count by it: the clocks of other processes cannot be made to stand."""
    left_s = DAY_S - time.time() % DAY_S
    if left_s < WALK_S:
        time.sleep(left_s)


@pytest.fixture
async def site(tmp_path: Path, stopped: float) -> AsyncIterator[Site]:
    """Run a gateway that has no book yet, in a day that does not end, and the fakes."""
    async with running(tmp_path) as one:
        yield one

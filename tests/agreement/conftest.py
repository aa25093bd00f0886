"""What each walk begins with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .site import Site, running


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the gateway try again at once."""
    monkeypatch.setattr("gateway.adapters.journey._LEAST_PAUSE_S", 0.001)


@pytest.fixture
async def site(tmp_path: Path, stopped: float) -> AsyncIterator[Site]:
    """Run a gateway that has no book yet, in a day that does not end, and the fakes."""
    async with running(tmp_path) as one:
        yield one

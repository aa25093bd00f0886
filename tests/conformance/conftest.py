"""A gateway for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.served import Served, settings, standing
from tests.fakes.v1internal import FakeV1Internal


@pytest.fixture
async def served(fake_v1internal: FakeV1Internal, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway with one account."""
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path)) as one:
        yield one

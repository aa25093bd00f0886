"""What every test needs."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.fakes.fixtures", "tests.packaging.fixtures"]


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio."""
    return "asyncio"

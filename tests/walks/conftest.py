"""What all walks of a module share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .site import Site, running


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Run on asyncio, a module's tests in one loop."""
    return "asyncio"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Run the gateways and the fakes."""
    async with running(tmp_path_factory.mktemp("walks")) as one:
        yield one

"""What most of these tests need."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.faults.site import Site, running


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Run a module's tests in one loop."""
    return "asyncio"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Run a gateway that tries once."""
    async with running(tmp_path_factory.mktemp("site")) as one:
        yield one

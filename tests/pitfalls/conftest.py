"""One gateway for a module, before all upstreams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.pitfalls.gateways import Alone, At, Gateway, running


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Run on asyncio, a module's tests in one loop."""
    return "asyncio"


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """Run it; what fails is tried once more."""
    async with running(tmp_path_factory.mktemp("gateway"), retry={"attempts": 2}) as one:
        yield one


@pytest.fixture
def at(request: pytest.FixtureRequest, gateway: Gateway) -> At:
    """Give the way to the upstream that the test is parametrised with."""
    return gateway.at(request.param)


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Alone]:
    """Run a gateway for one test, which may leave a trace in it."""
    async with AsyncExitStack() as stack:

        async def run(upstream: str, **over: Any) -> At:
            return (await stack.enter_async_context(running(tmp_path, upstream, **over))).at(upstream)

        yield run

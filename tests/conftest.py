"""What every test needs."""

from __future__ import annotations

import gc

import pytest
from hypothesis import HealthCheck, settings

# a property is about values: a busy machine must not fail it
settings.register_profile("gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gateway")

pytest_plugins = [
    "tests.chromium",
    "tests.clients.fixtures",
    "tests.clocks",
    "tests.fakes.fixtures",
    "tests.packaging.fixtures",
    "tests.pictures",
    "tests.redis_server",
    "tests.stalls",
    "tests.postgres_server",  # behind redis_server, of which it takes a name
]


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio."""
    return "asyncio"


def pytest_collection_finish() -> None:
    """Leave the thousands of collected tests out of every later garbage collection."""
    gc.collect()
    gc.freeze()

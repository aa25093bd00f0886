"""What every test needs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# a property is about values: a busy machine must not fail it
settings.register_profile("gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gateway")

pytest_plugins = [
    "tests.clients.fixtures",
    "tests.fakes.fixtures",
    "tests.packaging.fixtures",
    "tests.pictures",
    "tests.redis_server",
]


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio."""
    return "asyncio"

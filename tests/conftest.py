"""What every test needs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import cache

import httpx._transports.default as transports
import pytest
from httpx import Timeout, create_ssl_context
from hypothesis import HealthCheck, settings

from tests.patience import patient

GENEROUS_S = 5.0  # httpx's own; what waits for less means it

gc.disable()  # a third of the time of the collection goes into looking for cycles in what stays

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


@pytest.fixture(autouse=True, scope="session")
def one_context() -> Iterator[None]:
    """Have the clients of httpx share what they trust: each would read 140 root certificates in 20 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transports, "create_ssl_context", cache(create_ssl_context))
        yield


@pytest.fixture(autouse=True, scope="session")
def patient_clients() -> Iterator[None]:
    """Have the clients of httpx wait longer where the machine is busy: no test means these five or twenty seconds."""
    given = Timeout.as_dict

    def scaled(timeout: Timeout) -> dict[str, float | None]:
        return {
            name: seconds if seconds is None or seconds < GENEROUS_S else patient(seconds)
            for name, seconds in given(timeout).items()
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Timeout, "as_dict", scaled)
        yield


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio."""
    return "asyncio"


def pytest_collection_finish() -> None:
    """Leave the thousands of collected tests out of every later garbage collection."""
    gc.collect()
    gc.freeze()
    gc.enable()

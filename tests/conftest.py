"""What every test needs."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import certifi
import httpx._transports.default
import httpx2._transports.default
import pytest
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
    """Have clients share what they trust: each would read 140 root certificates in 20 ms, Google's three times."""
    given = ssl.create_default_context
    shared = cache(given)

    def made(purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, **files: str | None) -> ssl.SSLContext:
        return (shared if files.get("cafile") == certifi.where() else given)(purpose, **files)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", made)
        for module in (httpx._transports.default, httpx2._transports.default, httpx2):
            patch.setattr(module, "create_ssl_context", cache(module.create_ssl_context))
        yield


@pytest.fixture(autouse=True, scope="session")
def patient_clients() -> Iterator[None]:
    """Have the clients of httpx wait longer where the machine is busy: no test means these five or twenty seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for timeout in (httpx.Timeout, httpx2.Timeout):
            patch.setattr(timeout, "as_dict", _scaled(timeout.as_dict))
        yield


def _scaled(given: Callable[[Any], dict[str, float | None]]) -> Callable[[object], dict[str, float | None]]:
    def scaled(timeout: object) -> dict[str, float | None]:
        return {
            name: seconds if seconds is None or seconds < GENEROUS_S else patient(seconds)
            for name, seconds in given(timeout).items()
        }

    return scaled


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio."""
    return "asyncio"


def pytest_collection_finish() -> None:
    """Leave the thousands of collected tests out of every later garbage collection."""
    gc.collect()
    gc.freeze()
    gc.enable()

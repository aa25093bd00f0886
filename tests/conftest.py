"""What every test needs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from hypothesis import HealthCheck, settings

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
def few_roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have each new client of httpx read one root certificate, not 140 in 30 ms: no test talks to the internet."""
    one, end, _ = Path(certifi.where()).read_text("utf-8").partition("-----END CERTIFICATE-----\n")
    file = tmp_path_factory.mktemp("roots") / "cacert.pem"
    file.write_text(one + end, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(file))
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

"""A gateway for each test, or one for a whole module whose tests leave no trace in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.gemini_api import public
from tests.conformance.served import Served, settings, standing
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.v1internal import FakeV1Internal


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Run on asyncio, a module's tests in one loop."""
    return "asyncio"


@pytest.fixture
async def served(fake_v1internal: FakeV1Internal, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway with one account."""
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path)) as one:
        yield one


@pytest.fixture(scope="module")
async def lasting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Run a gateway for the tests of one module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with FakeV1Internal() as fake, standing(fake, settings(fake, folder)) as one:
        yield one


@pytest.fixture
async def google(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway before the public Gemini API."""
    async with public(fake_gemini, tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
async def lasting_google(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Run one for the tests of one module."""
    async with FakeGemini() as fake, public(fake, tmp_path_factory.mktemp("gateway")) as one:
        yield one

"""The fakes as pytest fixtures; a plugin of the root `conftest.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal


@pytest.fixture
async def fake_v1internal(anyio_backend_name: str) -> AsyncIterator[FakeV1Internal]:
    """Run the v1internal fake in the loop of the test."""
    assert anyio_backend_name == "asyncio"
    async with FakeV1Internal() as fake:
        yield fake


@pytest.fixture
async def fake_gemini(anyio_backend_name: str) -> AsyncIterator[FakeGemini]:
    """Run the fake of the public Gemini API in the loop of the test."""
    assert anyio_backend_name == "asyncio"
    async with FakeGemini() as fake:
        yield fake


@pytest.fixture
async def fake_openai(anyio_backend_name: str) -> AsyncIterator[FakeOpenAI]:
    """Run the fake of the OpenAI API in the loop of the test."""
    assert anyio_backend_name == "asyncio"
    async with FakeOpenAI() as fake:
        yield fake

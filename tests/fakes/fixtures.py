"""The fakes as pytest fixtures; a plugin of the root `conftest.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.vertex_api import FakeVertex


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


@pytest.fixture
async def fake_azure(anyio_backend_name: str) -> AsyncIterator[FakeAzure]:
    """Run the fake of Azure OpenAI in the loop of the test."""
    assert anyio_backend_name == "asyncio"
    async with FakeAzure() as fake:
        yield fake


@pytest.fixture
async def fake_anthropic(anyio_backend_name: str) -> AsyncIterator[FakeAnthropic]:
    """Run the fake of the Anthropic API, and of Claude on Vertex, in the loop of the test."""
    assert anyio_backend_name == "asyncio"
    async with FakeAnthropic() as fake:
        yield fake


@pytest.fixture
async def fake_vertex(anyio_backend_name: str) -> AsyncIterator[FakeVertex]:
    """Run the fake of Vertex AI, and of Google's logins, in the loop of the test."""
    assert anyio_backend_name == "asyncio"
    async with FakeVertex() as fake:
        yield fake

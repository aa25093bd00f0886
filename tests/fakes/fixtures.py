"""The fakes as pytest fixtures; a plugin of the root `conftest.py`.

A test that blocks (a browser, a terminal, processes it waits for) has its fake in a thread: what is read of it and set
on it is the same, only what wakes waiting calls (`ack`, `oauth.release`) goes over its pages, `/_ack` and `/_release`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from anyio.from_thread import start_blocking_portal

from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.server import Fake
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.vertex_api import FakeVertex

__all__ = ["in_thread"]

Running = TypeVar("Running", bound=Fake[Any])


@contextmanager
def in_thread(fake: Running) -> Generator[Running, None, None]:
    """Run a fake in a loop of its own, in a thread, for the time of the block."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(fake):
        yield fake


@pytest.fixture
def threaded_v1internal() -> Iterator[FakeV1Internal]:
    """Run the v1internal fake beside a test that blocks."""
    with in_thread(FakeV1Internal()) as fake:
        yield fake


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

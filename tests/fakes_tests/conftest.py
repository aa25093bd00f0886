"""Clients of the fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes_tests.anthropic_api_bodies import AnthropicClient
from tests.fakes_tests.gemini_api_bodies import GeminiClient
from tests.fakes_tests.openai_api_bodies import OpenAIClient
from tests.fakes_tests.v1internal_bodies import Client


@pytest.fixture
async def client(fake_v1internal: FakeV1Internal) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        client = Client(fake_v1internal, session)
        yield client
        client.close()


@pytest.fixture
async def gemini(fake_gemini: FakeGemini) -> AsyncIterator[GeminiClient]:
    async with aiohttp.ClientSession() as session:
        client = GeminiClient(fake_gemini, session)
        yield client
        client.close()


@pytest.fixture
async def openai(fake_openai: FakeOpenAI) -> AsyncIterator[OpenAIClient]:
    async with aiohttp.ClientSession() as session:
        yield OpenAIClient(fake_openai, session)


@pytest.fixture
async def anthropic(fake_anthropic: FakeAnthropic) -> AsyncIterator[AnthropicClient]:
    async with aiohttp.ClientSession() as session:
        yield AnthropicClient(fake_anthropic, session)

"""What the tests of the adapters share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.site import GeminiSite, OpenAISite, Site
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal


@pytest.fixture
async def site(fake_v1internal: FakeV1Internal, tmp_path: Path) -> AsyncIterator[Site]:
    """Give a place for upstreams; no credential may be lent when the test is over."""
    made = Site(fake_v1internal, tmp_path / "data")
    yield made
    leases = made.adapter.leases if made.adapter is not None else 0
    await made.close()
    assert leases == 0


@pytest.fixture
async def gemini(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[GeminiSite]:
    """Give a place for upstreams of type gemini; no key may be lent when the test is over."""
    made = GeminiSite(fake_gemini, tmp_path / "data")
    yield made
    leases = made.adapter.leases if made.adapter is not None else 0
    await made.close()
    assert leases == 0


@pytest.fixture
async def openai(fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[OpenAISite]:
    """Give a place for upstreams of type openai; no key may be lent when the test is over."""
    made = OpenAISite(fake_openai, tmp_path / "data")
    yield made
    leases = made.adapter.leases if made.adapter is not None else 0
    await made.close()
    assert leases == 0

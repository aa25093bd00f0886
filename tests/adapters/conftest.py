"""What the tests of the adapters share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.site import AnthropicSite, GeminiSite, OpenAISite, Site
from tests.adapters.vertex_site import VertexSite
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.vertex_api import FakeVertex


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


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[OpenAISite]:
    """Give a place before a server that is only compatible."""
    async with FakeOpenAI(plain=True) as fake:
        made = OpenAISite(fake, tmp_path / "plain")
        yield made
        await made.close()


@pytest.fixture
async def anthropic(fake_anthropic: FakeAnthropic, tmp_path: Path) -> AsyncIterator[AnthropicSite]:
    """Give a place for upstreams of type anthropic; no key may be lent when the test is over."""
    made = AnthropicSite(fake_anthropic, tmp_path / "data")
    yield made
    leases = made.adapter.leases if made.adapter is not None else 0
    await made.close()
    assert leases == 0


@pytest.fixture
async def vertex(fake_vertex: FakeVertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[VertexSite]:
    """Give a place for upstreams of type vertex; the credential may not be lent when the test is over."""
    made = VertexSite(fake_vertex, tmp_path / "data", monkeypatch)
    yield made
    leases = made.adapter.leases if made.adapter is not None else 0
    await made.close()
    assert leases == 0

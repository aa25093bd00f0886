"""A gateway for each test, or one for a whole module whose tests leave no trace in it.

`either` and `every` run a test before each upstream: Code Assist with a Gemini model, the public Gemini API, and for
`every` also Code Assist with a Claude model.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.conformance.anthropic_api import MODELS, ClaudeServed
from tests.conformance.anthropic_api import before as before_anthropic
from tests.conformance.gemini_api import public
from tests.conformance.openai_api import OpenAIServed
from tests.conformance.openai_api import before as before_openai
from tests.conformance.passed_bodies import DIALECTS
from tests.conformance.raw import Passed, passing
from tests.conformance.served import Served, settings, standing
from tests.conformance.upstreams import EITHER, EVERY, Gateways, Upstream, before
from tests.conformance.vertex_api import MODELS as VERTEX_MODELS
from tests.conformance.vertex_api import VertexServed
from tests.conformance.vertex_api import before as before_vertex
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.vertex_api import FakeVertex


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Run on asyncio, a module's tests in one loop."""
    return "asyncio"


@pytest.fixture
async def served(fake_v1internal: FakeV1Internal, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway with one account."""
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path)) as one:
        yield one


@pytest.fixture
async def google(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway before the public Gemini API."""
    async with public(fake_gemini, tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
async def gateways(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateways]:
    """Keep the gateways of one module."""
    async with AsyncExitStack() as stack:
        yield Gateways(stack, lambda: tmp_path_factory.mktemp("gateway"))


@pytest.fixture
async def lasting(gateways: Gateways) -> Served:
    """Give the module's gateway before Code Assist."""
    return await gateways.before("v1internal")


@pytest.fixture
async def lasting_google(gateways: Gateways) -> Served:
    """Give the module's gateway before the public Gemini API."""
    return await gateways.before("gemini")


@pytest.fixture(params=EVERY)
async def every(request: pytest.FixtureRequest, gateways: Gateways) -> Served:
    """Give the module's gateway before each upstream, without the calls of other tests."""
    return (await gateways.before(request.param)).reset()


@pytest.fixture(params=EITHER)
async def either(request: pytest.FixtureRequest, gateways: Gateways) -> Served:
    """Give the module's gateway before each upstream that serves Gemini, without the calls of other tests."""
    return (await gateways.before(request.param)).reset()


@pytest.fixture(params=EITHER)
def upstream(request: pytest.FixtureRequest) -> Upstream:
    """Name each upstream that serves Gemini, for tests that run gateways of their own."""
    name: Upstream = request.param
    return name


@pytest.fixture
async def fresh(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway before each upstream for one test, which may leave a trace in it."""
    async with before(upstream, tmp_path) as one:
        yield one


@pytest.fixture(params=["chat", "responses"])
async def openai(
    request: pytest.FixtureRequest, fake_openai: FakeOpenAI, tmp_path: Path
) -> AsyncIterator[OpenAIServed]:
    """Run a gateway that asks by this API."""
    async with before_openai(fake_openai, tmp_path, request.param) as served:
        yield served


@pytest.fixture
async def chat(fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[OpenAIServed]:
    """Run a gateway that asks by Chat Completions."""
    async with before_openai(fake_openai, tmp_path, "chat") as served:
        yield served


@pytest.fixture
async def responses(fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[OpenAIServed]:
    """Run a gateway that asks by Responses."""
    async with before_openai(fake_openai, tmp_path, "responses") as served:
        yield served


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[OpenAIServed]:
    """Run a gateway before a server that is only compatible."""
    async with (
        FakeOpenAI(plain=True, keys=()) as fake,
        before_openai(fake, tmp_path, "chat", openai={"api_key": []}) as served,
    ):
        served.model = "qwen"
        yield served


@pytest.fixture(params=MODELS)
async def claude(
    request: pytest.FixtureRequest, fake_anthropic: FakeAnthropic, tmp_path: Path
) -> AsyncIterator[ClaudeServed]:
    """Run a gateway before Anthropic, and ask for a model of this kind."""
    async with before_anthropic(fake_anthropic, tmp_path) as served:
        served.model = request.param
        yield served


@pytest.fixture
async def sonnet(fake_anthropic: FakeAnthropic, tmp_path: Path) -> AsyncIterator[ClaudeServed]:
    """Run a gateway before Anthropic, and ask for a model that thinks by a budget."""
    async with before_anthropic(fake_anthropic, tmp_path) as served:
        yield served


@pytest.fixture
async def any_vertex(
    fake_vertex: FakeVertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VertexServed]:
    """Run a gateway before Vertex AI."""
    async with before_vertex(fake_vertex, tmp_path, monkeypatch) as served:
        yield served


@pytest.fixture(params=VERTEX_MODELS)
async def vertex(request: pytest.FixtureRequest, any_vertex: VertexServed) -> VertexServed:
    """Ask Vertex AI for a model of this kind."""
    any_vertex.model = request.param
    return any_vertex


@pytest.fixture(params=DIALECTS)
async def same(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Passed]:
    """Run a gateway whose upstream speaks the caller's dialect."""
    async with passing(request.param, tmp_path) as one:
        yield one

"""The programs that the SDKs talk to, and the SDKs' clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import anthropic
import openai
import pytest

from tests.packaging import served
from tests.packaging.served import KEY, Google
from tests.processes import Program
from tests.sdk.node_sdks import Node, standing

Serve = Callable[[str], Program]


@pytest.fixture(scope="session")
def fake() -> Iterator[Google]:
    """Run the fake of the service."""
    with served.google() as google:
        yield google


@pytest.fixture(scope="session")
def gateway(programs: Path, tmp_path_factory: pytest.TempPathFactory, fake: Google) -> Iterator[Program]:
    """Run a gateway as its users do."""
    with served.gateway(programs, tmp_path_factory.mktemp("gateway"), fake) as program:
        yield program


@pytest.fixture(scope="session")
def hasty(programs: Path, tmp_path_factory: pytest.TempPathFactory, fake: Google) -> Iterator[Program]:
    """Run a gateway that does not try again."""
    more = "[retry]\nattempts = 1"
    with served.gateway(programs, tmp_path_factory.mktemp("hasty"), fake, more) as program:
        yield program


@pytest.fixture
def serve(programs: Path, tmp_path: Path, google: Google) -> Iterator[Serve]:
    """Run a gateway for one test, with more in its configuration."""
    with ExitStack() as stack:
        yield lambda more: stack.enter_context(served.gateway(programs, tmp_path, google, more))


@pytest.fixture
def google(fake: Google) -> Google:
    """Give the fake without the calls of other tests."""
    fake.reset()
    return fake


@pytest.fixture
def accepting(google: Google) -> Iterator[Google]:
    """Demand that the service accepts whatever the gateway sends during the test."""
    yield google
    assert google.requests
    assert not google.refused


@pytest.fixture(scope="session")
def node(programs: Path, node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Run a gateway before two upstreams for the SDKs of Node."""
    with standing(programs, node_modules, tmp_path_factory.mktemp("node")) as one:
        yield one


@pytest.fixture
def chat(gateway: Program) -> Iterator[openai.OpenAI]:
    """Give the OpenAI SDK."""
    with chat_of(gateway) as client:
        yield client


@pytest.fixture
async def async_chat(gateway: Program) -> AsyncIterator[openai.AsyncOpenAI]:
    """Give the OpenAI SDK for event loops."""
    async with openai.AsyncOpenAI(
        base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def claude(gateway: Program) -> Iterator[anthropic.Anthropic]:
    """Give the Anthropic SDK."""
    with claude_of(gateway) as client:
        yield client


@pytest.fixture
async def async_claude(gateway: Program) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """Give the Anthropic SDK for event loops."""
    async with anthropic.AsyncAnthropic(
        base_url=gateway.url, api_key=KEY, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def chat_of(program: Program, *, key: str = KEY, retries: int = 0) -> openai.OpenAI:
    """Make a client of the OpenAI SDK."""
    return openai.OpenAI(
        base_url=f"{program.url}/v1", api_key=key, max_retries=retries, _strict_response_validation=True
    )


def claude_of(program: Program, *, key: str = KEY, retries: int = 0) -> anthropic.Anthropic:
    """Make a client of the Anthropic SDK."""
    return anthropic.Anthropic(base_url=program.url, api_key=key, max_retries=retries, _strict_response_validation=True)

"""What is explained is what is sent, to every kind of upstream, from callers of every dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.explain import Asking
from tests.adapters.vertex_site import forget
from tests.fakes.anthropic_api import MESSAGES, FakeAnthropic
from tests.fakes.azure_api import FakeAzure
from tests.fakes.openai_api import CHAT, RESPONSES, FakeOpenAI
from tests.fakes.server import STREAM, Fake
from tests.fakes.v1internal_record import Record
from tests.fakes.vertex_api import FakeVertex
from tests.gateway.explained import BODIES, agrees, ask, live, of, only, settled

pytestmark = pytest.mark.anyio

ANSWERING = frozenset({CHAT, RESPONSES, MESSAGES, STREAM, "generateContent"})
MODEL, OTHER, CLAUDE, GEMINI = "gpt-4.1", "gpt-5", "claude-sonnet-4-5", "gemini-2.5-flash"


class Kind(NamedTuple):
    """A kind of upstream: its fake, its table in gateway.toml, a model, and the dialect that it speaks itself."""

    fake: Callable[[], Fake[str]]
    table: str
    model: str
    own: str


KINDS = {
    "openai": Kind(FakeOpenAI, 'type = "openai"\nbase_url = "{url}/v1"', MODEL, "openai-chat"),
    "responses": Kind(
        FakeOpenAI, 'type = "openai"\nbase_url = "{url}/v1"\napi = "responses"', OTHER, "openai-responses"
    ),
    "azure": Kind(
        FakeAzure,
        'type = "azure"\nendpoint = "{url}"\napi_version = "2025-04-01-preview"',
        "chat-prod",
        "openai-chat",
    ),
    "azure v1": Kind(FakeAzure, 'type = "azure"\nendpoint = "{url}"\napi_version = "v1"', "chat-prod", "openai-chat"),
    "anthropic": Kind(FakeAnthropic, 'type = "anthropic"\nbase_url = "{url}"', CLAUDE, "anthropic"),
    "vertex": Kind(FakeVertex, 'type = "vertex"\nbase_url = "{url}"\nproject = "fake-project-000"', GEMINI, "gemini"),
    "vertex claude": Kind(
        FakeVertex, 'type = "vertex"\nbase_url = "{url}"\nproject = "fake-project-000"', CLAUDE, "anthropic"
    ),
}
TABLE = '[server]\ndata_dir = "data"\n[log]\nlevel = "error"\n[upstream.mine]\n'
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


class Before:
    """A gateway.toml that leads to a fake."""

    def __init__(self, kind: Kind, fake: Fake[str], folder: Path) -> None:
        key = "" if isinstance(fake, FakeVertex) else '\napi_key = "key-1"'
        self.kind = kind
        self.fake = fake
        self.file = settled(folder, TABLE + kind.table.format(url=fake.url) + key)

    def asking(self, dialect: str, **fields: Any) -> Asking:
        """Record a request for the model of this upstream."""
        if dialect == "gemini":
            fields.pop("stream", None)  # the path says it
        return ask(dialect, f"mine/{self.kind.model}", **fields)

    @property
    def asked(self) -> Record:
        """Give the last call for an answer."""
        claude = isinstance(self.fake, FakeVertex) and self.kind.model == CLAUDE
        records = self.fake.claude.requests if claude and isinstance(self.fake, FakeVertex) else self.fake.requests
        return next(record for record in reversed(records) if record.method in ANSWERING)


@pytest.fixture(params=KINDS)
async def before(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Before]:
    """Stand before one kind of upstream."""
    kind = KINDS[request.param]
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(kind.fake())
        if isinstance(fake, FakeVertex):
            forget(monkeypatch, tmp_path / "gcloud")
            file = tmp_path / "service_account.json"
            file.write_text(json.dumps(fake.login.service_account()))
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        yield Before(kind, fake, tmp_path)


@STREAMED
@pytest.mark.parametrize("dialect", BODIES)
async def test_the_call_is_the_one_that_is_explained(before: Before, dialect: str, stream: bool) -> None:
    asking = before.asking(dialect, stream=stream)
    member = only(await of(before.file, asking))
    assert member.error is None
    await live(before.file, asking)
    agrees(member, before.asked)
    assert member.passed_on is (dialect == before.kind.own)


@pytest.mark.parametrize("dialect", BODIES)
async def test_what_was_said_is_found_in_the_call(before: Before, dialect: str) -> None:
    member = only(await of(before.file, before.asking(dialect)))
    words = [change for change in member.changes if change.how == "carried"]
    assert words
    if member.passed_on:
        assert {change.came for change in words} == {change.goes for change in words}

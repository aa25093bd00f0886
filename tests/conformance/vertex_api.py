"""The real gateway before the strict fake of Vertex AI, with a service account that the environment names."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from gateway.app import create_app
from tests.adapters.vertex_site import forget
from tests.conformance.openai_api import OpenAIServed
from tests.fakes.anthropic_api import MESSAGES
from tests.fakes.server import STREAM, Fake
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record
from tests.fakes.vertex_api import FakeVertex
from tests.serving import serve

__all__ = ["CLAUDE", "GEMINI", "MODELS", "NEW_CLAUDE", "OLD_GEMINI", "VertexServed", "before", "logged_in", "settings"]

Json = dict[str, Any]

GEMINI, OLD_GEMINI = "gemini-3-flash-preview", "gemini-2.5-flash"
CLAUDE, NEW_CLAUDE = "claude-sonnet-4-5", "claude-opus-5-5"
MODELS = (GEMINI, OLD_GEMINI, CLAUDE, NEW_CLAUDE)


class VertexServed(OpenAIServed):
    """A gateway before the fake of Vertex AI; the model says which of its two sides is asked."""

    model = GEMINI

    @property
    def vertex(self) -> FakeVertex:
        """The fake."""
        return cast(FakeVertex, self.fake)

    @property
    def is_claude(self) -> bool:
        """Whether Anthropic's API is spoken."""
        return self.model.startswith("claude-")

    @property
    def side(self) -> Fake[str]:
        """The fake that answers for the model."""
        return self.vertex.claude if self.is_claude else self.vertex

    @property
    def calls(self) -> list[Record]:
        """The calls for an answer."""
        wanted = (MESSAGES,) if self.is_claude else (STREAM, "generateContent")
        return [call for call in self.side.requests if call.method in wanted]


def settings(fake: FakeVertex, folder: Path, **over: Any) -> Json:
    """Write the gateway.toml of these tests, as a mapping."""
    upstream = {"type": "vertex", "base_url": fake.url, "models": list(MODELS), **over.pop("vertex", {})}
    return {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error", "format": "json"},
        "upstream": {"vertex": upstream},
        **over,
    }


def logged_in(fake: FakeVertex, folder: Path, environment: pytest.MonkeyPatch) -> None:
    """Let a service account be found, and nothing else."""
    forget(environment, folder / "gcloud")
    file = folder / "service_account.json"
    file.write_text(json.dumps(fake.login.service_account()))
    environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))


@asynccontextmanager
async def before(
    fake: FakeVertex, folder: Path, environment: pytest.MonkeyPatch, **over: Any
) -> AsyncIterator[VertexServed]:
    """Run a gateway."""
    logged_in(fake, folder, environment)
    app = create_app(settings(fake, folder / "data", **over))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield VertexServed(cast(FakeV1Internal, fake), app, http)

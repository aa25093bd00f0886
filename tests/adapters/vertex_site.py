"""Upstreams of type vertex before their fake, and the places where google-auth finds credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.vertex import Vertex
from gateway.transport import Transport, Whole
from tests.adapters.site import GEMINI_2, GEMINI_3, STREAM, Place
from tests.fakes.vertex_api import FakeVertex

__all__ = ["CLAUDE", "VARIABLES", "Rerouted", "VertexSite", "forget"]

CLAUDE = "claude-sonnet-4-5"
VARIABLES = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
)
_GOOGLE = re.compile(r"https://(?:iamcredentials|oauth2)\.googleapis\.com")


class Rerouted(Transport):
    """The gateway's transport, to which the addresses that google-auth has built in are those of the fake."""

    def __init__(self, login: str) -> None:
        super().__init__()
        self._login = login

    async def fetch(self, method: str, url: str, **call: Any) -> Whole:
        """Send a request; what would go to Google goes to the fake."""
        here = _GOOGLE.sub(self._login, url)
        assert here.startswith("http://127.0.0.1:"), url
        return await super().fetch(method, here, **call)


class VertexSite(Place[Vertex]):
    """Upstreams of type vertex, on a machine where only a test's own credentials are found."""

    model = GEMINI_3

    def __init__(self, fake: FakeVertex, folder: Path, environment: pytest.MonkeyPatch) -> None:
        super().__init__(folder, Rerouted(fake.login.url))
        self.fake = fake
        self.login = fake.login
        self.environment = environment
        forget(environment, folder.parent / "gcloud")

    def find(self, file: Mapping[str, Any]) -> Path:
        """Let a credentials file be found by its variable."""
        path = self.folder.parent / "credentials.json"
        path.write_text(json.dumps(file))
        self.environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        return path

    def made(self, *secrets: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> Vertex:
        """Make an adapter; without a project of its own it has that of the credentials."""
        table = {"type": "vertex", "base_url": self.fake.url, "models": [GEMINI_3, GEMINI_2, CLAUDE], **upstream}
        return Vertex("google", self.configured(table), self.clock)

    def fail(self, error: str, *, times: float = 1, **where: str) -> None:
        """Fail the next generating calls that fit."""
        self.fake.fail(error, times=times, **{"method": STREAM, **where})

    def seen(self, method: str = STREAM) -> list[tuple[str, int]]:
        """List identity and status of the calls so far."""
        return [(call.credential, call.status) for call in self.fake.calls(method)]


def forget(environment: pytest.MonkeyPatch, gcloud: Path) -> None:
    """Hide what this machine may have: variables, gcloud with its folder, the metadata server."""
    for name in VARIABLES:
        environment.setenv(name, "")  # so that it is taken away again where a test's .env sets it
        environment.delenv(name)
    gcloud.mkdir(exist_ok=True)
    environment.setenv("CLOUDSDK_CONFIG", str(gcloud))
    environment.setenv("PATH", str(gcloud))
    environment.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", True)

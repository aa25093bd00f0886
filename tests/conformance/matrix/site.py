"""One gateway before the fakes of all upstreams, with the SDKs that ask it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from tests.adapters.vertex_site import forget
from tests.conformance.matrix.sdks import SDKS, Sdk
from tests.conformance.matrix.upstreams import UPSTREAMS, Upstream
from tests.conformance.matrix.wire import Wire
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.server import Fake, Page, administration
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record
from tests.fakes.vertex_api import FakeVertex
from tests.serving import serve

__all__ = ["CLAUDE", "GENERATING", "Matrix", "fakes", "settings", "standing"]

Json = dict[str, Any]

GENERATING = ("streamGenerateContent", "generateContent", "chat.completions", "responses", "messages")
CLAUDE = "/_claude"  # where the fake of Claude on Vertex is set and read
_OPENAI = ["gpt-4.1", "o4-mini"]


class _Vertex(FakeVertex):
    def pages(self) -> dict[str, Page]:
        own = {f"{CLAUDE}{path}": page for path, page in administration(self.claude).items()}
        return super().pages() | own


@asynccontextmanager
async def fakes() -> AsyncIterator[dict[str, Any]]:
    """Run them, by the names of the upstreams in gateway.toml."""
    made: dict[str, Fake[Any]] = {
        "google": FakeV1Internal(),
        "gemini": FakeGemini(),
        "vertex": _Vertex(),
        "openai": FakeOpenAI(),
        "responses": FakeOpenAI(),
        "azure": FakeAzure(),
        "anthropic": FakeAnthropic(),
    }
    async with AsyncExitStack() as stack:
        running = {name: await stack.enter_async_context(fake) for name, fake in made.items()}
        yield running | {"azure-v1": running["azure"]}


def settings(urls: Mapping[str, str], folder: Path) -> Json:
    """Write the gateway.toml of the matrix, as a mapping."""
    google = urls["google"]
    oauth = {"client_id": "our-client", "client_secret": "our-secret"}
    places = {"token_url": f"{google}/token", "userinfo_url": f"{google}/oauth2/v2/userinfo"}
    openai = {"type": "openai", "models": _OPENAI, "api_key": "key-1"}
    deployments = {"gpt-4.1": "chat-prod", "o4-mini": "thinker"}
    azure = {"type": "azure", "endpoint": urls["azure"], "api_key": "key-1", "deployments": deployments}
    return {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error", "format": "json"},
        "retry": {"attempts": 1},
        "upstream": {
            "google": {
                "type": "v1internal",
                "base_urls": [google],
                "oauth": oauth | places,
                "pool": {"refresh_tokens": ["rt-1"]},
                "models": _models("google"),
            },
            "gemini": {"type": "gemini", "base_url": urls["gemini"], "api_key": "key-1", "models": _models("gemini")},
            "vertex": {"type": "vertex", "base_url": urls["vertex"], "models": _models("vertex")},
            "openai": openai | {"base_url": f"{urls['openai']}/v1"},
            "responses": openai | {"api": "responses", "base_url": f"{urls['responses']}/v1"},
            "azure": azure | {"api_version": "2025-04-01-preview"},  # the sample's own has no effort yet
            "azure-v1": azure | {"api_version": "v1"},
            "anthropic": {
                "type": "anthropic",
                "base_url": urls["anthropic"],
                "api_key": "key-1",
                "models": _models("anthropic"),
            },
        },
    }


def _models(table: str) -> list[str]:
    return [one.model for one in UPSTREAMS.values() if one.table == table]


@dataclass
class Matrix:
    """It; `fakes` by the upstream's table, `wires` and `sdks` by the dialect."""

    fakes: Mapping[str, Any]
    wires: Mapping[str, Wire]
    sdks: Mapping[str, Sdk]

    def fake(self, upstream: Upstream) -> Fake[Any]:
        """Give the fake that answers for the model."""
        fake: Fake[Any] = self.fakes[upstream.table]
        return fake.claude if isinstance(fake, FakeVertex) and upstream.is_claude else fake

    def reset(self, upstream: Upstream) -> None:
        """Forget the calls."""
        self.fakes[upstream.table].reset()
        for wire in self.wires.values():
            wire.forget()

    def calls(self, upstream: Upstream) -> list[Record]:
        """List the calls for an answer."""
        return [call for call in self.fake(upstream).requests if call.method in GENERATING]

    def sealed(self, upstream: Upstream) -> set[str]:
        """List the signatures that the upstream has made; Anthropic's are those of the thought of the matrix."""
        fake = self.fake(upstream)
        if isinstance(fake, FakeAnthropic):
            return {fake.seals.seal("thinking", "hm")}
        return {*fake.kept.sealed} if isinstance(fake, FakeOpenAI) else {*fake.signatures.issued}


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Matrix]:
    """Run it, on a machine where only the fake's own login is found."""
    async with AsyncExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        running = await stack.enter_async_context(fakes())
        forget(environment, folder / "gcloud")
        file = folder / "service_account.json"
        file.write_text(json.dumps(running["vertex"].login.service_account()))
        environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        urls = {name: fake.url for name, fake in running.items()}
        url = await stack.enter_async_context(serve(create_app(settings(urls, folder / "data"))))
        wires = {name: await stack.enter_async_context(Wire()) for name in SDKS}
        yield Matrix(running, wires, {name: make(url, wires[name]) for name, make in SDKS.items()})

"""The real gateway before the strict fake of Azure OpenAI, by either kind of address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx

from gateway.app import create_app
from tests.conformance.openai_api import OpenAIServed
from tests.fakes.azure_api import FakeAzure
from tests.fakes.v1internal import FakeV1Internal
from tests.serving import serve

__all__ = ["VERSIONS", "before", "settings"]

Json = dict[str, Any]

VERSIONS = {"dated": "2025-04-01-preview", "v1": "v1"}
DEPLOYMENTS = {"gpt-4.1": "chat-prod", "gpt-5": "five", "o4-mini": "thinker", "text-embedding-3-small": "vectors"}


def settings(fake: FakeAzure, folder: Path, version: str, *keys: str, **over: Any) -> Json:
    """Write the gateway.toml of these tests, as a mapping."""
    upstream = {
        "type": "azure",
        "endpoint": fake.url,
        "api_key": list(keys or ("key-1",)),
        "api_version": VERSIONS.get(version, version),
        "deployments": DEPLOYMENTS,
        **over.pop("azure", {}),
    }
    return {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error", "format": "json"},
        "upstream": {"azure": upstream},
        **over,
    }


@asynccontextmanager
async def before(fake: FakeAzure, folder: Path, version: str, *keys: str, **over: Any) -> AsyncIterator[OpenAIServed]:
    """Run a gateway."""
    app = create_app(settings(fake, folder, version, *keys, **over))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield OpenAIServed(cast(FakeV1Internal, fake), app, http)

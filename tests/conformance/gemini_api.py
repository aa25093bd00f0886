"""The real gateway before the strict fake of the public Gemini API, over real sockets on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from tests.conformance.served import Served, standing
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.v1internal import FakeV1Internal

__all__ = ["EMBED", "GEMINI_2", "GEMINI_3", "public", "settings"]

Json = dict[str, Any]

GEMINI_3, GEMINI_2, EMBED = "gemini-3-flash-preview", "gemini-2.5-flash", "gemini-embedding-001"


def settings(fake: FakeGemini, folder: Path, *keys: str, **over: Any) -> Json:
    """Write the gateway.toml of these tests, as a mapping."""
    google = {
        "type": "gemini",
        "base_url": fake.url,
        "api_key": list(keys or ("key-1",)),
        "models": [GEMINI_3, GEMINI_2, EMBED, "gemini-3-pro-image-preview"],
        "pool": {"uses_per_turn": 1},
    }
    google |= over.pop("google", {})
    return {
        "server": {"data_dir": str(folder), **over.pop("server", {})},
        "log": {"level": "error", "format": "json"},
        "upstream": {"google": google, **over.pop("upstream", {})},
        **over,
    }


@asynccontextmanager
async def public(fake: FakeGemini, folder: Path, *keys: str, **over: Any) -> AsyncIterator[Served]:
    """Run a gateway with these API keys; what reads its calls reads those of either fake alike."""
    async with standing(cast(FakeV1Internal, fake), settings(fake, folder, *keys, **over)) as served:
        served.model, served.older, served.enveloped = GEMINI_3, GEMINI_2, False
        yield served

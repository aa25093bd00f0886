"""Gateways before the upstreams that embed and draw, and before those that do not."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from gateway.app import create_app
from tests.serving import serve

__all__ = ["DRAW", "EMBED", "floats", "standing"]

Json = dict[str, Any]

EMBED, DRAW = "/v1/embeddings", "/v1/images/generations"


@asynccontextmanager
async def standing(folder: Path, upstream: Json, **over: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway before these upstreams."""
    config = {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error", "format": "json"},
        "upstream": upstream,
        **over,
    }
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield http


def floats(packed: str) -> list[float]:
    """Unpack a vector as OpenAI's clients do."""
    data = base64.b64decode(packed)
    return list(struct.unpack(f"<{len(data) // 4}f", data))

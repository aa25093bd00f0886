"""Callers at the level of bytes: they leave, stop reading, or write slowly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.patience import patient

__all__ = ["Caller", "calling", "request"]

_WAIT_S = 30  # that no machine needs


def request(path: str, body: Mapping[str, Any] | bytes = b"", length: int | None = None, **headers: str) -> bytes:
    """Write a request; `length`: how long its body is said to be."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"host": "localhost", "content-type": "application/json", "content-length": str(length or len(data))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + data


class Caller:
    """A connection; `got`: what has come so far."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.got = b""
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        """Write."""
        self.writer.write(data)

    async def until(self, word: bytes) -> None:
        """Read until a word has come."""
        while word not in self.got:
            async with asyncio.timeout(patient(_WAIT_S)):
                piece = await self.reader.read(65536)
            assert piece, f"it ended without {word!r}: {self.got[-500:]!r}"
            self.got += piece

    async def closed(self) -> None:
        """Read until the other side closes, in whatever way."""
        async with asyncio.timeout(patient(_WAIT_S)):
            try:
                while piece := await self.reader.read(65536):
                    self.got += piece
            except OSError:
                pass

    def leave(self) -> None:
        """Close at once."""
        self.writer.transport.abort()


@asynccontextmanager
async def calling(url: str, *, limit: int = 65536) -> AsyncIterator[Caller]:
    """Connect; `limit`: how much is taken from the socket before it is read here."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=limit)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()

"""What came over the wire last, beside what an SDK makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

__all__ = ["Wire"]


class Wire(httpx2.AsyncHTTPTransport):
    """The transport of an SDK; `headers` and `body` are those of the last answer, `body` grows as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.headers = httpx2.Headers()
        self.body = bytearray()
        self._came = asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request."""
        response = await super().handle_async_request(request)
        self.headers, self.body = response.headers, bytearray()
        response.stream = _Kept(response.stream, self._keep)
        return response

    async def until(self, word: bytes) -> None:
        """Wait until the answer holds this."""
        while word not in self.body:
            self._came.clear()
            await self._came.wait()

    def forget(self) -> None:
        """Forget the answer."""
        self.body.clear()

    def _keep(self, data: bytes) -> None:
        self.body += data
        self._came.set()


class _Kept(httpx2.AsyncByteStream):
    def __init__(self, stream: Any, keep: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._keep = keep

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            self._keep(data)
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()

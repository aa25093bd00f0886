"""How an answer reaches the socket: whole, slowly, in bytes, compressed, cut, or reset.

`drop` resets the connection (RST), `fin` closes it inside the chunked body, `cut` ends the body properly but early.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiohttp import web

from tests.fakes.v1internal_script import Plan

EVENT = re.compile(rb".+?(?:\r?\n\r?\n|\Z)", re.DOTALL)
# a reset may overtake the bytes before it; the reader gets this long to take them
READ_PAUSE_S = 0.05


@dataclass
class Wire:
    """Sends one stream as its plan says; `acks` opens the way for each chunk after the first."""

    request: web.Request
    plan: Plan
    acks: asyncio.Semaphore

    async def send(self, chunks: Iterable[bytes], headers: Mapping[str, str]) -> web.StreamResponse:
        """Send the chunks."""
        response = web.StreamResponse(headers=headers)
        compress = self._compressor(response)
        if self.plan.drop_after == 0:
            reset(self.request)
            return response
        await response.prepare(self.request)
        if self.plan.stall_s:
            await asyncio.sleep(self.plan.stall_s)
        for place, chunk in enumerate(islice(chunks, self._length())):
            await self._wait(place)
            await self._write(response, compress(chunk))
        await self._end(response, compress(None))
        return response

    def _length(self) -> int | None:
        ends = (self.plan.drop_after, self.plan.cut_after, self.plan.fin_after)
        return next((end for end in ends if end is not None), None)

    async def _wait(self, place: int) -> None:
        if not place:
            return
        if self.plan.acked:
            await self.acks.acquire()
        if self.plan.pace_s:
            await asyncio.sleep(self.plan.pace_s)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        size = self.plan.write_bytes or max(len(data), 1)
        for start in range(0, len(data), size):
            await response.write(data[start : start + size])
            if self.plan.write_bytes:
                await asyncio.sleep(0)

    async def _end(self, response: web.StreamResponse, rest: bytes) -> None:
        if self.plan.drop_after is not None:
            await asyncio.sleep(READ_PAUSE_S)
            reset(self.request)
        elif self.plan.fin_after is not None and self.request.transport is not None:
            self.request.transport.close()
        else:
            await self._write(response, rest)
            await response.write_eof()

    def _compressor(self, response: web.StreamResponse) -> Compress:
        wanted = self.plan.gzip and "gzip" in self.request.headers.get("accept-encoding", "")
        if wanted:
            response.headers["content-encoding"] = "gzip"
        return Compress(zlib.compressobj(wbits=31) if wanted else None)


class Compress:
    """Compresses chunk by chunk, so that each can be read when it arrives; `None` ends the stream."""

    def __init__(self, gzip: zlib._Compress | None) -> None:
        self.gzip = gzip

    def __call__(self, chunk: bytes | None) -> bytes:
        if self.gzip is None:
            return chunk or b""
        if chunk is None:
            return self.gzip.flush()
        return self.gzip.compress(chunk) + self.gzip.flush(zlib.Z_SYNC_FLUSH)


def reset(request: web.Request) -> None:
    """Close the connection with RST instead of FIN."""
    transport = request.transport
    if transport is None:
        return
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def events(data: bytes) -> list[bytes]:
    """Cut a recorded stream behind each event; together the pieces are the stream."""
    return EVENT.findall(data)


def read_event(data: bytes) -> dict[str, Any] | None:
    """Read the JSON of one event, or nothing where it cannot be read."""
    lines = [line[5:] for line in re.split(rb"\r\n|\r|\n", data) if line.startswith(b"data:")]
    try:
        chunk: dict[str, Any] = json.loads(b"\n".join(lines))
    except ValueError:
        return None
    return chunk

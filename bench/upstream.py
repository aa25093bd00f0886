"""A cheap fake upstream of every wire format: `python -m bench.upstream PORT`.

The path says which (see `bench.asked`), the last user text the script of the answer (see `bench.script`). Every byte
is built once for each script, so that on the measuring machine almost all time is left to what is measured.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from typing import cast

import httptools
import msgspec
import uvloop

from bench.asked import read_asked
from bench.frames import Answers, plain
from bench.script import stamped

__all__ = ["Upstream", "serve"]


class Grid:
    """Spreads paced streams evenly over the milliseconds of their pace.

    So every server measured meets the same pattern of arrivals, not one that chance made.
    """

    def __init__(self) -> None:
        self.taken: Counter[tuple[int, int]] = Counter()

    def join(self, pace_ms: int) -> tuple[int, int]:
        """Return the pace and the emptiest millisecond of it."""
        place = min(((pace_ms, tick) for tick in range(pace_ms)), key=self.taken.__getitem__)
        self.taken[place] += 1
        return place

    def leave(self, place: tuple[int, int]) -> None:
        """Give a place back."""
        self.taken[place] -= 1


class Upstream(asyncio.Protocol):
    """One connection: HTTP/1.1, keep-alive, one request at a time."""

    def __init__(self, answers: Answers, grid: Grid) -> None:
        self.answers = answers
        self.grid = grid
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""
        self.parts: list[bytes] = []
        self.next_write: asyncio.Handle | None = None
        self.place: tuple[int, int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # create_server gives stream transports; the base class only knows BaseTransport
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.next_write is not None:
            self.next_write.cancel()
        self._leave()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self.url = b""
        self.parts.clear()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        path = self.url.partition(b"?")[0]
        try:
            asked = read_asked(path, b"".join(self.parts))
        except (msgspec.DecodeError, IndexError, ValueError) as problem:
            self.transport.write(_refusal(str(problem)))
            return
        if asked is None:
            self.transport.write(self.answers.control.get(path, self.answers.not_found))
        elif asked.stream and asked.script.kind == "pace":
            self._join(self.answers.writes(asked), asked.script.pace_ms)
        else:
            self._burst(self.answers.writes(asked), 0)

    def _join(self, writes: Sequence[bytes], pace_ms: int) -> None:
        """Take a place in the grid and begin."""
        self.place = self.grid.join(pace_ms)
        grid_start_ms = self.loop.time() * 1000 // pace_ms * pace_ms
        self._pace(writes, 0, pace_ms / 1000, (grid_start_ms + self.place[1]) / 1000)

    def _burst(self, writes: Sequence[bytes], number: int) -> None:
        """Write one chunk in each turn of the loop."""
        self.transport.write(writes[number])
        if number + 1 < len(writes):
            self.next_write = self.loop.call_soon(self._burst, writes, number + 1)

    def _pace(self, writes: Sequence[bytes], number: int, pace_s: float, due: float) -> None:
        """Write one chunk and plan the next; due times are absolute, so a stream does not drift."""
        self.transport.write(stamped(writes[number]))
        if number + 1 == len(writes):
            self._leave()
        else:
            later = due + pace_s
            self.next_write = self.loop.call_at(later, self._pace, writes, number + 1, pace_s, later)

    def _leave(self) -> None:
        if self.place is not None:
            self.grid.leave(self.place)
            self.place = None


def _refusal(message: str) -> bytes:
    """Refuse a body in words that every format's readers find."""
    error = {"type": "invalid_request_error", "code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    return plain("400 Bad Request", {"type": "error", "error": error})


async def serve(port: int) -> None:
    """Serve on loopback until cancelled."""
    answers, grid = Answers(), Grid()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(answers, grid), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))

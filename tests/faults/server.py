"""A server that goes wrong as it is told, before a fake that answers in the wire of its kind.

Calls for an answer meet the next fault of `plan`, else `always`, else nothing goes wrong. All other calls, such as
those for a token or a project, reach the fake. What it says to a call is cut into its frames, for faults to spoil.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.fakes.v1internal_wire import events

__all__ = ["EVENTS", "JSON", "Call", "Fault", "FaultServer", "listening", "sound"]

EVENTS = b"content-type: text/event-stream"
JSON = b"content-type: application/json"
_ANSWERS = re.compile(
    rb"^POST \S*(?::(?:streamG|g)enerateContent|:(?:streamR|r)awPredict|/chat/completions|/responses|/messages)[ ?]"
)
_HOPS = frozenset({"connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding"})
_LARGEST = 2**20


@dataclass(eq=False)
class Call:
    """One call. `arrived`: when all of it was here; `broke`: when the fault struck; `left`: when the gateway closed.

    `said`: what was said to it, where a test wants to know.
    """

    head: bytes
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    fake: httpx.AsyncClient
    arrived: float = field(default_factory=time.monotonic)
    broke: float = 0.0
    left: float = 0.0
    said: bytes = b""
    heard: asyncio.Event = field(default_factory=asyncio.Event)  # the caller has what came before the fault
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self) -> httpx.Response:
        """Let the fake answer."""
        request, *lines = self.head.decode().split("\r\n")
        method, target, _ = request.split(" ")
        pairs = [line.split(": ", 1) for line in lines if line]
        headers = [(name, value) for name, value in pairs if name.lower() not in _HOPS | {"accept-encoding"}]
        return await self.fake.request(method, target, headers=headers, content=self.body)

    async def frames(self) -> list[bytes]:
        """Give the events of the stream that the fake answers with."""
        answer = await self.answer()
        assert answer.status_code == 200, answer.text
        return events(answer.content)

    async def begin(self, *headers: bytes, chunked: bool = True) -> None:
        """Send the head of a good answer."""
        lines = [b"HTTP/1.1 200 OK", *headers, *([b"transfer-encoding: chunked"] if chunked else [])]
        await self.write(b"\r\n".join(lines) + b"\r\n\r\n")

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def say(self, *pieces: bytes) -> None:
        """Send pieces, one chunk each."""
        for piece in pieces:
            await self.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    async def end(self) -> None:
        """End the body as HTTP wants it."""
        await self.write(b"0\r\n\r\n")

    async def until_heard(self) -> None:
        """Wait until the caller has what was said."""
        await asyncio.wait_for(self.heard.wait(), 30)

    def reset(self) -> None:
        """Close with RST."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.broke = time.monotonic()
        self.writer.transport.abort()

    def half_close(self) -> None:
        """Close the sending side: FIN."""
        self.broke = time.monotonic()
        self.writer.write_eof()

    async def until_left(self) -> None:
        """Wait until the gateway closes the connection."""
        try:
            while await self.reader.read(_LARGEST):
                pass
        except OSError:
            pass
        self.left = time.monotonic()
        self.gone.set()


Fault = Callable[[Call], Awaitable[None]]


async def sound(call: Call) -> None:
    """Pass on what the fake says."""
    answer = await call.answer()
    lines = [f"{name}: {value}" for name, value in answer.headers.items() if name not in _HOPS]
    head = "\r\n".join([f"HTTP/1.1 {answer.status_code} Said", *lines, f"content-length: {len(answer.content)}"])
    await call.write(f"{head}\r\n\r\n".encode() + answer.content)


class FaultServer:
    """It, before a fake. `calls`: those for an answer; `open`: the connections that are open now."""

    def __init__(self, fake: httpx.AsyncClient) -> None:
        self.fake = fake
        self.url = ""
        self.plan: deque[Fault] = deque()
        self.always: Fault | None = None
        self.calls: list[Call] = []
        self.open = 0

    def forget(self) -> None:
        """Let nothing go wrong, and forget the calls."""
        self.plan.clear()
        self.always = None
        self.calls.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open += 1
        try:
            while True:
                call = await self._read(reader, writer)
                await self._fault(call)(call)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort()

    def _fault(self, call: Call) -> Fault:
        if not _ANSWERS.match(call.head):
            return sound
        self.calls.append(call)
        return self.plan.popleft() if self.plan else self.always or sound

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return Call(head[:-4], await reader.readexactly(int(length[1]) if length else 0), reader, writer, self.fake)


@asynccontextmanager
async def listening(behind: str) -> AsyncIterator[FaultServer]:
    """Run one before the fake at this address."""
    async with httpx.AsyncClient(base_url=behind, timeout=30) as fake, _listening(FaultServer(fake)) as made:
        yield made


@asynccontextmanager
async def _listening(made: FaultServer) -> AsyncIterator[FaultServer]:
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(made.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=_LARGEST)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        failed = [one for one in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(one, Exception)]
        if failed:
            raise failed[0]

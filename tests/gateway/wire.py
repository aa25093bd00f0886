"""An upstream server of few words over a real socket: it notes each request, then does as it is told."""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gateway.transport import Response, Transport

__all__ = [
    "CHUNKED",
    "OK",
    "Answer",
    "Upstream",
    "connections",
    "deaf",
    "ending",
    "pieces_of",
    "post",
    "resetting",
    "saying",
    "silence",
    "upstream",
]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Upstream:
    """A server that notes each request and then does what the test says."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()  # a head arrived
        self.left = asyncio.Event()  # a client closed its connection
        self.url = ""
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                request = await self._read(reader)
                self.requests.append(request)
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            self.left.set()
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head + await reader.readexactly(int(length[0].partition(b":")[2]) if length else 0)


@asynccontextmanager
async def upstream(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    served = Upstream(answer)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(served.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls, limit=2**20)
    served.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def saying(*pieces: bytes) -> Answer:
    """Write the pieces, and keep the connection."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


def ending(*pieces: bytes) -> Answer:
    """Write the pieces, then end the connection in order."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await saying(*pieces)(reader, writer)
        writer.close()
        await writer.wait_closed()

    return answer


def resetting(*pieces: bytes) -> Answer:
    """Write the pieces, then reset the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await saying(*pieces)(reader, writer)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    return answer


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read nothing more, not even that the connection ends."""
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    await asyncio.Event().wait()


def connections(port: int) -> Iterator[socket.socket]:
    """Give each socket of this process that is connected to a port."""
    for file in Path("/proc/self/fd").iterdir():
        if file.is_socket():
            with suppress(OSError), socket.socket(fileno=os.dup(int(file.name))) as one:
                if one.getpeername()[1:2] == (port,):
                    yield one


async def post(transport: Transport, url: str, body: bytes = b"{}") -> Response:
    return await transport.send("POST", url, headers={}, body=body)


async def pieces_of(response: Response) -> AsyncIterator[bytes]:
    while piece := await response.read():
        yield piece

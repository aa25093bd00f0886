"""A self-test comes to its end before any server: one that never ends, never begins, or says something else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.testing import selftest
from tests.patience import patient

pytestmark = pytest.mark.anyio

Says = Callable[[asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PAGE = "<html>\x1b[2J\x9b31m not here</html>".encode()


async def never_begins(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"3\r\n:\n\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def floods(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"40000\r\n%b\r\n" % (b":" * 0x40000))
        await writer.drain()


async def breaks_off(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"5\r\ndata:")
    writer.transport.abort()


async def shows_a_page(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b" % (len(PAGE), PAGE))
    await writer.drain()


@asynccontextmanager
async def serving(says: Says) -> AsyncIterator[str]:
    """Answer every request so."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                await says(writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


SERVERS: dict[Says, str] = {
    never_begins: "ReadTimeout",
    drips: "no end within",
    floods: "16 MB, and no end",
    breaks_off: "RemoteProtocolError",
    shows_a_page: "content-type",
}


@pytest.mark.parametrize("says", SERVERS)
async def test_it_ends_and_says_what_is_wrong(says: Says) -> None:
    short = 20.0
    if says in (drips, never_begins):
        short = max(0.1, patient(0.02)) if says is drips else 0.1
    async with serving(says) as url:
        report = await selftest(url, "simple", dialects=["openai-chat", "gemini"], timeout_s=short)
    assert not report.ok
    assert {one.verdict for one in report.findings} == {"failed"}
    assert all(SERVERS[says] in one.problem for one in report.findings), report.findings


async def nests(writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 200000\r\n\r\n" + b"[" * 200_000
    )
    await writer.drain()


@pytest.mark.parametrize("model", ["", "any"], ids=["the list, too", "answers"])
async def test_what_is_nested_too_deep_is_a_failed_check(model: str) -> None:
    async with serving(nests) as url:
        report = await selftest(url, "simple", model=model, timeout_s=20.0)
    assert {one.verdict for one in report.findings} == {"failed"}
    found = [one.dialect for one in report.findings if "recursion depth" in one.problem]
    assert set(found) == {"openai-chat", "openai-responses", "anthropic", "gemini"}, report.findings

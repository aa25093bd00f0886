"""The head of an answer goes out with what follows it, and never waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from gateway.heads import BoundedHeads
from tests.patience import patient
from tests.serving import serve

pytestmark = pytest.mark.anyio

WRITTEN: list[bytes] = []
LATE = asyncio.Event()
SIZED = [(b"content-length", b"3")]


class Noted:
    """A transport that notes what is written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Note it, and write it."""
        WRITTEN.append(data)
        self._transport.write(data)


class Noting(BoundedHeads):
    """A connection over one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(cast(asyncio.Transport, Noted(transport)))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the path says."""
    if scope["type"] != "http":
        return
    path = scope["path"]
    headers = SIZED if path in ("/whole", "/late") else [(b"content-length", b"0")] if path == "/empty" else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if path == "/late":
        await LATE.wait()
    if path == "/stream":
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": b"" if path == "/empty" else b"abc"})


class Wire:
    """A connection of a caller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def ask(self, *paths: str, method: str = "GET", more: str = "") -> None:
        asked = "".join(f"{method} /{path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n" for path in paths)
        self._writer.write(asked.encode())

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(patient(5)):
            return await self._reader.readuntil(end)

    async def rest(self) -> bytes:
        async with asyncio.timeout(patient(5)):
            return await self._reader.read()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """Connect to it."""
    WRITTEN.clear()
    LATE.clear()
    async with serve(app, http=Noting) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()


async def test_a_whole_answer_is_written_at_once(wire: Wire) -> None:
    wire.ask("whole")
    await wire.until(b"abc")
    assert len(WRITTEN) == 1


async def test_the_head_of_a_stream_goes_with_its_first_piece(wire: Wire) -> None:
    wire.ask("stream")
    await wire.until(b"0\r\n\r\n")
    assert [data.rpartition(b"\r\n\r\n")[2] for data in WRITTEN[:2]] == [b"3\r\none\r\n", b"3\r\ntwo\r\n"]
    assert len(WRITTEN) == 3


async def test_a_head_that_nothing_follows_does_not_wait(wire: Wire) -> None:
    wire.ask("late")
    assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    LATE.set()
    assert await wire.until(b"abc") == b"abc"


@pytest.mark.parametrize(("method", "path"), [("HEAD", "whole"), ("HEAD", "stream"), ("GET", "empty")])
@pytest.mark.parametrize("more", ["", "connection: close\r\n"])
async def test_an_answer_without_a_body_is_its_head(wire: Wire, method: str, path: str, more: str) -> None:
    wire.ask(path, method=method, more=more)
    head = await wire.until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    if more:
        assert await wire.rest() == b""
    else:
        wire.ask("whole")
        assert (await wire.until(b"abc")).count(b"HTTP/1.1 200") == 1


async def test_answers_to_requests_that_came_together_stay_in_order(wire: Wire) -> None:
    wire.ask("whole", "stream", "empty", "whole")
    answers = await wire.until(b"0\r\n\r\n") + await wire.until(b"content-length: 0\r\n\r\n") + await wire.until(b"abc")
    assert answers.count(b"HTTP/1.1 200") == 4


async def test_what_is_refused_behind_a_head_alone_comes_behind_it(wire: Wire) -> None:
    wire.ask("whole", method="HEAD")
    wire.ask("x\x00y")
    answers = await wire.rest()
    assert answers.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in answers

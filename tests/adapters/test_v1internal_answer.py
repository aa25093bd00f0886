"""Reading an answer: piece by piece, whole, broken, too large, and left."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway import ir
from gateway.adapters.failures import Failure
from gateway.adapters.google_answer import GoogleAnswer
from gateway.adapters.v1internal_errors import read_failure
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.errors import GatewayError, StreamBroken, UpstreamMalformed
from gateway.transport import Transport
from tests.adapters.site import Site

pytestmark = pytest.mark.anyio

CHUNK = b'{"response":{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}}'
ERROR = b'{"error":{"code":429,"message":"gone","status":"RESOURCE_EXHAUSTED"}}'


class Heard:
    """What the answer told its journey."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def __call__(self, raised: GatewayError, failure: Failure) -> None:
        self.failures.append(failure)


@asynccontextmanager
async def answer(
    body: bytes, kind: str, heard: Callable[[GatewayError, Failure], None], extra: str = ""
) -> AsyncIterator[GoogleAnswer]:
    """Answer a call with these bytes, then close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{extra}\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = Transport()
    try:
        port = server.sockets[0].getsockname()[1]
        response = await transport.send("GET", f"http://127.0.0.1:{port}/", headers={})
        reader = StreamReader(ReadOptions(names=NameMap([]), family="gemini", salt="s"))
        made = GoogleAnswer(response, reader, heard, read_failure, 0.0)
        yield made
        made.close()
    finally:
        await transport.close()
        server.close()
        await server.wait_closed()


async def read(made: GoogleAnswer) -> list[ir.Event]:
    events: list[ir.Event] = []
    while (more := await made.read()) is not None:
        events += more
    return events


def texts(events: list[ir.Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ir.TextDelta))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/event-stream", b"data: " + CHUNK + b"\r\n\r\n"),
        ("text/event-stream", b"data: " + CHUNK),
        ("application/json", b"\n: hello\n\ndata: " + CHUNK + b"\n\n"),
        ("text/html", b"data: " + CHUNK + b"\n\n"),
        ("application/json; charset=utf-8", CHUNK),
        ("application/json", b"[" + CHUNK + b"]"),
    ],
)
async def test_an_answer_is_read_whichever_way_it_comes(kind: str, body: bytes) -> None:
    async with answer(body, kind, Heard()) as made:
        events = await read(made)
        assert texts(events) == "hi"
        assert isinstance(events[-1], ir.Finished)
        assert await made.read() is None


async def test_an_answer_that_came_at_once_is_read_at_once() -> None:
    body = b"data: " + CHUNK + b"\n\n"
    async with answer(body, "text/event-stream", Heard(), f"Content-Length: {len(body)}\r\n") as made:
        events = await made.read()
        assert events is not None
        assert isinstance(events[-1], ir.Finished)
        assert await made.read() is None


@pytest.mark.parametrize(
    ("kind", "body"), [("text/event-stream", b"data: " + ERROR + b"\n\n"), ("application/json", ERROR)]
)
async def test_an_error_under_200_is_explained(kind: str, body: bytes) -> None:
    heard = Heard()
    async with answer(body, kind, heard) as made:
        events = await read(made)
    assert isinstance(events[-1], ir.Failed)
    assert [(failure.cause, failure.status) for failure in heard.failures] == [("bare_429", 429)]


async def test_a_page_in_place_of_an_answer_is_malformed_with_its_first_words() -> None:
    async with answer(b"<html><title>Sign in</title>" + b"x" * 5000, "text/html", Heard()) as made:
        events = await read(made)
    failed = events[-1]
    assert isinstance(failed, ir.Failed)
    assert isinstance(failed.error, UpstreamMalformed)
    assert "Sign in" in failed.error.message
    assert len(failed.error.message) < 300


async def test_a_connection_that_ends_inside_a_body_breaks_the_stream() -> None:
    heard = Heard()
    body = b"data: " + CHUNK.replace(b'"finishReason":"STOP"', b'"index":0') + b"\n\n"
    async with answer(body, "text/event-stream", heard, "Content-Length: 9999\r\n") as made:
        with pytest.raises(StreamBroken):
            await read(made)
    assert [failure.cause for failure in heard.failures] == ["broken"]


async def test_a_connection_that_ends_behind_the_finish_reason_ends_the_answer_well() -> None:
    heard = Heard()
    body = b"data: " + CHUNK + b"\n\n"
    async with answer(body, "text/event-stream", heard, "Content-Length: 9999\r\n") as made:
        events = await read(made)
    assert isinstance(events[-1], ir.Finished)
    assert heard.failures == []


async def test_a_compression_bomb_is_malformed() -> None:
    body = gzip.compress(b"data: " + b"a" * 50_000_000)
    async with answer(body, "text/event-stream", Heard(), "Content-Encoding: gzip\r\n") as made:
        with pytest.raises(UpstreamMalformed):
            await read(made)


# over the fake


async def test_a_caller_that_leaves_before_the_answer_closes_the_upstream_and_returns_the_credential(
    site: Site,
) -> None:
    adapter = await site.open()
    await site.ask()
    asked = asyncio.create_task(site.ask("!slow 60"))
    await site.fake.wait_for(count=2)
    assert adapter.leases == 1
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await site.fake.wait_closed()
    assert adapter.leases == 0


async def test_a_caller_that_leaves_in_the_middle_closes_the_upstream(site: Site) -> None:
    adapter = await site.open()
    begun = await site.begin("!acked\none two three four five six")
    assert adapter.leases == 1
    begun.answer.close()
    begun.journey.done(None)
    begun.journey.done(None)
    await site.fake.wait_closed()
    assert adapter.leases == 0


async def test_a_connection_is_used_again_after_a_complete_answer(site: Site) -> None:
    await site.open()
    for _ in range(5):
        await site.ask()
    assert site.fake.open_connections == 1


async def test_usage_is_known_at_the_end(site: Site) -> None:
    await site.open()
    begun = await site.begin("one two three")
    while await begun.answer.read() is not None:
        pass
    begun.journey.done(begun.answer.usage)
    assert begun.answer.usage is not None
    assert begun.answer.usage.output > 0

"""Rows 7 and 19 of docs/faults.md, at one connection: how long its caller may take to write and to read."""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
import socket
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from gateway import arrival
from gateway.config import TimeoutsConfig
from gateway.connection import Connection, connections
from gateway.errors import RequestTimeout
from gateway.heads import MAX_HEAD_BYTES
from gateway.middleware import protocol
from gateway.streaming import Client
from tests.conformance.raw import PATHS
from tests.faults.callers import Caller, calling, request
from tests.patience import patient
from tests.scripted import Scripted, app_of, say
from tests.serving import Serving, serve

pytestmark = pytest.mark.anyio

SHORT_S = 0.3
NEVER_S = 600.0
PIECE = b"x" * 65536
GET = b"GET /%b HTTP/1.1\r\nhost: localhost\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nx-slow: "


class Inner:
    """An app whose paths are what it does; `left`: a caller has gone, `rest`: the second half may be said."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.left = asyncio.Event()
        self.rest = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        if scope["path"] == "/slow":
            await asyncio.sleep(SHORT_S * 3)
        if scope["path"] == "/waits":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
            return
        if scope["path"] in ("/body", "/endless"):
            while (message := await receive())["type"] == "http.request" and message["more_body"]:
                pass
        endless = scope["path"] == "/endless"
        headers = [(b"content-length", b"4")] if scope["path"] == "/whole" else []
        status = 401 if scope["path"] == "/early" else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["path"] == "/halves":
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            await self.rest.wait()
        leaving = asyncio.ensure_future(receive()) if endless else None
        while leaving is not None and not leaving.done():
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            await asyncio.sleep(0)
        if endless:
            self.left.set()
            return
        await send({"type": "http.response.body", "body": b"said"})


@asynccontextmanager
async def serving(
    *, most: int = 100, head_s: float = NEVER_S, unread_s: float = NEVER_S, ends: bool = False
) -> AsyncIterator[tuple[str, Serving, Inner]]:
    """Serve it with these limits."""
    kind = type("Short", (connections(most),), {"head_s": head_s, "unread_s": unread_s, "ends": ends})
    inner = Inner()
    config = uvicorn.Config(inner, port=0, http=kind, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = Serving(config)
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.002)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", server, inner
    finally:
        server.leave()
        await running


def only(server: Serving) -> Connection:
    (one,) = server.server_state.connections
    return cast(Connection, one)


async def until_open(server: Serving, count: int) -> None:
    async with asyncio.timeout(patient(30)):
        while len(server.server_state.connections) != count:  # noqa: ASYNC110 - sockets tell nobody
            await asyncio.sleep(0.002)


async def drip(one: Caller) -> None:
    """Say another byte now and then, until the other side has closed."""
    closing = asyncio.ensure_future(one.closed())
    while not closing.done():
        one.say(b"x")
        await asyncio.wait([closing], timeout=SHORT_S / 10)
    await closing


# heads


@pytest.mark.parametrize("words", [b"", HALF, GET % b"" + HALF], ids=["nothing", "half", "a second one's half"])
async def test_a_head_that_does_not_come_ends_the_connection(words: bytes) -> None:
    async with serving(head_s=SHORT_S) as (url, _, _):
        began = time.monotonic()
        async with calling(url) as one:
            one.say(words)
            await (drip(one) if words else one.closed())
        assert time.monotonic() - began >= SHORT_S


async def test_what_drips_in_behind_an_answer_ends_the_connection() -> None:
    async with serving(head_s=SHORT_S) as (url, _, _), calling(url) as one:
        one.say(request("/early", b"{", length=1_000_000))
        await one.until(b"said")
        await drip(one)


async def test_an_answer_may_take_longer_than_a_head() -> None:
    async with serving(head_s=SHORT_S) as (url, _, _), calling(url) as one:
        for _ in range(2):
            one.got = b""
            one.say(GET % b"slow")
            await one.until(b"said")


async def test_an_idle_connection_is_left_to_the_time_that_it_may_be_idle() -> None:
    async with serving(head_s=SHORT_S) as (url, server, _), calling(url) as one:
        one.say(GET % b"")
        await one.until(b"said")
        await asyncio.sleep(SHORT_S * 3)
        assert not only(server).transport.is_closing()


async def until_read(url: str) -> None:
    """Wait for an answer to another connection: by then what was sent before has been read."""
    async with calling(url) as other:
        other.say(GET % b"")
        await other.until(b"said")


LONG = b"GET / HTTP/1.1\r\nx: " + b"a" * MAX_HEAD_BYTES
BAD = {
    "too long": (1, 431, LONG + b"\r\n\r\n"),
    "too long, and more of it": (1, 431, LONG + b"\r\n\r\n", LONG),
    "too long, without end": (1, 431, LONG, LONG, LONG),
    "no HTTP": (1, 400, b"\x16\x03\x01 hello\r\n\r\n"),
    "too long, behind two": (2, 431, LONG + b"\r\n\r\n"),
    "no HTTP, behind two": (2, 400, b"\x16\x03\x01 hello\r\n\r\n"),
}
STATUSES = re.compile(rb"HTTP/1\.1 (\d+) ")


@pytest.mark.parametrize(("before", "status", "bad"), [(one[0], one[1], one[2:]) for one in BAD.values()], ids=BAD)
async def test_what_is_refused_behind_a_request_does_not_stand_in_its_answer(
    before: int, status: int, bad: tuple[bytes, ...]
) -> None:
    async with serving() as (url, _, inner), calling(url) as one:
        one.say(GET % b"halves" * before)
        await one.until(b"half")
        for piece in bad:
            one.say(piece)
            await until_read(url)
        assert STATUSES.findall(one.got) == [b"200"]
        inner.rest.set()
        await one.closed()
    said, _, refusal = one.got.rpartition(b"HTTP/1.1 ")
    assert said.count(b"\r\n4\r\nhalf\r\n4\r\nsaid\r\n0\r\n\r\n") == before
    assert refusal.startswith(b"%d " % status)


async def test_a_body_that_breaks_off_within_an_answer_just_ends_the_connection() -> None:
    async with serving() as (url, _, inner), calling(url) as one:
        one.say(b"POST /halves HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        await one.until(b"half")
        one.say(b"no size\r\n")
        await one.closed()
        inner.rest.set()
    assert one.got.endswith(b"\r\n4\r\nhalf\r\n")


async def test_a_body_that_breaks_off_behind_another_answer_just_ends_the_connection() -> None:
    async with serving() as (url, _, inner), calling(url) as one:
        one.say(GET % b"halves")
        await one.until(b"half")
        one.say(b"POST /body HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n")
        await one.closed()
        inner.rest.set()
    assert one.got.endswith(b"\r\n4\r\nhalf\r\n")


# a body that nobody waits for


@pytest.mark.parametrize("why", ["asked to close", "old", "server ends"])
async def test_who_still_sends_a_body_reads_the_answer_to_the_end_of_the_connection(why: str) -> None:
    rest = b"{" * 8_000_000
    wish = "close" if why == "asked to close" else "keep-alive"
    asks = request("/early", b"{", length=1 + len(rest), connection=wish)
    async with serving(ends=why == "server ends") as (url, server, _), calling(url) as one:
        one.say(asks.replace(b"HTTP/1.1", b"HTTP/1.0", 1) if why == "old" else asks)
        await one.until(b"said")
        one.say(rest)
        async with asyncio.timeout(patient(30)):
            await one.writer.drain()
        await one.closed()
        assert one.writer.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        await until_open(server, 0)
    assert STATUSES.findall(one.got) == [b"401"]
    assert b"connection: close" in one.got


@pytest.mark.parametrize("rest", [b"no size\r\n", b"1;" + b"x" * MAX_HEAD_BYTES], ids=["no chunk", "too long"])
async def test_what_such_a_body_says_wrong_is_not_answered_again(rest: bytes) -> None:
    head = b"POST /early HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serving() as (url, server, _), calling(url) as one:
        one.say(head)
        await one.until(b"said")
        one.say(rest)
        await one.closed()
        await until_open(server, 0)
    assert STATUSES.findall(one.got) == [b"401"]


async def test_nothing_behind_such_a_body_is_a_request() -> None:
    async with serving() as (url, server, inner), calling(url) as one:
        one.say(request("/early", b"{", length=3, connection="close"))
        await one.until(b"said")
        one.say(b"{}" + GET % b"behind" + request("/behind", b"{}"))
        await one.closed()
        await until_open(server, 0)
    assert inner.asked == ["/early"]


async def test_such_a_body_has_as_long_as_a_head() -> None:
    async with serving(head_s=SHORT_S) as (url, server, _), calling(url) as one:
        one.say(request("/early", b"{", length=1_000_000, connection="close"))
        await one.closed()  # it says no more
        while server.server_state.connections:
            one.say(b"x")
            await asyncio.sleep(SHORT_S / 10)


# more requests, before the answer to the first


WAITS, BEHIND = GET % b"waits", GET % b"behind"
OFFER = BEHIND.replace(b"\r\n\r\n", b"\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n")
ASKED = {
    "one": [WAITS, BEHIND],
    "all at once": [WAITS + BEHIND],
    "one after the other": [WAITS, BEHIND, BEHIND, BEHIND],
    "an offer": [WAITS, OFFER],
    "an offer, at once": [WAITS + OFFER + BEHIND],
    "and half a head": [WAITS, BEHIND + HALF],
    "with a body": [WAITS, request("/body", b"{" * 40_000)],
    "with half a body": [WAITS, request("/body", b"{", length=1_000_000)],
    "and what is no HTTP": [WAITS, BEHIND + b"\x16\x03\x01 hello\r\n\r\n"],
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_who_has_asked_for_more_and_leaves_is_noticed(asked: list[bytes]) -> None:
    async with serving() as (url, server, inner):
        async with calling(url) as one:
            for piece in asked:
                one.say(piece)
                await until_read(url)
        async with asyncio.timeout(patient(30)):
            await inner.left.wait()
        await until_open(server, 0)
    assert set(inner.asked) == {"/waits", "/"}


async def answered(one: Caller, count: int) -> None:
    async with asyncio.timeout(patient(30)):
        while one.got.count(b"said") < count:
            one.got += await one.reader.read(65536)


async def test_all_that_is_asked_for_ahead_is_answered_in_its_turn() -> None:
    paths = [f"/body/{number}" for number in range(30)]
    async with serving() as (url, _, inner), calling(url) as one:
        one.say(GET % b"halves")
        await one.until(b"half")
        one.say(b"".join(request(path, b"{" * 30_000) for path in paths) + OFFER)
        await until_read(url)
        assert STATUSES.findall(one.got) == [b"200"]
        inner.asked.clear()
        inner.rest.set()
        await answered(one, 32)
        one.say(GET % b"last")
        await answered(one, 33)
    assert inner.asked == [*paths, "/behind", "/last"]


PADDED = GET.replace(b"\r\n\r\n", b"\r\nx: " + b"a" * 1000 + b"\r\n\r\n") % b""
READ = 2**18  # bytes that the event loop reads at a time
MOST = 20 + READ // len(PADDED)


@pytest.mark.parametrize("ahead", [PADDED * 8000, request("/body", b"{" * 8_000_000)], ids=["requests", "a body"])
async def test_only_some_of_it_is_read_before_its_turn(ahead: bytes) -> None:
    async with serving() as (url, server, inner), calling(url) as one:
        one.say(GET % b"halves")
        await one.until(b"half")
        connection = only(server)
        one.say(ahead)
        async with asyncio.timeout(patient(30)):
            while not connection.flow.read_paused:  # noqa: ASYNC110 - a flag
                await asyncio.sleep(0.002)
        await until_read(url)
        assert connection.flow.read_paused
        assert len(connection.pipeline) <= MOST
        assert len(connection.cycle.body) <= 2 * READ
        inner.rest.set()
        await answered(one, 2)


async def test_the_answers_to_it_have_no_more_of_it_read() -> None:
    count, most = 1500, 0
    async with serving() as (url, server, _), calling(url) as one:
        one.say(PADDED * count)
        while one.got.count(b"said") < count:
            one.got += await one.reader.read(65536)
            most = max(most, len(only(server).pipeline))
    assert most <= MOST


# memory

ENDINGS = {
    "after an answer": [GET % b"whole"],
    "before an answer": [WAITS],
    "before several answers": [WAITS + BEHIND + BEHIND],
    "where the caller knows no chunks": [b"GET /whole HTTP/1.0\r\n\r\n"],
    "within a body that nobody waits for": [request("/early", b"{", length=1_000_000)],
    "within a head": [HALF],
    "where it is no HTTP": [b"\x16\x03\x01 hello\r\n\r\n"],
}


@pytest.mark.parametrize("asked", ENDINGS.values(), ids=ENDINGS)
async def test_nothing_of_a_connection_waits_for_the_collector(asked: list[bytes]) -> None:
    """What does is held with the last request and its body: those of some hundred connections were."""
    gc.collect()
    gc.disable()
    try:
        async with serving() as (url, server, _):
            async with calling(url) as one:
                await until_open(server, 1)
                served = weakref.ref(only(server))
                for piece in asked:
                    one.say(piece)
                await until_read(url)
            await until_open(server, 0)
            async with asyncio.timeout(patient(10)):
                while served() is not None:  # noqa: ASYNC110 - a request may be under way still
                    await asyncio.sleep(0.002)
    finally:
        gc.enable()


# HTTP/1.0


async def test_a_stream_ends_with_the_connection_where_the_caller_knows_no_chunks() -> None:
    async with serving() as (url, _, inner), calling(url) as one:
        one.say(b"GET /halves HTTP/1.0\r\n\r\n")
        await one.until(b"half")
        inner.rest.set()
        await one.closed()
    head, _, body = one.got.partition(b"\r\n\r\n")
    assert body == b"halfsaid"
    assert b"connection: close" in head
    assert b"transfer-encoding" not in head


async def test_an_answer_that_has_a_length_keeps_it() -> None:
    async with serving() as (url, _, _), calling(url) as one:
        one.say(b"GET /whole HTTP/1.0\r\n\r\n")
        await one.closed()
    head, _, body = one.got.partition(b"\r\n\r\n")
    assert body == b"said"
    assert b"content-length: 4" in head


async def test_who_is_told_to_go_on_knows_what_that_means() -> None:
    asks = request("/body", b"{}", expect="100-continue")
    async with serving() as (url, _, _), calling(url) as new, calling(url) as old:
        new.say(asks)
        old.say(asks.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        await new.until(b"said")
        await old.closed()
    assert new.got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert old.got.startswith(b"HTTP/1.1 200 ")


# too many


async def test_the_one_that_has_brought_nothing_for_longest_goes() -> None:
    async with serving(most=3) as (url, server, _), calling(url) as one, calling(url) as two:
        one.say(request("/body", b"{" * 10_000, length=1_000_000))  # it brings something
        async with asyncio.timeout(patient(30)):
            while not list(only_waiting(server))[-1].unanswered:  # noqa: ASYNC110 - sockets tell nobody
                await asyncio.sleep(0.002)
        async with calling(url), calling(url):
            await two.closed()
            await until_open(server, 3)
            one.say(b"{" * 990_000)
            await one.until(b"said")


def only_waiting(server: Serving) -> dict[Connection, None]:
    return next(cast(Connection, one) for one in server.server_state.connections).waiting


async def test_those_that_are_served_stay_and_are_not_counted() -> None:
    async with serving(most=1) as (url, server, _), calling(url) as one:
        one.say(GET % b"slow")
        async with asyncio.timeout(patient(30)):
            while not server.server_state.tasks:  # noqa: ASYNC110 - sockets tell nobody
                await asyncio.sleep(0.002)
        async with calling(url) as two, calling(url):
            await two.closed()
            await one.until(b"said")


# reading


async def test_a_caller_that_reads_no_more_is_left() -> None:
    async with serving(unread_s=SHORT_S) as (url, server, inner), calling(url, limit=1) as one:
        one.say(GET % b"endless")
        async with asyncio.timeout(patient(30)):
            await inner.left.wait()
        await until_open(server, 0)


async def test_a_whole_answer_that_nobody_reads_is_left_too() -> None:
    """Nothing waits for it any more, but for the bytes."""
    async with serving(unread_s=SHORT_S) as (url, server, _), calling(url, limit=1) as one:
        one.say(GET % b"")
        await until_open(server, 1)
        connection = only(server)
        connection.transport.write(PIECE * 500)
        async with asyncio.timeout(patient(30)):
            while not connection.flow.write_paused:  # noqa: ASYNC110 - a flag
                await asyncio.sleep(0.002)
        connection.timeout_keep_alive_handler()
        await until_open(server, 0)


async def test_one_who_reads_slowly_is_not() -> None:
    async with serving() as (url, server, _), calling(url, limit=1) as one:
        one.say(GET % b"endless")
        async with asyncio.timeout(patient(30)):
            await until_open(server, 1)
            connection = only(server)
            while not connection.flow.write_paused:  # noqa: ASYNC110 - a flag
                await asyncio.sleep(0.002)
            for _ in range(3):
                connection._unread = connection.transport.get_write_buffer_size() + 1  # something was read
                connection._look()
                assert not connection.transport.is_closing()
            connection._look()
            assert connection.transport.is_closing()


def test_all_have_as_long_as_is_said() -> None:
    """The other tests wait for less; docs/faults.md and docs/security.md say these."""
    unread_s = inspect.signature(Client).parameters["unread_s"].default
    assert (Connection.head_s, Connection.unread_s, unread_s) == (30, 60, 60)
    assert (arrival.SILENCE_S, arrival.SLOWEST) == (60, 4096)
    times = TimeoutsConfig()
    assert (times.keepalive, times.idle, times.first_byte) == (15, 90, 300)


# bodies, under every server


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("drips", [True, False], ids=["a drip", "silence"])
async def test_a_body_that_does_not_come_is_408(monkeypatch: pytest.MonkeyPatch, dialect: str, drips: bool) -> None:
    if drips:
        monkeypatch.setattr(arrival, "SILENCE_S", SHORT_S)
    else:
        monkeypatch.setattr(protocol, "SILENCE_S", SHORT_S)
    async with serve(app_of(Scripted(say("Hello")))) as url, calling(url) as one:
        one.say(request(PATHS[dialect], b"{", length=1_000_000))
        answered = asyncio.ensure_future(one.until(b"too slowly" if drips else b"fell silent"))
        while drips and not answered.done():
            one.say(b" ")
            await asyncio.wait([answered], timeout=0.02)
        await answered
    assert one.got.startswith(b"HTTP/1.1 408 ")


async def test_a_large_body_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each 4 kB earn a second."""
    monkeypatch.setattr(arrival, "SILENCE_S", 0.0)
    pace = arrival.Pace()
    pace.take(b"x" * arrival.SLOWEST)
    pace._last -= 0.9
    pace.take(b"")
    pace._last -= 5
    pace.resume()
    pace.take(b"")
    pace._last -= 0.9
    with pytest.raises(RequestTimeout, match="4096 bytes in 2 s"):
        pace.take(b"")

"""Rows 7 and 19 of docs/faults.md, at one connection: how long its caller may take to write and to read."""

from __future__ import annotations

import asyncio
import gc
import inspect
import time
import weakref
from typing import cast

import pytest

from gateway import arrival
from gateway.config import TimeoutsConfig
from gateway.connection import Connection
from gateway.errors import RequestTimeout
from gateway.heads import MAX_HEAD_BYTES
from gateway.middleware import protocol
from gateway.streaming import Client
from tests.conformance.raw import PATHS
from tests.faults.callers import Caller, calling, request
from tests.faults.server_wires import (
    BEHIND,
    GET,
    HALF,
    PIECE,
    SHORT_S,
    STATUSES,
    WAITS,
    only,
    serving,
    until_open,
    until_read,
)
from tests.patience import patient
from tests.scripted import Scripted, app_of, say
from tests.serving import Serving, serve

pytestmark = pytest.mark.anyio


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


LONG = b"GET / HTTP/1.1\r\nx: " + b"a" * MAX_HEAD_BYTES
BAD = {
    "too long": (1, 431, LONG + b"\r\n\r\n"),
    "too long, and more of it": (1, 431, LONG + b"\r\n\r\n", LONG),
    "too long, without end": (1, 431, LONG, LONG, LONG),
    "no HTTP": (1, 400, b"\x16\x03\x01 hello\r\n\r\n"),
    "too long, behind two": (2, 431, LONG + b"\r\n\r\n"),
    "no HTTP, behind two": (2, 400, b"\x16\x03\x01 hello\r\n\r\n"),
}


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


# memory

ENDINGS = {
    "after an answer": [GET % b"whole"],
    "before an answer": [WAITS],
    "before several answers": [WAITS + BEHIND + BEHIND],
    "where the caller knows no chunks": [b"GET /whole HTTP/1.0\r\n\r\n"],
    "within a body that nobody waits for": [request("/early", b"{", length=1_000_000)],
    "in the place of 100 Continue": [request("/early", length=1_000_000, expect="100-continue")],
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


async def test_an_answer_in_the_place_of_100_continue_ends_the_connection() -> None:
    """Where the body was to stand Caddy 2.6 sends the next caller's request."""
    async with serving() as (url, _, inner), calling(url) as one:
        one.say(request("/early", length=1_000_000, expect="100-continue"))
        await one.closed()
        one.say(GET % b"whole")
        await until_read(url)
    assert STATUSES.findall(one.got) == [b"401"]
    assert b"\r\nconnection: close\r\n" in one.got
    assert "/whole" not in inner.asked


async def test_a_body_that_does_not_wait_for_100_continue_keeps_the_connection() -> None:
    async with serving() as (url, _, _), calling(url) as one:
        one.say(request("/early", b"{}", expect="100-continue"))
        await one.until(b"said")
        one.say(GET % b"whole")
        await one.until(b"\r\n\r\nsaid")
    assert STATUSES.findall(one.got) == [b"401", b"200"]


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

"""Bodies that nobody waits for, and requests ahead of the answer to the first."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.heads import MAX_HEAD_BYTES
from tests.faults.callers import calling, request
from tests.faults.server_wires import (
    BEHIND,
    GET,
    HALF,
    SHORT_S,
    STATUSES,
    WAITS,
    answered,
    only,
    serving,
    until_open,
    until_read,
)
from tests.patience import patient

pytestmark = pytest.mark.anyio


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

"""Compressed answers are inflated when they say so, in bounded pieces, and bombs are not."""

import gzip
import zlib

import pytest

from gateway.coding import readable
from gateway.transport import Broken, TooLarge, Transport
from tests.gateway.wire import Answer, pieces_of, post, saying, upstream

pytestmark = pytest.mark.anyio


def body_of(data: bytes, encoding: str) -> Answer:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(data)}\r\n\r\n"
    return saying(head.encode() + data)


def deflated(data: bytes, window: int) -> bytes:
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        pytest.param("gzip", gzip.compress(b"hello"), id="gzip"),
        pytest.param("X-GZip", gzip.compress(b"hello"), id="x-gzip"),
        pytest.param("gzip", gzip.compress(b"hel") + gzip.compress(b"lo"), id="two-members"),
        pytest.param("deflate", deflated(b"hello", 15), id="zlib"),
        pytest.param("deflate", deflated(b"hello", -15), id="bare-deflate"),
        pytest.param("identity", b"hello", id="identity"),
    ],
)
async def test_answer_is_inflated_as_it_says(transport: Transport, encoding: str, data: bytes) -> None:
    async with upstream(body_of(data, encoding)) as server:
        assert await (await post(transport, server.url)).read_all(100) == b"hello"


async def test_gzip_that_is_not_declared_is_left_alone(transport: Transport) -> None:
    data = gzip.compress(b"hello")
    async with upstream(saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)) as server:
        assert await (await post(transport, server.url)).read_all(100) == data


async def test_inflated_event_does_not_wait_for_the_next(transport: Transport) -> None:
    compressor = zlib.compressobj(wbits=31)
    piece = compressor.compress(b"data: 1\n\n") + compressor.flush(zlib.Z_SYNC_FLUSH)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 999\r\n\r\n"
    async with upstream(saying(head, piece)) as server:
        response = await post(transport, server.url)
        assert await response.read() == b"data: 1\n\n"
        response.close()


async def test_large_answer_is_inflated_in_pieces_and_whole(transport: Transport) -> None:
    data = b"".join(b"%d," % number for number in range(500_000))
    async with upstream(body_of(gzip.compress(data, 1), "gzip")) as server:
        response = await post(transport, server.url)
        pieces = [piece async for piece in pieces_of(response)]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 256 * 1024


async def test_what_zlib_holds_back_behind_a_full_piece_comes_too(transport: Transport) -> None:
    data = bytes(256 * 1024 + 100)  # its last match is read with the first piece and written with the second
    async with upstream(body_of(deflated(data, -15), "deflate")) as server:
        assert await (await post(transport, server.url)).read_all(len(data)) == data


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        pytest.param("br", b"x", id="not-asked-for"),
        pytest.param("gzip, br", gzip.compress(b"x"), id="one-of-two-not-asked-for"),
        pytest.param("gzip", b"hello", id="not-gzip"),
        pytest.param("gzip", gzip.compress(b"hello")[:-9], id="cut-off"),
    ],
)
async def test_answer_that_cannot_be_inflated_is_broken(transport: Transport, encoding: str, data: bytes) -> None:
    async with upstream(body_of(data, encoding)) as server:
        response = await post(transport, server.url)
        assert response.status == 200
        with pytest.raises(Broken, match=" "):  # in words
            await response.read_all(100)
    assert transport.open_responses == 0


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br"])
async def test_a_refusal_in_a_coding_that_cannot_be_read_says_which(transport: Transport, encoding: str) -> None:
    async with upstream(body_of(b"x", encoding)) as server:
        response = await post(transport, server.url)
        said = await response.read_refusal(100)
        response.close()
    assert said == f"upstream sent content-encoding {encoding!r}, which was not asked for".encode()
    assert transport.open_responses == 0


@pytest.mark.parametrize(
    ("method", "body"),
    [
        pytest.param("GET", None, id="nothing"),
        pytest.param("POST", b"{}", id="small"),
        pytest.param("POST", bytes(2**20 + 1), id="large"),
    ],
)
async def test_plain_bytes_are_asked_for_where_nothing_else_is(
    transport: Transport, method: str, body: bytes | None
) -> None:
    """RFC 9110, 12.5.3: without accept-encoding a server may take any coding."""
    async with upstream(body_of(b"x", "identity")) as server:
        for headers in ({}, {"accept-encoding": "gzip"}):
            response = await transport.send(method, server.url, headers=headers, body=body)
            await response.read_all(100)
        heads = [request.partition(b"\r\n\r\n")[0].lower().split(b"\r\n") for request in server.requests]
    said = [[line for line in head if line.startswith(b"accept-encoding")] for head in heads]
    assert said == [[b"accept-encoding: identity"], [b"accept-encoding: gzip"]]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate"),
        ("GZip;q=0.5,identity;q=0", "GZip;q=0.5, identity;q=0"),
        ("br", "identity"),
        ("*", "identity"),
    ],
)
def test_only_what_can_be_read_is_asked_for(asked: str, left: str) -> None:
    assert readable(asked) == left


async def test_gzip_bomb_stops_early_in_small_pieces(transport: Transport) -> None:
    sizes: list[int] = []
    async with upstream(body_of(gzip.compress(bytes(32 * 1024 * 1024)), "gzip")) as server:
        response = await post(transport, server.url)
        with pytest.raises(TooLarge, match="inflates"):
            while True:
                sizes.append(len(await response.read()))
    assert max(sizes) <= 256 * 1024
    assert sum(sizes) <= 8 * 1024 * 1024
    assert transport.open_responses == 0


async def test_gzip_bomb_stops_at_the_limit_of_read_all(transport: Transport) -> None:
    async with upstream(body_of(gzip.compress(bytes(1024 * 1024)), "gzip")) as server:
        with pytest.raises(TooLarge, match="1000 bytes"):
            await (await post(transport, server.url)).read_all(1000)
    assert transport.open_responses == 0

"""How answers reach the socket, and what the fake sees of its clients."""

from __future__ import annotations

import asyncio
import gzip
import json

import aiohttp
import pytest

from tests.fakes.v1internal import STREAM
from tests.fakes_tests.v1internal_bodies import BEARER, GEMINI_3, Client, body, read, text, user


async def open_stream(client: Client, directives: str, **headers: str) -> aiohttp.ClientResponse:
    return await client.open(STREAM, body(GEMINI_3, user(directives)), headers=BEARER | headers)


async def lines(response: aiohttp.ClientResponse) -> list[bytes]:
    """Read until the end or the break; the events that came whole."""
    data = b""
    try:
        async for piece in response.content.iter_any():
            data += piece
    except aiohttp.ClientError as error:
        return [*data.split(b"\r\n\r\n")[:-1], type(error).__name__.encode()]
    return data.split(b"\r\n\r\n")[:-1]


async def test_drop_resets_the_connection_after_so_many_chunks(client: Client) -> None:
    got = await lines(await open_stream(client, "!say a text of several chunks\n!drop 2"))
    assert len(got) == 3
    assert got[-1] in {b"ClientOSError", b"ClientConnectionResetError", b"ClientPayloadError"}


async def test_drop_is_a_reset_and_not_an_end(client: Client) -> None:
    reader, writer = await raw_stream(client, "!say a text of several chunks\n!drop 1")
    with pytest.raises(ConnectionResetError):
        await reader.read(-1)
    writer.close()


async def test_drop_before_the_first_chunk_sends_no_headers(client: Client) -> None:
    with pytest.raises(aiohttp.ClientError):
        await open_stream(client, "!drop 0")


async def test_cut_ends_the_body_properly_without_a_finish(client: Client) -> None:
    response = await open_stream(client, "!say a text of several chunks\n!cut 2")
    chunks = read(await response.read())
    assert len(chunks) == 2
    assert "finishReason" not in chunks[-1]["response"]["candidates"][0]


async def test_fin_closes_the_connection_inside_the_body(client: Client) -> None:
    reader, writer = await raw_stream(client, "!say a text of several chunks\n!fin 1")
    data = b""
    while piece := await reader.read(65536):
        data += piece
    assert data.count(b"data: ") == 1
    assert not data.endswith(b"0\r\n\r\n")
    writer.close()


async def test_bytes_come_one_by_one_also_inside_a_character(client: Client) -> None:
    reader, writer = await raw_stream(client, "!say h\u00e9 \U0001f600\n!bytes", connection="close")
    data = await reader.read(-1)
    assert b"\r\n1\r\n\xc3\r\n1\r\n\xa9\r\n" in data
    writer.close()


async def test_gzip_is_sent_to_those_who_ask(client: Client) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        asking = Client(client.fake, session)
        response = await open_stream(asking, "!say some text\n!gzip", **{"Accept-Encoding": "gzip"})
        data = gzip.decompress(await response.read())
    assert response.headers["content-encoding"] == "gzip"
    assert text([chunk["response"] for chunk in read(data)]) == "some text"


async def test_gzip_is_not_sent_to_others(client: Client) -> None:
    response = await open_stream(client, "!say some text\n!gzip", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in response.headers
    response.close()


async def test_acked_chunks_wait_for_their_acknowledgement(client: Client) -> None:
    response = await open_stream(client, "!say a text of several chunks\n!acked")
    assert await response.content.readuntil(b"\r\n\r\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(response.content.readany(), 0.05)
    client.fake.ack()
    assert await response.content.readuntil(b"\r\n\r\n")
    response.close()


async def test_a_client_that_leaves_is_noticed(client: Client) -> None:
    response = await open_stream(client, "!say a text of several chunks\n!acked")
    response.close()
    await client.fake.wait_closed()
    assert (client.fake.requests[-1].closed_by_client, client.fake.requests[-1].ended) == (True, False)


async def test_a_client_that_leaves_before_the_first_byte_is_noticed(client: Client) -> None:
    waiting = asyncio.ensure_future(open_stream(client, "!slow 60"))
    await client.fake.wait_for(STREAM)
    waiting.cancel()
    await client.fake.wait_closed()
    await client.fake.wait_idle()
    assert client.fake.log.open_streams == 0


async def test_slow_waits_before_the_headers_and_stall_behind_them(client: Client) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(open_stream(client, "!slow 60"), 0.1)
    response = await asyncio.wait_for(open_stream(client, "!stall 60"), 5)
    assert response.status == 200
    response.close()


async def test_pace_keeps_chunks_apart(client: Client) -> None:
    started = asyncio.get_running_loop().time()
    await lines(await open_stream(client, "!say 12345678abcdefgh!\n!pace 30"))
    assert asyncio.get_running_loop().time() - started >= 0.06


async def test_connections_are_counted(client: Client) -> None:
    await client.ask("hi")
    assert client.fake.open_connections == 1


async def test_a_closed_base_refuses_connections_and_the_others_serve(client: Client) -> None:
    assert (await client.post("generateContent", body(GEMINI_3), base="b")).status == 200
    await client.fake.stop_base("b")
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post("generateContent", body(GEMINI_3), base="b")
    assert (await client.post("generateContent", body(GEMINI_3), base="c")).status == 200


async def raw_stream(
    client: Client, directives: str, *, connection: str = "keep-alive"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Call without an HTTP library, to see the bytes."""
    sent = json.dumps(body(GEMINI_3, user(directives))).encode()
    host, _, port = client.fake.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1internal:{STREAM}?alt=sse HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n"
    head += f"Authorization: Bearer static-1\r\nContent-Length: {len(sent)}\r\n\r\n"
    writer.write(head.encode() + sent)
    return reader, writer

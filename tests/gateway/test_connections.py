"""A small request goes to a connection at once, others by aiohttp's session: what the other side sees is the same."""

import asyncio
import socket
from base64 import b64encode
from contextlib import suppress

import pytest

from gateway.transport import ConnectFailed, Transport
from tests.gateway.wire import OK, connections, post, saying, upstream

pytestmark = pytest.mark.anyio

SMALL, LARGE = b"{}", b"x" * (1024 * 1024 + 1)
both = pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])


@both
async def test_a_user_of_the_url_goes_out_as_authorization(transport: Transport, body: bytes) -> None:
    async with upstream(saying(OK)) as server:
        await (await post(transport, server.url.replace("//", "//me:secret@"), body)).read_all(10)
    assert b"\r\nAuthorization: Basic " + b64encode(b"me:secret") + b"\r\n" in server.requests[0]


@both
async def test_a_host_that_is_given_takes_the_place_of_the_address(transport: Transport, body: bytes) -> None:
    async with upstream(saying(OK)) as server:
        response = await transport.send("POST", server.url, headers={"Host": "models.example"}, body=body)
        await response.read_all(10)
    assert [line for line in server.requests[0].split(b"\r\n") if line.lower().startswith(b"host:")] == [
        b"Host: models.example"
    ]


@both
async def test_what_comes_before_the_answer_is_passed_over(transport: Transport, body: bytes) -> None:
    before = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n"
    async with upstream(saying(before + OK)) as server:
        response = await post(transport, server.url, body)
        assert (response.status, await response.read_all(10)) == (200, b"ok")
        await (await post(transport, server.url, body)).read_all(10)
        assert server.connections == 1


@both
@pytest.mark.parametrize(("line", "opened"), [(b"204 No Content", 1), (b"101 Switching Protocols", 2)])
async def test_an_answer_without_a_body(transport: Transport, body: bytes, line: bytes, opened: int) -> None:
    async with upstream(saying(b"HTTP/1.1 " + line + b"\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")) as server:
        for _ in range(2):
            response = await post(transport, server.url, body)
            assert (response.status, await response.read_all(10)) == (int(line[:3]), b"")
            response.close()
        assert server.connections == opened


async def test_all_requests_share_the_connections(transport: Transport) -> None:
    async with upstream(saying(OK)) as server:
        for method, body in (("POST", SMALL), ("GET", None), ("POST", LARGE), ("POST", SMALL)):
            response = await transport.send(method, server.url, headers={}, body=body)
            await response.read_all(10)
            await asyncio.sleep(0)  # the session's writer ends behind the answer
        assert (len(server.requests), server.connections) == (4, 1)


async def test_who_answers_before_all_is_read_gets_no_other_request(transport: Transport) -> None:
    """What is left would stand before the next one, and perhaps is never read."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(OK)
                if b"Content-Length: 2" not in head:
                    break
                await reader.readexactly(2)
            assert isinstance(writer.transport, asyncio.Transport)
            writer.transport.pause_reading()

    opened: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1024)
    port = server.sockets[0].getsockname()[1]
    for body in (SMALL, LARGE[1:], SMALL):
        assert await (await post(transport, f"http://127.0.0.1:{port}", body)).read_all(10) == b"ok"
        for one in connections(port):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # which has less room than the large body
    assert [writer.transport.is_closing() for writer in opened] == [False, False]
    server.close()
    for writer in opened:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_of_strangers_servers_few_are_remembered() -> None:
    transport = Transport(allows=lambda _: False)
    for number in range(300):
        with pytest.raises(ConnectFailed):
            await post(transport, f"http://localhost:{number + 1}")
    assert 0 < len(transport._connections._servers) < 257
    await transport.close()

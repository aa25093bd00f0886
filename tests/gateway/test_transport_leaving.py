"""An exchange that is dropped leaves no connection behind, whatever its upstream does; over real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.transport import Transport
from tests.gateway.wire import CHUNKED, OK, Answer, Upstream, connections, deaf, post, saying, upstream
from tests.patience import patient

pytestmark = pytest.mark.anyio

LEFT_S, NEVER_S = 5, 25  # where the kernel, and TLS, wait 30


@pytest.fixture
async def transport(unproxied: None, certificates: tuple[Path, Path]) -> AsyncIterator[Transport]:
    made = Transport(trusts=ssl.create_default_context(cafile=str(certificates[0])))
    yield made
    await made.close()


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, certificates: tuple[Path, Path]) -> ssl.SSLContext | None:
    if request.param == "http":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates)
    return context


async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await saying(CHUNKED, b"2\r\nok\r\n")(reader, writer)
    await deaf(reader, writer)


async def more_than_is_held() -> AsyncIterator[bytes]:
    yield b"x" * 64 * 1024 * 1024


def connected(server: Upstream) -> list[socket.socket]:
    return list(connections(int(server.url.rpartition(":")[2])))


async def all_gone(server: Upstream) -> None:
    async with asyncio.timeout(min(patient(LEFT_S), NEVER_S)):
        while connected(server):  # noqa: ASYNC110 - sockets tell nobody
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("answer", [deaf, greeting], ids=["before an answer", "within an answer"])
async def test_an_upload_that_is_not_read(transport: Transport, tls: ssl.SSLContext | None, answer: Answer) -> None:
    async with upstream(answer, tls) as server:
        sending = asyncio.create_task(transport.send("POST", server.url, headers={}, body=more_than_is_held()))
        await server.asked.wait()
        if answer is greeting:
            (await sending).close()
        sending.cancel()
        await asyncio.wait([sending])
        await all_gone(server)
    assert transport.open_responses == 0


async def test_an_answer_of_one_who_does_not_listen(transport: Transport, tls: ssl.SSLContext | None) -> None:
    """TLS says goodbye, and waits to hear it."""
    async with upstream(greeting, tls) as server:
        response = await post(transport, server.url)
        assert len(connected(server)) == 1
        response.close()
        await all_gone(server)


async def test_what_was_read_to_its_end_stays_connected(transport: Transport, tls: ssl.SSLContext | None) -> None:
    async with upstream(saying(OK), tls) as server:
        for _ in range(3):
            response = await post(transport, server.url, b"x" * 3 * 1024 * 1024)
            assert await response.read_all(2) == b"ok"
            response.close()
        assert (server.connections, len(connected(server))) == (1, 1)

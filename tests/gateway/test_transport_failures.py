"""What each failure below HTTP is called, and that it leaves nothing open; over real sockets."""

import asyncio
import errno
import socket
import ssl
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.connections import reason
from gateway.transport import Broken, ConnectFailed, Transport, TransportError
from tests.gateway.wire import CHUNKED, OK, Answer, ending, post, resetting, saying, silence, upstream
from tests.patience import patient

pytestmark = pytest.mark.anyio


# Failures


async def test_refused_connection(transport: Transport) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectFailed, match="127.0.0.1"):
            await post(transport, f"http://127.0.0.1:{unheard.getsockname()[1]}")


async def test_unknown_host(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConnectFailed, match="upstream.invalid"):
        await post(transport, "http://upstream.invalid")


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    unencrypted = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted) + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_certificate_nobody_vouches_for(transport: Transport, tmp_path: Path) -> None:
    asyncio.get_running_loop().set_debug(False)  # in which a failed handshake is an error of the server
    async with upstream(saying(OK), self_signed(tmp_path)) as server:
        with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await post(transport, server.url)
    assert server.requests == []


async def test_server_without_tls(transport: Transport) -> None:
    def speak_first(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    async with await asyncio.start_server(speak_first, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectFailed):
            await post(transport, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def test_server_that_hangs_up_in_the_handshake(transport: Transport) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectFailed, match=f"^no connection to 127.0.0.1:{port}: [a-zA-Z]"):
            await post(transport, f"https://127.0.0.1:{port}")


async def test_handshake_that_never_ends_is_a_failed_connect(unproxied: None) -> None:
    transport = Transport(connect_s=0.05)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ConnectFailed, match=rf"^no connection to {at} within 0.05 s \(timeouts.connect\)$"):
            await post(transport, f"https://{at}")
    await transport.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(resetting(), "ClientOSError: Connection reset by peer", id="reset"),
        pytest.param(ending(), "before an answer", id="end"),
        pytest.param(ending(b"HTTP/1.1 200 OK\r\nContent-"), "before an answer", id="end-inside-the-headers"),
        pytest.param(saying(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "its response is not HTTP", id="not-http"),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000), "its response is not HTTP", id="headers-without-end"
        ),
    ],
)
async def test_connection_that_breaks_before_the_answer(transport: Transport, answer: Answer, words: str) -> None:
    async with upstream(answer) as server:
        with pytest.raises(Broken) as caught:
            await post(transport, server.url)
    assert (caught.value.before_response, str(caught.value)) == (True, words)
    assert len(server.requests) == 1


async def test_proxy_that_wants_a_password_is_a_failed_connect(transport: Transport) -> None:
    asks = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
    async with upstream(saying(asks)) as server:
        with pytest.raises(ConnectFailed, match="^the proxy responds with status 407$"):
            await post(transport, server.url)
    assert transport.open_responses == 0


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells")
@pytest.mark.parametrize("body", [b"{}", b"x" * 2 * 1024 * 1024])
async def test_connection_that_was_closed_while_idle_is_not_written_to(transport: Transport, body: bytes) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(OK)

    async with upstream(answer) as server:
        for _ in range(3):
            assert await (await post(transport, server.url, body)).read_all(10) == b"ok"
            writers[-1].transport.abort()
            await asyncio.sleep(0)  # it is closed, and the loop has not looked at our end of it
    assert (server.connections, len(server.requests)) == (3, 3)


STRAY = {
    "answer": b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 5\r\n\r\nstray",
    "event": b"data: late\n\n",
}


@pytest.mark.parametrize("stray", list(STRAY.values()), ids=list(STRAY))
async def test_what_comes_while_a_connection_is_idle_answers_nothing(transport: Transport, stray: bytes) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(OK)

    async with upstream(answer) as server, upstream(saying(OK)) as other:
        assert await (await post(transport, server.url)).read_all(10) == b"ok"
        writers[-1].write(stray)
        await (await post(transport, other.url)).read_all(10)  # by then the loop has read what came
        again = await post(transport, server.url)
        assert (again.status, await again.read_all(10)) == (200, b"ok")
    assert (server.connections, len(server.requests)) == (2, 2)


async def test_stale_connection_is_reported_and_not_tried_again(transport: Transport) -> None:
    answers = iter([saying(OK), ending()])

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next(answers)(reader, writer)

    async with upstream(once) as server:
        await (await post(transport, server.url)).read_all(10)
        with pytest.raises(Broken) as caught:
            await post(transport, server.url)
    assert caught.value.before_response
    assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(resetting(CHUNKED + b"3\r\none\r\n"), id="reset"),
        pytest.param(ending(CHUNKED + b"3\r\none\r\n"), id="end-between-chunks"),
        pytest.param(ending(CHUNKED + b"9\r\none"), id="end-inside-a-chunk"),
        pytest.param(ending(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none"), id="end-before-the-length"),
    ],
)
async def test_connection_that_breaks_inside_the_answer(transport: Transport, answer: Answer) -> None:
    async with upstream(answer) as server:
        with pytest.raises(Broken) as caught:
            await (await post(transport, server.url)).read_all(100)
    assert not caught.value.before_response
    assert transport.open_responses == 0


async def test_chunk_that_is_none(transport: Transport) -> None:
    go = asyncio.Event()

    async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        await go.wait()
        writer.write(b"3\r\none\r\nzzz\r\n")

    async with upstream(garbage) as server:
        response = await post(transport, server.url)
        go.set()
        await server.left.wait()
        with pytest.raises(Broken):
            await response.read_all(100)
    assert transport.open_responses == 0


@pytest.mark.parametrize("body", [pytest.param(b"{}", id="whole"), pytest.param(b"x" * 2_000_000, id="in-pieces")])
async def test_chunk_that_is_none_ends_the_wait_for_more(transport: Transport, body: bytes) -> None:
    go = asyncio.Event()

    async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"3\r\none\r\n")
        await go.wait()
        writer.write(b"zzz\r\n")

    async with upstream(garbage) as server:
        response = await post(transport, server.url, body)
        assert await response.read() == b"one"
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(Broken, match=r"^its response is not HTTP$") as caught:
            async with asyncio.timeout(patient(1)):
                await reading
    assert not caught.value.before_response
    assert transport.open_responses == 0


@pytest.mark.parametrize("answer", [saying(b"SSH-2.0\r\n\r\n"), resetting(), silence])
async def test_failure_repeats_nothing_of_the_request(transport: Transport, answer: Answer) -> None:
    secret = "not-to-be-seen"
    headers, query = {"authorization": f"Bearer {secret}"}, f"?key={secret}"
    async with upstream(answer) as server:
        with pytest.raises(TransportError) as caught:
            await transport.fetch("POST", server.url + query, headers=headers, timeout_s=0.05)
    assert secret not in "".join(traceback.format_exception(caught.value))
    assert secret not in repr(caught.value)


def test_reason_of_a_failed_upload_leaves_out_the_url() -> None:
    error = aiohttp.ClientOSError(errno.EPIPE, "Can not write request body for https://host/?key=secret")
    assert reason(error) == "ClientOSError: Broken pipe"


async def test_cancelled_send_closes_the_connection_at_once(transport: Transport) -> None:
    async with upstream(silence) as server:
        task = asyncio.create_task(post(transport, server.url))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(patient(0.5)):
            await server.left.wait()
    assert transport.open_responses == 0


async def test_cancelled_upload_closes_the_connection_at_once(transport: Transport) -> None:
    async with upstream(silence) as server:
        task = asyncio.create_task(post(transport, server.url, b"x" * 64 * 1024 * 1024))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(patient(0.5)):
            await server.left.wait()
    assert len(server.requests) == 0


async def test_cancelled_read_can_be_tried_again(transport: Transport) -> None:
    go = asyncio.Event()

    async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        await go.wait()
        writer.write(b"2\r\nok\r\n")

    async with upstream(late) as server:
        response = await post(transport, server.url)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.read(), 0.01)
        go.set()
        assert await response.read() == b"ok"
        response.close()


async def test_closing_the_transport_ends_what_is_open(transport: Transport) -> None:
    async with upstream(saying(CHUNKED)) as server:
        response = await post(transport, server.url)
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        await transport.close()
        with pytest.raises(Broken):
            await reading
        with pytest.raises(Broken):
            await response.read()
        await server.left.wait()
    assert transport.open_responses == 0

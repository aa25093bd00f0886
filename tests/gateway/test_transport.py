"""What goes over the wire and what comes back; over real sockets."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.transport import ConnectFailed, FirstByteTimeout, TooLarge, Transport
from tests.gateway.wire import CHUNKED, OK, Answer, ending, post, resetting, saying, silence, upstream
from tests.patience import patient

pytestmark = pytest.mark.anyio


# The request


async def test_nothing_is_added_to_a_request_but_host_coding_and_length(transport: Transport) -> None:
    async with upstream(saying(OK)) as server:
        await post(transport, f"{server.url}/v1internal:streamGenerateContent?alt=sse")
        host = server.url.removeprefix("http://").encode()
    head = b"POST /v1internal:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: " + host
    assert server.requests == [head + b"\r\nAccept-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}"]


async def test_given_headers_go_out_as_they_are(transport: Transport) -> None:
    given = {"User-Agent": "me/1", "Accept": "text/event-stream", "Content-Type": "application/json"}
    async with upstream(saying(OK)) as server:
        await transport.send("POST", server.url, headers={**given, "Accept-Encoding": "gzip"}, body=b"{}")
    lines = server.requests[0].split(b"\r\n")
    assert lines[2:6] == [
        b"Accept-Encoding: gzip",
        b"User-Agent: me/1",
        b"Accept: text/event-stream",
        b"Content-Type: application/json",
    ]


async def test_url_is_not_quoted_again(transport: Transport) -> None:
    path = "/a%2Fb/%7Ex/c%20d:verb?q=a+b%20c%2B&k=%C5%BC&e="
    async with upstream(saying(OK)) as server:
        await transport.send("GET", server.url + path, headers={})
    assert server.requests[0].startswith(b"GET " + path.encode() + b" HTTP/1.1\r\n")


async def pieces() -> AsyncIterator[bytes]:
    yield b'{"a":'
    yield b"1}"


async def test_a_body_in_pieces_has_the_length_that_was_given(transport: Transport) -> None:
    async with upstream(saying(OK)) as server:
        await transport.send("POST", server.url, headers={"content-length": "7"}, body=pieces())
    assert server.requests[0].endswith(b'content-length: 7\r\n\r\n{"a":1}')


async def test_without_a_length_it_comes_in_chunks(transport: Transport) -> None:
    chunks: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chunks.append(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(OK)

    async with upstream(answer) as server:
        await transport.send("POST", server.url, headers={}, body=pieces())
    assert chunks == [b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n']


async def test_what_breaks_a_body_off_comes_as_it_is(transport: Transport) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"{"
        raise ZeroDivisionError

    async with upstream(silence) as server:
        with pytest.raises(ZeroDivisionError):
            await transport.send("POST", server.url, headers={"content-length": "9"}, body=broken())
        await server.left.wait()


@pytest.mark.parametrize("size", [0, 1024 * 1024, 3 * 1024 * 1024])
async def test_body_goes_out_with_its_length_never_chunked(transport: Transport, size: int) -> None:
    async with upstream(saying(OK)) as server:
        await post(transport, server.url, b"x" * size)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % size in head.split(b"\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == b"x" * size


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b"])
async def test_header_that_would_split_is_refused_before_a_byte_is_sent(transport: Transport, value: str) -> None:
    async with upstream(saying(OK)) as server:
        with pytest.raises(ConnectFailed, match="must not be sent"):
            await transport.send("POST", server.url, headers={"x-name": value}, body=b"{}")
    assert server.requests == []
    assert not server.asked.is_set()


@pytest.mark.parametrize("path", ["/a b", "/a\r\nx: 1", "/ż", "/\0", ":port"])
async def test_url_that_must_be_quoted_is_refused(transport: Transport, path: str) -> None:
    async with upstream(saying(OK)) as server:
        with pytest.raises(ConnectFailed):
            await transport.send("GET", server.url + path, headers={})
    assert server.connections == 0


# aiohttp's defaults, turned off


async def test_redirect_is_an_answer_and_not_followed(transport: Transport) -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with upstream(saying(moved)) as server:
        response = await post(transport, server.url)
    assert (response.status, response.headers["LOCATION"]) == (307, "/elsewhere")
    assert len(server.requests) == 1


async def test_a_header_of_many_kilobytes_is_one(transport: Transport) -> None:
    policy = b"x" * 60_000
    async with upstream(saying(OK.replace(b"\r\n\r\n", b"\r\nPolicy: " + policy + b"\r\n\r\n"))) as server:
        response = await post(transport, server.url)
    assert response.headers["policy"].encode() == policy


async def test_many_headers_are_an_answer(transport: Transport) -> None:
    many = b"".join(b"\r\nX-Upstream-%d: x" % number for number in range(200))
    async with upstream(saying(OK.replace(b"\r\n\r\n", many + b"\r\n\r\n"))) as server:
        assert "x-upstream-199" in (await post(transport, server.url)).headers


async def test_cookies_are_not_kept(transport: Transport) -> None:
    async with upstream(saying(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: account=1\r\n\r\n"))) as server:
        named = server.url.replace("127.0.0.1", "localhost")  # aiohttp keeps no cookies of an address anyway
        for _ in range(2):
            await (await post(transport, named)).read_all(10)
    assert b"ookie" not in server.requests[1]


async def test_more_connections_than_a_hundred(transport: Transport) -> None:
    async with upstream(saying(CHUNKED)) as server:
        responses = [await post(transport, server.url) for _ in range(110)]
        assert (server.connections, transport.open_responses) == (110, 110)
        for response in responses:
            response.close()
    assert transport.open_responses == 0


async def test_no_time_limit_on_a_whole_answer(transport: Transport) -> None:
    assert transport._session.timeout.total is None
    assert transport._session.timeout.sock_read is None


async def test_netrc_does_not_meddle_with_authorization(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transport: Transport
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with upstream(saying(OK)) as server:
        await transport.send("GET", server.url, headers={"authorization": "Bearer mine"})
    assert b"\r\nauthorization: Bearer mine\r\n" in server.requests[0]


async def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream(saying(OK)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:pass@"))
        transport = Transport()
        await transport.send("GET", "http://upstream.invalid/x?y=%2F", headers={})
        await transport.close()
    assert proxy.requests[0].startswith(b"GET http://upstream.invalid/x?y=%2F HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n" in proxy.requests[0]


@pytest.mark.parametrize(("near", "direct"), [("127.0.0.0/8", 1), ("10.0.0.0/8, ::1/128", 0), ("127.0.0.1/33", 0)])
async def test_no_proxy_leads_to_a_network_that_no_proxy_names(
    monkeypatch: pytest.MonkeyPatch, near: str, direct: int
) -> None:
    async with upstream(saying(OK)) as proxy, upstream(saying(OK)) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", near)
        transport = Transport()
        await transport.send("GET", server.url, headers={})
        await transport.close()
    assert (len(proxy.requests), len(server.requests)) == (1 - direct, direct)


async def test_no_proxy_resolves_what_only_some_addresses_are_allowed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream(saying(OK)) as proxy, upstream(saying(OK)) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        transport = Transport(allows=lambda _: True)
        await transport.send("GET", server.url, headers={})
        await transport.close()
    assert (len(proxy.requests), len(server.requests)) == (0, 1)


async def test_a_name_of_a_stranger_that_is_never_resolved_keeps_no_other_from_being(
    monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    begun, ended = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **options: Any) -> Any:
        if host != "silent.test":
            return real(host, *more, **options)
        begun.set()
        ended.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    guarded = Transport(allows=lambda _: True)
    waiting = asyncio.create_task(post(guarded, "http://silent.test"))
    try:
        while not begun.is_set():  # noqa: ASYNC110 - threads tell no loop
            await asyncio.sleep(0.002)
        async with asyncio.timeout(patient(20)), upstream(saying(OK)) as server:
            await post(transport, server.url.replace("127.0.0.1", "localhost"))
    finally:
        ended.set()
        with pytest.raises(ConnectFailed, match="Temporary failure in name resolution"):
            await waiting
        await guarded.close()


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
async def test_proxy_without_a_scheme_speaks_http(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async with upstream(saying(OK)) as proxy:
        monkeypatch.setenv(name, proxy.url.removeprefix("http://"))
        transport = Transport()
        await transport.send("GET", "http://upstream.invalid/x", headers={})
        await transport.close()
    assert proxy.requests[0].startswith(b"GET http://upstream.invalid/x HTTP/1.1\r\n")


@pytest.mark.parametrize(("name", "other"), [("http_proxy", "HTTP://proxy.invalid"), ("", "socks5h://proxy.invalid")])
async def test_proxy_for_all_stands_behind_that_of_the_scheme_and_is_none_of_socks(
    monkeypatch: pytest.MonkeyPatch, name: str, other: str
) -> None:
    monkeypatch.setenv("all_proxy", other)
    async with upstream(saying(OK)) as server:
        if name:
            monkeypatch.setenv(name, server.url)
        transport = Transport()
        await transport.send("GET", "http://upstream.invalid/x" if name else f"{server.url}/x", headers={})
        await transport.close()
    assert server.requests


async def test_proxy_for_all_of_no_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://me:hidden@:0")
    transport = Transport()
    with pytest.raises(ConnectFailed, match="ALL_PROXY is not the address"):
        await transport.send("GET", "https://upstream.invalid/", headers={})
    await transport.close()


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("socks5://me:hidden@127.0.0.1:1080", "HTTPS_PROXY names a socks5 proxy"),
        ("nonsense://x", "HTTPS_PROXY names a nonsense proxy"),
        ("http://me:hidden@:0", "HTTPS_PROXY is not the address"),
        ("http://me:hidden@proxy:words", "HTTPS_PROXY is not the address"),
        ("http://127.0.0.1:1", "no connection to the proxy 127.0.0.1:1"),
        ("http://me:hidden@proxy.invalid:3128", "no connection to the proxy proxy.invalid:3128: "),
    ],
)
async def test_proxy_of_no_use_is_named(monkeypatch: pytest.MonkeyPatch, proxy: str, said: str) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    transport = Transport()
    with pytest.raises(ConnectFailed, match=said) as raised:
        await transport.send("GET", "https://upstream.invalid/", headers={})
    await transport.close()
    assert "hidden" not in str(raised.value)


async def test_proxy_that_refuses_the_tunnel_is_a_failed_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with upstream(saying(refusal)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        transport = Transport()
        with pytest.raises(ConnectFailed, match="the proxy responds with status 407"):
            await transport.send("GET", "https://upstream.invalid/", headers={"authorization": "Bearer mine"})
        await transport.close()
    assert proxy.requests[0].startswith(b"CONNECT upstream.invalid:443 HTTP/1.1\r\n")
    assert b"Bearer mine" not in proxy.requests[0]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ending(b""), "before an answer"),
        (resetting(b""), "ClientOSError: Connection reset by peer"),
        (saying(b"nonsense\r\n\r\n"), "its response is not HTTP"),
    ],
)
async def test_proxy_that_does_not_answer_is_no_upstream_that_has_heard(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, said: str
) -> None:
    async with upstream(answer) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        transport = Transport()
        with pytest.raises(ConnectFailed, match=f"the proxy opened no tunnel: {said}"):
            await transport.send("POST", "https://upstream.invalid/", headers={}, body=b"{}")
        await transport.close()


async def test_proxy_that_speaks_no_tls_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as proxy:
        address = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("https_proxy", f"https://{address}")
        transport = Transport()
        with pytest.raises(ConnectFailed, match=rf"^no connection to the proxy {address}: \[SSL"):
            await transport.send("GET", "https://upstream.invalid/", headers={})
        await transport.close()


async def test_proxy_that_is_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        transport = Transport(connect_s=0.05)
        with pytest.raises(ConnectFailed, match="^no connection through the proxy to upstream.invalid:443 within"):
            await transport.send("GET", "https://upstream.invalid/", headers={})
        await transport.close()


async def test_host_of_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    transport = Transport()
    async with upstream(saying(OK)) as server:
        assert (await transport.send("GET", server.url, headers={})).status == 200
    await transport.close()


async def test_slow_reader_stops_the_sender(transport: Transport) -> None:
    total, sent, done = 64 * 1024 * 1024, 0, asyncio.Event()

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent < total:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536
        done.set()

    async with upstream(flood) as server:
        response = await post(transport, server.url)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(done.wait(), 0.5)
        assert sent < 16 * 1024 * 1024
        first = await response.read()
        assert len(first) <= 512 * 1024
        assert len(first) + len(await response.read_all(total)) == total


# The answer


async def test_body_comes_in_the_pieces_that_came(transport: Transport) -> None:
    go = asyncio.Event()

    async def two_pieces(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"3\r\none\r\n")
        await go.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with upstream(two_pieces) as server:
        response = await post(transport, server.url)
        assert await response.read() == b"one"
        go.set()
        assert [await response.read() for _ in range(3)] == [b"two", b"", b""]


async def test_connection_is_used_again_after_a_whole_answer(transport: Transport) -> None:
    async with upstream(saying(OK)) as server:
        for _ in range(3):
            response = await post(transport, server.url)
            assert await response.read_all(10) == b"ok"
            assert transport.open_responses == 0
            response.close()
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_an_end_that_came_with_the_last_piece_is_known_with_it(transport: Transport) -> None:
    async with upstream(saying(OK)) as server:
        response = await post(transport, server.url)
        assert not response.ended
        assert (await response.read(), response.ended) == (b"ok", True)
        assert transport.open_responses == 0


async def test_close_before_the_end_drops_the_connection(transport: Transport) -> None:
    async with upstream(saying(CHUNKED)) as server:
        response = await post(transport, server.url)
        assert transport.open_responses == 1
        response.close()
        response.close()
        assert transport.open_responses == 0
        async with asyncio.timeout(patient(0.5)):
            await server.left.wait()


async def test_read_all_stops_at_its_limit(transport: Transport) -> None:
    async with upstream(saying(OK)) as server:
        assert await (await post(transport, server.url)).read_all(2) == b"ok"
        response = await post(transport, server.url)
        with pytest.raises(TooLarge, match="1 bytes"):
            await response.read_all(1)
        assert transport.open_responses == 0


async def test_fetch_gives_the_whole_answer(transport: Transport) -> None:
    async with upstream(saying(OK.replace(b"200 OK", b"429 Slow\r\nRetry-After: 3"))) as server:
        whole = await transport.fetch("GET", server.url, headers={}, timeout_s=5.0)
    assert (whole.status, whole.headers["retry-after"], whole.body) == (429, "3", b"ok")


@pytest.mark.parametrize("answer", [silence, saying(CHUNKED)], ids=["no-headers", "no-end"])
async def test_fetch_ends_in_time(transport: Transport, answer: Answer) -> None:
    async with upstream(answer) as server:
        with pytest.raises(FirstByteTimeout):
            await transport.fetch("GET", server.url, headers={}, timeout_s=0.05)
        await server.left.wait()
    assert transport.open_responses == 0


async def test_fetch_stops_at_its_limit(transport: Transport) -> None:
    async with upstream(saying(OK)) as server:
        with pytest.raises(TooLarge):
            await transport.fetch("GET", server.url, headers={}, timeout_s=5.0, max_bytes=1)


# What it repeats

SHOWN = {"authorization": "Bearer canary-token"}


def repeating(status: int) -> Answer:
    return saying(b"HTTP/1.1 %d X\r\nContent-Length: 18\r\n\r\nno canary-token 1." % status)


@pytest.mark.parametrize(("status", "said"), [(401, b"no *** 1."), (200, b"no canary-token 1.")])
async def test_a_refusal_comes_without_the_token_that_it_repeats(
    transport: Transport, status: int, said: bytes
) -> None:
    async with upstream(repeating(status)) as server:
        response = await transport.send("POST", server.url, headers=SHOWN, body=b"{}")
        assert await response.read_all(100) == said
        assert response.concealed(b"canary-token") == b"***"


async def test_a_refusal_comes_without_the_form_that_it_repeats(transport: Transport) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    async with upstream(repeating(400)) as server:
        answer = await transport.fetch("POST", server.url, headers=form, body=b"code=canary-token", timeout_s=5)
    assert answer.body == b"no *** 1."

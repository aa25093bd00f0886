"""The address on this machine to which the browser comes back with Google's answer."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct

from gateway.cli.login_listener import PATH, listening, opened
from gateway.transport import Transport, Whole
from gateway.upstream import Consent, LoginFailed
from tests.patience import patient

pytestmark = pytest.mark.anyio

CONSENT = Consent(url="", state="st-ate", verifier="v", redirect_uri="")
RIGHT = f"{PATH}?state=st-ate&code=4/abc"
WRONG = f"{PATH}?state=another&code=4/abc"


class Visited(Struct):
    """A listener that waits, and a browser."""

    port: int
    answer: asyncio.Future[str]
    transport: Transport

    async def get(self, path: str, host: str | None = None, method: str = "GET") -> Whole:
        headers = {} if host is None else {"host": host}
        url = f"http://127.0.0.1:{self.port}{path}"
        return await self.transport.fetch(method, url, headers=headers, timeout_s=5)


@pytest.fixture
async def page() -> AsyncIterator[Visited]:
    """Listen for an answer."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    transport = Transport()
    with opened() as listener:
        port = listener.getsockname()[1]
        async with listening(listener, CONSENT, answer):
            yield Visited(port, answer, transport)
    await transport.close()


async def test_the_code_is_taken_and_the_page_says_so(page: Visited) -> None:
    shown = await page.get(RIGHT)
    assert (shown.status, page.answer.result()) == (200, "4/abc")
    assert b"you can close this page" in shown.body


async def test_the_page_tells_nobody_of_its_address(page: Visited) -> None:
    shown = await page.get(RIGHT)
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "server" not in shown.headers
    assert b"abc" not in shown.body


async def test_an_answer_to_another_login_is_refused_and_the_right_one_still_awaited(page: Visited) -> None:
    shown = await page.get(WRONG)
    assert shown.status == 400
    assert b"this response belongs to another login" in shown.body
    assert not page.answer.done()
    await page.get(RIGHT)
    assert page.answer.result() == "4/abc"


async def test_a_denial_ends_the_login(page: Visited) -> None:
    shown = await page.get(f"{PATH}?state=st-ate&error=access_denied")
    assert shown.status == 400
    assert b"access was denied" in shown.body
    with pytest.raises(LoginFailed, match="access was denied"):
        page.answer.result()


async def test_the_first_answer_counts(page: Visited) -> None:
    await page.get(RIGHT)
    await page.get(f"{PATH}?state=st-ate&code=4/later")
    await page.get(f"{PATH}?state=st-ate&error=access_denied")
    assert page.answer.result() == "4/abc"


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "[::1]"])
async def test_a_foreign_host_is_refused(page: Visited, host: str) -> None:
    assert (await page.get(RIGHT, host)).status == 421
    assert not page.answer.done()


@pytest.mark.parametrize("path", ["/", "/favicon.ico", f"{PATH}/", f"/x{PATH}"])
async def test_there_is_one_path(page: Visited, path: str) -> None:
    assert (await page.get(f"{path}?state=st-ate&code=4/abc")).status == 404
    assert not page.answer.done()


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
async def test_only_reading_the_page_counts(page: Visited, method: str) -> None:
    shown = await page.get(RIGHT, method=method)
    assert (shown.status, shown.headers["allow"]) == (405, "GET")
    assert not page.answer.done()


async def test_it_listens_on_loopback_only() -> None:
    with opened() as first, opened() as second:
        assert {first.getsockname()[0], second.getsockname()[0]} == {"127.0.0.1"}
        assert first.getsockname()[1] != second.getsockname()[1]


async def test_it_closes_at_once_also_with_a_connection_open() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with opened() as listener:
        address = listener.getsockname()
        async with listening(listener, CONSENT, answer):
            reader, writer = await asyncio.open_connection(*address)  # as browsers do, in advance
            writer.write(f"GET {RIGHT} HTTP/1.1\r\nhost: 127.0.0.1:{address[1]}\r\n\r\n".encode())
            assert await answer == "4/abc"
            since = time.monotonic()
        assert time.monotonic() - since < patient(5)  # else it would wait for the browser
        assert b"you can close this page" in await reader.read()
        writer.close()
        await writer.wait_closed()
    with socket.socket() as later, pytest.raises(ConnectionRefusedError):
        later.connect(address)

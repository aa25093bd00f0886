"""Files are fetched by their address within bounds, and never from where a stranger has no business."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from gateway import fetching, ir
from gateway.errors import InvalidRequest
from gateway.fetching import Fetcher, addresses, placed
from gateway.public import is_public
from gateway.transport import Transport, Whole
from tests.gateway.wire import saying, upstream
from tests.pictures import PIXEL, Pictures, Reply

pytestmark = pytest.mark.anyio

PATH = "messages[0].content[1].image_url.url"

Fetch = Callable[..., Awaitable[ir.Media]]


def fetcher(transport: Transport, log: LogCapture | None = None) -> Fetcher:
    return Fetcher(transport, structlog.wrap_logger(None, processors=[log or LogCapture()]))


@pytest.fixture
async def fetch(certificates: tuple[Path, Path], resolves: dict[str, list[str]]) -> AsyncIterator[Fetch]:
    """Fetch one file where this machine's own address counts as public, or another rule holds."""
    transports: list[Transport] = []

    async def fetch(url: str, allows: Callable[[str], bool] = lambda _: True) -> ir.Media:
        trusts = ssl.create_default_context(cafile=str(certificates[0]))
        transports.append(Transport(allows=allows, trusts=trusts))
        found = await fetcher(transports[-1]).fetch([ir.Media(media_type="image/*", url=url, path=PATH)])
        return found[url]

    yield fetch
    for transport in transports:
        await transport.close()


async def refused(fetch: Fetch, url: str, allows: Callable[[str], bool] = is_public) -> str:
    with pytest.raises(InvalidRequest) as caught:
        await fetch(url, allows)
    assert caught.value.param == PATH
    assert caught.value.message.startswith(PATH)
    return caught.value.message


async def test_a_file_comes_as_bytes_with_its_type(fetch: Fetch, pictures: Pictures) -> None:
    file = await fetch(pictures.url("/dot.png"))
    assert (file.media_type, base64.b64decode(file.data or "")) == ("image/png", PIXEL)
    assert pictures.requests == [("pictures.test", "/dot.png")]


async def test_a_server_that_does_not_say_the_type_is_no_hindrance(fetch: Fetch, pictures: Pictures) -> None:
    pictures.replies["/x"] = (200, {"content-type": "application/octet-stream"}, PIXEL)
    assert (await fetch(pictures.url("/x"))).media_type == "image/png"


PLAIN = "only https URLs are fetched"
HOST = "the URL must have a host, and neither user nor password"
QUOTED = "has characters that must be quoted"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://pictures.test:PORT/dot.png", PLAIN),
        ("ftp://pictures.test:PORT/dot.png", PLAIN),
        ("file:///etc/passwd", PLAIN),
        ("gs://bucket/dot.png", PLAIN),
        ("https:///dot.png", HOST),
        ("https://user:secret@pictures.test:PORT/dot.png", HOST),
        ("https://pictures.test@other.test:PORT/dot.png", HOST),
        ("https://@pictures.test:PORT/dot.png", HOST),
        ("https://pictures.test:PORT/a b", QUOTED),
        ("https://pictures.test:PORT/\r\nhost: x", QUOTED),
        ("https://pictures.test:PORT/\u017c", QUOTED),
    ],
)
async def test_addresses_that_are_not_plain_https_are_refused(
    fetch: Fetch, pictures: Pictures, url: str, why: str
) -> None:
    assert why in await refused(fetch, url.replace("PORT", str(pictures.port)), lambda _: True)
    assert pictures.requests == []


async def test_a_file_that_would_come_in_clear_is_not_asked_for(fetch: Fetch, pictures: Pictures) -> None:
    async with upstream(saying(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 1\r\n\r\nx")) as server:
        assert PLAIN in await refused(fetch, server.url, lambda _: True)
        pictures.replies["/old"] = (302, {"location": server.url}, b"")
        assert PLAIN in await refused(fetch, pictures.url("/old"), lambda _: True)
    assert server.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.0.0.1",
        "127.0.0.1.",
        "localhost",
        "localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "100.64.0.1",
        "pictures.test",
    ],
)
async def test_what_leads_to_a_private_address_is_refused_without_a_connection(
    fetch: Fetch, pictures: Pictures, host: str
) -> None:
    await refused(fetch, pictures.url("/dot.png", host))
    assert pictures.requests == []


async def test_one_private_address_among_public_ones_is_enough(
    fetch: Fetch, pictures: Pictures, resolves: dict[str, list[str]]
) -> None:
    resolves["pictures.test"] = ["1.1.1.1", "127.0.0.1"]
    assert "not public" in await refused(fetch, pictures.url("/dot.png"))
    assert pictures.requests == []


async def test_a_name_that_changes_after_the_look_changes_nothing(
    fetch: Fetch, pictures: Pictures, resolves: dict[str, list[str]]
) -> None:
    """The connection goes to the address that was looked at: another name server's answer is not asked for."""
    looks: list[str] = []

    def allows(address: str) -> bool:
        looks.append(address)
        resolves["pictures.test"] = ["10.0.0.1"]
        return address == "127.0.0.1"

    assert (await fetch(pictures.url("/dot.png"), allows)).data is not None
    assert looks == ["127.0.0.1"]


async def test_a_redirect_is_followed(fetch: Fetch, pictures: Pictures) -> None:
    pictures.replies["/old"] = (302, {"location": "/dot.png"}, b"")
    pictures.replies["/older"] = (301, {"location": pictures.url("/old", "other.test")}, b"")
    assert (await fetch(pictures.url("/older"))).media_type == "image/png"
    assert pictures.requests == [("pictures.test", "/older"), ("other.test", "/old"), ("other.test", "/dot.png")]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("https://inside.test/dot.png", "not public"),
        ("https://10.0.0.1/", "not public"),
        ("http://other.test/dot.png", PLAIN),
        ("https://user:secret@other.test/dot.png", HOST),
        ("https://other.test/a b", QUOTED),
        ("", "more than 3 times"),
    ],
)
async def test_a_redirect_to_where_nobody_may_go_is_refused(
    fetch: Fetch, pictures: Pictures, resolves: dict[str, list[str]], target: str, why: str
) -> None:
    resolves["inside.test"] = ["10.0.0.1"]
    pictures.replies["/old"] = (302, {"location": target}, b"")
    assert why in await refused(fetch, pictures.url("/old"), lambda address: address == "127.0.0.1")
    assert {path for _, path in pictures.requests} == {"/old"}


async def test_redirects_end(fetch: Fetch, pictures: Pictures) -> None:
    pictures.replies["/round"] = (302, {"location": "/round"}, b"")
    assert "more than 3 times" in await refused(fetch, pictures.url("/round"), lambda _: True)
    assert len(pictures.requests) == 4


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((404, {}, b"no"), "status 404"),
        ((500, {}, b""), "status 500"),
        ((200, {"content-type": "image/png"}, b""), "sends nothing"),
        ((200, {"content-type": "text/html"}, b"<p>"), "'text/html' is not supported"),
        ((200, {"content-type": "image/png"}, b"x" * (10 * 2**20 + 1)), "larger than 10 MB"),
    ],
)
async def test_what_is_no_file_of_ours_is_refused(fetch: Fetch, pictures: Pictures, reply: Reply, words: str) -> None:
    pictures.replies["/x"] = reply
    assert words in await refused(fetch, pictures.url("/x"), lambda _: True)


async def test_a_slow_server_is_given_up(fetch: Fetch, pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_TIMEOUT_S", 0.2)
    pictures.stall = True
    assert "takes longer than" in await refused(fetch, pictures.url("/dot.png"), lambda _: True)


async def test_slow_redirects_have_no_more_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leading(Transport):
        async def fetch(self, method: str, url: str, **options: object) -> Whole:
            await asyncio.sleep(0.05)
            return Whole(302, {"location": "/on"}, b"")

    monkeypatch.setattr(fetching, "_TIMEOUT_S", 0.1)
    transport = Leading()
    with pytest.raises(InvalidRequest, match="takes longer than"):
        await fetcher(transport).fetch([ir.Media(media_type="image/*", url="https://pictures.test/", path=PATH)])
    await transport.close()


async def test_a_certificate_that_nobody_vouches_for_is_refused(pictures: Pictures, resolves: object) -> None:
    """The caller reads that it failed, and the log says why: what a name resolves to is not for strangers."""
    transport, log = Transport(allows=lambda _: True), LogCapture()
    with pytest.raises(InvalidRequest, match="its server cannot be reached; send"):
        await fetcher(transport, log).fetch([ir.Media(media_type="image/*", url=pictures.url("/dot.png"), path=PATH)])
    await transport.close()
    (entry,) = log.entries
    assert (entry["log_level"], entry["event"], entry["host"]) == ("info", "a file cannot be fetched", "pictures.test")
    assert "certificate" in entry["reason"]


async def test_too_many_files_are_refused_at_once() -> None:
    transport = Transport(allows=is_public)
    files = [
        ir.Media(media_type="image/*", url=f"https://{number}.test/", path=f"at[{number}]") for number in range(21)
    ]
    with pytest.raises(InvalidRequest, match=r"^at\[20\]: more than 20 files"):
        await fetcher(transport).fetch(files)
    await transport.close()


def test_what_a_tool_gives_the_address_of_is_fetched_too() -> None:
    inside, beside = (ir.Media(media_type="image/*", url=f"https://{name}.test/", path=name) for name in ("a", "b"))
    parts = (ir.ToolResult(id="c1", parts=(ir.Text(text="see"), inside)), beside)
    request = ir.Request(model="m", turns=(ir.Turn(role="user", parts=parts),))
    assert addresses(request) == [inside, beside]


def test_what_was_fetched_takes_the_place_of_every_mention() -> None:
    url = "https://pictures.test/dot.png"
    mention = ir.Media(media_type="image/*", url=url, detail="low", path=PATH)
    there = ir.Media(media_type="image/png", data="AAAA", path=PATH)
    result = ir.ToolResult(id="c1", parts=(ir.Text(text="see"), mention))
    request = ir.Request(
        model="m",
        turns=(ir.Turn(role="user", parts=(ir.Text(text="hi"), mention, there)), ir.Turn(role="user", parts=(result,))),
    )
    assert [media.url for media in addresses(request)] == [url]
    filled = placed(request, {url: ir.Media(media_type="image/png", data="BBBB")}, lambda _: True)
    assert addresses(filled) == []
    first, second = filled.turns
    assert first.parts[1] == ir.Media(media_type="image/png", data="BBBB", detail="low", path=PATH)
    assert first.parts[2] == there
    assert isinstance(second.parts[0], ir.ToolResult)
    assert second.parts[0].parts[1] == first.parts[1]

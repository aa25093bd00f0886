"""Addresses by which requests have tried to lead servers astray: none is connected to, nor resolved for the caller."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from gateway import ir
from gateway.errors import InvalidRequest
from gateway.fetching import Fetcher
from gateway.public import is_public
from gateway.transport import Transport
from tests.patience import patient

pytestmark = pytest.mark.anyio

HERE = "https://{}:PORT/dot.png"
HOSTS = (
    # loopback, in each way to write it
    *("127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1", "0x7f000001", "0x7f.1"),
    *("0x7F.0.0.1", "00000177.0.0.1", "127.0.0.1.", "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost."),
    *("[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1%25lo]"),
    # private networks, and the addresses at which clouds tell secrets
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "169.254.169.254.", "2852039166"),
    *("0xA9FEA9FE", "[fd00:ec2::254]", "[fe80::1]", "[fc00::1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"),
    *("[2002:7f00:1::1]", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    # names that lead there
    *("pictures.test", "pictures.test.", "inside.test", "metadata.test", "shared.test", "unique.test", "mixed.test"),
    # what is read in two ways
    *("1.1.1.1@127.0.0.1", "user:pass@127.0.0.1", "127.0.0.1#@1.1.1.1", "127.0.0.1\\@1.1.1.1", "127.0.0.1%2f@1.1.1.1"),
    *(
        "%31%32%37.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "127.0.0.1%00.example",
        "127.0.0.1 ",
        "\t127.0.0.1",
        "[127.0.0.1]",
    ),
)
ADDRESSES = (
    *(HERE.format(host) for host in HOSTS),
    *("http://pictures.test:PORT/dot.png", "//127.0.0.1:PORT/dot.png", "https:127.0.0.1:PORT/dot.png"),
    *("file:///etc/passwd", "gopher://127.0.0.1:PORT/_GET", "data:text/plain,x", "ftp://127.0.0.1:PORT/"),
    *("https:///127.0.0.1:PORT/dot.png", "https://127.0.0.1:PORT\r\nhost: x", "HTTPS://127.0.0.1:PORT/dot.png", ""),
)
NAMES = {
    "pictures.test.": ["127.0.0.1"],
    "inside.test": ["10.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "shared.test": ["100.64.0.1"],
    "unique.test": ["fd00::1"],
    "mixed.test": ["1.1.1.1", "127.0.0.1"],
}


async def refusal(url: str, certificates: tuple[Path, Path]) -> str:
    transport = Transport(allows=is_public, trusts=ssl.create_default_context(cafile=str(certificates[0])))
    try:
        with pytest.raises(InvalidRequest) as caught:
            await Fetcher(transport, structlog.get_logger()).fetch([ir.Media(media_type="image/*", url=url, path="at")])
    finally:
        await transport.close()
    return caught.value.message


def test_there_are_enough() -> None:
    assert len(set(ADDRESSES)) >= 40


class Door:
    """Counts who knocks, before a word is said: a handshake that fails is a connection, too."""

    def __init__(self) -> None:
        self.port = 0
        self.knocks = 0

    def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.knocks += 1
        writer.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    async with await asyncio.start_server(made, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


async def test_the_door_is_where_the_addresses_lead(door: Door) -> None:
    for host in ("127.0.0.1", "127.1", "2130706433", "localhost", "0"):
        _, writer = await asyncio.open_connection(host, door.port)
        writer.close()
    async with asyncio.timeout(patient(5)):
        while door.knocks < 5:  # noqa: ASYNC110 - the sockets tell nobody else
            await asyncio.sleep(0)


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
async def test_it_is_refused_without_a_connection(
    address: str, door: Door, resolves: dict[str, list[str]], certificates: tuple[Path, Path]
) -> None:
    resolves.update(NAMES)
    message = await refusal(address.replace("PORT", str(door.port)), certificates)
    assert door.knocks == 0
    assert message.startswith("at: cannot be fetched: ")
    assert not any(one in message for found in NAMES.values() for one in found)  # nor what a name leads to

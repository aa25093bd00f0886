"""Row 1 of docs/faults.md: an upstream that cannot be reached."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.matrix.upstreams import UPSTREAMS
from tests.conformance.openai_api import CALLERS
from tests.faults.server import FaultServer, listening
from tests.faults.site import DIALECTS, KINDS, Site, running
from tests.faults.wires import body
from tests.gateway.test_transport_failures import self_signed

pytestmark = pytest.mark.anyio

TRIES = 60  # an early one does where the machine is idle
NEXT_S = 0.05
TABLES = ("google", "gemini", "vertex", "openai", "responses", "azure", "azure-v1", "anthropic")
OK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"role":"assistant","content":"next"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
KIND = pytest.mark.parametrize("kind", KINDS)


async def refused(_: Path, stack: AsyncExitStack) -> str:
    unheard = stack.enter_context(socket.socket())
    unheard.bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{unheard.getsockname()[1]}"


async def unknown(_: Path, stack: AsyncExitStack) -> str:
    """Ask no resolver: how long one takes for a name that nobody has is the machine's affair."""
    resolve = socket.getaddrinfo

    def found(host: Any, *more: Any, **options: Any) -> Any:
        if host == "upstream.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *more, **options)

    stack.enter_context(pytest.MonkeyPatch.context()).setattr(socket, "getaddrinfo", found)
    return "http://upstream.invalid"


async def untrusted(folder: Path, stack: AsyncExitStack) -> str:
    asyncio.get_running_loop().set_debug(False)  # in which a failed handshake is an error of the server
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=self_signed(folder))
    await stack.enter_async_context(server)
    return f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


DEAD = {"refused": refused, "unknown-host": unknown, "untrusted-tls": untrusted}


@pytest.fixture(scope="module", params=DEAD)
async def dead(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Site, FaultServer]]:
    """Run a gateway whose upstreams cannot be reached, but for one, which is the next of each chain."""
    folder = tmp_path_factory.mktemp("dead")
    async with AsyncExitStack() as stack:
        url = await DEAD[request.param](folder, stack)
        last = await stack.enter_async_context(listening(""))
        last.always = body(OK)
        table = {"type": "openai", "api_key": "key-1", "models": ["m"], "base_url": f"{last.url}/v1"}
        chained: Any = {
            "models": {"alias": {f"{one}-chain": [UPSTREAMS[one].asked(thinking=False), "last/m"] for one in KINDS}}
        }
        site = running(
            folder, urls=dict.fromkeys(TABLES, url), tables={"last": table}, retry={"attempts": 4}, **chained
        )
        yield await stack.enter_async_context(site), last


@KIND
async def test_row_01_the_next_target_is_asked_at_once(dead: tuple[Site, FaultServer], kind: str) -> None:
    site, last = dead
    at = site.at(kind)
    site.clock.exact = True
    delays: list[float] = []
    for _ in range(TRIES):
        answer = await at.answer("openai-chat", model=f"{kind}-chain")
        assert at.heard("openai-chat", answer).text == "next"
        delays.append(last.calls[-1].arrived - answer.began)
        if min(delays) <= NEXT_S:
            break
    assert min(delays) <= NEXT_S


@KIND
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_row_01_without_another_it_is_a_502(dead: tuple[Site, FaultServer], kind: str, stream: bool) -> None:
    at = dead[0].at(kind)
    dead[0].clock.exact = False
    for dialect in DIALECTS:
        answer = await at.answer(dialect, stream=stream)
        heard = CALLERS[dialect].whole(answer.body)
        assert heard.error is not None
        assert (answer.status, "cannot be reached" in heard.error["message"]) == (502, True)

"""Row 19 of docs/faults.md: a caller stops reading, and the upstream has ever more to say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from starlette.types import Message

from gateway.grace import Grace
from gateway.streaming import Client, ClientGone
from tests.conformance.matrix.site import fakes, settings
from tests.conformance.matrix.upstreams import KINDS, UPSTREAMS
from tests.conformance.openai_api import CALLERS, Said, Wish
from tests.faults.callers import calling, request
from tests.faults.server import EVENTS, Call, FaultServer, listening
from tests.faults.wires import before, place_of
from tests.gateway.cli.test_workers import LINUX
from tests.patience import patient
from tests.processes import Program, gateway

pytestmark = pytest.mark.anyio

GROWTH_KB = 8 * 1024
SAID = 1_000_000  # bytes at least, before the upstream has to wait
LONG = b"x" * 20_000
PAIRS = [(kind, dialect) for kind in KINDS for dialect in {"openai-chat": 1, UPSTREAMS[kind].dialect: 2} if dialect]


@dataclass
class Flooding:
    """A gateway before upstreams that never end."""

    program: Program
    servers: Mapping[str, FaultServer]
    said: int = 0

    def server(self, kind: str) -> FaultServer:
        server = self.servers[UPSTREAMS[kind].table]
        server.forget()
        server.always = self.flood
        self.said = 0
        return server

    async def flood(self, call: Call) -> None:
        """Say what the fake says up to its words, and those again and again."""
        frames = await call.frames()
        words = frames[place_of(frames, b"one two")].replace(b"one two", LONG)
        await call.begin(EVENTS)
        await call.say(*before(frames, b"three"))
        leaving = asyncio.ensure_future(call.until_left())
        while not leaving.done():
            await call.say(words)
            self.said += len(words)
        await leaving

    @property
    def resident_kb(self) -> int:
        lines = Path(f"/proc/{self.program.process.pid}/status").read_text("utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

    async def full(self) -> None:
        """Wait until the upstream has to wait, too."""
        async with asyncio.timeout(patient(60)):
            before = -1
            while self.said < SAID or self.said != before:
                before = self.said
                await asyncio.sleep(0.4)


@pytest.fixture(scope="module")
async def flooding(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Flooding]:
    folder = tmp_path_factory.mktemp("flooding")
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(fakes())
        servers = {name: await stack.enter_async_context(listening(fake.url)) for name, fake in behind.items()}
        login = folder / "service_account.json"
        login.write_text(json.dumps(behind["vertex"].login.service_account()))
        config: Any = settings({name: server.url for name, server in servers.items()}, folder / "data")
        config["usage"] = {"enabled": False}
        run = gateway(folder, toml=tomlkit.dumps(config), GOOGLE_APPLICATION_CREDENTIALS=str(login))
        program = stack.enter_context(run)
        await asyncio.to_thread(lambda: program.url)
        yield Flooding(program, servers)


async def stop_reading(flooding: Flooding, kind: str, dialect: str, *, until_full: bool = True) -> int:
    """Ask, read the beginning and nothing more, and give how much the gateway has grown."""
    model = UPSTREAMS[kind].asked(thinking=False)
    wish = Wish(said=[Said("!say one two three")], model=model, stream=True)
    server, caller = flooding.server(kind), CALLERS[dialect]
    async with calling(flooding.program.url, limit=1) as one:
        before = flooding.resident_kb
        one.say(request(caller.path(wish), caller.body(wish)))
        await one.until(b"200 OK")
        if until_full:
            await flooding.full()
        grown = flooding.resident_kb - before
    async with asyncio.timeout(patient(60)):
        await server.calls[0].gone.wait()
    return grown


@LINUX
@pytest.mark.parametrize(("kind", "dialect"), PAIRS)
async def test_the_upstream_waits_and_little_is_held(flooding: Flooding, kind: str, dialect: str) -> None:
    """The first time, the code is loaded, too."""
    await stop_reading(flooding, kind, dialect, until_full=False)
    assert await stop_reading(flooding, kind, dialect) <= GROWTH_KB


# under every server


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("stuck", "keepalive_s"),
    [("a piece", 0), ("a piece", 0.01), ("the end", 0), ("the end", 0.01), ("a sign of life", 0.01)],
)
async def test_an_answer_that_nobody_reads_is_given_up(stuck: str, keepalive_s: float) -> None:
    """The server never says that the caller has gone."""
    sent = 0

    async def send(message: Message) -> None:
        nonlocal sent
        sent += 1
        if sent > 2:
            await asyncio.Event().wait()

    with pytest.raises(ClientGone):
        async with Client(never, send, Grace(), keepalive=b":\n\n", keepalive_s=keepalive_s, unread_s=0.1) as client:
            await client.write(b"first")
            if stuck == "a piece":
                await client.write(b"second")
            elif stuck == "the end":
                await client.finish(b"second")
            else:
                await asyncio.Event().wait()

"""Rows 10 and 11 of docs/faults.md: answers that grow without end, in a gateway of its own whose memory is measured."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pytest
import tomlkit

from tests.conformance.openai_api import CALLERS
from tests.faults.server import EVENTS, JSON, Call
from tests.faults.site import DIALECTS, KINDS, LOG, Site, before_fakes, configured, other_and_same
from tests.faults.wires import before, body
from tests.processes import Program, gateway

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read in /proc"),
]

MB = 1024 * 1024
LINE_MB = 100
PIECE = b"x" * 65536
LINE_GROWTH_MB = 80
BOMB_GROWTH_MB = 32
BOMB_MB = 1024
EVENT_LIMIT_MB = 32
IN_FLIGHT_MB = 12  # what sockets and buffers between two processes hold beside it


@dataclass
class Apart:
    """A gateway in a process of its own, and its callers."""

    site: Site
    program: Program
    idle_mb: float = 0.0

    def forget_peak(self) -> None:
        """Look for the most memory from now on, and count from what there is now."""
        Path(f"/proc/{self.program.process.pid}/clear_refs").write_text("5", "ascii")
        self.idle_mb = self.read_mb("VmRSS")

    def growth_mb(self) -> float:
        """Give how much more memory there was at any time since."""
        return self.read_mb("VmHWM") - self.idle_mb

    def read_mb(self, name: str) -> float:
        """Give a figure of the process."""
        lines = Path(f"/proc/{self.program.process.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Apart]:
    """Run it; it has answered each caller once, so that all is loaded."""
    async with AsyncExitStack() as stack:
        servers, file = await stack.enter_async_context(before_fakes(folder))
        toml = tomlkit.dumps(configured(servers, folder))
        program = stack.enter_context(gateway(folder, toml=toml, GOOGLE_APPLICATION_CREDENTIALS=str(file)))
        url = await anyio.to_thread.run_sync(lambda: program.url)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
        made = Apart(Site(http, servers, folder / LOG), program)
        for kind in KINDS:
            for dialect in DIALECTS:
                assert (await made.site.at(kind).hear(dialect)).text == "one two three"
        made.forget_peak()
        yield made


@pytest.fixture(scope="module")
async def lines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Apart]:
    """Run one that gets lines without end; what any of them leaves behind counts."""
    async with standing(tmp_path_factory.mktemp("lines")) as one:
        yield one


@pytest.fixture(scope="module")
async def bombs(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Apart]:
    """Run one that gets bombs."""
    async with standing(tmp_path_factory.mktemp("bombs")) as one:
        yield one


class Endless:
    """A fault: a line that does not end, after the first words or in their place. `sent_mb`: how much was taken."""

    def __init__(self, *, words: bool) -> None:
        self.sent_mb = 0.0
        self._words = words

    async def __call__(self, call: Call) -> None:
        """Send it, as far as the gateway takes it."""
        said = before(await call.frames(), b"three") if self._words else []
        await call.begin(EVENTS)
        await call.say(*said, b"data: ")
        while self.sent_mb < LINE_MB:
            await call.say(PIECE)
            self.sent_mb += len(PIECE) / MB
        await call.until_left()


@pytest.mark.parametrize(("words", "which"), [(True, -1), (False, 0), (False, -1)], ids=["words", "other", "same"])
@pytest.mark.parametrize("kind", KINDS)
async def test_row_10_a_line_without_end_stops_at_the_limit_of_an_event(
    lines: Apart, kind: str, words: bool, which: int
) -> None:
    at, dialect = lines.site.at(kind), other_and_same(kind)[which]
    at.server.always = line = Endless(words=words)
    answer = await at.answer(dialect)
    heard = at.heard(dialect, answer)
    assert (heard.text.strip(), heard.finish) == ("one two" if words else "", None)
    assert heard.error is not None
    assert "larger than" in heard.error["message"]
    assert (answer.status, len(at.calls)) == (200 if words else 502, 1)
    assert EVENT_LIMIT_MB <= line.sent_mb <= EVENT_LIMIT_MB + IN_FLIGHT_MB
    assert lines.growth_mb() <= LINE_GROWTH_MB


def bomb(lead: bytes) -> bytes:
    """Give what inflates to a thousand times its size: the same block again and again."""
    packer = zlib.compressobj(9, wbits=31)
    first = packer.compress(lead) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"x" * MB) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * BOMB_MB


BOMBS = {"events": (EVENTS, b"data: "), "comment": (EVENTS, b": "), "json": (JSON, b'{"a":"')}


@pytest.mark.parametrize("label", BOMBS)
@pytest.mark.parametrize("kind", KINDS)
async def test_row_11_a_bomb_of_gzip_is_not_inflated(bombs: Apart, kind: str, label: str) -> None:
    at, (header, lead) = bombs.site.at(kind), BOMBS[label]
    packed = bomb(lead)
    assert len(packed) < 2 * MB
    at.server.always = body(packed, headers=[header, b"content-encoding: gzip"])
    for dialect in other_and_same(kind):
        answer = await at.answer(dialect)
        error = CALLERS[dialect].whole(answer.body).error
        assert error is not None
        assert (answer.status, "inflates" in error["message"]) == (502, True)
        assert bombs.growth_mb() <= BOMB_GROWTH_MB

"""A gateway whose upstreams go wrong as they are told, and callers of each dialect who hear what is left."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.app import Gateway, assemble
from gateway.clock import System
from gateway.config import load
from tests.adapters.vertex_site import forget
from tests.automata import Heard
from tests.conformance.matrix.site import fakes, settings
from tests.conformance.matrix.upstreams import KINDS, UPSTREAMS
from tests.conformance.openai_api import CALLERS, Said, Wish
from tests.faults.server import Call, FaultServer, listening
from tests.patience import patient
from tests.serving import serve

__all__ = [
    "CHATS",
    "CLAUDES",
    "DIALECTS",
    "GOOGLES",
    "KINDS",
    "LOG",
    "PAIRS",
    "TWO_KEYS",
    "Answer",
    "At",
    "Site",
    "before_fakes",
    "configured",
    "data_of",
    "is_same",
    "other_and_same",
    "running",
    "until",
]

Json = dict[str, Any]

DIALECTS = tuple(CALLERS)
GOOGLES = ("v1internal-gemini", "v1internal-claude", "gemini", "vertex-gemini")
CLAUDES = ("anthropic", "vertex-claude")
CHATS = ("openai-chat", "azure")
PAIRS = [(kind, dialect) for kind in KINDS for dialect in DIALECTS]
# a second credential, where a pool may have one
TWO_KEYS: Json = {
    "google": {"pool": {"refresh_tokens": ["rt-1", "rt-2"], "uses_per_turn": 1}},
    **{table: {"api_key": ["key-1", "key-2"]} for table in ("gemini", "openai", "responses", "azure", "anthropic")},
}
_KEEPALIVES = {
    "openai-chat": b": keep-alive\n\n",
    "openai-responses": b": keep-alive\n\n",
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
}
LOG = "gateway.log"
_SHORT_S = 2.5  # pauses before another try are shorter, and rests of the gateway's own tasks longer


class Hasty(System):
    """The clock of this machine; a pause before another try takes a fiftieth of its time, unless it is `exact`."""

    exact = False

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await super().sleep(seconds if self.exact or seconds > _SHORT_S else seconds / 50)


@dataclass
class Answer:
    """What a caller got; `pieces` with the time at which each came, `began` the call and `ended` the answer at."""

    status: int
    headers: httpx.Headers
    began: float
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    ended: float = 0.0

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(data for _, data in self.pieces)

    @property
    def streamed(self) -> bool:
        """Whether it is a stream of events."""
        kind: str = self.headers.get("content-type", "")
        return kind.startswith("text/event-stream")


@dataclass
class At:
    """One upstream of the gateway; `server` stands before its fake."""

    site: Site
    kind: str
    server: FaultServer

    @property
    def model(self) -> str:
        """Name its model as a caller does."""
        return UPSTREAMS[self.kind].asked(thinking=False)

    @property
    def calls(self) -> list[Call]:
        """The calls for an answer that it got."""
        return self.server.calls

    async def answer(
        self,
        dialect: str,
        text: str = "!say one two three",
        *,
        stream: bool = True,
        takes: Callable[[bytes], object] = len,
        **wish: Any,
    ) -> Answer:
        """Ask as a caller of this dialect; `takes` hears all that has come after each piece."""
        wanted = Wish(said=[Said(text)], model=wish.pop("model", self.model), stream=stream, **wish)
        caller, began = CALLERS[dialect], time.monotonic()
        async with self.site.http.stream("POST", caller.path(wanted), json=caller.body(wanted)) as response:
            answer = Answer(response.status_code, response.headers, began)
            async for data in response.aiter_raw():
                answer.pieces.append((time.monotonic(), data))
                takes(answer.body)
        answer.ended = time.monotonic()
        return answer

    async def hear(self, dialect: str, text: str = "!say one two three", **wish: Any) -> Heard:
        """Ask, and hear the answer by the rules of the dialect."""
        return self.heard(dialect, await self.answer(dialect, text, **wish))

    def heard(self, dialect: str, answer: Answer) -> Heard:
        """Hear an answer by the rules of its dialect: one of another dialect by the letter, its own as it is framed."""
        if not answer.streamed:
            return CALLERS[dialect].whole(answer.body)
        said = answer.body.replace(_KEEPALIVES.get(dialect, b"\0"), b"")
        if not is_same(self.kind, dialect):
            return CALLERS[dialect].stream(said)
        events = [one for one in data_of(said) if one != b"[DONE]"]
        failed = json.loads(events[-1]) if dialect == "openai-responses" else {}
        if failed.get("type") == "response.failed":  # the item that was open has passed, and is not said again
            told = map(json.loads, events)
            words = "".join(one["delta"] for one in told if one["type"] == "response.output_text.delta")
            return Heard(words, error=failed["response"]["error"])
        return CALLERS[dialect].stream(framed(dialect, events))


def is_same(kind: str, dialect: str) -> bool:
    """Tell whether an upstream speaks the caller's dialect, so that it passes: Code Assist's Claude does not."""
    return kind != "v1internal-claude" and (UPSTREAMS[kind].dialect or "gemini") == dialect


def other_and_same(kind: str) -> list[str]:
    """Give a dialect that is translated for a kind of upstream, and the one that passes, if there is one."""
    same = [one for one in DIALECTS if is_same(kind, one)]
    return [next(one for one in DIALECTS if one not in same), *same]


def data_of(stream: bytes) -> list[bytes]:
    """Read a stream as the WHATWG does: the data of its events, with an event that no blank line ends."""
    found: list[bytes] = []
    data: list[bytes] = []
    for line in [*re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf")), b""]:
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line and data:
            found.append(b"\n".join(data))
            data = []
    return found


def framed(dialect: str, events: Sequence[bytes]) -> bytes:
    """Frame events as their dialect does; what it does not know, and a second end, are left out as by its SDK."""
    if dialect == "gemini":
        return b"".join(b"data: %b\r\n\r\n" % one for one in events)
    if dialect == "openai-chat":
        kept = [one for one in events if b'"strange"' not in one]
        done = [] if b'"error"' in kept[-1] else [b"[DONE]"]
        return b"".join(b"data: %b\n\n" % one.replace(b"\n", b"") for one in [*kept, *done])
    told = [(json.loads(one)["type"], one) for one in events]
    known = [(name, one.replace(b"\n", b"")) for name, one in told if name != "strange"]
    return b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), one) for name, one in known)


class Site:
    """It; `servers` by the names of the upstreams in gateway.toml, `log`: the file, `gateway`: unless it runs apart."""

    def __init__(
        self, http: httpx.AsyncClient, servers: Mapping[str, FaultServer], log: Path, gateway: Gateway | None = None
    ) -> None:
        self.http = http
        self.servers = servers
        self.gateway = gateway
        self._log = log

    def at(self, kind: str) -> At:
        """Give the way to one kind of upstream, of which no call is remembered, and where nothing goes wrong."""
        server = self.servers[UPSTREAMS[kind].table]
        server.forget()
        return At(self, kind, server)

    @property
    def clock(self) -> Hasty:
        """Its clock."""
        assert self.gateway is not None
        assert isinstance(self.gateway.clock, Hasty)
        return self.gateway.clock

    @property
    def open_responses(self) -> int:
        """Count the answers of upstreams that it has neither read to the end nor closed."""
        assert self.gateway is not None
        assert self.gateway.transport is not None
        return self.gateway.transport.open_responses

    async def line(self, answer: Answer) -> Json:
        """Give the line of the log about an answer; it is written when the answer is over."""
        wanted = answer.headers["x-request-id"]
        await until(lambda: self._lines(wanted))
        return self._lines(wanted)[0]

    def _lines(self, request_id: str) -> list[Json]:
        lines = [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]
        return [one for one in lines if one.get("event") == "request" and one["request_id"] == request_id]


@asynccontextmanager
async def before_fakes(folder: Path) -> AsyncIterator[tuple[dict[str, FaultServer], Path]]:
    """Run fault servers before the fakes of all upstreams; give them, and the file by which Vertex is logged in."""
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(fakes())
        file = folder / "service_account.json"
        file.write_text(json.dumps(behind["vertex"].login.service_account()))
        yield {name: await stack.enter_async_context(listening(fake.url)) for name, fake in behind.items()}, file


@asynccontextmanager
async def running(
    folder: Path, *, urls: Mapping[str, str] | None = None, tables: Json | None = None, **over: Any
) -> AsyncIterator[Site]:
    """Run a gateway before fault servers; `urls`: of upstreams that are elsewhere, `tables`: more about upstreams."""
    async with AsyncExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        servers, file = await stack.enter_async_context(before_fakes(folder))
        forget(environment, folder / "gcloud")
        environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        config = configured(servers, folder, urls or {})
        for table, more in (tables or {}).items():
            config["upstream"][table] = config["upstream"].get(table, {}) | more
        gateway = Gateway(load(config | over), clock=Hasty())
        url = await stack.enter_async_context(serve(assemble(gateway)))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
        yield Site(http, servers, folder / LOG, gateway)


def configured(servers: Mapping[str, FaultServer], folder: Path, elsewhere: Mapping[str, str] | None = None) -> Json:
    """Write the configuration; the login of an upstream that is somewhere else stays where it is."""
    urls = {name: server.url for name, server in servers.items()}
    config = settings({**urls, **(elsewhere or {})}, folder / "data")
    google = config["upstream"]["google"]
    google["oauth"] |= {"token_url": f"{urls['google']}/token", "userinfo_url": f"{urls['google']}/oauth2/v2/userinfo"}
    return config | {"log": {"level": "info", "format": "json", "file": str(folder / LOG)}}


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; give up after a time that no machine needs."""
    with anyio.fail_after(patient(30)):
        while not condition():  # noqa: ASYNC110 - sockets tell nobody else
            await anyio.sleep(0.002)

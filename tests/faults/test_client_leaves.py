"""Row 18 of docs/faults.md: a caller leaves, at four moments of a stream and before a whole answer, from every kind."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from pathlib import Path

import pytest

from gateway.app import create_app
from tests.conformance.counting import COUNTERS, request_of
from tests.conformance.matrix.upstreams import KINDS, UPSTREAMS
from tests.conformance.openai_api import CALLERS, Said, Wish
from tests.faults.callers import calling, request
from tests.faults.server import EVENTS, Call, Fault
from tests.faults.standing import Standing, standing
from tests.faults.wires import before
from tests.gateway.wire import OK, saying, silence, upstream
from tests.patience import patient
from tests.serving import serve

pytestmark = pytest.mark.anyio

CLOSED_S = 0.05
PIPELINED_S = 0.05  # for it to be read
LEAST, MOST = 5, 60  # tries: the figure is for a machine that has nothing else to do
WORDS, CALL = "!say one two three", '!tool f {"a": 1}'
# what stands in the last event of an answer
LAST = {"openai-responses": b"response.completed", "anthropic": b"message_stop", "openai-chat": b"[DONE]"}
SCRIPTS = {"first byte": WORDS, "whole": WORDS, "words": WORDS, "call": CALL, "end": WORDS}
# what the caller has read when it leaves; of a call maybe nothing; at the end, what comes last is on its way
READ = {"first byte": b"", "whole": b"", "words": b"one two", "call": b"", "end": b"three"}
ARGUMENT = re.compile(rb'\\?"a\\?": ?1')
# each kind before a caller of another dialect, which is translated, and of its own, which passes
PAIRS = [(kind, dialect) for kind in KINDS for dialect in {"openai-chat": 1, UPSTREAMS[kind].dialect: 2} if dialect]
NAMES = count()


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Standing]:
    async with standing(tmp_path_factory.mktemp("leaving")) as one:
        yield one


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(patient(30)):
        while not reached():  # noqa: ASYNC110 - sockets tell nobody
            await asyncio.sleep(0.001)


def until_left(moment: str) -> Fault:
    """Say what comes before this moment, and then nothing, until the gateway closes."""

    async def fault(call: Call) -> None:
        if moment not in ("first byte", "whole"):
            frames = await call.frames()
            await call.begin(EVENTS)
            await call.say(*said(moment, frames))
        call.heard.set()
        await call.until_left()

    return fault


def said(moment: str, frames: Sequence[bytes]) -> Sequence[bytes]:
    if moment == "words":
        return before(frames, b"three")
    if moment == "call":
        return frames[: next(place for place, one in enumerate(frames) if ARGUMENT.search(one)) + 1]
    return frames


async def leave(
    site: Standing, kind: str, dialect: str, moment: str, behind: bytes = b"", read: bytes = b""
) -> tuple[float, str]:
    """Ask, leave, and give how long the upstream's connection stayed, and what the log says of the end.

    `behind`: what the caller asks for meanwhile. `read`: what it has read then, unless that is said of the moment.
    """
    tools = ["f"] if moment == "call" else []
    model = UPSTREAMS[kind].asked(thinking=False)
    wish = Wish(said=[Said(SCRIPTS[moment])], model=model, stream=moment != "whole", tools=tools)
    name, caller, server = f"leaving-{next(NAMES)}", CALLERS[dialect], site.server(kind)
    server.always = until_left(moment)
    async with calling(site.url) as one:
        one.say(request(caller.path(wish), caller.body(wish), x_request_id=name))
        await until(lambda: server.calls and server.calls[0].heard.is_set())
        await one.until(read or READ[moment])
        if behind:
            one.say(behind)
            await asyncio.sleep(PIPELINED_S)
        one.leave()
        left = time.monotonic()
    (call,) = server.calls
    await until(call.gone.is_set)
    await until(lambda: site.logged(name))
    (line,) = site.logged(name)
    return call.left - left, str(line["end"])


@pytest.mark.parametrize("moment", SCRIPTS)
@pytest.mark.parametrize(("kind", "dialect"), PAIRS)
async def test_the_upstream_is_left_with_its_caller(site: Standing, kind: str, dialect: str, moment: str) -> None:
    """At the end the answer may be over by itself."""
    found: list[tuple[float, str]] = []
    while len(found) < LEAST or (len(found) < MOST and min(found)[0] > CLOSED_S):
        found.append(await leave(site, kind, dialect, moment))
    assert min(found)[0] <= CLOSED_S
    assert {end for _, end in found} <= ({"client_closed", "done"} if moment == "end" else {"client_closed"})
    site.holds_nothing()


@pytest.mark.parametrize(("dialect", "last"), LAST.items())
async def test_who_leaves_with_the_whole_answer_has_not_left_early(site: Standing, dialect: str, last: bytes) -> None:
    """As Codex does, which closes the connection at the last event; the upstream's is still open then."""
    _, end = await leave(site, dialect, dialect, "end", read=last)
    assert end == "done"
    site.holds_nothing()


@pytest.mark.parametrize("moment", ["first byte", "whole", "words"])
async def test_it_is_left_also_by_one_who_has_asked_for_more(site: Standing, moment: str) -> None:
    asks = request("/v1/chat/completions", {"model": "demo", "messages": [{"role": "user", "content": "hi"}]})
    found: list[tuple[float, str]] = []
    while len(found) < LEAST or (len(found) < MOST and min(found)[0] > CLOSED_S):
        found.append(await leave(site, "openai-chat", "openai-chat", moment, asks))
    assert min(found)[0] <= CLOSED_S
    assert {end for _, end in found} == {"client_closed"}
    site.holds_nothing()


@pytest.mark.parametrize("dialect", COUNTERS)
async def test_a_count_is_given_up_with_its_caller(dialect: str, tmp_path: Path) -> None:
    """Not after the two seconds that an upstream has for it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts = server.requests[-1].startswith(b"POST")
        await (silence if counts else saying(OK))(reader, writer)

    def logged() -> list[str]:
        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        return [line["end"] for line in lines if line.get("request_id") == "leaving"]

    log = tmp_path / "gateway.log"
    async with upstream(answer) as server:
        table = {"type": "anthropic", "base_url": server.url, "api_key": "key", "models": ["m"]}
        logs = {"level": "info", "format": "json", "file": str(log)}
        config = {"server": {"data_dir": str(tmp_path)}, "log": logs, "upstream": {"up": table}}
        async with serve(create_app(config)) as url, calling(url) as one:
            path, body = request_of(dialect, "m", "How long is this?")
            one.say(request(path, body, x_request_id="leaving"))
            await until(lambda: any(said.startswith(b"POST") for said in server.requests))
            one.leave()
            async with asyncio.timeout(1.5):
                await server.left.wait()
            await until(logged)
    assert logged() == ["client_closed"]

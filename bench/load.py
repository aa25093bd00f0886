"""A load driver over raw asyncio and httptools that checks every answer.

    python -m bench.load --port 8045 --key KEY --script "pace 200 5" --stream --connections 8 --requests 3

Each connection is kept alive and asks again as soon as its answer is whole: a closed loop. A server that closes after
an answer, and says so, gets a new one.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

import httptools
import uvloop

from bench.answers import CHECKS, Checks, WrongAnswer
from bench.asking import WIRES, write_request
from bench.pairs import MODELS
from bench.script import FIRST_WORD, Script, Wire, read_script, stamps, unstamped

__all__ = ["Plan", "Tally", "drive", "quantile"]

MARK = FIRST_WORD.encode()
MEDIA = {True: b"text/event-stream", False: b"application/json"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask: of whom, in which wire format, how often."""

    port: int
    wire: Wire
    script: Script
    stream: bool
    connections: int = 1
    requests: int = 1  # on each connection
    key: str = "none"
    model: str = MODELS["gemini"]
    checks: Checks = field(default_factory=lambda: CHECKS)
    headers: str = ""  # more than the dialect has, each with its end of line
    timeout_s: float = 300.0  # of all its requests

    def request(self) -> bytes:
        """Return the request, head and body, as it goes over the wire."""
        stream, key, headers = self.stream, self.key, self.headers
        return write_request(self.port, self.wire, self.model, self.script, stream=stream, key=key, headers=headers)


@dataclass(slots=True)
class Tally:
    """What came back, in seconds.

    `first_s`, `whole_s`: from the last byte asked to the first chunk and to the end. `chunk_s`: from the upstream's
    write of a paced chunk to its arrival. `late`: of each paced stream, how long it took from the question to the end,
    in times of how long the upstream took to write it.
    """

    first_s: list[float] = field(default_factory=list[float])
    whole_s: list[float] = field(default_factory=list[float])
    chunk_s: list[float] = field(default_factory=list[float])
    late: list[float] = field(default_factory=list[float])
    errors: Counter[str] = field(default_factory=Counter[str])


class Connection(asyncio.Protocol):
    """One connection that asks until nothing is left, or until the server says that it closes."""

    def __init__(self, plan: Plan, tally: Tally, left: int = 1) -> None:
        self.plan = plan
        self.tally = tally
        self.request = plan.request()
        self.check = plan.checks[plan.wire, plan.stream]
        self.paced = plan.script.kind == "pace"
        self.left = left
        self.parser = httptools.HttpResponseParser(self)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Connect, ask, close."""
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", self.plan.port)
        except OSError as problem:
            self.fail(f"no connection: {problem}")
            return
        try:
            await self.done
        finally:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # create_connection gives stream transports; the base class only knows BaseTransport
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.fail(f"connection lost: {exc}")
            self.done.set_result(None)

    def fail(self, reason: str) -> None:
        """Count what is left as failed."""
        self.tally.errors[reason] += self.left
        self.left = 0

    def data_received(self, data: bytes) -> None:
        self.now = perf_counter()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as problem:
            self.tally.errors[f"not HTTP: {problem}"] += 1
            self.transport.abort()

    def ask(self) -> None:
        self.media = b""
        self.body = bytearray()
        self.reads: list[tuple[int, float]] = []  # the length after each, and its time
        self.first = 0.0
        self.began = perf_counter()
        self.transport.write(self.request)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.media = value

    def on_body(self, body: bytes) -> None:
        self.body += body
        if self.paced:
            self.reads.append((len(self.body), self.now))
        if not self.first and MARK in self.body:
            self.first = self.now

    def on_message_complete(self) -> None:
        try:
            self.judge()
        except WrongAnswer as problem:
            self.tally.errors[str(problem)] += 1
        else:
            self.tally.first_s.append(self.first - self.began)
            self.tally.whole_s.append(self.now - self.began)
            if self.paced:
                self.time_chunks()
        self.left -= 1
        if self.left and self.parser.should_keep_alive():
            self.ask()
        else:
            self.done.set_result(None)

    def judge(self) -> None:
        """Raise WrongAnswer unless status, content type and body are those of the script."""
        status = self.parser.get_status_code()
        if status != 200:
            raise WrongAnswer(f"status {status}: {bytes(self.body[:200])!r}")
        if not self.media.startswith(MEDIA[self.plan.stream]):
            raise WrongAnswer(f"content type {self.media!r}")
        self.check(self.plan.script, unstamped(self.body) if self.paced else bytes(self.body))

    def time_chunks(self) -> None:
        """Note how long each paced chunk was under way; some formats end with the whole text once more."""
        reads = iter(self.reads)
        length, arrived = 0, 0.0
        chunks = stamps(self.body)[: self.plan.script.chunks]
        for end, written in chunks:
            while length < end:
                length, arrived = next(reads)
            self.tally.chunk_s.append(arrived - written)
        if len(chunks) > 1:
            self.tally.late.append((self.now - self.began) / (chunks[-1][1] - chunks[0][1]))


async def drive(plan: Plan) -> Tally:
    """Run a plan to its end."""
    tally = Tally()
    try:
        async with asyncio.timeout(plan.timeout_s):
            await asyncio.gather(*(_ask_all(plan, tally) for _ in range(plan.connections)))
    except TimeoutError:
        answered = len(tally.whole_s) + tally.errors.total()
        tally.errors["not done in time"] += plan.connections * plan.requests - answered
    return tally


async def _ask_all(plan: Plan, tally: Tally) -> None:
    left = plan.requests
    while left:
        connection = Connection(plan, tally, left)
        await connection.run()
        left = connection.left


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which `part` of the values lie; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


def main() -> None:
    """Drive one plan and print what came back."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Ask, and check every answer.")
    parser.add_argument("--port", type=int, default=8045)
    parser.add_argument("--wire", choices=sorted(WIRES), default="chat")
    parser.add_argument("--model", default=MODELS["gemini"])
    parser.add_argument("--key", default="none")
    parser.add_argument("--script", type=read_script, default="whole", help="whole | burst N | pace N MS")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--requests", type=int, default=1, help="on each connection")
    tally = uvloop.run(drive(Plan(**vars(parser.parse_args()))))
    for name, values in (
        ("first chunk", tally.first_s),
        ("whole answer", tally.whole_s),
        ("a paced chunk", tally.chunk_s),
    ):
        p50, p99 = (quantile(values, part) * 1000 for part in (0.5, 0.99))
        print(f"{name:14}{p50:9.2f} ms p50{p99:9.2f} ms p99")
    print(f"{len(tally.whole_s)} right, {tally.errors.total()} wrong", *tally.errors.items(), sep="\n  ")
    raise SystemExit(1 if tally.errors else 0)


if __name__ == "__main__":
    main()

"""A hundred streams that are open at the same time: each has a middle, where it waits until the test lets it go on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.faults.server import EVENTS, Call, FaultServer, listening
from tests.patience import patient

__all__ = ["COUNT", "Streams", "complete", "hundred", "toml"]

COUNT = 100
HALF = 10  # chunks of a half
_CHUNK = (
    'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    '[{"index":0,"delta":{"role":"assistant","content":"<%d>"},"finish_reason":null}]}\n\n'
)
_END = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
_SAID = re.compile(r"<(\d+)>")


class Streams:
    """They; `answers` grows as they come, `broken` has what their callers raised."""

    def __init__(self, server: FaultServer) -> None:
        self.url = server.url
        self.answers: list[list[str]] = []
        self.broken: list[Exception] = []
        self._gate = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        server.always = self._answer

    async def open(self, url: str) -> None:
        """Begin them, and wait until each caller has the first half of its answer."""
        self._tasks = [asyncio.create_task(self._ask(url)) for _ in range(COUNT)]
        async with asyncio.timeout(patient(60)):
            while len(self.halves) < COUNT:
                assert not self.broken
                await asyncio.sleep(0.01)

    @property
    def halves(self) -> Sequence[list[str]]:
        """Those of which a half is here."""
        return [lines for lines in self.answers if any(f"<{HALF - 1}>" in line for line in lines)]

    async def end(self) -> None:
        """Let them go on, and wait for their ends."""
        self._gate.set()
        await self.ended()

    async def ended(self) -> None:
        """Wait for their ends."""
        async with asyncio.timeout(patient(60)):
            await asyncio.gather(*self._tasks)

    async def _answer(self, call: Call) -> None:
        await call.begin(EVENTS)
        for number in range(2 * HALF):
            if number == HALF:
                await self._gate.wait()
            await call.say((_CHUNK % number).encode())
        await call.say(_END)
        await call.end()

    async def _ask(self, url: str) -> None:
        body = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        lines: list[str] = []
        self.answers.append(lines)
        try:
            async with (
                httpx.AsyncClient(timeout=60, verify=False) as http,
                http.stream("POST", f"{url}/v1/messages", json=body) as response,
            ):
                async for line in response.aiter_lines():
                    lines.append(line)  # noqa: PERF401 - each as it comes
        except httpx.HTTPError as error:
            self.broken.append(error)


def complete(lines: Sequence[str]) -> bool:
    """Tell whether an answer has all its chunks, in order, and its end."""
    said = [int(found) for found in _SAID.findall("".join(lines))]
    return said == list(range(2 * HALF)) and "event: message_stop" in lines


@asynccontextmanager
async def hundred() -> AsyncIterator[Streams]:
    """Run the upstream that they come from."""
    async with listening("") as server:
        streams = Streams(server)
        try:
            yield streams
        finally:
            for task in streams._tasks:
                task.cancel()
            await asyncio.gather(*streams._tasks, return_exceptions=True)


def toml(folder: Path, streams: Streams, more: str = "") -> None:
    """Write the gateway.toml that leads to them."""
    text = f'{more}\n[upstream.up]\ntype = "openai"\napi_key = "key-1"\nmodels = ["m"]\nbase_url = "{streams.url}/v1"\n'
    (folder / "gateway.toml").write_text(text, "utf-8")

"""A cheap fake upstream that speaks v1internal: `python -m bench.upstream PORT`.

The last user text of a request names the script of its answer (see `bench.script`). Every byte is built once
for each script, so that on the measuring machine almost all time is left to what is measured. An SSE event is
one HTTP chunk, in the envelope `{"response": …, "traceId": …}`, with usage on each and STOP on the last.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from typing import cast

import httptools
import msgspec
import uvloop

from bench.script import Script, read_script

__all__ = ["Answers", "Upstream", "serve"]

PROJECT = "bench-project"
MODEL = "gemini-3-flash"
CONTROL: dict[str, object] = {
    "/token": {"access_token": "bench-access-token", "expires_in": 3599, "token_type": "Bearer"},
    "/userinfo": {"id": "1", "email": "bench@example.com", "verified_email": True, "name": "Bench"},
    "/v1internal:loadCodeAssist": {
        "currentTier": {"id": "standard-tier", "name": "Bench", "hasAcceptedTos": True},
        "allowedTiers": [{"id": "standard-tier", "isDefault": True}],
        "cloudaicompanionProject": PROJECT,
    },
    "/v1internal:onboardUser": {
        "name": "operations/bench",
        "done": True,
        "response": {"cloudaicompanionProject": {"id": PROJECT, "name": PROJECT}},
    },
    "/v1internal:fetchAvailableModels": {
        "models": {MODEL: {"displayName": "Bench", "maxOutputTokens": 65536, "quotaInfo": {"remainingFraction": 1}}}
    },
    "/v1internal:countTokens": {"totalTokens": 12},
}
NOT_FOUND = {"error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}}


class _Part(msgspec.Struct):
    text: str = ""


class _Content(msgspec.Struct):
    parts: list[_Part] = []
    role: str = "user"


class _Inner(msgspec.Struct):
    contents: list[_Content]


class _Generate(msgspec.Struct):
    request: _Inner


_generate = msgspec.json.Decoder(_Generate)


def _plain(status: str, value: object) -> bytes:
    body = msgspec.json.encode(value)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _envelope(text: str, tokens: int, *, last: bool) -> dict[str, object]:
    candidate: dict[str, object] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    usage = {"promptTokenCount": 12, "candidatesTokenCount": tokens, "totalTokenCount": 12 + tokens}
    response = {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": MODEL,
        "responseId": "bench",
    }
    return {"response": response, "traceId": "184a257032f8d8c6"}


def _frames(script: Script) -> list[bytes]:
    """One HTTP chunk an event; the first carries the head, the last the end of the body."""
    frames: list[bytes] = []
    for number, piece in enumerate(script.pieces, 1):
        envelope = _envelope(piece, number, last=number == script.chunks)
        event = b"data: " + msgspec.json.encode(envelope) + b"\n\n"
        frames.append(b"%x\r\n%b\r\n" % (len(event), event))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    frames[0] = head + frames[0]
    frames[-1] += b"0\r\n\r\n"
    return frames


class Answers:
    """Every answer as bytes, built when first asked for."""

    def __init__(self) -> None:
        self.control = {path.encode(): _plain("200 OK", value) for path, value in CONTROL.items()}
        self.not_found = _plain("404 Not Found", NOT_FOUND)
        self._streams: dict[Script, list[bytes]] = {}
        self._wholes: dict[Script, bytes] = {}

    def stream(self, script: Script) -> list[bytes]:
        """Return the writes of a streamed answer."""
        if script not in self._streams:
            self._streams[script] = _frames(script)
        return self._streams[script]

    def whole(self, script: Script) -> bytes:
        """Return a `generateContent` answer."""
        if script not in self._wholes:
            envelope = _envelope(script.text, script.chunks, last=True)
            self._wholes[script] = _plain("200 OK", envelope)
        return self._wholes[script]


class Grid:
    """Spreads paced streams evenly over the milliseconds of their pace.

    So every server measured meets the same pattern of arrivals, not one that chance made.
    """

    def __init__(self) -> None:
        self.taken: Counter[tuple[int, int]] = Counter()

    def join(self, pace_ms: int) -> tuple[int, int]:
        """Return the pace and the emptiest millisecond of it."""
        place = min(((pace_ms, tick) for tick in range(pace_ms)), key=self.taken.__getitem__)
        self.taken[place] += 1
        return place

    def leave(self, place: tuple[int, int]) -> None:
        """Give a place back."""
        self.taken[place] -= 1


class Upstream(asyncio.Protocol):
    """One connection: HTTP/1.1, keep-alive, one request at a time."""

    def __init__(self, answers: Answers, grid: Grid) -> None:
        self.answers = answers
        self.grid = grid
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""
        self.body = b""
        self.next_write: asyncio.Handle | None = None
        self.place: tuple[int, int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # create_server gives stream transports; the base class only knows BaseTransport
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.next_write is not None:
            self.next_write.cancel()
        self._leave()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self.url = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        path = self.url.partition(b"?")[0]
        if not path.endswith((b":streamGenerateContent", b":generateContent")):
            self.transport.write(self.answers.control.get(path, self.answers.not_found))
            return
        try:
            script = read_script(_generate.decode(self.body).request.contents[-1].parts[-1].text)
        except (msgspec.DecodeError, IndexError, ValueError) as problem:
            error = {"code": 400, "message": str(problem), "status": "INVALID_ARGUMENT"}
            self.transport.write(_plain("400 Bad Request", {"error": error}))
            return
        if path.endswith(b":generateContent"):
            self.transport.write(self.answers.whole(script))
        elif script.kind == "pace":
            self.place = self.grid.join(script.pace_ms)
            pace_ms, tick = self.place
            grid_start_ms = self.loop.time() * 1000 // pace_ms * pace_ms
            self._pace(self.answers.stream(script), 0, pace_ms / 1000, (grid_start_ms + tick) / 1000)
        else:
            self._burst(self.answers.stream(script), 0)

    def _burst(self, writes: Sequence[bytes], number: int) -> None:
        """Write one chunk in each turn of the loop."""
        self.transport.write(writes[number])
        if number + 1 < len(writes):
            self.next_write = self.loop.call_soon(self._burst, writes, number + 1)

    def _pace(self, writes: Sequence[bytes], number: int, pace_s: float, due: float) -> None:
        """Write one chunk and plan the next; due times are absolute, so a stream does not drift."""
        self.transport.write(writes[number])
        if number + 1 == len(writes):
            self._leave()
        else:
            later = due + pace_s
            self.next_write = self.loop.call_at(later, self._pace, writes, number + 1, pace_s, later)

    def _leave(self) -> None:
        if self.place is not None:
            self.grid.leave(self.place)
            self.place = None


async def serve(port: int) -> None:
    """Serve on loopback until cancelled."""
    answers, grid = Answers(), Grid()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(answers, grid), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))

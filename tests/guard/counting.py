"""Count the instructions of the interpreter that the gateway executes for a request: the same on every machine.

Only those of the gateway's own code count: what a library does depends on its version, and the event loop's on the
machine. The upstream is scripted at the seam of the transport, so that each chunk is one read.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message

import gateway
from bench.frames import CONTROL
from gateway.replay.transport import UnconnectedResponse
from gateway.transport import Response, Transport, Whole

__all__ = ["Scripted", "ask", "instructions"]

TOOL = 4  # of sys.monitoring; no other one has this number
FOLDER = Path(gateway.__file__).parent
ROOTS = tuple(f"{folder}/" for folder in (FOLDER, FOLDER.parent / "middleware", FOLDER.parent / "adapters"))


class Scripted(Transport):
    """Gives one answer again and again. `pieces`: what each read gives."""

    def __init__(self, **_: object) -> None:
        self.type = "application/json"
        self.pieces: Sequence[bytes] = ()
        self._open = set()

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterable[bytes] | None,
        first_byte_s: float | None = None,
    ) -> Response:
        return ScriptedResponse(self.type, self.pieces, self._open)

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
        max_bytes: int = 0,
    ) -> Whole:
        """Answer what is asked of an account."""
        return Whole(200, {"content-type": "application/json"}, json.dumps(CONTROL[urlsplit(url).path]).encode())

    async def close(self) -> None:
        """Nothing is open."""


class ScriptedResponse(UnconnectedResponse):
    """One answer, whose every piece makes its reader wait for the loop once."""

    __slots__ = ("_pieces",)

    def __init__(self, type_: str, pieces: Sequence[bytes], open_responses: set[Response]) -> None:
        super().__init__(200, {"content-type": type_}, open_responses)
        self._pieces = list(pieces)

    async def _read(self) -> bytes:
        await asyncio.sleep(0)
        piece = self._pieces.pop(0) if self._pieces else b""
        if not self._pieces:
            self.ended = True
            self._open.discard(self)
        return piece


async def ask(app: ASGIApp, path: str, body: bytes, key: str) -> tuple[int, bytes]:
    """Ask once, as a server would; give the status and the body."""
    headers = [
        (b"host", b"gateway"),
        (b"authorization", b"Bearer " + key.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def instructions(act: Callable[[], Awaitable[object]]) -> int:
    """Count what the gateway's code executes meanwhile. `act`: is done twice where that takes Python 3.12 or later."""
    if sys.version_info >= (3, 12):
        return await _monitored(act)
    count = 0

    def step(_: FrameType, event: str, __: object) -> Any:
        nonlocal count
        count += event == "opcode"
        return step

    def enter(frame: FrameType, _: str, __: object) -> Any:
        if not frame.f_code.co_filename.startswith(ROOTS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        await act()
    finally:
        sys.settrace(before)
    return count


if sys.version_info >= (3, 12):

    async def _monitored(act: Callable[[], Awaitable[object]]) -> int:
        """Count by what took the place of tracing, which there misses the first call of each function."""
        monitoring = sys.monitoring
        codes, count = set[CodeType](), 0

        def enter(code: CodeType, _: int) -> object:
            if code.co_filename.startswith(ROOTS):
                codes.add(code)
            return monitoring.DISABLE

        def step(_: CodeType, __: int) -> None:
            nonlocal count
            count += 1

        monitoring.use_tool_id(TOOL, "guard")
        monitoring.register_callback(TOOL, monitoring.events.PY_START, enter)
        monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, step)
        monitoring.restart_events()
        try:
            monitoring.set_events(TOOL, monitoring.events.PY_START)
            await act()
            monitoring.set_events(TOOL, monitoring.events.NO_EVENTS)
            for code in codes:
                monitoring.set_local_events(TOOL, code, monitoring.events.INSTRUCTION)
            await act()
        finally:
            for code in codes:
                monitoring.set_local_events(TOOL, code, monitoring.events.NO_EVENTS)
            monitoring.free_tool_id(TOOL)
        return count

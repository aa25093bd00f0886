"""The caller's side of one answer: sends, signs of life, the listener for its leaving, and the ends.

The main task reads upstream and writes here. Beside it stand, for an answer that lasts longer than a moment, one task
that waits for `http.disconnect` and one timer:
    caller leaves      the listener cancels the main task, `ClientGone` comes out
    shutdown           `abort(error)` cancels it, `error` comes out
    silence            the timer sends the dialect's keep-alive, opening the reply if need be
    caller stops       to read: the timer ends the answer a minute later as if the caller had left
`await send()` is the back-pressure; nothing is buffered here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from starlette.types import Receive, Send

from gateway.arrival import SLOWEST
from gateway.errors import GatewayError, InternalError
from gateway.grace import Grace
from gateway.lively import UNREAD_S

__all__ = ["EVENT_STREAM", "JSON", "Client", "ClientGone"]

EVENT_STREAM = b"text/event-stream; charset=utf-8"
JSON = b"application/json"

_STREAM_HEADERS = (
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)

_LOOK_S: Final = 1.0  # between two looks at such a piece


class ClientGone(Exception):
    """The caller closed the connection before the answer was complete, or reads it no more."""


class Client:
    """One caller. Use as `async with`; what is sent goes through `respond` or through `write` and `finish`.

    `media_type`: of a stream. `unread_s`: how long the caller may leave a piece unread. `pieces`, `sent_bytes`: of the
    answer, so far.
    """

    _unread: tuple[int, float] | None = None  # how many pieces there were, and when this was first seen
    _size = _ahead = 0  # of the last piece, and of the one before it, which must be read first
    _cause: Exception | None = None
    _listener: asyncio.Task[None] | None = None
    _pulse: asyncio.Task[None] | None = None
    _timer: asyncio.TimerHandle | None = None
    _writing = _closed = False
    started = False
    pieces = sent_bytes = 0

    def __init__(
        self,
        receive: Receive,
        send: Send,
        grace: Grace,
        *,
        keepalive: bytes = b"",
        keepalive_s: float = 0,
        media_type: bytes = EVENT_STREAM,
        unread_s: float = UNREAD_S,
    ) -> None:
        self._receive = receive
        self._send = send
        self._grace = grace
        self._keepalive = keepalive
        self._keepalive_s = keepalive_s
        self._media_type = media_type
        self._unread_s = unread_s
        self._every_s = min(keepalive_s or unread_s, unread_s)

    async def __aenter__(self) -> Self:
        self._task = task = self._grace.here()
        self._loop = loop = task.get_loop()
        self._cancelling = task.cancelling()
        self._last = now = loop.time()
        self._grace.add(self, loop, now)
        return self

    def begin(self) -> None:
        """Listen for the caller's leaving, time the signs of life, and see whether the caller reads."""
        self._listener = self._loop.create_task(self._listen())
        self._timer = self._loop.call_at(self._last + self._every_s, self._look)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if not self._grace.discard(self):
            await self._end()
        if self._cause is not None:
            self.check(kind)

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        tasks = [task for task in (self._listener, self._pulse) if task is not None and not task.done()]
        for task in tasks:  # all at once: a sign of life that has not begun must not open the reply any more
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def check(self, kind: type[BaseException] | None) -> None:
        """Turn a cancellation that `abort` or the caller's leaving caused into its cause."""
        if self._cause is not None and kind is asyncio.CancelledError and self._task.uncancel() <= self._cancelling:
            raise self._caused()

    def _caused(self) -> Exception:
        """Give the cause, and keep it no more: it will hold the frames that it comes through, and these this."""
        cause, self._cause = self._cause, None
        assert cause is not None
        return cause

    def abort(self, error: Exception) -> None:
        """Make the main task end with `error`."""
        if self._cause is None and not self._closed:
            self._cause = error
            self._task.cancel()

    async def run(self, work: Awaitable[None], fail: Callable[[GatewayError], Awaitable[None]]) -> None:
        """Do the work of a stream; `fail` tells the caller of what ends it too early, also from outside.

        A defect is told where a status can tell it no more, and raised for the log.
        """
        try:
            await work
        except GatewayError as error:
            await fail(error)
        except ClientGone:
            raise
        except Exception:
            if self.started:
                await fail(InternalError.of_defect())
            raise
        except asyncio.CancelledError as error:
            try:
                self.check(type(error))
            except GatewayError as cause:
                await fail(cause)
            else:
                raise

    async def write(self, data: bytes) -> None:
        """Send a piece of the stream, opening the reply first if need be."""
        if self._pulse is not None:
            await asyncio.shield(self._pulse)  # whatever ends this wait, the sign goes out
        self._writing = True
        try:
            if not self.started:
                await self._open()
            self.pieces += 1
            self._ahead, self._size = self._size, len(data)
            self.sent_bytes += self._size
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        except OSError as error:
            raise ClientGone from error
        finally:
            self._writing = False
            self._last = self._loop.time()

    async def finish(self, data: bytes = b"") -> None:
        """Send the end of the stream."""
        if self._pulse is not None:
            await asyncio.shield(self._pulse)
        self._writing = self._closed = True
        self._ahead = self._size
        with suppress(OSError):
            if not self.started:
                await self._open()
            await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def respond(self, body: bytes) -> None:
        """Send a whole JSON answer."""
        headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
        self.started = self._writing = self._closed = True
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send({"type": "http.response.body", "body": body})
        except OSError:  # the caller has gone, and nothing is left to do
            return

    async def open(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Open a reply that is not ours; `write` and `finish` send its body."""
        self.started = True
        try:
            await self._send({"type": "http.response.start", "status": status, "headers": [*headers]})
        except OSError as error:
            raise ClientGone from error

    async def begin_stream(self) -> None:
        """Open the reply before there is anything to say."""
        if not self.started:
            await self._open()

    async def _open(self) -> None:
        self.started = True
        headers = [(b"content-type", self._media_type), *_STREAM_HEADERS]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.abort(ClientGone())

    def _look(self) -> None:
        due = self._last + self._every_s
        now = self._loop.time()
        if self._writing or (self._pulse is not None and not self._pulse.done()):
            if self._is_unread(now):
                self._cause = self._cause or ClientGone()
                self._task.cancel()
                return
            due = now + min(self._every_s, _LOOK_S)
        elif now >= due:
            if self._keepalive_s:
                self._pulse = self._loop.create_task(self._sign())
            due = now + self._every_s
        self._timer = self._loop.call_at(max(due, now + 0.001), self._look)

    def _is_unread(self, now: float) -> bool:
        """Tell whether the piece that is being sent has waited for too long; a large one ahead of it takes time."""
        if self._unread is None or self._unread[0] != self.pieces:
            self._unread = self.pieces, now
        return now - self._unread[1] >= self._unread_s + self._ahead / SLOWEST

    async def _sign(self) -> None:
        self._last = self._loop.time()
        with suppress(OSError):
            if not self.started:
                await self._open()
            await self._send({"type": "http.response.body", "body": self._keepalive, "more_body": True})

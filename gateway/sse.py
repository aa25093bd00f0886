"""Server-sent events: bytes of an upstream body in, data of its events out; and the same backwards.

httpx-sse does the parsing. It wants a response to iterate over with `await`; `_Body` is one that awaits a
single thing, "this read is used up", so a plain `send` drives it and no event loop takes part:

    feed(bytes) ─► UTF-8 ─► _Body ─► EventSource.aiter_sse() ─► [data, …]
      ▲                       │
      └──────── used up ──────┘
"""

import codecs
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import suppress
from typing import ClassVar, Final, Self, cast

import httpx
from httpx_sse import EventSource

__all__ = ["Decoder", "EventTooLarge", "event", "json_line"]

MAX_EVENT_BYTES: Final = 32 * 1024 * 1024

_DONE: Final = "[DONE]"
_LINE_SEPARATORS: Final = (  # as text, on the wire, escaped
    ("\u2028", b"\xe2\x80\xa8", b"\\u2028"),
    ("\u2029", b"\xe2\x80\xa9", b"\\u2029"),
    ("\x85", b"\xc2\x85", b"\\u0085"),
)


class EventTooLarge(ValueError):
    """An upstream event grew past the limit before its end came."""


class Decoder:
    """Turn the bytes of one upstream SSE body into the data of its events.

    Only data comes out: names, ids and comments are dropped, and so are empty data and `[DONE]`.
    A lone CR at the end of a read may be half of a CRLF, so its line counts from the next read on.
    """

    __slots__ = ("_body", "_events", "_held", "_max_event", "_parser", "_utf8")

    def __init__(self, *, max_event: int = MAX_EVENT_BYTES) -> None:
        self._max_event = max_event
        self._held = 0  # bytes since the last event
        self._events: list[str] = []
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")  # strips a BOM, which hides `data`
        self._body = _Body()
        self._parser = _parse(self._body, self._events.append)
        _start(self._parser)

    def feed(self, data: bytes) -> list[str]:
        """Return the data of the events that this read completed; the limit is checked once a read."""
        self._body.text = self._utf8.decode(data)
        self._parser.send(None)
        if self._events:
            self._held = 0
            return self._taken()
        self._held += len(data)
        if self._held > self._max_event:
            self.abort()
            raise EventTooLarge(f"upstream event is larger than {self._max_event} bytes")
        return []

    def close(self) -> list[str]:
        """End the body; return the event that no blank line ended, if there is one."""
        if not self._body.ended:
            self._body.ended = True
            self._body.text = self._utf8.decode(b"", final=True) + "\n\n"
            with suppress(StopIteration):
                self._parser.send(None)
        return self._taken()

    def abort(self) -> None:
        """Drop what is held; nothing more comes out."""
        if not self._body.ended:
            self._body.ended = True
            with suppress(_Aborted):  # coroutine.close() does not reach into async generators before 3.13
                self._parser.throw(_Aborted())

    def __del__(self) -> None:
        self.abort()

    def _taken(self) -> list[str]:
        events = self._events.copy()
        self._events.clear()
        return events


class _Aborted(Exception):
    """Unwind the parser where it pauses."""


class _Body:
    """What EventSource needs of a response: the text at hand, a pause, or the end."""

    __slots__ = ("ended", "text")

    headers: ClassVar = {"content-type": "text/event-stream"}

    def __init__(self) -> None:
        self.text = ""
        self.ended = False

    def aiter_text(self) -> AsyncIterator[str]:
        return self

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Self:
        return self

    def __await__(self) -> Generator[None, None, str]:
        while not self.text:
            if self.ended:
                raise StopAsyncIteration
            yield
        text, self.text = self.text, ""
        return text


async def _parse(body: _Body, emit: Callable[[str], None]) -> None:
    source = EventSource(cast(httpx.Response, body))  # it reads .headers and .aiter_text() only
    async for sse in source.aiter_sse():
        if sse.data and sse.data != _DONE:
            emit(sse.data)


def _start(parser: Coroutine[None, None, None]) -> None:
    """Run to the first pause, out of sight of a running loop, which would close the generators in a task."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        parser.send(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def event(data: bytes, name: bytes | None = None) -> bytes:
    """Write one event; `data` must be a single line, `json_line` makes it one for every client."""
    if name is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (name, data)


def json_line(data: bytes) -> bytes:
    """Escape what JSON allows raw in strings but several clients take for the end of a line."""
    if data.isascii():
        return data
    text = data.decode("utf-8", "replace")  # one character is found three times faster than three bytes
    for separator, raw, escaped in _LINE_SEPARATORS:
        if separator in text:
            data = data.replace(raw, escaped)
    return data

"""Server-sent events: bytes of an upstream body in, data of its events out; and the same backwards.

httpx-sse does the parsing. It wants a response to iterate over with `await`; `_Body` is one that awaits a
single thing, "this read is used up", so a plain `send` drives it and no event loop takes part:

    feed(bytes) ─┬─ whole events of one line each ─► split ────────────► [data, …]
                 └─ all else ─► UTF-8 ─► _Body ─► aiter_sse() ─────────► [data, …]
                      ▲                    │
                      └───── used up ──────┘

Most reads of a model's stream are of the first kind, and cost a fifth that way.
"""

import codecs
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final, Self, cast

import httpx
from httpx_sse import EventSource

__all__ = ["BACKSLASH", "DONE", "Decoder", "EventTooLarge", "Halves", "event", "json_line", "sound", "sound_escapes"]

MAX_EVENT_BYTES: Final = 32 * 1024 * 1024

DONE: Final = "[DONE]"
BACKSLASH: Final = 0x5C  # a byte is found in bytes eight times faster than bytes are: they raise a TypeError first
_BLANK_LINES: Final = (b"\n\n", b"\r\n\r\n")
_LINE_SEPARATORS: Final = (  # as text, on the wire, escaped
    ("\u2028", b"\xe2\x80\xa8", b"\\u2028"),
    ("\u2029", b"\xe2\x80\xa9", b"\\u2029"),
    ("\x85", b"\xc2\x85", b"\\u0085"),
)
# Pairs first, and every other escape, so that what follows a backslash of its own is none.
_ESCAPE: Final = re.compile(  # a half that begins a string, pairs, a half that ends one, the others, the rest
    r'(?<=[^\\]")\\(?P<second>u[dD][c-fC-F]..)'
    r"|\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<first>u[dD][89abAB]..)(?=\")|(?P<lone>u[dD][89a-fA-F]..)|.)",
    re.DOTALL,
)
_ERROR: Final = re.compile(r'\{\s*(?:"type"\s*:\s*"error"\s*,\s*)?"error"\s*:')  # what begins a document that tells one
_BLANKS: Final = ("\n\n", "\r\n\r\n", "\r\r")
_MAX_ERROR: Final = 65536  # bytes of it
_INDEX: Final = re.compile(r"index\"\s*:\s*(\d+)")


class EventTooLarge(ValueError):
    """An upstream event grew past the limit before its end came."""


class Decoder:
    """Turn the bytes of one upstream SSE body into the data of its events.

    Only data comes out: names, ids and comments are dropped, and so are empty data and `[DONE]`; `done` keeps that.
    A lone CR at the end of a read may be half of a CRLF, so its line counts from the next read on. Google breaks off
    with an error that is a document, not an event: it comes out at the end.
    """

    __slots__ = ("_between", "_dropped", "_held", "_max_event", "_parser", "_started", "_tail")

    def __init__(self, *, max_event: int = MAX_EVENT_BYTES, done: bool = False) -> None:
        self._max_event = max_event
        self._dropped = "" if done else DONE
        self._held = 0  # bytes since the last event
        self._started = False
        self._between = True  # the last read ended with an event
        self._parser: _Parser | None = None
        self._tail = b""  # what was read since the last event, or its beginning

    @property
    def between(self) -> bool:
        """Whether nothing of another event stands behind the last one."""
        return self._between

    def feed(self, data: bytes) -> list[str]:
        """Return the data of the events that this read completed; the limit is checked once a read."""
        events = _split(data, self._dropped) if self._between else None
        if events:
            self._started, self._held = True, 0
            return events
        if events is None:
            events = self._parsed(data)
        self._started = True
        self._held = 0 if events else self._held + len(data)
        if self._held > self._max_event:
            self.abort()
            raise EventTooLarge(f"upstream event is larger than {self._max_event} bytes")
        return events

    def close(self) -> list[str]:
        """End the body; return the event that no blank line ended, if there is one, or the error without a form."""
        if self._parser is None:
            return []
        tail, self._tail = self._tail, b""
        return self._parser.close() or _unframed(tail.decode(errors="replace").rstrip())

    def abort(self) -> None:
        """Drop what is held; nothing more comes out."""
        if self._parser is not None:
            self._parser.abort()

    def _parsed(self, data: bytes) -> list[str]:
        if self._parser is None:
            encoding = "utf-8" if self._started else "utf-8-sig"  # a BOM is one at the start only
            self._parser = _Parser(encoding, self._dropped)
        goes_on, self._between = not self._between, data.endswith(_BLANK_LINES)
        events = self._parser.feed(data)
        if events or not goes_on:
            self._tail = data
        elif len(self._tail) < _MAX_ERROR:
            self._tail += data
        return events


def _unframed(tail: str) -> list[str]:
    """Give the error at the end of a body that is no event."""
    document = tail[max(map(tail.rfind, _BLANKS)) + 1 :].lstrip()
    if document.startswith("[") and document.endswith("]"):  # Google puts some into a list
        document = document[1:-1].strip()
    return [document] if _ERROR.match(document) else []


def _split(data: bytes, dropped: str) -> list[str] | None:
    """Give the data of events that are whole and one line `data: …` each; None for what else there is to read.

    A line `event: …` may stand before each.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:
            return None
    if not text.endswith("\n\n"):
        return None
    if not text.startswith("data: "):
        return _split_named(text, dropped) if text.startswith("event: ") else None
    lines = text.count("\n")
    if lines == 2:  # one event, as most reads are
        event = text[6:-2]
        return [event] if event and event != dropped else []
    events = text[6:-2].split("\n\ndata: ")
    if lines != 2 * len(events):
        return None
    return [event for event in events if event and event != dropped]


def _split_named(text: str, dropped: str) -> list[str] | None:
    """Do the same with events that have a line `event: …` before the data."""
    events = text[:-2].split("\n\n")
    if text.count("\n") != 3 * len(events):
        return None
    found: list[str] = []
    for event in events:
        name, line, data = event.partition("\ndata: ")
        if not line or not name.startswith("event: "):
            return None
        if data and data != dropped:
            found.append(data)
    return found


class _Parser:
    """Drives httpx-sse: reads in any pieces, data of the events that they complete out."""

    __slots__ = ("_body", "_coroutine", "_events", "_utf8")

    def __init__(self, encoding: str, dropped: str) -> None:
        self._events: list[str] = []
        self._utf8 = codecs.getincrementaldecoder(encoding)("replace")
        self._body = _Body()
        self._coroutine = _parse(self._body, self._events.append, dropped)
        _start(self._coroutine)

    def feed(self, data: bytes) -> list[str]:
        self._body.text = self._utf8.decode(data)
        self._coroutine.send(None)
        return self._taken()

    def close(self) -> list[str]:
        if not self._body.ended:
            self._body.ended = True
            self._body.text = self._utf8.decode(b"", final=True) + "\n\n"
            with suppress(StopIteration):
                self._coroutine.send(None)
        return self._taken()

    def abort(self) -> None:
        if not self._body.ended:
            self._body.ended = True
            with suppress(_Aborted):  # coroutine.close() does not reach into async generators before 3.13
                self._coroutine.throw(_Aborted())

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


async def _parse(body: _Body, emit: Callable[[str], None], dropped: str) -> None:
    source = EventSource(cast(httpx.Response, body))  # it reads .headers and .aiter_text() only
    async for sse in source.aiter_sse():
        if sse.data and sse.data != dropped:
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


class Halves:
    """Brings the halves of characters together where the events of a stream were cut within one, as UTF-16 may be.

    The first half waits for the second one of the same choice, block or call, which their numbers tell apart. What
    waits at the end is dropped: it is no character.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, ...], str] = {}

    def join(self, text: str) -> str:
        """Give the JSON of one event with sound escapes."""
        if "\\ud" not in text and "\\uD" not in text:
            return text
        what = tuple(_INDEX.findall(text))
        return _ESCAPE.sub(partial(self._joined, what, self._waiting.pop(what, "")), text)

    def _joined(self, what: tuple[str, ...], half: str, found: re.Match[str]) -> str:
        if found.lastgroup == "first":
            self._waiting[what] = found[0]
            return ""
        if found.lastgroup == "second" and half:
            return half + found[0]
        return "\\ufffd" if found.lastgroup else found[0]


def sound(data: bytes, *, halves: Halves | None = None, lines: bool = False) -> bytes:
    """Give sound UTF-8 and sound escapes: what is none becomes U+FFFD, as in the decoder; no character may be cut.

    `halves`: of events, each in a line, which may have been cut within a character. `lines`: of events, whose lines
    are to end where they end for every client, as by `json_line`.
    """
    if not data.isascii():
        text = data.decode("utf-8", "replace")
        data = text.encode() if "\ufffd" in text else data
        if lines:
            data = _one_line(data, text)
    if BACKSLASH in data and (b"\\ud" in data or b"\\uD" in data):
        text = data.decode()
        return (sound_escapes(text) if halves is None else "\n".join(map(halves.join, text.split("\n")))).encode()
    return data


def sound_escapes(text: str) -> str:
    """Give JSON that every reader takes: half of a character, as slices of a string end in, becomes U+FFFD."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPE.sub(lambda found: "\\ufffd" if found.lastgroup else found[0], text)


def json_line(data: bytes) -> bytes:
    """Escape what JSON allows raw in strings but several clients take for the end of a line."""
    if data.isascii():
        return data
    return _one_line(data, data.decode("utf-8", "replace"))


def _one_line(data: bytes, text: str) -> bytes:
    for separator, raw, escaped in _LINE_SEPARATORS:
        if separator in text:  # one character is found three times faster than three bytes
            data = data.replace(raw, escaped)
    return data

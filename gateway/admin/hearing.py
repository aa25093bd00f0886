"""Hear what is said on both sides of one request, as it is said. Credentials are masked."""

import asyncio
import time
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Final, Literal

from msgspec import Struct, field
from starlette.types import Message

from gateway.clock import Clock
from gateway.context import RequestContext
from gateway.redact import MASK, Hider, credentials_in
from gateway.tap import TAP, Heard, Tap

__all__ = ["Event", "Hearing"]

Side = Literal["caller", "upstream"]
Kind = Literal["request", "answer", "piece", "error", "end"]

_MOST_BYTES: Final = 2 * 1024 * 1024  # that are shown of each side
_OPEN: Final = frozenset({"accept", "accept-encoding", "content-length", "content-type", "user-agent"})
_OPEN_PREFIXES: Final = ("anthropic-", "openai-", "x-goog-api-client")
_HIDDEN_REPLIES: Final = frozenset({"set-cookie"})
_decoder: Final = getincrementaldecoder("utf-8")


class Event(Struct, frozen=True):
    """One thing that was said. `at_ms`: since the request; `head`: its first line and headers, `text`: its body."""

    side: Side
    kind: Kind
    at_ms: int
    head: str = ""
    text: str = ""


class Hearing:
    """One request. `send`: for the app that answers it."""

    def __init__(self, clock: Clock, hide: Hider) -> None:
        self.events: list[Event] = []
        self._began = clock.monotonic()
        self._clock = clock
        self._hide = hide
        self._more = asyncio.Event()
        self._ended = False
        self._text = _decoder("replace")
        self._left: dict[Side, int] = {"caller": _MOST_BYTES, "upstream": _MOST_BYTES}

    def asks(self, method: str, path: str, body: bytes) -> None:
        """Take the request itself."""
        self.tell("caller", "request", f"{method} {path}\ncontent-type: application/json", body.decode())

    async def send(self, message: Message) -> None:
        """Take a part of the answer to the caller."""
        if message["type"] == "http.response.start":
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            self.tell("caller", "answer", _head(str(message["status"]), headers))
            return
        more = bool(message.get("more_body"))
        text = self._text.decode(message.get("body", b""), final=not more)
        if text:
            self.tell("caller", "piece", text=text)

    @contextmanager
    def listening(self, context: RequestContext) -> Generator[None]:
        """Hear the calls to upstreams of what runs inside."""
        before = TAP.set(_Tap(self, context))
        try:
            yield
        finally:
            TAP.reset(before)

    def end(self, context: RequestContext) -> None:
        """Say what has become of it."""
        if not any(event.side == "upstream" for event in self.events):
            by_itself = context.upstream or context.tried is not None
            why = "no server was called: the demo responds by itself" if by_itself else "no upstream was called"
            self.tell("upstream", "end", why)
        usage = context.usage
        took = f", {usage.input} tokens in, {usage.output} out" if usage is not None else ""
        by = f" by {context.upstream}" if context.upstream else ""
        self.tell("caller", "end", f"{context.status or 'no status'}{by}{took}: {context.end or 'done'}")
        self._ended = True
        self._more.set()

    async def arriving(self) -> AsyncGenerator[Event]:
        """Give each event once it is there, until the end."""
        place = 0
        while True:
            while place < len(self.events):
                yield self.events[place]
                place += 1
            if self._ended:
                return
            self._more.clear()
            await self._more.wait()

    def tell(self, side: Side, kind: Kind, head: str = "", text: str = "") -> None:
        """Take an event; what is too long to be looked at is left out."""
        left = self._left[side]
        if kind == "piece" and left <= 0:
            return
        self._left[side] = left - len(text)
        shown = text if len(text) <= left or kind != "piece" else f"{text[:left]}\n… and more"
        at_ms = round((self._clock.monotonic() - self._began) * 1000)
        self.events.append(Event(side, kind, at_ms, self._hide(head), self._hide(shown)))
        self._more.set()


class _Tap(Tap):
    """Tells of each call at once."""

    def __init__(self, hearing: Hearing, context: RequestContext) -> None:
        super().__init__(time.monotonic, context, _MOST_BYTES)
        self._hearing = hearing

    def sends(self, method: str, url: str, headers: Mapping[str, str], body: object) -> Heard:
        """Take a call that begins."""
        heard = super().sends(method, url, headers, body)
        told = _Told(**{name: getattr(heard, name) for name in heard.__struct_fields__})
        told.begin(self._hearing)
        self.calls[-1] = told
        return told


class _Told(Heard):
    """A call of which is told."""

    hearing: Hearing | None = None
    hide: Callable[[str], str] = str
    decoder: IncrementalDecoder = field(default_factory=lambda: _decoder("replace"))

    def begin(self, hearing: Hearing) -> None:
        """Tell of the request."""
        self.hearing = hearing
        self.hide = Hider(credentials_in(self.headers, self.body or b""))
        shown = {name: value if _is_open(name) else MASK for name, value in self.headers.items()}
        text = self.body.decode("utf-8", "replace") if self.body is not None else "(sent in pieces)"
        self._tell("request", _head(f"{self.method} {self.url}", shown), text)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Tell of the head of the answer."""
        super().answered(status, headers)
        self._tell("answer", _head(str(status), headers))

    def read(self, data: bytes, *, ended: bool) -> None:
        """Tell of a piece."""
        super().read(data, ended=ended)
        text = self.decoder.decode(data, final=ended)
        if text:
            self._tell("piece", text=text)

    def broke(self, error: Exception) -> None:
        """Tell what ended it too early."""
        super().broke(error)
        self._tell("error", str(error))

    def _tell(self, kind: Kind, head: str = "", text: str = "") -> None:
        assert self.hearing is not None, "it has begun"
        self.hearing.tell("upstream", kind, self.hide(head), self.hide(text))


def _is_open(name: str) -> bool:
    return name.lower() in _OPEN or name.lower().startswith(_OPEN_PREFIXES)


def _head(first: str, headers: Mapping[str, str]) -> str:
    lines = (f"{name}: {value}" for name, value in headers.items() if name.lower() not in _HIDDEN_REPLIES)
    return "\n".join((first, *lines))

"""Fold a stream of events into a whole reply, so that whole answers need no mapping of their own."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

from msgspec import Raw

from gateway.errors import StreamBroken

from . import events as ev
from .request import Logprob, Media, Text, Thinking, ToolCall
from .signature import Signature

__all__ = ["Fold"]

_NOTHING_SAID: Final = ev.Started()
_NOTHING_USED: Final = ev.Usage()


class Fold:
    """Take events as they come; `reply()` when the stream has ended.

    `reply()` raises the error of `Failed`, or `StreamBroken` for a stream without a terminal event.
    """

    _started = _NOTHING_SAID
    _usage = _NOTHING_USED
    _end: ev.Finished | ev.Failed | None = None
    _block: ev.BlockStarted | None = None
    _signature: Signature | None = None
    _media: ev.MediaChunk | None = None

    def __init__(self) -> None:
        self._parts: list[ev.ReplyPart] = []
        self._citations: list[ev.CitationDelta] = []
        self._cited: list[int] = []
        self._opaque: list[ev.OpaqueEvent] = []
        self._passed: list[bytes] = []
        self._words: list[str] = []
        self._logprobs: list[Logprob] = []
        self._others: dict[int, Fold] = {}

    def feed(self, events: Iterable[ev.Event]) -> None:
        """Take the next events."""
        take = self._TAKE
        for event in events:
            if type(event) is ev.TextDelta:  # most are
                self._words.append(event.text)
            else:
                take[type(event)](self, event)

    def reply(self) -> ev.Reply:
        """Give the whole answer."""
        if isinstance(self._end, ev.Failed):
            raise self._end.error
        if self._end is None:
            raise StreamBroken(StreamBroken.CUT)
        return ev.Reply(
            id=self._started.id,
            model=self._started.model,
            parts=tuple(self._parts),
            citations=tuple(self._citations),
            cited=tuple(self._cited),
            opaque=tuple(self._opaque),
            passed=tuple(self._passed),
            usage=self._usage,
            finish=self._end,
            others=tuple(self._others[place].reply() for place in sorted(self._others)),
        )

    def _start(self, event: ev.Started) -> None:
        self._started = event
        self._usage = event.usage or self._usage

    def _open(self, event: ev.BlockStarted) -> None:
        self._block, self._words = event, []
        self._signature = self._media = None
        self._logprobs.clear()

    def _add_text(self, event: ev.TextDelta | ev.ThinkingDelta) -> None:
        self._words.append(event.text)

    def _add_json(self, event: ev.ArgumentsDelta) -> None:
        self._words.append(event.json)

    def _add_media(self, event: ev.MediaChunk) -> None:
        self._media = event

    def _sign(self, event: ev.SignatureDelta) -> None:
        self._signature = event.signature

    def _cite(self, event: ev.CitationDelta) -> None:
        self._citations.append(event)
        self._cited.append(len(self._parts))  # the open block is the next part

    def _tell(self, event: ev.LogprobsDelta) -> None:
        self._logprobs += event.tokens

    def _keep(self, event: ev.OpaqueEvent) -> None:
        self._opaque.append(event)

    def _pass(self, event: ev.Passed) -> None:
        self._passed.append(event.data)

    def _count(self, event: ev.UsageReported) -> None:
        self._usage = event.usage

    def _other(self, event: ev.Alternative) -> None:
        self._others.setdefault(event.place, Fold()).feed((event.event,))

    def _finish(self, event: ev.Finished | ev.Failed) -> None:
        self._end = event

    def _close(self, _: ev.BlockEnded) -> None:
        block, words = self._block, "".join(self._words)
        self._block = None
        if block is None:
            return
        if block.kind == "text":
            self._parts.append(Text(text=words, signature=self._signature, logprobs=tuple(self._logprobs)))
        elif block.kind == "thinking":
            self._parts.append(Thinking(text=words, signature=self._signature))
        elif block.kind == "tool_call":
            arguments = Raw(words.encode() or b"{}")
            self._parts.append(ToolCall(id=block.id, name=block.name, arguments=arguments, signature=self._signature))
        elif self._media is not None:
            media = self._media
            self._parts.append(Media(media_type=media.media_type, data=media.data, signature=self._signature))

    _TAKE: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ev.Started: _start,
        ev.BlockStarted: _open,
        ev.TextDelta: _add_text,
        ev.ThinkingDelta: _add_text,
        ev.ArgumentsDelta: _add_json,
        ev.MediaChunk: _add_media,
        ev.SignatureDelta: _sign,
        ev.CitationDelta: _cite,
        ev.LogprobsDelta: _tell,
        ev.OpaqueEvent: _keep,
        ev.Passed: _pass,
        ev.BlockEnded: _close,
        ev.UsageReported: _count,
        ev.Finished: _finish,
        ev.Failed: _finish,
        ev.Alternative: _other,
    }

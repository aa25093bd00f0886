"""Fold a stream of events into a whole reply, so that whole answers need no mapping of their own."""

from collections.abc import Iterable

from msgspec import Raw

from gateway.errors import StreamBroken

from . import events as ev
from .request import Media, Text, Thinking, ToolCall
from .signature import Signature

__all__ = ["Fold"]


class Fold:
    """Take events as they come; `reply()` when the stream has ended.

    `reply()` raises the error of `Failed`, or `StreamBroken` for a stream without a terminal event.
    """

    def __init__(self) -> None:
        self._started = ev.Started()
        self._parts: list[ev.ReplyPart] = []
        self._citations: list[ev.CitationDelta] = []
        self._usage = ev.Usage()
        self._end: ev.Finished | ev.Failed | None = None
        self._block: ev.BlockStarted | None = None
        self._words: list[str] = []
        self._signature: Signature | None = None
        self._media: ev.MediaChunk | None = None

    def feed(self, events: Iterable[ev.Event]) -> None:
        """Take the next events."""
        for event in events:
            self._take(event)

    def reply(self) -> ev.Reply:
        """Give the whole answer."""
        if isinstance(self._end, ev.Failed):
            raise self._end.error
        if self._end is None:
            raise StreamBroken("the upstream's answer ended before it was complete")
        return ev.Reply(
            id=self._started.id,
            model=self._started.model,
            created=self._started.created,
            parts=tuple(self._parts),
            citations=tuple(self._citations),
            usage=self._usage,
            finish=self._end,
        )

    def _take(self, event: ev.Event) -> None:
        match event:
            case ev.TextDelta(text) | ev.ThinkingDelta(text) | ev.ArgumentsDelta(text):
                self._words.append(text)
            case ev.BlockStarted():
                self._block, self._words = event, []
                self._signature = self._media = None
            case ev.BlockEnded():
                self._close()
            case ev.SignatureDelta(signature):
                self._signature = signature
            case ev.MediaChunk():
                self._media = event
            case ev.CitationDelta():
                self._citations.append(event)
            case _:
                self._take_frame(event)

    def _take_frame(self, event: ev.Event) -> None:
        match event:
            case ev.Started():
                self._started = event
                self._usage = event.usage or self._usage
            case ev.UsageReported(usage):
                self._usage = usage
            case ev.Finished() | ev.Failed():
                self._end = event
            case _:
                pass

    def _close(self) -> None:
        block, words = self._block, "".join(self._words)
        self._block = None
        if block is None:
            return
        if block.kind == "text":
            self._parts.append(Text(text=words, signature=self._signature))
        elif block.kind == "thinking":
            self._parts.append(Thinking(text=words, signature=self._signature))
        elif block.kind == "tool_call":
            arguments = Raw(words.encode() or b"{}")
            self._parts.append(ToolCall(id=block.id, name=block.name, arguments=arguments, signature=self._signature))
        elif self._media is not None:
            media = self._media
            self._parts.append(Media(media_type=media.media_type, data=media.data, signature=self._signature))

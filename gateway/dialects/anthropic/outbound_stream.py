"""Read an answer of Anthropic Messages: events in, neutral events out, in their grammar whatever comes.

    message_start ─► Started     content_block_start, _delta, _stop ─► one block
    message_delta, message_stop ─► the end     error ─► Failed

The end comes with `message_stop`, or where the stream ends behind its reason: one that lacks both broke off.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway import ir
from gateway.dialects.gemini.errors import mask
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.outbound_reader import BlockReader
from gateway.dialects.raw import NULL, read
from gateway.errors import StreamBroken

from . import outbound_wire as wire
from .outbound_blocks import Answer, Call, Kept, Part, Text, Thought
from .outbound_errors import read_details, read_error
from .outbound_executed import executed
from .outbound_wire import Delta, Event, Message, Tally, read_event, read_message

__all__ = ["ReadOptions", "StreamReader"]

_FINISHED: Final[dict[str, ir.FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "tool_use": "stop",  # said without a call; with one, see _finished()
    "max_tokens": "length",
    "model_context_window_exceeded": "context_window",
    "pause_turn": "pause",
    "compaction": "pause",  # the caller wants to go on by itself from the summary
    "refusal": "content_filter",
}
_BLOCKS: Final[dict[str, Callable[[], Text | Thought]]] = {
    "text": Text,
    "thinking": Thought,
    "redacted_thinking": Thought,
}
# the block that a delta belongs to where none has begun
_DELTAS: Final = {"text_delta": "text", "citations_delta": "text", "thinking_delta": "thinking"}
_CALL: Final = "tool_use"
_NEEDED: Final = frozenset({*_BLOCKS, *_DELTAS, _CALL, "input_json_delta", "signature_delta"})
_BLOCK: Final = msgspec.json.Decoder(wire.Block)
_DELTA: Final = msgspec.json.Decoder(Delta)
_DETAILS: Final = msgspec.json.Decoder(wire.StopDetails)
_HEAD: Final = msgspec.json.Decoder(wire.Head)


class ReadOptions(Struct, frozen=True, kw_only=True):
    """What the reader must know of the request; see AnthropicWritten.

    `salt`: makes ids for calls that have none, or one of `turns`, the conversation so far.
    """

    names: NameMap
    salt: str = ""
    turns: Sequence[ir.Turn] = ()
    wrapped: frozenset[str] = frozenset()
    answer: str = ""


class StreamReader(BlockReader):
    """Reads one answer."""

    def __init__(self, options: ReadOptions) -> None:
        super().__init__(options.salt, options.turns)
        self._options = options
        self._tally = Tally()
        self._said = False
        self._open: dict[int, Part] = {}
        self._end = Delta()

    @property
    def usage(self) -> ir.Usage | None:
        """What the upstream has counted so far."""
        return self._tally.usage()

    def feed(self, payloads: Sequence[str]) -> list[ir.Event]:
        """Take the data of the next events of the stream."""
        for payload in payloads:
            if self._ended:
                break
            self._read(payload)
        return self._flushed()

    def feed_whole(self, body: bytes) -> list[ir.Event]:
        """Take an answer that came as one JSON document, and end it."""
        try:
            message = read_message(body)
        except ValueError as error:
            self._unreadable(read_details(body).message or mask(str(error)))
            return self._flushed()
        if message.type == "error" or message.error != NULL:
            self._fail(read_error(200, body, {}))
        elif message.content is None:
            self._unreadable(read_details(body).message or "it has no content")
        else:
            self._whole(message)
        return self._flushed()

    def _read(self, data: str) -> None:
        try:
            event = read_event(data, self._TYPES)
        except ValueError as error:
            self._unreadable(mask(str(error)))
            return
        if event.type == "error" or (not event.type and event.error != NULL):
            self._fail(read_error(200, data.encode(), {}))
            return
        take = self._TAKE.get(event.type)  # what is not known says nothing
        if take is not None:
            take(self, event)

    def _start(self, message: Message) -> None:
        if self._started:
            return
        self._started = True
        started = ir.Started(id=message.id or None, model=message.model or None, usage=self._tally.usage())
        self._events.append(started)

    def _begun(self, event: Event) -> None:
        message = event.message or Message()
        if not self._started:
            self._tally.add(message.usage)
        self._start(message)

    # blocks

    def _block_begun(self, event: Event) -> None:
        self._start(Message())
        self._block_ended(event)  # one that was not ended, and whose place is taken
        self._begin(event.index, event.content_block)

    def _begin(self, index: int, raw: Raw | UnsetType) -> None:
        given = read(raw, _BLOCK)
        if given is None or raw is UNSET:
            self._missed(raw)
            return
        self._said = True
        part = self._made(given, index, raw)
        part.begin(given)
        self._open[index] = part

    def _missed(self, raw: Raw | UnsetType) -> None:
        """Break off at a block, or more of one, of another form: without it the answer would say another thing."""
        head = read(raw, _HEAD)
        if head is not None and head.type in _NEEDED:
            self._unreadable(f"a {head.type} is malformed")

    def _made(self, given: wire.Block, index: int, raw: Raw) -> Part:
        if given.type in _BLOCKS:
            return self._added(_BLOCKS[given.type]())
        if given.type != _CALL:
            return Kept(given.type, raw)
        if self._options.answer and given.name == self._options.answer:
            return self._added(Answer())
        call = Call(index, given.id or "", self._options.names.original(given.name or ""))
        self._blocks.calls.append(call)
        return self._added(call)

    def _added(self, block: Text | Thought | Answer | Call) -> Part:
        self._blocks.add(block)
        return block

    def _block_grown(self, event: Event) -> None:
        delta = read(event.delta, _DELTA)
        if delta is None:
            self._missed(event.delta)
            return
        part = self._open.get(event.index)
        kind = _DELTAS.get(delta.type)
        if kind is not None and (part is None or part.ended):
            self._begin(event.index, Raw(b'{"type":"%b"}' % kind.encode()))
            part = self._open[event.index]
            self._start(Message())
        if part is not None and not part.ended:
            part.add(delta)

    def _block_ended(self, event: Event) -> None:
        part = self._open.pop(event.index, None)
        if part is None:
            return
        part.ended = True
        if isinstance(part, Kept):
            kept = part.event()
            self._events += self._blocks.events()
            self._events.append(kept)
            if said := executed(kept.kind, kept.value):
                self._blocks.whole("text", ir.TextDelta(said))

    # the end

    def _message_grown(self, event: Event) -> None:
        self._tally.add(event.usage)
        delta = read(event.delta, _DELTA)
        if delta is not None and delta.stop_reason is not None:
            self._end = delta

    def _message_ended(self, _: Event) -> None:
        native = self._end.stop_reason
        error = self._nameless() or (StreamBroken(StreamBroken.CUT) if native is None and not self._said else None)
        if error is not None:
            self._fail(error)
            return
        self._start(Message())
        for index in sorted(self._open):
            self._block_ended(Event(index=index))
        self._finished_with(self._tally.usage(), self._finished(native, called=bool(self._blocks.calls)))

    def _close(self) -> None:
        """Take the end of the stream, which ends an answer well that has said why it ends: some servers say no more."""
        if self._end.stop_reason is None:
            super()._close()
        else:
            self._message_ended(Event())

    def _finished(self, native: str | None, *, called: bool) -> ir.Finished:
        reason = _FINISHED.get(native or "end_turn", "stop")
        if reason == "stop" and called:
            reason = "tool_calls"
        details = read(self._end.stop_details, _DETAILS)
        return ir.Finished(
            reason=reason,
            native=native,
            stop_sequence=self._end.stop_sequence if reason == "stop_sequence" else None,
            explanation=(details.explanation or None) if details is not None else None,
        )

    def _whole(self, message: Message) -> None:
        self._begun(Event(message=message))
        for index, raw in enumerate(message.content or ()):
            self._begin(index, raw)
            if self._ended:  # it has another form
                return
            self._block_ended(Event(index=index))
        self._end = Delta(
            stop_reason=message.stop_reason, stop_sequence=message.stop_sequence, stop_details=message.stop_details
        )
        self._message_ended(Event())

    _TAKE: ClassVar[dict[str, Callable[[Any, Event], None]]] = {
        "message_start": _begun,
        "content_block_start": _block_begun,
        "content_block_delta": _block_grown,
        "content_block_stop": _block_ended,
        "message_delta": _message_grown,
        "message_stop": _message_ended,
    }
    _TYPES: ClassVar[frozenset[str]] = frozenset({*_TAKE, "error"})

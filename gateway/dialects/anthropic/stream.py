"""Write a stream of Messages events.

    message_start (content_block_start content_block_delta* content_block_stop)+ message_delta message_stop
    error may take the place of any of them, and ends the stream

Blocks have indices without gaps and one is open at a time; one opens with its first content. A tool_use waits
for one more event, because its signature goes out in a block before it.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from gateway import ir
from gateway.dialects import Answering
from gateway.errors import GatewayError, StreamBroken
from gateway.sse import event as sse_event

from .answer import (
    JSON,
    carrier,
    citation,
    encode,
    envelope,
    message,
    picture,
    search,
    shows,
    stop,
    text_block,
    thinking_block,
    tool_block,
    usage,
)
from .errors import error_body

__all__ = ["STOP", "Stream", "broken"]

STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTA_END: Final = b"}}\n\n"
_UNSTOPPED: Final[JSON] = {"stop_reason": None, "stop_sequence": None}


class Stream:
    """The writer of one streamed answer."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._shows = shows(answering)
        self._out: list[bytes] = []
        self._usage = ir.Usage()
        self._started = self._ended = False
        self._index = self._calls = 0
        self._open = ""  # the type of the open block
        self._head = b""  # what stands before the words of its deltas
        self._signature: ir.Signature | None = None  # goes out when its thinking block ends
        self._thinks = False  # within a thinking block of the upstream
        self._call: ir.BlockStarted | None = None  # waits for its signature
        self._argued = False
        self._unseen: list[str] = []  # words of thoughts of which the caller gets the signature alone
        self._sources: list[ir.CitationDelta] = []
        self._opaque: list[ir.OpaqueEvent] = []

    def feed(self, events: Sequence[ir.Event]) -> bytes:
        """Give the SSE events for these events."""
        for event in events:
            if self._ended:
                break
            if type(event) is ir.TextDelta and self._open == "text":
                self._out.append(self._head + encode(event.text) + _DELTA_END)
            else:
                self._take(event)
        return self._flush()

    def close(self, error: GatewayError | None = None) -> bytes:
        """End the stream with an error unless it has ended."""
        if not self._ended:
            self._fail(error or StreamBroken(StreamBroken.CUT))
        return self._flush()

    def _flush(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _take(self, event: ir.Event) -> None:
        match event:
            case ir.BlockStarted(kind=kind):
                self._close_block()
                self._thinks = kind == "thinking"
                self._unseen.clear()
                self._call = event if kind == "tool_call" else None
            case ir.TextDelta(text):
                self._write_text(text)
            case ir.ThinkingDelta(text):
                self._write_thinking(text)
            case ir.SignatureDelta(signature):
                self._sign(signature)
            case ir.ArgumentsDelta(json):
                self._write_arguments(json)
            case ir.CitationDelta():
                self._cite(event)
            case ir.MediaChunk():
                self._write_text(picture(event))
            case ir.BlockEnded():
                self._close_block()
            case _:
                self._take_frame(event)

    def _take_frame(self, event: ir.Event) -> None:
        match event:
            case ir.Started(usage=count):
                self._usage = count or self._usage
            case ir.UsageReported(count):
                self._usage = count
            case ir.Finished():
                self._finish(event)
            case ir.Failed(error):
                self._fail(error)
            case ir.OpaqueEvent():
                self._opaque.append(event)
            case _:
                pass

    def _write_text(self, text: str) -> None:
        if text:
            self._begin("text")
            self._delta(text)

    def _write_thinking(self, text: str) -> None:
        if self._shows != "words":
            self._start()
            if self._shows == "signatures":
                self._unseen.append(text)
        elif text:
            self._begin("thinking")
            self._delta(text)

    def _sign(self, signature: ir.Signature) -> None:
        if self._call is not None:
            self._carry(signature)
        elif self._thinks and self._shows != "nothing" and self._answering.sealed:
            self._begin("thinking")
            self._signature = signature

    def _write_arguments(self, json: str) -> None:
        self._begin_call()
        if json and self._open == "tool_use":
            self._argued = True
            self._delta(json)

    def _cite(self, source: ir.CitationDelta) -> None:
        self._begin("text")
        self._sources.append(source)
        self._delta_of({"type": "citations_delta", "citation": citation(source)})

    def _begin(self, kind: str) -> None:
        """Open a block of words unless one of this kind is open."""
        if self._open != kind:
            self._close_block()
            self._open_block(text_block("") if kind == "text" else thinking_block("", ""), kind, kind)

    def _begin_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            block = tool_block(call, self._calls, {}, self._answering)
            self._calls += 1
            self._argued = False
            self._open_block(block, "input_json", "partial_json")

    def _carry(self, signature: ir.Signature) -> None:
        """Write the empty thinking block that holds the signature of the call after it."""
        value = carrier(signature, self._answering)
        if value:
            self._open_block(thinking_block("", ""), "thinking", "thinking")
            self._delta_of({"type": "signature_delta", "signature": value})
            self._stop_block()

    def _open_block(self, block: JSON, delta: str = "", field: str = "") -> None:
        self._start()
        self._open = str(block["type"])
        self._head = _DELTA % (self._index, f"{delta}_delta".encode(), field.encode())
        self._event("content_block_start", {"index": self._index, "content_block": block})

    def _close_block(self) -> None:
        self._begin_call()
        if self._open == "tool_use" and not self._argued:
            self._delta("{}")  # a call without arguments still needs a delta that parses
        if self._open == "thinking":
            value = envelope(self._signature, self._answering, "".join(self._unseen))
            self._delta_of({"type": "signature_delta", "signature": value})
        if self._open:
            self._stop_block()

    def _stop_block(self) -> None:
        self._event("content_block_stop", {"index": self._index})
        self._index += 1
        self._open, self._head, self._signature = "", b"", None

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        known = self._usage  # while the upstream has not told, the prompt is estimated: it is shown at once
        known = known if known.input else replace(known, input=max(1, self._answering.estimate()))
        counted = {**usage(known), "output_tokens": 1}
        self._event("message_start", {"message": message(self._answering, [], _UNSTOPPED, counted)})

    def _finish(self, finish: ir.Finished) -> None:
        self._close_block()
        if self._index == 0:
            self._begin("text")
            self._close_block()
        found = [*search(self._sources, self._opaque, self._answering)]
        for block in found:
            asked = block.get("input")
            self._open_block({**block, "input": {}} if asked else block)
            if asked:
                self._delta_of({"type": "input_json_delta", "partial_json": encode(asked).decode()})
            self._stop_block()
        counted = usage(self._usage, searches=len(found) // 2)
        self._event("message_delta", {"delta": stop(finish, calls=self._calls > 0), "usage": counted})
        self._out.append(STOP)
        self._ended = True

    def _fail(self, error: GatewayError) -> None:
        self._out.append(broken(error, self._answering.request_id))
        self._ended = True

    def _delta(self, text: str) -> None:
        self._out.append(self._head + encode(text) + _DELTA_END)

    def _delta_of(self, delta: JSON) -> None:
        self._event("content_block_delta", {"index": self._index, "delta": delta})

    def _event(self, name: str, members: JSON) -> None:
        self._out.append(sse_event(encode({"type": name, **members}), name.encode()))


def broken(error: GatewayError, request_id: str) -> bytes:
    """Write the error that ends a stream."""
    return sse_event(error_body(error, request_id), b"error")

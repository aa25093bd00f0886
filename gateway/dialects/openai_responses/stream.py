"""A streamed answer: events with a name and a number each, from 0 without a gap.

    response.created response.in_progress (the events of items)* response.completed | .incomplete | .failed

Nothing goes out before there is something to say, and nothing after the terminal event.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic.answer import JSON, encode
from gateway.errors import GatewayError, StreamBroken
from gateway.sse import event as sse_event

from . import answer
from .output import Output

__all__ = ["StreamWriter"]


class StreamWriter:
    """Writes one stream.

    `response`: the final Response object, once the terminal event is written, as it is to be kept.
    """

    def __init__(self, answering: Answering) -> None:
        self.response: bytes | None = None
        self._frame = answer.frame(answering)
        self._events = _Events(self._frame)
        self._output = Output(answering, self._events.add)
        self._usage: ir.Usage | None = None

    def feed(self, events: Sequence[ir.Event]) -> bytes:
        """Give the SSE events for these events."""
        for event in events:
            if self.response is not None:
                break
            take = self._TAKE.get(type(event))
            if take is not None:
                take(self, event)
            else:
                self._output.take(event)
        return self._events.taken()

    def close(self, error: GatewayError | None = None) -> bytes:
        """End with the error; an answer without a finish is one too."""
        if self.response is None:
            self._fail(error or StreamBroken(StreamBroken.CUT))
        return self._events.taken()

    def _started(self, event: ir.Started) -> None:
        self._usage = event.usage or self._usage

    def _counted(self, event: ir.UsageReported) -> None:
        self._usage = event.usage

    def _finished(self, event: ir.Finished) -> None:
        self._end({**self._output.finish(event), "usage": answer.usage(self._usage or ir.Usage())})

    def _failed(self, event: ir.Failed) -> None:
        self._fail(event.error)

    def _fail(self, error: GatewayError) -> None:
        self._output.abandon()
        counted = answer.usage(self._usage) if self._usage else None
        self._end({"status": "failed", "error": answer.failure(error), "usage": counted})

    def _end(self, state: JSON) -> None:
        items, stored = self._output.items, self._output.stored()
        final = encode(self._frame | state | {"output": items})
        self._events.add(f"response.{state['status']}", {"response": Raw(final)})
        self.response = final if stored is items else encode(self._frame | state | {"output": stored})

    _TAKE: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ir.Started: _started,
        ir.UsageReported: _counted,
        ir.Finished: _finished,
        ir.Failed: _failed,
    }


class _Events:
    """What is written, in its order; what begins the stream goes before the first event."""

    def __init__(self, frame: JSON) -> None:
        self._frame = frame
        self._number = 0
        self._out: list[bytes] = []

    def add(self, name: str, members: JSON) -> None:
        if self._number == 0:
            begun: JSON = {"response": Raw(encode(self._frame))}
            self._write("response.created", begun)
            self._write("response.in_progress", begun)
        self._write(name, members)

    def taken(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _write(self, name: str, members: JSON) -> None:
        data = encode({"type": name, "sequence_number": self._number, **members})
        self._out.append(sse_event(data, name.encode()))
        self._number += 1

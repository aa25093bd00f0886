"""An upstream's own answer on its way to a Gemini caller: its chunks, each as it came.

A stream is framed as Google does it, whatever stood between the chunks: google-genai fails on comments, names of events
and an end mark. A whole answer goes out byte for byte, or is put together of a stream's chunks.
"""

from collections.abc import Sequence

from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.passage import Passage
from gateway.errors import GatewayError

from .edits import REPLIES
from .inbound_answer import JSON, encode, ended, one_line, usage
from .inbound_errors import write_broken, write_error
from .inbound_whole import closed, joined

__all__ = ["GeminiPassage"]


class GeminiPassage(Passage):
    """The writer of one answer."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering, REPLIES, write_error)
        self._array = answering.array
        self._begun = self._closed = False

    def feed(self, events: Sequence[ir.Event]) -> bytes:
        """Give what passes of these events, and the end that the upstream has not told."""
        begun, passed = not self._ended, super().feed(events)
        if not begun or not self._ended:
            return passed
        match events[-1]:
            case ir.Finished(reason="tool_calls", native=None) as end:
                said: JSON = {"candidates": [ended(end, (), {})]}
                for one in events:
                    if isinstance(one, ir.UsageReported):
                        said["usageMetadata"] = usage(one.usage)
                return passed + self._framed(encode(said))
            case _:
                return passed

    def close(self, error: GatewayError | None = None) -> bytes:
        """End the stream."""
        end = super().close(error)
        if not self._array or self._closed:
            return end
        self._closed = True
        return end + (b"]" if self._begun else b"[]")

    def whole(self, pieces: Sequence[bytes]) -> bytes:
        """Give the body of an answer that is no stream; the upstream's may have been one."""
        return closed(super().whole([pieces[0] if len(pieces) == 1 else joined([Raw(one) for one in pieces])]))

    def _passed(self, data: bytes) -> bytes:
        changed = self._changed(data) if self._edits else data
        return self._framed(data if changed is None else changed)

    def _framed(self, chunk: bytes) -> bytes:
        if not self._array:
            return b"data: %b\r\n\r\n" % one_line(chunk)
        head = b",\r\n" if self._begun else b"["
        self._begun = True
        return head + one_line(chunk) + b"\n"  # as the real service: there are readers that cut off "\n]"

    def _broken(self, error: GatewayError) -> bytes:
        return write_broken(error) if self._answering.apart else self._framed(super()._broken(error))

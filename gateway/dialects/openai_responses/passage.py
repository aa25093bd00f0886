"""A Response of an upstream's own on its way to a caller of Responses.

What ends a stream holds the whole Response: it is kept for those who go on from it, and gets the name and the output
that some servers leave out. A stream that breaks off is ended by an event that goes on from the last one: the same
Response, failed, with the next number; and so is one that is complete and does not say so.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic.answer import encode
from gateway.dialects.passage import GOOD_END, Passage, payloads, with_its_end
from gateway.dialects.raw import FIELDS, NULL, RAWS, TEXT, Fields, read
from gateway.errors import GatewayError
from gateway.sse import event as sse_event
from gateway.sse import json_line

from . import answer
from .edits import REPLIES, Untyped, screen
from .stream import StreamWriter

__all__ = ["ResponsesPassage"]

_NUMBER: Final = re.compile(rb'"sequence_number"\s*:\s*(\d{1,18})(?!\d)')
_ENDS: Final = (b"response.completed", b"response.incomplete")
_FAILED: Final = b"response.failed"
_OVER: Final = b"response.done"  # as relays of Codex's own service end, whatever the status: Realtime's word
_STATUSES: Final = frozenset({"completed", "incomplete", "failed"})
_NAME: Final = re.compile(rb"^event:[ ]?response\.done\b", re.MULTILINE)
_ITEM: Final = b"response.output_item.done"
_BEGUN: Final = b"response.created"
_TOLD: Final = (*_ENDS, _OVER)
_NOTED: Final = (*_TOLD, _ITEM, _BEGUN)
_TRUE: Final = Raw(b"true")


class ResponsesPassage(Passage):
    """The writer of one answer.

    `response`: the final Response object, once it has passed; of an answer in the background, which goes on when its
    caller leaves, what it begins as until then.
    """

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering, REPLIES, lambda error: StreamWriter(answering).close(error), screen, screen)
        self._hears = next(edit for edit, _ in self._edits if isinstance(edit, Untyped)).hears
        self.response: bytes | None = None
        self._first = self._before = self._last = b""  # what passed
        self._told = False  # that the answer has ended
        self._items: list[Raw] = []

    def whole(self, pieces: Sequence[bytes]) -> bytes:
        """Give the body of an answer that is no stream."""
        self.response = super().whole(pieces)
        return self.response

    def _passed(self, data: bytes) -> bytes:
        begun = self._line_feed is not None and data.startswith(b"\n")  # then this is called once more within
        whole = super()._passed(data)
        if whole and not begun:
            if any(mark in whole for mark in _NOTED):
                whole = self._noted(whole)
            self._first, self._before, self._last = self._first or whole, self._last, whole
        return whole

    def _noted(self, whole: bytes) -> bytes:
        """Note what events say of the Response, and give them as callers wait for them."""
        for data in payloads(whole):
            fields = read(Raw(data), FIELDS) or {}
            kind = _kind(fields)
            self._told = self._told or kind in _TOLD
            if kind in _TOLD and "response" in fields:
                ended = self._ended_well(fields)
                if ended is not fields:
                    whole = whole.replace(data, json_line(encode(ended)))
                    whole = _NAME.sub(b"event: " + _kind(ended), whole)
                if _kind(ended) in _ENDS:
                    self.response = bytes(ended["response"])
            elif kind == _BEGUN:
                begun = read(fields.get("response", NULL), FIELDS) or {}
                self.response = bytes(fields["response"]) if begun.get("background") == _TRUE else None
            elif kind == _ITEM and "item" in fields:
                self._items.append(fields["item"])
        return whole

    def _ended_well(self, fields: Fields) -> Fields:
        """Give the last event the name that callers wait for, and the output that they read in it."""
        response = read(fields["response"], FIELDS) or {}
        if _kind(fields) == _OVER:
            status = read(response.get("status", NULL), TEXT)
            name = f"response.{status if status in _STATUSES else 'completed'}"
            fields = {**fields, "type": Raw(encode(name))}
        if self._items and response and not read(response.get("output", NULL), RAWS):
            fields = {**fields, "response": Raw(encode({**response, "output": self._items}))}
        return fields

    def _failed(self, failed: ir.Failed, passed: bytes) -> bytes:
        """Let the failed Response follow an event `error` by itself, as OpenAI does: Codex waits for it."""
        news = failed.told and not self._ended
        passed = super()._failed(failed, passed)
        if not news or self._begins() is None:
            return passed
        left, self._rest, self._tail = b"".join(self._rest), [], b""  # the upstream is not read on
        if left and (whole := with_its_end(left)) is not None:
            passed += self._passed(whole)
        kinds = [_kind(read(Raw(data), FIELDS) or {}) for data in payloads(passed)]
        return passed if _FAILED in kinds else passed + self._broken(failed.error)

    def _broken(self, error: GatewayError) -> bytes:
        response = self._begins()
        if response is None:
            return super()._broken(error)
        return self._end({**response, "status": "failed", "error": answer.failure(error), "output": self._items})

    def _finished(self, _end: ir.Finished, passed: bytes, /) -> bytes:
        """End a stream that is complete and does not say so: all its items are, and clients wait for the last event."""
        passed = passed if self._told else passed + self.close()  # the last event may lack its blank line
        if self._told:
            return passed
        passed = GOOD_END.sub(b"", passed)  # clients read nothing behind it
        self._told = True
        begun = self._begins() or answer.frame(self._answering)
        whole = {**begun, "status": "completed", "output": self._items}
        self.response = encode(whole)
        return passed + self._end(whole)

    def _begins(self) -> Mapping[str, object] | None:
        """Give the Response as the first event has it."""
        begun = next(iter(payloads(self._first)), b"")
        fields = read(Raw(begun), FIELDS) if begun else None
        return read(fields["response"], FIELDS) if fields and "response" in fields else None

    def _end(self, response: Mapping[str, object]) -> bytes:
        """Write the last event; the one before it may be a mark without a number."""
        name = f"response.{response['status']}"
        numbers = _NUMBER.findall(self._before + self._last)
        number = int(numbers[-1]) + 1 if numbers else 0
        data = encode({"type": name, "sequence_number": number, "response": response})
        return sse_event(json_line(data), name.encode())


def _kind(fields: Fields) -> bytes:
    return bytes(fields.get("type", NULL)).strip(b'"')

"""A Chat Completions answer of an upstream's own on its way to a caller.

Once a call is numbered anew, each piece of a call is looked at; until then only those that begin one.
"""

import re
from functools import partial
from typing import Final

import msgspec

from gateway.dialects import Answering
from gateway.dialects.edits import Fields, read
from gateway.dialects.passage import Passage, payloads
from gateway.errors import GatewayError
from gateway.sse import json_line

from . import answer
from .edits import REPLIES, screen, skim, trim
from .numbering import PIECES, Numbers
from .stream import broken

__all__ = ["ChatPassage"]

_CHOICES: Final = b'"choices"'
_DONE: Final = b"[DONE]"
_DONE_LINE: Final = re.compile(rb"(?m)^data: ?\[DONE\]")
_OF_ALL: Final = ("id", "object", "created", "model")  # what is the same in each chunk
_FIELDS: Final = msgspec.json.Decoder(Fields)
_encode: Final = msgspec.json.Encoder().encode


class ChatPassage(Passage):
    """The writer of one answer."""

    def __init__(self, answering: Answering) -> None:
        self._count = _Count() if answering.request.include_usage else None
        super().__init__(answering, REPLIES, broken, screen, skim, self._count or trim)
        numbers = next(apply for apply, _ in self._edits if isinstance(apply, Numbers))
        self._screen = partial(_tells, numbers)  # a method of its own would be a cycle

    def close(self, error: GatewayError | None = None) -> bytes:
        """End the stream; one without `[DONE]` may still have to tell its tokens."""
        well, end = self._ended, super().close(error)
        told = self._count.told(b"", self._answering) if well and self._count is not None else b""
        return self._edited(told) + end if told else end


class _Count:
    """Tells a caller who has asked for tokens an estimate of them, ahead of `[DONE]`, where the upstream tells none."""

    def __init__(self) -> None:
        self._last = b""
        self._is_told = False

    def __call__(self, events: bytes, answering: Answering) -> bytes:
        """Take whole events; give them with the estimate where it belongs."""
        if _DONE in events and (done := _DONE_LINE.search(events)) is not None:
            before = events[: done.start()]
            return before + self.told(before, answering) + events[done.start() :]
        if _CHOICES in events:
            self._last = events
        return events

    def told(self, before: bytes, answering: Answering) -> bytes:
        """Write the chunk of the tokens, once, in the form of the last one that came."""
        usage = None if self._is_told else answering.untold()
        self._is_told = True
        if usage is None:
            return b""
        chunks = (
            read(msgspec.Raw(data), _FIELDS) or {} for data in payloads(before if _CHOICES in before else self._last)
        )
        last = next((chunk for chunk in reversed(list(chunks)) if "choices" in chunk), Fields())
        chunk = {name: last[name] for name in _OF_ALL if name in last}
        return b"data: %b\n\n" % json_line(_encode({**chunk, "choices": [], "usage": answer.usage(usage)}))


def _tells(numbers: Numbers, data: bytes, answering: Answering) -> bool:
    return screen(data, answering) or (numbers.moved and PIECES in data)

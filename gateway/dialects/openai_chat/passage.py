"""A Chat Completions answer of an upstream's own on its way to a caller.

Once a call is numbered anew, each piece of a call is looked at; until then only those that begin one. Where the model
may call tools, the end is looked at, too. The answer ends with `[DONE]`, or with its body where a server does not say
that: then it is said here, and so is why it ends where `[DONE]` alone says that it does.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.passage import Passage, payloads
from gateway.dialects.raw import FIELDS, NOTHING, NULL, read
from gateway.errors import GatewayError
from gateway.sse import DONE, event, json_line

from . import answer
from .edits_replies import REPLIES, screen, skim, trim
from .endings import STOP, EndedCalls, ends_strangely, named
from .numbering import PIECES, Numbers
from .stream import END, broken

__all__ = ["ChatPassage"]

_DONE: Final = DONE.encode()
_ENDED: Final = re.compile(rb"(?:\A|(?<=\n\n))data:[ ]?\[DONE\]\n\n")  # of other lines the reader may see the end later
_ERROR: Final = b'"error"'
_CHOICES: Final = b'"choices"'
_WHOLE: Final = tuple(edit for edit in REPLIES if edit.whole)
_encode: Final = msgspec.json.Encoder().encode


class ChatPassage(Passage):
    """The writer of one answer."""

    _owes = _closed = False

    def __init__(self, answering: Answering) -> None:
        streams = answering.request.stream  # a whole answer is not looked through
        super().__init__(answering, REPLIES if streams else _WHOLE, broken, screen, skim, trim, _hears)
        if streams:
            self._remember(answering)

    def _remember(self, answering: Answering) -> None:
        """Screen by what the edits have seen of the answer so far."""
        numbers = next(apply for apply, _ in self._edits if isinstance(apply, Numbers))
        self._screen = partial(_tells, numbers)  # a method of its own would be a cycle
        if answering.request.tools and (ended := [one for one, _ in self._edits if isinstance(one, EndedCalls)]):
            self._skim, self._screen = _ends, partial(_tells_of_ends, numbers, ended[0])

    def close(self, error: GatewayError | None = None) -> bytes:
        """End the stream; a good end has its word, unless it would stand in the rest of an event."""
        end = super().close(error)
        owes = self._owes and error is None and _DONE not in end and (not end or end.endswith(b"\n"))
        self._owes, self._closed = False, True
        return end + END if owes else end

    def whole(self, pieces: Sequence[bytes]) -> bytes:
        """Give the body; few have an end that OpenAI does not know, so that it is not read for that."""
        body = b"".join(pieces)
        fields = read(body, FIELDS) if ends_strangely(body) else None
        return super().whole([body] if fields is None else [_encode(named(fields, self._answering))])

    def _finished(self, end: ir.Finished, passed: bytes, /) -> bytes:
        # without a reason it is [DONE] that has ended it, or nobody here could read it to its end
        self._owes = not self._closed and bool(end.native) and _DONE not in passed
        done = _ENDED.search(passed) if end.native is None else None
        if done is not None:
            passed = passed[: done.start()] + self._reason(end) + passed[done.start() :]
        return super()._finished(end, passed)

    def _unheard(self, last: bytes, /) -> bool:
        """Parsers fail on an event without choices, unless its error is in its place."""
        return super()._unheard(last) or (_CHOICES not in last and not _hears(last))

    def _reason(self, end: ir.Finished) -> bytes:
        """Write the chunk that says why the answer ends; agents take one that does not for a part of it."""
        first = read(next(iter(payloads(self._opening)), b""), FIELDS) or {}
        said = answer.finish_reason(end, end.reason == "tool_calls", answer.manner(self._answering))
        choice: dict[str, object] = {"index": 0, "delta": {}, "finish_reason": said}
        chunk: dict[str, object] = {
            "id": first.get("id", answer.completion_id(self._answering)),
            "object": "chat.completion.chunk",
            "created": first.get("created", self._answering.created),
            "model": self._answering.model,
            "choices": [choice],
        }
        return event(json_line(_encode(chunk)))


def _hears(events: bytes) -> bool:
    """Tell whether an error among events stands where callers look for it: what is elsewhere they pass over."""
    told = (read(data, FIELDS) or {} for data in payloads(events) if _ERROR in data)
    return any(bytes(fields.get("error", NULL)) not in NOTHING for fields in told)


def _tells(numbers: Numbers, data: bytes, answering: Answering) -> bool:
    return screen(data, answering) or (numbers.moved and PIECES in data)


def _tells_of_ends(numbers: Numbers, ended: EndedCalls, data: bytes, answering: Answering) -> bool:
    return _tells(numbers, data, answering) or (ended.called and STOP in data)


def _ends(events: bytes, answering: Answering) -> bool:
    return STOP in events or skim(events, answering)

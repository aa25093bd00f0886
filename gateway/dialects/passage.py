"""An upstream's own answer on its way to a caller of its dialect.

    bytes ─► whole events ─► what the table of reply edits is about, written anew ─► bytes

Events go out whole: parsers exist that keep nothing between two reads, and after a cut our own error must not end up in
the middle of one. Comments, names of events and their order stay as they came. What some clients take for the end of a
line is escaped, which is the same in JSON.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.edits import ReplyEdit
from gateway.dialects.raw import FIELDS, read
from gateway.errors import GatewayError, StreamBroken
from gateway.sse import DONE, Halves, json_line, sound

__all__ = ["GOOD_END", "Passage", "payloads", "with_its_end"]

_encode: Final = msgspec.json.Encoder().encode

_EOL: Final = rb"(?:\r\n|\r(?!\n)|\n)"
_END: Final = re.compile(_EOL * 2)
_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_DATA: Final = re.compile(rb"(data:[ ]?)(.*)", re.DOTALL)
_PLAIN: Final = (b"data: ", b"\n\n")
# a mark of the encoding in front of it would hide what follows
GOOD_END: Final = re.compile(rb"(?:%b)?data:[ ]?\[DONE\]\s*\Z" % BOM_UTF8)
_DOCUMENTS: Final = (b"{", b"[")
_BEFORE_END: Final = 3  # bytes of an event's end that may have come before its last one


def _any(_data: bytes, _answering: Answering) -> bool:
    return True


def _as_it_is(events: bytes, _answering: Answering) -> bytes:
    return events


def _heard(_events: bytes) -> bool:
    return True


class Passage:
    """The writer of one answer.

    `skim` tells quickly that no edit has anything to do with whole events, `screen` that none has with one event's
    data. `trim` does to whole events what an edit would do to each of them, where that can be done to the bytes.
    `hears` tells whether callers take what an upstream says of its error for one.
    """

    _opening = b""  # the first whole events, before any edit

    def __init__(
        self,
        answering: Answering,
        table: Sequence[ReplyEdit],
        write_error: Callable[[GatewayError], bytes],
        screen: Callable[[bytes, Answering], bool] = _any,
        skim: Callable[[bytes, Answering], bool] = _any,
        trim: Callable[[bytes, Answering], bytes] = _as_it_is,
        hears: Callable[[bytes], bool] = _heard,
    ) -> None:
        self._answering = answering
        edits = [edit for edit in table if edit.wanted(answering)]
        self._edits = tuple((edit.begin() if edit.begin else edit.apply, edit.whole) for edit in edits)
        self._write_error = write_error
        self._screen = screen
        self._skim = skim
        self._trim = trim
        self._hears = hears
        self._halves = Halves()
        self._rest: list[bytes] = []  # of an event whose end has not come
        self._tail = b""  # the last bytes of it
        self._ended = False
        self._line_feed: bytes | None = None  # what it gives when it comes next: it belongs to the last event's end

    # streams

    def feed(self, events: Sequence[ir.Event]) -> bytes:
        """Give what passes of these events, and the error that the upstream has not told itself, or told nobody."""
        out: list[bytes] = []
        for event in events:
            if isinstance(event, ir.Passed):
                out.append(self._passed(event.data))
            elif isinstance(event, ir.Finished):
                self._ended = True
                out = [self._finished(event, b"".join(out))]
            elif isinstance(event, ir.Failed):
                out = [self._failed(event, b"".join(out))]
        return b"".join(out)

    def close(self, error: GatewayError | None = None) -> bytes:
        """End the stream: with what is left of it, or with the error; an answer without a finish is one too."""
        pieces, self._rest, self._tail = self._rest, [], b""
        if self._ended:
            rest = b"".join(pieces)
            whole = with_its_end(rest) if rest else None
            return rest if whole is None else self._passed(whole)
        self._ended = True
        return self._broken(error or StreamBroken(StreamBroken.CUT))

    def _broken(self, error: GatewayError) -> bytes:
        """Write the error that ends the stream."""
        return self._write_error(error)

    def _finished(self, _end: ir.Finished, passed: bytes, /) -> bytes:
        """Give what passes of the end; the upstream has told it."""
        return passed

    def _failed(self, failed: ir.Failed, passed: bytes) -> bytes:
        """Give what passes, and the error behind it where it is not told there."""
        # vLLM ends its stream well behind an error, too; several SDKs read nothing behind that
        self._rest, passed = [GOOD_END.sub(b"", b"".join(self._rest))], GOOD_END.sub(b"", passed)
        if self._ended:
            return passed
        if failed.told:
            told = b"".join((passed, *self._rest))
            start = _last_end(told.rstrip())
            if self._unheard(told[start:]):
                passed = passed[:start]
            elif told and self._hears(told):
                self._ended = True
                return passed
        return passed + self.close(failed.error)

    def _unheard(self, last: bytes, /) -> bool:
        """Tell whether callers pass over what the upstream breaks off with, as over a document, which Google's is."""
        return last.lstrip().startswith(_DOCUMENTS)

    def _passed(self, data: bytes) -> bytes:
        if self._line_feed is not None and data:
            line_feed, self._line_feed = self._line_feed, None
            if data.startswith(b"\n"):
                return line_feed + (self._passed(data[1:]) if len(data) > 1 else b"")
        whole = data if not self._rest and data.endswith(_PLAIN[1]) else self._whole_events(data)
        if not self._opening and whole:
            self._opening = whole = whole.removeprefix(BOM_UTF8)  # parsers take it for a part of the first line
        if whole.endswith(b"\r") and not self._rest:
            self._line_feed = b"\n"
        whole = sound(whole, halves=self._halves, lines=True)
        if not whole or not self._edits:
            return whole
        whole = self._trim(whole, self._answering)
        return self._edited(whole) if self._skim(whole, self._answering) else whole

    def _whole_events(self, data: bytes) -> bytes:
        """Give what ends with this piece, and keep the rest; no byte is searched twice, for events may be long."""
        end = _last_end(self._tail + data) - len(self._tail)
        if end <= 0:
            self._rest.append(data)
            self._tail = (self._tail + data)[-_BEFORE_END:]
            return b""
        whole, left = b"".join((*self._rest, data[:end])), data[end:]
        self._rest, self._tail = [left] if left else [], left[-_BEFORE_END:]
        return whole

    def _edited(self, data: bytes) -> bytes:
        if b"data" not in data:  # comments alone: no edit has to do with them
            return data
        spans = [data[start:end] for start, end in _spans(data)]
        kept = [self._event(span) for span in spans]
        if kept == spans:
            return data
        rest = data[sum(map(len, spans)) :]  # a blank line more than there need be
        if self._line_feed and not rest and not kept[-1]:
            self._line_feed = b""
        return b"".join(kept) + rest

    def _event(self, span: bytes) -> bytes:
        if span.startswith(_PLAIN[0]) and span.endswith(_PLAIN[1]) and span.find(b"\n") == len(span) - 2:
            data = span[6:-2]
            changed = self._changed(data)
            return span if changed is data else b"" if changed is None else b"data: %b\n\n" % changed
        lines = _LINE.findall(span)
        found = [(place, _DATA.fullmatch(line.rstrip(b"\r\n"))) for place, line in enumerate(lines)]
        places = [(place, match) for place, match in found if match is not None]
        if not places:
            return span
        data = b"\n".join(match[2] for _, match in places)
        changed = self._changed(data)
        if changed is data:
            return span
        return b"" if changed is None else _with_data(lines, places, changed)

    def _changed(self, data: bytes) -> bytes | None:
        """Give an event's data after the edits; None: it is left out."""
        if not self._screen(data, self._answering):
            return data
        before = fields = read(data, FIELDS)
        if fields is None:
            return data
        for apply, _ in self._edits:
            after = apply(fields, self._answering)
            if after is None:
                return None
            fields = after
        return data if fields is before else json_line(_encode(fields))

    # whole answers

    def whole(self, pieces: Sequence[bytes]) -> bytes:
        """Give the body of an answer that is no stream."""
        body = b"".join(pieces)
        edits = [apply for apply, whole in self._edits if whole]
        if not edits:
            return body
        before = fields = read(body, FIELDS)
        if fields is None:
            return body
        for apply in edits:
            fields = apply(fields, self._answering) or fields
        return body if fields is before else _encode(fields)


def payloads(events: bytes) -> list[bytes]:
    """Give the data of whole events."""
    found: list[bytes] = []
    for start, end in _spans(events):
        lines = (_DATA.fullmatch(line.rstrip(b"\r\n")) for line in _LINE.findall(events[start:end]))
        data = [match[2] for match in lines if match is not None]
        if data:
            found.append(b"\n".join(data))
    return found


def _last_end(data: bytes) -> int:
    """Give where the last whole event ends."""
    end = 0
    for found in _END.finditer(data):
        end = found.end()
    return end


def with_its_end(rest: bytes) -> bytes | None:
    """End a last event that the upstream has not ended, if it is one: clients pass over it."""
    whole = rest + (b"\n" if rest.endswith((b"\n", b"\r")) else b"\n\n")
    said = payloads(whole)
    is_sound = all(one == DONE.encode() or read(one, FIELDS) is not None for one in said)
    return whole if said and is_sound else None


def _spans(data: bytes) -> list[tuple[int, int]]:
    ends = [found.end() for found in _END.finditer(data)]
    return list(zip([0, *ends], ends, strict=False))


def _with_data(lines: Sequence[bytes], places: Sequence[tuple[int, re.Match[bytes]]], data: bytes) -> bytes:
    """Write an event anew with other data; names, ids and comments stay."""
    (first, match), *others = places
    end = lines[first][len(lines[first].rstrip(b"\r\n")) :]
    left_out = {place for place, _ in others}
    written = [match[1] + data + end if place == first else line for place, line in enumerate(lines)]
    return b"".join(line for place, line in enumerate(written) if place not in left_out)

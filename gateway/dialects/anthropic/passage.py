"""An Anthropic answer of an upstream's own on its way to a caller of Messages.

It ends with `message_stop`. Where a server has said why it ends and then says no more, that is said here: clients have
no message before it. Nor do they see events without a name, which some servers leave out.
"""

import re
from typing import Final

from gateway import ir
from gateway.dialects.passage import Passage, payloads
from gateway.dialects.raw import FIELDS, name_of, read

from .stream import STOP

__all__ = ["MessagesPassage"]

_STOPPED: Final = re.compile(rb'"type"\s*:\s*"message_stop"')  # in words its quotation marks are escaped
_UNNAMED: Final = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))data:[ ]?([^\r\n]*)")


class MessagesPassage(Passage):
    """The writer of one answer."""

    _last = b""  # what has passed at once

    def _passed(self, data: bytes) -> bytes:
        whole = super()._passed(data)
        if whole:
            if whole.startswith(b"data:"):
                whole = _UNNAMED.sub(_named, whole)
            self._last = whole
        return whole

    def _finished(self, end: ir.Finished, passed: bytes, /) -> bytes:
        # without a reason it is `message_stop` that has ended it, or nobody here could read it to its end; the reader
        # may see an end of carriage returns later than it passes
        if not end.native or _is_said(self._last + passed):
            return passed
        rest = self.close()  # the last event may lack its blank line
        passed += rest if rest.endswith(b"\n") else b""
        said, self._last = _is_said(rest), STOP
        return passed if said else passed + STOP


def _is_said(events: bytes) -> bool:
    return any(map(_STOPPED.search, payloads(events)))


def _named(event: re.Match[bytes]) -> bytes:
    """Name an event by its type, as Anthropic does."""
    name = name_of(read(event[1], FIELDS) or {}, "type")
    return b"event: %b\n%b" % (name.encode(), event[0]) if name.isidentifier() else event[0]  # else it may hold lines

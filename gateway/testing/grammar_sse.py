"""Server-sent events, read by the letter of the HTML standard: what it would drop in silence is a broken rule."""

import re
from dataclasses import dataclass, field
from typing import Final

from gateway.testing.grammar import Broken, rule

__all__ = ["Frame", "frames", "letter"]

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_FIELDS: Final = frozenset({"event", "data", "id", "retry"})
_PLAIN: Final = re.compile(r"(?:event: [^\r\n]+\r?\n)?data: [^\r\n]+")
_SEPARATORS: Final = ("\u2028", "\u2029", "\x85")


@dataclass
class Frame:
    """One event: its name, "" = none, and its data."""

    event: str = ""
    data: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        """Give the data."""
        return "\n".join(self.data)


def frames(data: bytes) -> list[Frame]:
    """Read a stream; comments, which may stand anywhere, are left out."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Broken(f"the stream is not UTF-8: {error}") from None
    *lines, rest = _LINE_END.split(text)
    rule(not rest, f"the stream ends within a line: {rest[-80:]!r}")
    found: list[Frame] = []
    frame: Frame | None = None
    for line in lines:
        if not line:
            found += [frame] if frame is not None else []
            frame = None
        elif not line.startswith(":"):
            frame = frame or Frame()
            _add(frame, line)
    rule(frame is None, "the last event lacks its blank line, so readers drop it")
    empty = [one for one in found if not one.data]
    rule(not empty, f"an event without data: {empty[:1]}")
    return found


def _add(frame: Frame, line: str) -> None:
    name, _, value = line.partition(":")
    rule(name in _FIELDS, f"a line that is not a field of an event: {line[:80]!r}")
    value = value.removeprefix(" ")
    if name == "data":
        frame.data.append(value)
    elif name == "event":
        rule(not frame.event, f"two names of one event: {frame.event!r} and {value!r}")
        rule(not frame.data, f"the name {value!r} after the data of another event")
        frame.event = value


def letter(data: bytes) -> None:
    """Hold a stream to what the simplest reader understands: `data: ` on one line, and nothing between the events.

    Python takes some characters for the end of a line that are none in SSE; they must be escaped.
    """
    text = data.decode()
    end = "\r\n\r\n" if text.endswith("\r\n\r\n") else "\n\n"
    *events, rest = text.split(end)
    rule(not rest, f"the stream ends within an event: {rest!r}")
    for event in events:
        rule(_PLAIN.fullmatch(event), f"not one `data: ` line: {event!r}")
        rule(not any(mark in event for mark in _SEPARATORS), f"a separator that is not escaped: {event!r}")

"""The blocks of an answer while they are read: each knows what its deltas are in the neutral form.

text ─► text, its sources at its end     thinking, redacted_thinking ─► thinking     tool_use ─► a call
the tool that stands for the answer ─► text     what else there is ─► kept whole, for this dialect only
"""

from typing import Final, Protocol

import msgspec
from msgspec import UNSET, Raw, Struct

from gateway import ir
from gateway.dialects.openai_chat.outbound_blocks import Block, CallBlock
from gateway.dialects.raw import FIELDS, RAWS, read

from .outbound_wire import Block as Wire
from .outbound_wire import Delta

__all__ = ["Answer", "Call", "Kept", "Part", "Text", "Thought"]

_DIALECT: Final = "anthropic"
_NOTHING: Final = (b"{}", b"null", b'""')


class _Source(Struct):
    type: str = ""
    url: str | None = None
    source: str | None = None
    title: str | None = None
    cited_text: str | None = None


_SOURCE: Final = msgspec.json.Decoder(_Source)
_encode: Final = msgspec.json.Encoder().encode


class Part(Protocol):
    """A block that is being read."""

    ended: bool

    def begin(self, given: Wire) -> None:
        """Take what the block begins with, or all of it."""
        ...

    def add(self, delta: Delta) -> None:
        """Take what is new."""
        ...


class Text(Block):
    """Words. Their sources are told at the end, for all of them."""

    def __init__(self) -> None:
        super().__init__("text")
        self._bytes = 0
        self._sources: list[_Source] = []

    def begin(self, given: Wire) -> None:
        """Take what the block begins with, or all of it."""
        self._say(given.text)
        for raw in read(given.citations, RAWS) or ():
            self._cite(raw)

    def add(self, delta: Delta) -> None:
        """Take more words, or a source."""
        self._say(delta.text)
        if delta.citation is not UNSET:
            self._cite(delta.citation)

    def closing(self) -> list[ir.Event]:
        """Tell the sources."""
        return [
            ir.CitationDelta(
                url=source.url or source.source or "",
                title=source.title or "",
                start=0,
                end=self._bytes,
                text=source.cited_text or "",
            )
            for source in self._sources
        ]

    def _say(self, text: str | None) -> None:
        if text:
            self._bytes += len(text.encode("utf-8", "replace"))
            self.held.append(ir.TextDelta(text))

    def _cite(self, raw: Raw) -> None:
        source = read(raw, _SOURCE)
        if source is not None and (source.url or source.source):
            self._sources.append(source)
        else:  # a document of the caller's own, which has no address
            self.held.append(ir.OpaqueEvent(dialect=_DIALECT, kind="citation", value=raw))


class Thought(Block):
    """Thoughts; sealed ones travel as their own signature."""

    def __init__(self) -> None:
        super().__init__("thinking")

    def begin(self, given: Wire) -> None:
        """Take what the block begins with, or all of it."""
        self._think(given.thinking, ir.REDACTED + given.data if given.data else given.signature)

    def add(self, delta: Delta) -> None:
        """Take more thoughts, or their signature."""
        self._think(delta.thinking, delta.signature)

    def _think(self, text: str | None, signature: str | None) -> None:
        if text:
            self.held.append(ir.ThinkingDelta(text))
        if signature:
            self.held.append(ir.SignatureDelta(ir.Signature("claude", signature)))


class Call(CallBlock):
    """A tool call; some servers say its whole input where it begins."""

    def __init__(self, index: int, given: str, name: str) -> None:
        super().__init__(index, given)
        self.name = name
        self._whole = ""
        self._said = False

    def begin(self, given: Wire) -> None:
        """Take what the block begins with, or all of it."""
        self._whole = _input(given)

    def add(self, delta: Delta) -> None:
        """Take more of the input."""
        if delta.partial_json:
            self._said = True
            self.argue(delta.partial_json)

    def closing(self) -> list[ir.Event]:
        """Give the rest of the input."""
        if self._whole and not self._said:
            self.argue(self._whole)
            said, self.held = self.held, []
            return [*said, *super().closing()]
        return super().closing()


class Answer(Block):
    """The call that stands for the answer: its input is the answer's text."""

    def __init__(self) -> None:
        super().__init__("text")
        self._whole = ""
        self._said = False

    def begin(self, given: Wire) -> None:
        """Take what the block begins with, or all of it."""
        self._whole = _input(given)

    def add(self, delta: Delta) -> None:
        """Take more of the text."""
        if delta.partial_json:
            self._said = True
            self.held.append(ir.TextDelta(delta.partial_json))

    def closing(self) -> list[ir.Event]:
        """Give a text that was not said piece by piece."""
        return [] if self._said else [ir.TextDelta(self._whole or "{}")]


class Kept:
    """A block that only this dialect knows; its input comes in pieces, and what a compaction says in one."""

    def __init__(self, kind: str, raw: Raw) -> None:
        self.ended = False
        self._kind = kind
        self._raw = raw
        self._pieces: list[str] = []
        self._told: dict[str, Raw] = {}

    def begin(self, given: Wire) -> None:
        """Take what the block begins with: it is kept as it came."""

    def add(self, delta: Delta) -> None:
        """Take more of it."""
        if delta.partial_json:
            self._pieces.append(delta.partial_json)
        if delta.content is not UNSET:
            self._told["content"] = delta.content
        if delta.encrypted_content is not UNSET:
            self._told["encrypted_content"] = delta.encrypted_content

    def event(self) -> ir.OpaqueEvent:
        """Give the whole block."""
        given = Raw("".join(self._pieces).encode("utf-8", "replace"))
        if self._pieces and read(given, FIELDS) is not None:
            self._told["input"] = given
        if self._told:
            self._raw = Raw(_encode(FIELDS.decode(self._raw) | self._told))
        return ir.OpaqueEvent(dialect=_DIALECT, kind=self._kind, value=self._raw)


def _input(given: Wire) -> str:
    if given.input is UNSET or bytes(given.input) in _NOTHING:
        return ""
    return bytes(given.input).decode()

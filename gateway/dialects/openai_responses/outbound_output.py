"""The output of an answer while it grows: each item knows what of it has been said, so that nothing is said twice.

    delta*  ─► what is new          .done, item done, the last event ─► what the deltas left out

Servers differ in which of these they send.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.dialects.logprobs import read_logprobs
from gateway.dialects.openai_chat.outbound_blocks import Block, Blocks, CallBlock
from gateway.dialects.openai_chat.outbound_wire import arguments_of
from gateway.dialects.places import Places

from .outbound_wire import Item, Part, read_annotation

__all__ = ["Call", "Message", "Output", "Reasoning"]

_PARAGRAPH: Final = "\n\n"


class Words:
    """What has been said of a text that comes in pieces, and whole at its end."""

    __slots__ = ("_length", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0

    def __str__(self) -> str:
        return "".join(self._pieces)

    def add(self, text: str) -> None:
        """Take the next piece."""
        self._pieces.append(text)
        self._length += len(text)

    def missing(self, whole: str | None) -> str:
        """Give what of the whole text has not come; nothing when it says something else."""
        if whole is None or len(whole) <= self._length:
            return ""
        said = str(self)
        return whole[len(said) :] if whole.startswith(said) else ""


class _Spoken(Block):
    """A block of words that ends only when its item says so."""

    @property
    def complete(self) -> bool:
        """Whether it ends where another one begins."""
        return self.ended


class _Called(CallBlock):
    """A call. `rest`: what is to be said before it closes; None = what makes its arguments whole."""

    rest: list[ir.Event] | None = None

    def closing(self) -> list[ir.Event]:
        """Give the rest of its arguments."""
        return super().closing() if self.rest is None else self.rest


class _Text:
    """A part of a message that is text. Sources wait for its end: their places count in all of it."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._block: _Spoken | None = None
        self._words = Words()
        self._sources: list[Raw] = []
        self._told = False  # how likely its tokens are

    def add(self, text: str, logprobs: object = None) -> bool:
        """Take more of it; tell whether it was still open."""
        if self._is_over:
            return False
        if text:
            if logprobs:
                self._tell(logprobs)
            self._opened().held.append(ir.TextDelta(text))
            self._words.add(text)
        return True

    def cite(self, source: Raw) -> None:
        self._sources.append(source)

    def complete(self, text: str | None, logprobs: object = None) -> None:
        if text and logprobs and not self._told and not self._is_over:
            self._tell(logprobs)
        self.add(self._words.missing(text))

    def finish(self, part: Part) -> None:
        self.complete(part.text, part.logprobs)
        if self._is_over:
            return
        sources = part.annotations
        given = sources if sources and len(sources) >= len(self._sources) else self._sources
        places = Places(str(self._words) if given else "")
        cited = [source for raw in given if (source := read_annotation(raw, places)) is not None]
        if cited:
            self._opened().held += cited
        if self._block is not None:
            self._block.ended = True

    @property
    def _is_over(self) -> bool:
        return self._block is not None and self._block.ended

    def _tell(self, logprobs: object) -> None:
        if tokens := read_logprobs(logprobs):
            self._told = True
            self._opened().held.append(ir.LogprobsDelta(tokens))

    def _opened(self) -> _Spoken:
        if self._block is None:
            self._block = _Spoken("text")
            self._blocks.add(self._block)
        return self._block


class Message:
    """A message: each part of it is a block; refusals are words about the end of the answer."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._texts: dict[int, _Text] = {}
        self._refusals: dict[int, Words] = {}

    @property
    def refusal(self) -> str:
        """What the model says for not answering."""
        return _PARAGRAPH.join(map(str, self._refusals.values()))

    def text(self, index: int) -> _Text:
        """Give a part."""
        return self._texts.setdefault(index, _Text(self._blocks))

    def refuse(self, index: int, text: str, whole: str | None = None) -> None:
        """Take more of a refusal."""
        words = self._refusals.setdefault(index, Words())
        if added := text or words.missing(whole):
            words.add(added)

    def part(self, index: int, part: Part) -> None:
        """Take a part that is complete."""
        if part.type == "refusal":
            self.refuse(index, "", part.refusal)
        elif part.type in ("output_text", "text"):
            self.text(index).finish(part)

    def finish(self, item: Item, *, cut: bool) -> None:
        """End it; `item`: all of it."""
        for index, part in enumerate(item.content or ()):
            self.part(index, part)
        for text in self._texts.values():
            text.finish(Part())


class Reasoning:
    """Thoughts: their summary or their words, whichever comes first, and what seals them."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._block: _Spoken | None = None
        self._kind = ""
        self._paragraphs: dict[int, Words] = {}

    def add(self, kind: str, index: int, text: str, whole: str | None = None) -> None:
        """Take more of a paragraph."""
        if kind != (self._kind or kind) or (self._block is not None and self._block.ended):
            return
        words = self._paragraphs.get(index) or Words()
        added = text or words.missing(whole)
        if not added:
            return
        if index not in self._paragraphs and self._paragraphs:
            self._opened().held.append(ir.ThinkingDelta(_PARAGRAPH))
        self._kind = kind
        self._paragraphs[index] = words
        words.add(added)
        self._opened().held.append(ir.ThinkingDelta(added))

    def finish(self, item: Item, *, cut: bool) -> None:
        """End it; `item`: all of it."""
        self._paragraph("summary", item.summary or ())
        self._paragraph("content", item.content or ())
        if self._block is not None and self._block.ended:
            return
        if item.encrypted_content:
            self._opened().held.append(ir.SignatureDelta(ir.Signature("openai", item.encrypted_content)))
        if self._block is not None:
            self._block.ended = True

    def _paragraph(self, kind: str, parts: Iterable[Part]) -> None:
        for index, part in enumerate(parts):
            self.add(kind, index, "", part.text)

    def _opened(self) -> _Spoken:
        if self._block is None:
            self._block = _Spoken("thinking")
            self._blocks.add(self._block)
        return self._block


class Call:
    """A call of a function or of a free-form tool."""

    def __init__(self, blocks: Blocks, *, custom: bool) -> None:
        self.block = _Called(None, "")
        self.block.custom = custom
        self._words = Words()
        blocks.add(self.block)
        blocks.calls.append(self.block)

    def add(self, text: str, whole: str | None = None) -> None:
        """Take more of the arguments, or of the input."""
        added = text or self._words.missing(whole)
        if added and not self.block.ended:
            self._words.add(added)
            (self.block.write if self.block.custom else self.block.argue)(added)

    def finish(self, item: Item, *, cut: bool) -> None:
        """End it; `item`: all of it."""
        self.add("", item.input if self.block.custom else arguments_of(item.arguments))
        if cut and not self.block.ended:
            self.block.rest = self._cut()
        self.block.ended = True

    def _cut(self) -> list[ir.Event]:
        """Leave the arguments of a call that was cut off open, so that nobody takes them for whole."""
        if self.block.custom:
            return [] if str(self._words) else [ir.ArgumentsDelta('{"input":"')]
        return [] if str(self._words).lstrip().startswith("{") else [ir.ArgumentsDelta("{")]


Output = Message | Reasoning | Call

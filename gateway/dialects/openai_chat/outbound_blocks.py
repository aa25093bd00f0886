"""Blocks of an answer that come mixed, given out one after the other.

    fragments ─► [block that is open] [block that waits] …  ─► its events as they come, those of the others later

Words are complete when something else comes; a call is when its arguments are one whole object, or the answer ends.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gateway import ir
from gateway.dialects.content import arguments
from gateway.dialects.gemini.names import call_ids, made_id, map_id
from gateway.sse import sound_escapes

__all__ = ["Block", "Blocks", "CallBlock"]

_BLANKS: Final = " \t\r\n"  # of JSON
_encode: Final = msgspec.json.Encoder().encode


class Block:
    """A block of words, or one that came whole. `news`: where it says by its `mark` that it may be complete now."""

    news: set[int] | None = None
    mark = 0

    def __init__(self, kind: ir.BlockKind) -> None:
        self.kind: ir.BlockKind = kind
        self.held: list[ir.Event] = []
        self.open = self.ended = False

    @property
    def ready(self) -> bool:
        """Whether all is known that opens it."""
        return True

    @property
    def complete(self) -> bool:
        """Whether it ends where another one begins."""
        return True

    @property
    def garbled(self) -> bool:
        """Whether it cannot be taken for whole."""
        return False

    def opening(self) -> ir.BlockStarted:
        """Give the event that opens it."""
        return ir.BlockStarted(kind=self.kind)

    def closing(self) -> list[ir.Event]:
        """Give what is still to be said before it closes."""
        return []


class Depth:
    """How deep a JSON text is nested at its end, while it comes in pieces."""

    __slots__ = ("_depth", "_left")

    def __init__(self) -> None:
        self._depth = 0
        self._left = ""  # what the next piece goes on with: a string, an escape in it

    def after(self, text: str) -> int:
        """Take the next piece, and tell the depth behind it; one in a string is deeper."""
        text = self._left + text
        self._left = "\\" if (len(text) - len(text.rstrip("\\"))) % 2 else ""
        parts = text.removesuffix(self._left).replace("\\\\", "").replace('\\"', "").split('"')
        inside = len(parts) % 2 == 0
        if inside:
            self._left = f'"{self._left}'
        for part in parts[::2]:
            self._depth += part.count("{") + part.count("[") - part.count("}") - part.count("]")
        return self._depth + inside


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(sound_escapes(text))  # half of a character is no reason to fail
    except (ValueError, RecursionError):
        return False
    return True


class CallBlock(Block):
    """A tool call. `index`, `given` and `called`: by which its fragments are known; `name`: the caller's own.

    `place`: which of the calls it is; `number`: its index, or the place if it has none or an earlier call has it, too.
    `signed`: its signature is known.
    Arguments go out as they come once they begin like an object; what does not is held, to be made one.
    """

    signed = False

    def __init__(self, index: int | None, given: str) -> None:
        super().__init__("tool_call")
        self.index = index
        self.given = given
        self.called = ""
        self.id = ""
        self.name = ""
        self.custom = False
        self.place = self.number = 0
        self._pieces: list[str] = []
        self._live = self._unlike = False
        self._depth = Depth()
        self._looked = 0  # at how many pieces
        self._sound = self._broken = False

    @property
    def ready(self) -> bool:
        """Whether its name is known."""
        return bool(self.name)

    @property
    def complete(self) -> bool:
        """Whether its arguments are one whole object."""
        return self._live and self._pieces[-1].rstrip().endswith("}") and not self.garbled

    @property
    def garbled(self) -> bool:
        """Whether what went out of its arguments is no whole object, or no JSON at all."""
        return self._live and not self._is_whole()

    def opening(self) -> ir.BlockStarted:
        """Give the event that opens it."""
        return ir.BlockStarted(kind=self.kind, id=self.id, name=self.name)

    def write(self, text: str) -> None:
        """Take more of a free-form input, which travels as the argument `input`."""
        head = "" if self._pieces else '{"input":"'
        self._pieces.append(text)
        self.held.append(ir.ArgumentsDelta(head + _encode(text).decode()[1:-1]))

    def argue(self, text: str) -> None:
        """Take more of the arguments."""
        self._pieces.append(text)
        if not self._live:
            text = text.lstrip()
            self._live = text.startswith("{") and not self._unlike
            self._unlike = self._unlike or bool(text)
        if self._live:
            self.held.append(ir.ArgumentsDelta(text))
            if self.news is not None and text.rstrip().endswith("}"):
                self.news.add(self.mark)

    def closing(self) -> list[ir.Event]:
        """Give the rest of its arguments."""
        if self._live:
            return []
        if self.custom:
            return [ir.ArgumentsDelta('"}' if self._pieces else '{"input":""}')]
        return [ir.ArgumentsDelta(bytes(arguments("".join(self._pieces))).decode())]

    def _is_whole(self) -> bool:
        """Tell whether the arguments are one JSON object: each piece is looked at once, all of them when one closes."""
        added = "".join(self._pieces[self._looked :])
        self._looked = len(self._pieces)
        if self._sound:
            self._sound = not added.strip(_BLANKS)
            self._broken = not self._sound
        elif added and not self._broken and not self._depth.after(added):
            self._sound = _is_json("".join(self._pieces))
            self._broken = not self._sound
        return self._sound


class Blocks:
    """Gives out the blocks of one answer.

    `salt`: makes ids for calls that have none, or one of `turns` before, in the form of the caller's `dialect`.
    """

    dialect = ""

    def __init__(self, salt: str, turns: Sequence[ir.Turn] = ()) -> None:
        self.calls: list[CallBlock] = []
        self.texts = 0
        self._salt = salt
        self._waiting: deque[Block] = deque()
        self._added: list[Block] = []
        self._news: set[int] = set()
        self._known: dict[int | str | tuple[str, int | None], CallBlock] = {}  # by index, by id, by both
        self._ids: set[str] = set()
        self._turns = turns
        self._before: frozenset[str] | None = None

    def say(self, kind: ir.BlockKind, event: ir.Event) -> bool:
        """Add words to the last block if it is of their kind, else to a new one; tell whether it is new."""
        last = self._waiting[-1] if self._waiting else None
        new = last is None or last.kind != kind or last.ended
        if last is None or new:
            last = self.add(Block(kind))
        last.held.append(event)
        return new

    def sign(self, call: CallBlock, value: str) -> None:
        """Add the signature of Gemini's to a call that has none, and has not gone out whole."""
        if not call.signed and call in self._waiting:
            call.signed = True
            call.held.append(ir.SignatureDelta(ir.Signature("gemini", value, "f")))

    def end(self) -> None:
        """End the last block of words."""
        self._waiting[-1].ended = True

    @property
    def speaks(self) -> bool:
        """Whether the last block is of text, and takes more of it."""
        last = self._waiting[-1] if self._waiting else None
        return last is not None and last.kind == "text" and not last.ended

    def whole(self, kind: ir.BlockKind, event: ir.Event) -> None:
        """Add a block that is complete at once."""
        block = self.add(Block(kind))
        block.held.append(event)
        block.ended = True

    def call(self, index: int | None, given: str, name: str) -> CallBlock:
        """Find the call that a fragment belongs to, else begin one."""
        found = self.known(index, given, name)
        if found is None:
            found = self._begun(index)
        if given and not found.given:
            self._identified(found, given)
        found.called = found.called or name
        return found

    def events(self, *, ended: bool = False) -> Iterator[ir.Event]:
        """Give what can be said now; `ended`: nothing more comes."""
        waiting = self._waiting
        while waiting:
            block = waiting[0]
            if not block.open and not block.ready:
                return
            if not block.open:
                block.open = True
                if isinstance(block, CallBlock):
                    block.id = self.new_id(block.given)
                yield block.opening()
            yield from block.held
            block.held = []
            # a call that others wait for may have become whole
            if not (ended or block.ended or (len(waiting) > 1 and block.complete)):
                return
            if block.garbled and not ended:  # the end says whether it was cut, or the answer has failed
                return
            yield from block.closing()
            yield ir.BlockEnded()
            block.ended = True
            waiting.popleft()

    def add(self, block: Block) -> Block:
        """Add a block; those before it that are complete end."""
        news, added = self._news, self._added
        if added:
            for mark in news:
                before = added[mark]
                before.ended = before.ended or before.complete
            news.clear()
        block.news = news
        block.mark = mark = len(added)
        news.add(mark)
        added.append(block)
        self.texts += block.kind == "text"
        self._waiting.append(block)
        return block

    def known(self, index: int | None, given: str, name: str) -> CallBlock | None:
        """Find a call by its id, else by its index, else take the last one.

        Some servers leave out the index or count none up, some repeat the id and the name, some make a new id for each
        fragment; a fragment with another id and a name is another call.
        """
        of_id = self._of_id(index, given)
        if of_id is not None:
            return of_id
        if index is not None:
            found = self._known.get(index)
            return None if found is not None and given and found.given and name else found
        last = self.calls[-1] if self.calls else None
        if last is None or not name:
            return last
        another = last.complete or bool(given and last.given) or name != last.called
        return None if another else last

    def _of_id(self, index: int | None, given: str) -> CallBlock | None:
        """Find the last call of an id whose index is none, or this one."""
        if index is None:
            return self._known.get(given)
        one, other = self._known.get((given, index)), self._known.get((given, None))
        return other if one is None or (other is not None and other.place > one.place) else one

    def _begun(self, index: int | None) -> CallBlock:
        call = CallBlock(index, "")
        call.place = call.number = len(self.calls)
        if index is not None:
            call.number = call.place if index in self._known else index
            self._known[index] = call
        self.add(call)
        self.calls.append(call)
        return call

    def _identified(self, call: CallBlock, given: str) -> None:
        call.given = given
        for key in (given, (given, call.index)):
            if self._known.get(key, call).place <= call.place:
                self._known[key] = call

    def new_id(self, given: str = "") -> str:
        """Make the id legal, and unlike the others of the conversation: always the same for the same answer."""
        if self._before is None:
            self._before = call_ids(self._turns)
        chosen = map_id(given) if given else ""
        number = len(self._ids)
        while not chosen or chosen in self._ids or chosen in self._before:
            chosen = made_id(f"{self._salt}/{number}", self.dialect)
            number += 1
        self._ids.add(chosen)
        return chosen

"""A bounded place for what belongs to calls and pictures, by caller: what is not looked for any more goes first.

Some upstreams count their calls from zero, so one id may stand for calls of several conversations: the last ones are
kept beside each other, and what was said before them tells them apart.
"""

from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from typing import Final

import msgspec
from msgspec import Struct

from gateway import ir
from gateway.clock import Clock

__all__ = ["Bounds", "Entry", "Kept", "Shelf", "pack", "unpack"]

_ENTRY: Final = 200  # bytes that an entry takes besides what it holds
_OTHERS: Final = 3  # conversations whose calls of one id are kept besides


class Bounds(Struct, frozen=True, kw_only=True):
    """How many entries there are at most, how much they may take, and each of them.

    `asked`: how many are looked for elsewhere at once, the last ones first; `sought`: and no more than these for one
    request. `shared_bytes`: how much one caller's may take elsewhere.
    """

    size: int
    limit_bytes: int
    shared_bytes: int
    largest: int
    asked: int
    sought: int


class Kept(Struct, frozen=True, omit_defaults=True):
    """What belongs to one call: its signature, and the signed thoughts before it; `behind`: what was said before.

    To a picture belong its signature, and that of the words which stand before it.
    """

    signature: ir.Signature | None = None
    thoughts: tuple[ir.Thinking, ...] = ()
    behind: str = ""
    words: ir.Signature | None = None


pack: Final = msgspec.msgpack.Encoder().encode
_DECODER: Final = msgspec.msgpack.Decoder(Kept)


def unpack(value: bytes | None) -> Kept | None:
    """Read what was packed; None for what another version has written."""
    try:
        return None if value is None else _DECODER.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return None


class Entry(Struct):
    """What is kept under one name; `kept` None: it was looked for, and is nowhere."""

    until: float
    bytes: int
    kept: Kept | None
    others: tuple[Kept, ...] = ()

    def of(self, behind: str) -> Kept | None:
        """Give what belongs to the call in its conversation; where there is one only, that one."""
        if self.kept is None or not self.others:
            return self.kept
        return next((one for one in (self.kept, *self.others) if one.behind == behind), None)


class Shelf:
    """LRU of (caller, name) → what is kept."""

    def __init__(self, clock: Clock, size: int, limit_bytes: int) -> None:
        self._clock = clock
        self._size = size
        self._limit_bytes = limit_bytes
        self.entries: OrderedDict[tuple[str, str], Entry] = OrderedDict()
        self.held_bytes = 0
        self._lock = Lock()  # long requests are read by threads

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, caller: str, name: str) -> Entry | None:
        """Give the entry of this name, unless its time is over."""
        entry = self.entries.get((caller, name))
        return None if entry is None or entry.until < self._clock.monotonic() else entry

    def use(self, caller: str, name: str) -> None:
        """Let the entry be the last to go."""
        with self._lock, suppress(KeyError):  # it may have gone since it was found
            self.entries.move_to_end((caller, name))

    def others(self, caller: str, name: str, kept: Kept) -> tuple[Kept, ...]:
        """Give what calls of this id in other conversations have, the last ones first."""
        before = self.find(caller, name)
        if before is None or before.kept is None:
            return ()
        return tuple(one for one in (before.kept, *before.others) if one.behind != kept.behind)[:_OTHERS]

    def put(
        self, key: tuple[str, str], kept: Kept | None, size: int, ttl_s: float, others: tuple[Kept, ...] = ()
    ) -> None:
        """Keep it for so long, and let go what is over, or has no room beside it; `size`: its bytes, packed."""
        now = self._clock.monotonic()
        size += _ENTRY + len(key[0]) + len(key[1]) + sum(len(pack(one)) for one in others)
        with self._lock:
            before = self.entries.pop(key, None)
            if before is not None:
                self.held_bytes -= before.bytes
            self.entries[key] = Entry(now + ttl_s, size, kept, others)
            self.held_bytes += size
            while self.entries and self._is_over(now):
                self.held_bytes -= self.entries.popitem(last=False)[1].bytes

    def _is_over(self, now: float) -> bool:
        """Tell whether the entry that is to go first has to."""
        too_much = len(self.entries) > self._size or self.held_bytes > self._limit_bytes
        return too_much or next(iter(self.entries.values())).until < now

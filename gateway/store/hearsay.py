"""What processes tell each other about credentials over Redis, before the database has it. No secret is in it.

{"from", "seq", "id", "cooling", "events"}    this was learnt
{"from", "seq", "numbers"}                     all up to seq is written; these rows have these numbers
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway.store.known import Change, Happening, StoredCredential
from gateway.store.states import Event

__all__ = ["Hearsay"]

_BELIEVED_S: Final = 60.0  # without a row that says the same


class _Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    sender: str = msgspec.field(name="from")
    seq: int = 0
    id: str = ""
    cooling: Mapping[str, float] = {}
    events: tuple[Event, ...] = ()
    numbers: Mapping[str, int] = {}


class _Heard(Struct):
    sender: str
    seq: int
    change: Change
    until: float
    number: int = 0


_SAID: Final = msgspec.json.Decoder(_Said)
_encode: Final = msgspec.json.Encoder().encode


class Hearsay:
    """What was said here, and what was heard. `said`: how many changes; `has_news`: rows are there to be read."""

    def __init__(self, owner: str) -> None:
        self.said = 0
        self.has_news = False
        self._owner = owner
        self._heard: dict[str, list[_Heard]] = {}

    def announced(self, change: Change) -> bytes:
        """Give the words for a change."""
        self.said += 1
        events: tuple[Event, ...] = tuple(happening.event for happening in change.events)
        return _encode(_Said(sender=self._owner, seq=self.said, id=change.id, cooling=change.cooling, events=events))

    def written(self, seq: int, rows: Sequence[StoredCredential]) -> bytes:
        """Give the words for what is in the database."""
        return _encode(_Said(sender=self._owner, seq=seq, numbers={row.id: row.number for row in rows}))

    def hear(self, words: bytes, now: float) -> Iterator[str]:
        """Take words of another process; give the ids of which something is known before its row."""
        try:
            said = _SAID.decode(words)
        except ValueError:
            return
        if said.sender == self._owner:
            return
        if not said.id:
            self.has_news = True
            self._number(said)
            return
        change = Change(id=said.id, cooling=said.cooling, events=tuple(Happening(event) for event in said.events))
        believed = [one for one in self._heard.get(said.id, ()) if one.until > now]
        self._heard[said.id] = [*believed, _Heard(said.sender, said.seq, change, now + _BELIEVED_S)]
        yield said.id

    def of(self, id_: str, now: float) -> Iterator[Change]:
        """Give what is believed of a credential."""
        for heard in self._heard.get(id_, ()):
            if heard.until > now:
                yield heard.change

    def confirm(self, id_: str, number: int) -> None:
        """Forget what the row of this number holds."""
        heard = self._heard.get(id_)
        if heard is not None:
            left = [one for one in heard if not 0 < one.number <= number]
            if left:
                self._heard[id_] = left
            else:
                del self._heard[id_]

    def _number(self, said: _Said) -> None:
        for id_, number in said.numbers.items():
            for heard in self._heard.get(id_, ()):
                if heard.sender == said.sender and heard.seq <= said.seq:
                    heard.number = number

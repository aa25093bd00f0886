"""The wire structs of what Anthropic says: an event of a stream, or a whole message.

What is of use but not needed stays `Raw`, so that a server that spells it otherwise loses that only.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway import ir
from gateway.dialects.outbound import latest, tier_of
from gateway.dialects.raw import NULL, RAWS, read, require

__all__ = [
    "Block",
    "Delta",
    "Event",
    "Head",
    "Message",
    "StopDetails",
    "Tally",
    "read_event",
    "read_message",
]


class StopDetails(Struct):
    """Why an answer was refused."""

    explanation: str | None = None


class Delta(Struct):
    """What is new of a block, or of the message."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: Raw | UnsetType = UNSET
    content: Raw | UnsetType = UNSET
    encrypted_content: Raw | UnsetType = UNSET
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Raw | UnsetType = UNSET


class Block(Struct):
    """A block of content, as it begins or whole."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    input: Raw | UnsetType = UNSET
    citations: Raw | UnsetType = UNSET


class Message(Struct):
    """The message that is the answer."""

    id: str | None = None
    model: str | None = None
    content: list[Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Raw | UnsetType = UNSET
    usage: Raw | UnsetType = UNSET
    type: str = ""
    error: Raw = NULL


class Event(Struct):
    """One event of a stream."""

    type: str = ""
    index: int = 0
    message: Message | None = None
    content_block: Raw | UnsetType = UNSET
    delta: Raw | UnsetType = UNSET
    usage: Raw | UnsetType = UNSET
    error: Raw = NULL


class Head(Struct):
    """What an event, a block or a delta is."""

    type: str = ""


class _Creation(Struct):
    """Tokens written into the cache, by how long they stay."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _Output(Struct):
    thinking_tokens: int | None = None


class Usage(Struct):
    """Tokens so far, or those of one of the `iterations` that they came about in, of its `type` and `model`."""

    type: object = None
    model: object = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Creation | None = None
    output_tokens_details: _Output | None = None
    speed: object = None
    iterations: Raw | UnsetType = UNSET


_BESIDE: Final = frozenset({"compaction", "advisor_message"})  # the totals hold all other iterations
_EVENT: Final = msgspec.json.Decoder(Event, strict=False)
_HEAD: Final = msgspec.json.Decoder(Head)
_MESSAGE: Final = msgspec.json.Decoder(Message, strict=False)
_USAGE: Final = msgspec.json.Decoder(Usage, strict=False)


def read_event(data: str, known: Collection[str]) -> Event:
    """Read one event; raise ValueError. Of one that is not `known` only the type is read."""
    try:
        return require(data, _EVENT)
    except msgspec.ValidationError:
        head = require(data, _HEAD)
        if not head.type or head.type in known:
            raise
        return Event(type=head.type)


def read_message(data: bytes) -> Message:
    """Read a whole answer; raise ValueError."""
    return require(data, _MESSAGE)


class Tally:
    """Keep the last value of each counter: those of the end are totals, and hold for those of the beginning.

    Only what it took to compact the conversation, and what another model has used to give advice, stand beside the
    totals, as iterations of their own.
    """

    __slots__ = ("_beside", "_input", "_kept", "_output", "_read", "_thoughts", "_tier", "_told", "_written")

    def __init__(self) -> None:
        self._input = self._output = self._read = self._written = self._kept = self._thoughts = 0
        self._tier: ir.Tier = ""
        self._told = False  # a number, which may be 0
        self._beside: Sequence[ir.Share] = ()

    def add(self, raw: Raw | UnsetType) -> None:
        """Take a report; what it leaves out stays as it is."""
        given = read(raw, _USAGE)
        if given is None:
            return
        self.take(given)
        if given.iterations is not UNSET:
            self._beside = (*_beside(given.iterations),) or self._beside

    def take(self, given: Usage) -> None:
        """Take the counts of a report alone."""
        written = given.cache_creation_input_tokens
        if (made := given.cache_creation) is not None:
            written = written or (made.ephemeral_5m_input_tokens or 0) + (made.ephemeral_1h_input_tokens or 0)
            self._kept = latest(made.ephemeral_1h_input_tokens, self._kept)
        self._told = self._told or given.input_tokens is not None or given.output_tokens is not None
        self._input = latest(given.input_tokens, self._input)
        self._output = latest(given.output_tokens, self._output)
        if given.cache_read_input_tokens:
            self._read = latest(given.cache_read_input_tokens, self._read)
        if written:
            self._written = latest(written, self._written)
        if (output := given.output_tokens_details) is not None:
            self._thoughts = latest(output.thinking_tokens, self._thoughts)
        if given.speed is not None:  # the priority tier is paid for in advance, at no price of a token
            self._tier = tier_of(given.speed)

    def usage(self) -> ir.Usage | None:
        """Give the counts, None before the first; those of the cache stand beside the input there, within it here."""
        if not self._told:
            return None
        own = ir.Usage(
            input=self._input + self._read + self._written,
            output=self._output,
            cache_read=self._read,
            cache_write=self._written,
            cache_write_long=min(self._kept, self._written) if self._kept else 0,
            reasoning=min(self._thoughts, self._output) if self._thoughts else 0,
            tier=self._tier,
        )
        return own.with_shares(self._beside) if self._beside else own


def _beside(raw: Raw) -> Iterator[ir.Share]:
    """Count what the totals leave out, each time; the model is "" where it is that of the answer."""
    for one in read(raw, RAWS) or ():
        given, tally = read(one, _USAGE), Tally()
        if given is not None and isinstance(given.type, str) and given.type in _BESIDE:
            tally.take(given)
            if (used := tally.usage()) is not None:
                yield ir.Share(given.model if isinstance(given.model, str) else "", used)

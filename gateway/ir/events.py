"""The neutral form of an answer: one stream of typed events, and the same folded into a reply.

    Started (BlockStarted Delta* BlockEnded)* UsageReported* Finished

Values make no cycles, so the collector is not told of them (`gc=False`).
`Failed` may take the place of any event, `OpaqueEvent` may stand before any; nothing follows `Finished` or `Failed`.
Where several answers were asked for, `Alternative` brings what the others say, before the end of the first.
`Passed` stands before the events that it tells of, and alone where it tells of none, even after the end.
`gateway.ir.grammar` checks it.
"""

from collections.abc import Iterable
from typing import Final, Literal, Self

from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.errors import GatewayError

from .request import Logprob, Media, Text, Thinking, ToolCall
from .signature import Signature

__all__ = [
    "MOST_TOKENS",
    "Alternative",
    "ArgumentsDelta",
    "BlockEnded",
    "BlockKind",
    "BlockStarted",
    "CitationDelta",
    "Event",
    "Failed",
    "FinishReason",
    "Finished",
    "LogprobsDelta",
    "MediaChunk",
    "OpaqueEvent",
    "Passed",
    "Reply",
    "ReplyPart",
    "Share",
    "SignatureDelta",
    "Started",
    "TextDelta",
    "ThinkingDelta",
    "Tier",
    "Usage",
    "UsageReported",
]

MOST_TOKENS: Final = 10**12  # of one answer: more is no count, and the sum of such ones still fits into a database

BlockKind = Literal["text", "thinking", "tool_call", "media"]
FinishReason = Literal["stop", "stop_sequence", "tool_calls", "length", "context_window", "content_filter", "pause"]


Tier = Literal["", "flex", "priority", "ultrafast", "fast"]
_COUNTS: Final = ("input", "output", "cache_read", "cache_write", "cache_write_long", "reasoning")


class Usage(Struct, gc=False, frozen=True, kw_only=True):
    """Tokens. `input` includes cached ones, `output` includes thinking.

    `cache_write_long`: those of `cache_write` that stay for the longer of the times that a vendor sells.
    `tier`: how the request was served, where that has a price of its own, "" = as most are. `shares`: what of all this
    other models have used, which have prices of their own.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_long: int = 0
    reasoning: int = 0
    total: int | None = None
    estimated: bool = False
    tier: Tier = ""
    shares: "tuple[Share, ...]" = ()

    def with_shares(self, shares: "Iterable[Share]") -> Self:
        """Add what others have used on the way; those without a name are only counted."""
        given = tuple(shares)
        counts = {name: sum((getattr(one.usage, name) for one in given), getattr(self, name)) for name in _COUNTS}
        return replace(self, **counts, shares=(*self.shares, *(one for one in given if one.model)))

    def without_shares(self) -> Self:
        """Give what is left beside them, and is nobody else's."""
        counts = {
            name: max(0, getattr(self, name) - sum(getattr(one.usage, name) for one in self.shares)) for name in _COUNTS
        }
        return replace(self, **counts, shares=())


class Share(Struct, gc=False, frozen=True):
    """What another model has used on the way to an answer."""

    model: str
    usage: Usage


class Started(Struct, gc=False, frozen=True, kw_only=True):
    """The upstream begins an answer. `usage`: what it says of the prompt already."""

    id: str | None = None
    model: str | None = None
    usage: Usage | None = None


class BlockStarted(Struct, gc=False, frozen=True, kw_only=True):
    """A block opens; deltas up to the next BlockEnded belong to it. `id` and `name`: of a tool call."""

    kind: BlockKind
    id: str = ""
    name: str = ""


class TextDelta(Struct, gc=False, frozen=True):
    """More words of a text block."""

    text: str


class ThinkingDelta(Struct, gc=False, frozen=True):
    """More words of a thinking block."""

    text: str


class SignatureDelta(Struct, gc=False, frozen=True):
    """The signature of the open block, whatever its kind."""

    signature: Signature


class ArgumentsDelta(Struct, gc=False, frozen=True):
    """More of a tool call's arguments, as JSON text."""

    json: str


class MediaChunk(Struct, gc=False, frozen=True, kw_only=True):
    """An image or other file, whole, base64."""

    media_type: str
    data: str


class CitationDelta(Struct, gc=False, frozen=True, kw_only=True):
    """A source for the open text block. `start` and `end` count UTF-8 bytes of that block."""

    url: str
    title: str = ""
    start: int | None = None
    end: int | None = None
    text: str = ""


class LogprobsDelta(Struct, gc=False, frozen=True):
    """How likely tokens of the open text block were; these stand before their words where both come at once."""

    tokens: tuple[Logprob, ...]


class BlockEnded(Struct, gc=False, frozen=True):
    """The open block is complete."""


class UsageReported(Struct, gc=False, frozen=True):
    """The upstream's count so far; the last one holds."""

    usage: Usage


class Finished(Struct, gc=False, frozen=True, kw_only=True):
    """The answer is complete. `native`: the upstream's own word; `explanation`: its words for a refusal."""

    reason: FinishReason
    native: str | None = None
    stop_sequence: str | None = None
    explanation: str | None = None


class Failed(Struct, frozen=True):
    """The answer broke off. Tried again while nothing has gone to the caller.

    `told`: the upstream's own words for it are part of what passes.
    """

    error: GatewayError
    told: bool = False


class Passed(Struct, gc=False, frozen=True):
    """What an upstream said at once, byte for byte, for a caller of its dialect; the ordinary events of it follow.

    `quiet`: nothing is told with it yet, it is the piece of an event.
    """

    data: bytes
    quiet: bool = False


class OpaqueEvent(Struct, gc=False, frozen=True, kw_only=True):
    """Something that is its own dialect's, such as grounding metadata; other writers take little of it, or nothing."""

    dialect: str
    kind: str
    value: Raw


class Alternative(Struct, gc=False, frozen=True):
    """What another one of the answers says that were asked for (`Sampling.n`); `place`: which, from 1 on.

    `event`: of its blocks, their sources, or its end. The start and the usage are those of all.
    """

    place: int
    event: "Event"


Event = (
    Started
    | BlockStarted
    | TextDelta
    | ThinkingDelta
    | SignatureDelta
    | ArgumentsDelta
    | MediaChunk
    | CitationDelta
    | LogprobsDelta
    | BlockEnded
    | UsageReported
    | Finished
    | Failed
    | Passed
    | OpaqueEvent
    | Alternative
)

ReplyPart = Text | Media | Thinking | ToolCall


class Reply(Struct, gc=False, frozen=True, kw_only=True):
    """A whole answer: its events folded. `cited`: for each citation which of the `parts` is the text that it is for.

    `passed`: the upstream's own words, where these go on. `others`: the other answers, where several were asked for.
    """

    parts: tuple[ReplyPart, ...]
    finish: Finished
    usage: Usage
    id: str | None = None
    model: str | None = None
    citations: tuple[CitationDelta, ...] = ()
    cited: tuple[int, ...] = ()
    opaque: tuple[OpaqueEvent, ...] = ()
    passed: tuple[bytes, ...] = ()
    others: "tuple[Reply, ...]" = ()

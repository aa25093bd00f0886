"""The wire structs of an upstream's answer: events of a stream, and the response object that ends it or is all of it.

One flat struct holds the fields of all events: their type says which count. Events and items of an unknown type may
have anything in these fields, so only the known ones must fit.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway import ir
from gateway.dialects.outbound import latest, tier_of
from gateway.dialects.places import Places
from gateway.dialects.raw import NULL, read, require

__all__ = [
    "MAKING",
    "Event",
    "Item",
    "Part",
    "Response",
    "read_annotation",
    "read_event",
    "read_item",
    "read_response",
]

MAKING: Final = frozenset({"queued", "in_progress"})  # an answer that an upstream still works on


class Part(Struct):
    """A part of a message, or a paragraph of thoughts."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[Raw] | None = None
    logprobs: object = None


class Item(Struct):
    """An item of the output; some servers write arguments as an object."""

    type: str = ""
    id: str | None = None
    status: str | None = None
    phase: str | None = None
    content: list[Part] | None = None
    summary: list[Part] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Raw | UnsetType = UNSET
    input: str | None = None
    result: str | None = None
    output_format: str | None = None

    @property
    def key(self) -> str | None:
        """What events call it by: llama.cpp's calls have no id of their own."""
        return self.id or self.call_id


class WriteDetails(Struct):
    ttl_12h_tokens: int | None = None


class InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_tokens_details: WriteDetails | None = None


class OutputDetails(Struct):
    reasoning_tokens: int | None = None


class Usage(Struct):
    """Tokens."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None

    def neutral(self, tier: ir.Tier) -> ir.Usage:
        """Give the neutral counts."""
        read, given = self.input_tokens_details or InputDetails(), latest(self.input_tokens, 0)
        output, total = latest(self.output_tokens, 0), latest(self.total_tokens, 0)
        cached = min(latest(read.cached_tokens, 0), given)
        written, kept = min(latest(read.cache_write_tokens, 0), given - cached), read.cache_write_tokens_details
        reasoning = (self.output_tokens_details or OutputDetails()).reasoning_tokens
        return ir.Usage(
            input=given,
            output=output,
            cache_read=cached,
            cache_write=written,
            cache_write_long=min(latest(kept.ttl_12h_tokens, 0), written) if kept else 0,
            reasoning=min(latest(reasoning, 0), output),
            total=max(total, given + output) if total else None,
            tier=tier,
        )


class Details(Struct):
    reason: str | None = None


_USAGE: Final[msgspec.json.Decoder[Usage | None]] = msgspec.json.Decoder(Usage | None, strict=False)


class Response(Struct):
    """The response object, as far as it has come. A `usage` that is spelt otherwise is all that is lost."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    error: Raw = NULL
    incomplete_details: Details | None = None
    output: list[Raw] | None = None
    usage: Raw = NULL
    service_tier: object = None
    background: bool | None = None

    def counted(self) -> ir.Usage | None:
        """Give the neutral counts, if there are any."""
        given = read(self.usage, _USAGE)
        if given is None or (given.input_tokens is None and given.output_tokens is None):
            return None
        return given.neutral(tier_of(self.service_tier))


class Event(Struct):
    """One event of the stream."""

    type: str = ""
    response: Response | None = None
    item: Raw = NULL
    part: Part | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: Raw | UnsetType = UNSET
    input: str | None = None
    annotation: Raw = NULL
    logprobs: object = None
    error: Raw = NULL
    code: object = None
    message: object = None
    param: object = None


class _Typed(Struct):
    type: str = ""


class _Annotation(Struct):
    type: str = ""
    url: str = ""
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


_EVENT: Final = msgspec.json.Decoder(Event, strict=False)
_RESPONSE: Final = msgspec.json.Decoder(Response, strict=False)
_ITEM: Final = msgspec.json.Decoder(Item)
_TYPED: Final = msgspec.json.Decoder(_Typed)
_ANNOTATION: Final = msgspec.json.Decoder(_Annotation)


def read_event(data: str | bytes, known: frozenset[str]) -> Event:
    """Read an event; raise ValueError. One of an unknown type has its type only."""
    try:
        return require(data, _EVENT)
    except msgspec.ValidationError:
        kind = require(data, _TYPED).type
        if not kind or kind in known:
            raise
        return Event(type=kind)


def read_response(data: bytes) -> Response:
    """Read a whole answer; raise ValueError."""
    return require(data, _RESPONSE)


def read_item(raw: Raw, known: frozenset[str]) -> Item:
    """Read an item; raise ValueError. One of an unknown type has its type only."""
    kind = require(raw, _TYPED).type
    return require(raw, _ITEM) if kind in known else Item(type=kind)


def read_annotation(raw: Raw, text: Places) -> ir.CitationDelta | None:
    """Read a source of `text`, whose indices count characters; None for one without an address."""
    given = read(raw, _ANNOTATION)
    if given is None or given.type != "url_citation" or not given.url:
        return None
    start, end = given.start_index, given.end_index
    if start is None or end is None or not 0 <= start <= end:
        return ir.CitationDelta(url=given.url, title=given.title or "")
    return ir.CitationDelta(
        url=given.url,
        title=given.title or "",
        start=text.to_bytes(start),
        end=text.to_bytes(end),
        text=text.between(start, end),
    )

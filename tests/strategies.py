"""Hypothesis strategies for what crosses the seams: valid streams of IR events, cut into reads.

Each is made once: one that is made anew for each example is looked through anew, which takes longer than its values.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import TypeVar, get_args

from hypothesis import strategies as st
from msgspec import Raw

from gateway import ir
from gateway.errors import (
    GatewayError,
    InternalError,
    StreamBroken,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamTimeout,
)

__all__ = ["citations", "event_streams", "reads", "signatures", "usages", "words"]

T = TypeVar("T")
KINDS: tuple[ir.BlockKind, ...] = get_args(ir.BlockKind)
REASONS: tuple[ir.FinishReason, ...] = get_args(ir.FinishReason)
ERRORS: tuple[type[GatewayError], ...] = (
    InternalError,
    StreamBroken,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamTimeout,
)

_letters = st.characters(codec="utf-8") | st.sampled_from('"\\\n\x00\x85\u2028\u2029é漢🙂')


@cache
def words(min_size: int = 0, max_size: int = 12) -> st.SearchStrategy[str]:
    """Text with what is hard to write: quotes, controls, line separators, characters of one to four bytes."""
    return st.text(_letters, min_size=min_size, max_size=max_size)


@cache
def signatures(issuers: Sequence[ir.Family] = get_args(ir.Family)) -> st.SearchStrategy[ir.Signature]:
    """Signatures of these families, and bare ones."""
    value = st.binary(min_size=1, max_size=12).map(lambda raw: b64encode(raw).decode())
    issuer: st.SearchStrategy[ir.Family | None] = st.sampled_from((*issuers, None))
    return st.builds(ir.Signature, issuer, value, st.sampled_from(("t", "f")))


@cache
def citations() -> st.SearchStrategy[ir.CitationDelta]:
    """Sources with sound, absent, reversed and far too large positions."""
    place = st.none() | st.integers(0, 60)
    url = st.integers(0, 99).map(lambda n: f"https://example.com/{n}")
    return st.builds(ir.CitationDelta, url=url, title=words(), start=place, end=place, text=words())


@cache
def logprobs() -> st.SearchStrategy[ir.Logprob]:
    """Tokens with and without bytes of their own, and with others in their place."""
    likely = st.floats(-30, 0)
    utf8 = st.none() | st.binary(max_size=4).map(tuple)
    others = st.lists(st.builds(ir.Logprob, words(), likely, utf8), max_size=2).map(tuple)
    return st.builds(ir.Logprob, words(), likely, utf8, others)


@cache
def usages() -> st.SearchStrategy[ir.Usage]:
    """Counts whose parts are never more than the whole."""
    return st.builds(_usage, *(st.integers(0, 9999),) * 5)


def _usage(given: int, said: int, read: int, written: int, thought: int) -> ir.Usage:
    half = given // 2 + 1
    return ir.Usage(
        input=given, output=said, cache_read=read % half, cache_write=written % half, reasoning=thought % (said + 1)
    )


@st.composite
def event_streams(
    draw: st.DrawFn,
    kinds: Sequence[ir.BlockKind] = KINDS,
    *,
    fails: bool = True,
    max_blocks: int = 5,
) -> list[ir.Event]:
    """Draw one complete stream that `gateway.ir.grammar` accepts; `fails`: it may end, anywhere, with Failed."""
    events: list[ir.Event] = [draw(_STARTED)]
    kind = st.sampled_from(tuple(kinds))
    for number in range(draw(st.integers(0, max_blocks))):
        events += _block(draw, number, draw(kind))
        if draw(_ANY):
            events.append(ir.OpaqueEvent(dialect="gemini", kind="grounding", value=_RAW))
    events += [ir.UsageReported(usage) for usage in draw(_USAGES)]
    events.append(draw(_FINISHED))
    if fails and draw(_ANY):
        error = draw(_ERRORS)("it broke")
        events[draw(st.integers(0, len(events) - 1)) :] = [ir.Failed(error)]
    return events


def reads(events: Sequence[T]) -> st.SearchStrategy[list[list[T]]]:
    """Cut `events` into the lists of network reads, some of them empty."""

    def cut(places: list[int]) -> list[list[T]]:
        at = sorted(place % (len(events) + 1) for place in places)
        return [list(events[a:b]) for a, b in zip([0, *at], [*at, len(events)], strict=True)]

    return _CUTS.map(cut)


_CUTS = st.lists(st.integers(0, 9999), max_size=6)
_RAW = Raw(b"{}")
_ANY = st.booleans()
_STARTED = st.builds(ir.Started, id=st.none() | st.just("r1"), usage=st.none() | usages())
_USAGES = st.lists(usages(), max_size=2)
_FINISHED = st.builds(ir.Finished, reason=st.sampled_from(REASONS), explanation=st.none() | words(1))
_ERRORS = st.sampled_from(ERRORS)
_NAMES = st.sampled_from(("f", "g"))
_GEMINIS = signatures(("gemini",))
_TEXTS = st.lists(words(), max_size=4)
_THOUGHTS = st.lists(words(), max_size=3)
_LOGPROBS = st.lists(st.lists(logprobs(), max_size=2), max_size=2)
_CITATIONS = st.lists(citations(), max_size=2)
_ARGUMENTS = st.dictionaries(words(), st.none() | _ANY | st.integers(-9, 9) | words(), max_size=3)
_TYPES = st.sampled_from(("image/png", "image/jpeg", "audio/wav"))
_BYTES = st.binary(min_size=1, max_size=9)


def _block(draw: st.DrawFn, number: int, kind: ir.BlockKind) -> list[ir.Event]:
    start = ir.BlockStarted(kind=kind)
    if kind == "tool_call":
        start = ir.BlockStarted(kind=kind, id=f"call_{number}", name=draw(_NAMES))
    inner = _DELTAS[kind](draw)
    if draw(_ANY):
        signed = _GEMINIS if kind in ("text", "tool_call") else signatures()  # only Gemini signs words and calls
        inner.insert(draw(st.integers(0, len(inner))), ir.SignatureDelta(draw(signed)))
    return [start, *inner, ir.BlockEnded()]


def _text(draw: st.DrawFn) -> list[ir.Event]:
    texts: list[ir.Event] = [ir.TextDelta(text) for text in draw(_TEXTS)]
    for told in draw(_LOGPROBS):
        texts.insert(draw(st.integers(0, len(texts))), ir.LogprobsDelta(tuple(told)))
    return [*texts, *draw(_CITATIONS)]


def _thinking(draw: st.DrawFn) -> list[ir.Event]:
    return [ir.ThinkingDelta(text) for text in draw(_THOUGHTS)]


def _tool_call(draw: st.DrawFn) -> list[ir.Event]:
    whole = json.dumps(draw(_ARGUMENTS), ensure_ascii=draw(_ANY))
    if whole == "{}" and draw(_ANY):
        return []
    return [ir.ArgumentsDelta("".join(piece)) for piece in draw(reads(whole))]


def _media(draw: st.DrawFn) -> list[ir.Event]:
    data = b64encode(draw(_BYTES)).decode()
    return [ir.MediaChunk(media_type=draw(_TYPES), data=data)]


_DELTAS = {"text": _text, "thinking": _thinking, "tool_call": _tool_call, "media": _media}

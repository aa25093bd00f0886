"""Hypothesis strategies for what crosses the seams: valid streams of IR events, cut into reads."""

import json
from base64 import b64encode
from collections.abc import Sequence
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


def words(min_size: int = 0, max_size: int = 12) -> st.SearchStrategy[str]:
    """Text with what is hard to write: quotes, controls, line separators, characters of one to four bytes."""
    return st.text(_letters, min_size=min_size, max_size=max_size)


def signatures(issuers: Sequence[ir.Family] = get_args(ir.Family)) -> st.SearchStrategy[ir.Signature]:
    """Signatures of these families, and bare ones."""
    value = st.binary(min_size=1, max_size=12).map(lambda raw: b64encode(raw).decode())
    issuer: st.SearchStrategy[ir.Family | None] = st.sampled_from((*issuers, None))
    return st.builds(ir.Signature, issuer, value, st.sampled_from(("t", "f")))


def citations() -> st.SearchStrategy[ir.CitationDelta]:
    """Sources with sound, absent, reversed and far too large positions."""
    place = st.none() | st.integers(0, 60)
    url = st.integers(0, 99).map(lambda n: f"https://example.com/{n}")
    return st.builds(ir.CitationDelta, url=url, title=words(), start=place, end=place, text=words())


def logprobs() -> st.SearchStrategy[ir.Logprob]:
    """Tokens with and without bytes of their own, and with others in their place."""
    likely = st.floats(-30, 0)
    utf8 = st.none() | st.binary(max_size=4).map(tuple)
    others = st.lists(st.builds(ir.Logprob, words(), likely, utf8), max_size=2).map(tuple)
    return st.builds(ir.Logprob, words(), likely, utf8, others)


def usages() -> st.SearchStrategy[ir.Usage]:
    """Counts whose parts are never more than the whole."""
    return st.tuples(st.integers(0, 9999), st.integers(0, 9999)).flatmap(
        lambda totals: st.builds(
            ir.Usage,
            input=st.just(totals[0]),
            output=st.just(totals[1]),
            cache_read=st.integers(0, totals[0] // 2),
            cache_write=st.integers(0, totals[0] // 2),
            reasoning=st.integers(0, totals[1]),
        )
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
    started = st.builds(ir.Started, id=st.none() | st.just("r1"), usage=st.none() | usages())
    events: list[ir.Event] = [draw(started)]
    for number in range(draw(st.integers(0, max_blocks))):
        events += draw(_blocks(number, kinds))
        if draw(st.booleans()):
            events.append(ir.OpaqueEvent(dialect="gemini", kind="grounding", value=_RAW))
    events += [ir.UsageReported(usage) for usage in draw(st.lists(usages(), max_size=2))]
    events.append(draw(st.builds(ir.Finished, reason=st.sampled_from(REASONS), explanation=st.none() | words(1))))
    if fails and draw(st.booleans()):
        error = draw(st.sampled_from(ERRORS))("it broke")
        events[draw(st.integers(0, len(events) - 1)) :] = [ir.Failed(error)]
    return events


def reads(events: Sequence[T]) -> st.SearchStrategy[list[list[T]]]:
    """Cut `events` into the lists of network reads, some of them empty."""
    cuts = st.lists(st.integers(0, len(events)), max_size=6).map(sorted)
    return cuts.map(
        lambda at: [list(events[a:b]) for a, b in zip([0, *at], [*at, len(events)], strict=True)],
    )


_RAW = Raw(b"{}")
_TYPES = ("image/png", "image/jpeg", "audio/wav")


@st.composite
def _blocks(draw: st.DrawFn, number: int, kinds: Sequence[ir.BlockKind]) -> list[ir.Event]:
    kind = draw(st.sampled_from(tuple(kinds)))
    start = ir.BlockStarted(kind=kind)
    if kind == "tool_call":
        start = ir.BlockStarted(kind=kind, id=f"call_{number}", name=draw(st.sampled_from(("f", "g"))))
    inner = _DELTAS[kind](draw)
    if draw(st.booleans()):
        signed = signatures(("gemini",)) if kind == "text" else signatures()  # only Gemini signs words
        inner.insert(draw(st.integers(0, len(inner))), ir.SignatureDelta(draw(signed)))
    return [start, *inner, ir.BlockEnded()]


def _text(draw: st.DrawFn) -> list[ir.Event]:
    texts: list[ir.Event] = [ir.TextDelta(text) for text in draw(st.lists(words(), max_size=4))]
    told = [ir.LogprobsDelta(tuple(tokens)) for tokens in draw(st.lists(st.lists(logprobs(), max_size=2), max_size=2))]
    for one in told:
        texts.insert(draw(st.integers(0, len(texts))), one)
    return [*texts, *draw(st.lists(citations(), max_size=2))]


def _thinking(draw: st.DrawFn) -> list[ir.Event]:
    return [ir.ThinkingDelta(text) for text in draw(st.lists(words(), max_size=3))]


def _tool_call(draw: st.DrawFn) -> list[ir.Event]:
    values = st.none() | st.booleans() | st.integers(-9, 9) | words()
    whole = json.dumps(draw(st.dictionaries(words(), values, max_size=3)), ensure_ascii=draw(st.booleans()))
    if whole == "{}" and draw(st.booleans()):
        return []
    return [ir.ArgumentsDelta("".join(piece)) for piece in draw(reads(whole))]


def _media(draw: st.DrawFn) -> list[ir.Event]:
    data = b64encode(draw(st.binary(min_size=1, max_size=9))).decode()
    return [ir.MediaChunk(media_type=draw(st.sampled_from(_TYPES)), data=data)]


_DELTAS = {"text": _text, "thinking": _thinking, "tool_call": _tool_call, "media": _media}

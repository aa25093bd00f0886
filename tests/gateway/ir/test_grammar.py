"""The grammar of event streams."""

import pytest
from hypothesis import given
from msgspec import Raw

from gateway import ir
from gateway.errors import StreamBroken
from gateway.ir.grammar import Grammar, GrammarError, check
from tests.strategies import event_streams

STARTED = ir.Started()
TEXT = ir.BlockStarted(kind="text")
WORDS = ir.TextDelta("a")
ENDED = ir.BlockEnded()
USAGE = ir.UsageReported(ir.Usage())
FINISHED = ir.Finished(reason="stop")
FAILED = ir.Failed(StreamBroken("cut"))


def of(place: int, *events: ir.Event) -> list[ir.Event]:
    return [ir.Alternative(place, event) for event in events]


SIGNED = ir.SignatureDelta(ir.Signature(None, "x"))
OPAQUE = ir.OpaqueEvent(dialect="gemini", kind="k", value=Raw(b"{}"))
DELTAS: dict[str, ir.Event] = {
    "text": WORDS,
    "thinking": ir.ThinkingDelta("a"),
    "tool_call": ir.ArgumentsDelta("{}"),
    "media": ir.MediaChunk(media_type="image/png", data="AAAA"),
}


@given(event_streams())
def test_what_the_strategy_draws_is_accepted(events: list[ir.Event]) -> None:
    check(events)


@pytest.mark.parametrize(
    "events",
    [
        [STARTED, FINISHED],
        [STARTED, TEXT, WORDS, WORDS, ENDED, USAGE, USAGE, FINISHED],
        [STARTED, TEXT, ENDED, TEXT, ENDED, FINISHED],
        [STARTED, OPAQUE, TEXT, OPAQUE, ENDED, FINISHED],
        [FAILED],
        [STARTED, FAILED],
        [STARTED, TEXT, FAILED],
        [STARTED, USAGE, FAILED],
        [OPAQUE, STARTED, OPAQUE, USAGE, OPAQUE, FINISHED],
        [OPAQUE, FAILED],
        [STARTED, *of(1, TEXT, WORDS, ENDED, FINISHED), *of(2, FINISHED), FINISHED],
        [STARTED, TEXT, *of(1, TEXT), WORDS, *of(1, WORDS, ENDED), ENDED, *of(1, FINISHED), USAGE, FINISHED],
        [STARTED, *of(1, TEXT), FAILED],
        [STARTED, *of(1, OPAQUE, FINISHED), FINISHED],
    ],
)
def test_accepts(events: list[ir.Event]) -> None:
    check(events)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [STARTED],
        [STARTED, TEXT, ENDED, USAGE],
        [FINISHED],
        [STARTED, STARTED, FINISHED],
        [TEXT, ENDED, FINISHED],
        [STARTED, WORDS, FINISHED],
        [STARTED, ENDED, FINISHED],
        [STARTED, TEXT, FINISHED],
        [STARTED, TEXT, TEXT, ENDED, FINISHED],
        [STARTED, TEXT, USAGE, ENDED, FINISHED],
        [STARTED, USAGE, TEXT, ENDED, FINISHED],
        [STARTED, FINISHED, FINISHED],
        [*of(1, TEXT), STARTED, FINISHED],
        [STARTED, *of(0, FINISHED), FINISHED],
        [STARTED, *of(1, WORDS), FINISHED],
        [STARTED, *of(1, STARTED, FINISHED), FINISHED],
        [STARTED, *of(1, USAGE, FINISHED), FINISHED],
        [STARTED, *of(1, FAILED), FINISHED],
        [STARTED, *of(1, *of(1, TEXT)), FINISHED],
        [STARTED, *of(1, TEXT, ENDED), FINISHED],
        [STARTED, *of(1, FINISHED, TEXT), FINISHED],
        [STARTED, *of(1, TEXT), *of(2, WORDS), FINISHED],
        [STARTED, USAGE, *of(1, FINISHED), FINISHED],
        [STARTED, FINISHED, FAILED],
        [STARTED, FAILED, FINISHED],
        [STARTED, FINISHED, USAGE],
        [STARTED, FINISHED, OPAQUE],
        [OPAQUE],
    ],
)
def test_refuses(events: list[ir.Event]) -> None:
    with pytest.raises(GrammarError):
        check(events)


@pytest.mark.parametrize("kind", DELTAS)
@pytest.mark.parametrize("delta", DELTAS)
def test_a_block_holds_deltas_of_its_kind(kind: ir.BlockKind, delta: str) -> None:
    events: list[ir.Event] = [STARTED, ir.BlockStarted(kind=kind), SIGNED, DELTAS[delta], ENDED, FINISHED]
    if kind == delta:
        check(events)
    else:
        with pytest.raises(GrammarError, match="in state block"):
            check(events)


def test_what_does_not_end_is_told_so() -> None:
    with pytest.raises(GrammarError, match="no terminal event"):
        check([STARTED])


def test_only_text_holds_citations() -> None:
    source = ir.CitationDelta(url="https://a.example/")
    check([STARTED, TEXT, source, ENDED, FINISHED])
    with pytest.raises(GrammarError, match="CitationDelta"):
        check([STARTED, ir.BlockStarted(kind="thinking"), source, ENDED, FINISHED])


def test_it_knows_when_the_stream_has_ended() -> None:
    grammar = Grammar()
    grammar.feed(STARTED)
    assert not grammar.ended
    grammar.feed(FINISHED)
    assert grammar.ended

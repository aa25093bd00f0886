"""Folding a stream into a whole reply."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway import ir
from gateway.errors import StreamBroken, UpstreamOverloaded
from tests.strategies import event_streams, reads

STARTED = ir.Started(id="r1", model="m")
STOP = ir.Finished(reason="stop", native="STOP")
SIGNED = ir.Signature("gemini", "c2ln")


def fold(*events: ir.Event) -> ir.Reply:
    folded = ir.Fold()
    folded.feed(events)
    return folded.reply()


def test_other_answers_are_folded_beside_the_first() -> None:
    text = ir.BlockStarted(kind="text")
    said: list[ir.Event] = [text, ir.TextDelta("b"), ir.BlockEnded(), ir.Finished(reason="length")]
    reply = fold(
        STARTED,
        text,
        ir.Alternative(2, STOP),
        *(ir.Alternative(1, event) for event in said),
        ir.TextDelta("a"),
        ir.BlockEnded(),
        ir.UsageReported(ir.Usage(input=1, output=2)),
        STOP,
    )
    assert (reply.parts, reply.usage.output) == ((ir.Text(text="a"),), 2)
    assert [(one.parts, one.finish.reason) for one in reply.others] == [((ir.Text(text="b"),), "length"), ((), "stop")]


def test_another_answer_without_an_end_is_none() -> None:
    with pytest.raises(StreamBroken):
        fold(STARTED, ir.Alternative(1, ir.BlockStarted(kind="text")), STOP)


def test_deltas_become_parts_in_order() -> None:
    reply = fold(
        STARTED,
        ir.BlockStarted(kind="thinking"),
        ir.ThinkingDelta("h"),
        ir.ThinkingDelta("m"),
        ir.SignatureDelta(SIGNED),
        ir.BlockEnded(),
        ir.BlockStarted(kind="text"),
        ir.TextDelta("He"),
        ir.TextDelta("llo"),
        ir.BlockEnded(),
        ir.BlockStarted(kind="tool_call", id="t", name="f"),
        ir.ArgumentsDelta('{"a"'),
        ir.ArgumentsDelta(": 1}"),
        ir.BlockEnded(),
        ir.BlockStarted(kind="media"),
        ir.MediaChunk(media_type="image/png", data="AAAA"),
        ir.BlockEnded(),
        STOP,
    )
    assert reply == ir.Reply(
        id="r1",
        model="m",
        parts=(
            ir.Thinking(text="hm", signature=SIGNED),
            ir.Text(text="Hello"),
            ir.ToolCall(id="t", name="f", arguments=Raw(b'{"a": 1}')),
            ir.Media(media_type="image/png", data="AAAA"),
        ),
        usage=ir.Usage(),
        finish=STOP,
    )


def test_a_call_without_arguments_has_an_empty_object() -> None:
    (part,) = fold(STARTED, ir.BlockStarted(kind="tool_call", id="t", name="f"), ir.BlockEnded(), STOP).parts
    assert part == ir.ToolCall(id="t", name="f", arguments=Raw(b"{}"))


def test_a_signature_belongs_to_its_block_only() -> None:
    block: list[ir.Event] = [ir.BlockStarted(kind="text"), ir.TextDelta("a")]
    parts = fold(STARTED, *block, ir.SignatureDelta(SIGNED), ir.BlockEnded(), *block, ir.BlockEnded(), STOP).parts
    assert [part.signature for part in parts if isinstance(part, ir.Text)] == [SIGNED, None]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ([ir.BlockStarted(kind="text")], ir.Text(text="", signature=SIGNED)),
        ([ir.BlockStarted(kind="thinking")], ir.Thinking(text="", signature=SIGNED)),
        (
            [ir.BlockStarted(kind="tool_call", id="t", name="f")],
            ir.ToolCall(id="t", name="f", arguments=Raw(b"{}"), signature=SIGNED),
        ),
        (
            [ir.BlockStarted(kind="media"), ir.MediaChunk(media_type="image/png", data="AAAA")],
            ir.Media(media_type="image/png", data="AAAA", signature=SIGNED),
        ),
    ],
    ids=["text", "thinking", "tool call", "media"],
)
def test_every_kind_of_block_keeps_its_signature(block: list[ir.Event], part: ir.Part) -> None:
    assert fold(STARTED, *block, ir.SignatureDelta(SIGNED), ir.BlockEnded(), STOP).parts == (part,)


def test_what_stands_outside_of_blocks_makes_no_part() -> None:
    assert fold(STARTED, ir.TextDelta("lost"), ir.BlockEnded(), STOP).parts == ()
    assert fold(STARTED, ir.BlockStarted(kind="media"), ir.BlockEnded(), STOP).parts == ()


def test_the_last_usage_holds() -> None:
    first, last = ir.Usage(input=1), ir.Usage(input=9, output=2)
    started = ir.Started(usage=first)
    assert fold(started, STOP).usage == first
    assert fold(started, ir.UsageReported(last), STOP).usage == last


def test_sources_are_kept() -> None:
    source = ir.CitationDelta(url="https://a.example/")
    events = ir.BlockStarted(kind="text"), ir.TextDelta("a"), source, ir.BlockEnded()
    assert fold(STARTED, *events, STOP).citations == (source,)


def test_a_failure_is_raised_as_it_came() -> None:
    with pytest.raises(UpstreamOverloaded, match="full"):
        fold(STARTED, ir.Failed(UpstreamOverloaded("full")))


def test_a_stream_without_end_is_broken() -> None:
    with pytest.raises(StreamBroken, match="ended before it was complete"):
        fold(STARTED, ir.BlockStarted(kind="text"), ir.TextDelta("a"), ir.BlockEnded())


@given(event_streams(fails=False))
def test_no_word_is_lost(events: list[ir.Event]) -> None:
    said = "".join(event.text for event in events if isinstance(event, ir.TextDelta))
    assert "".join(part.text for part in fold(*events).parts if isinstance(part, ir.Text)) == said


@given(event_streams(fails=False))
def test_every_calls_arguments_are_an_object(events: list[ir.Event]) -> None:
    calls = [part for part in fold(*events).parts if isinstance(part, ir.ToolCall)]
    assert all(isinstance(json.loads(bytes(call.arguments)), dict) for call in calls)


@given(event_streams(fails=False), st.data())
def test_the_cut_into_reads_does_not_matter(events: list[ir.Event], data: st.DataObject) -> None:
    folded = ir.Fold()
    for read in data.draw(reads(events)):
        folded.feed(read)
    assert folded.reply() == fold(*events)


def test_what_only_one_dialect_knows_is_kept_in_order() -> None:
    told = [ir.OpaqueEvent(dialect="gemini", kind="chunk", value=Raw(b'{"a":%d}' % number)) for number in (1, 2)]
    assert fold(told[0], STARTED, told[1], STOP).opaque == tuple(told)

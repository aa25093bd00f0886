"""Each of several answers is read and written as if it were the only one, however they are mixed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering, Dialect
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.dialects.openai_chat import outbound_stream as chat
from gateway.ir.grammar import check
from gateway.testing.grammar_sse import frames
from tests.strategies import event_streams
from tests.translating import CODECS

from .examples import EXAMPLES

T = TypeVar("T")
Json = dict[str, Any]

LISTS = {"openai-chat": "choices", "gemini": "candidates"}
WRITER = pytest.mark.parametrize("dialect", list(LISTS))
REQUEST = ir.Request(model="m", turns=(), reasoning=ir.Reasoning(mode="auto", visible=True))
TO = Answering(request=REQUEST, model="m", id="0f", created=1, request_id="req_1", estimate=lambda: 5)

WORDS = st.text("ab é", min_size=1, max_size=5)
PIECES = st.one_of(
    st.tuples(st.just("text"), WORDS),
    st.tuples(st.just("thought"), WORDS),
    st.tuples(st.just("call"), st.sampled_from(("f", "g"))),
)


@st.composite
def mixed(draw: st.DrawFn, streams: Sequence[Sequence[T]]) -> list[tuple[int, T]]:
    """Mix what is in order in each of them."""
    order = draw(st.permutations([place for place, stream in enumerate(streams) for _ in stream]))
    waiting = [iter(stream) for stream in streams]
    return [(place, next(waiting[place])) for place in order]


# writers


def said(events: Sequence[ir.Event]) -> list[ir.Event]:
    """Give an answer without what is told of all."""
    return [event for event in events if not isinstance(event, ir.Started | ir.UsageReported)]


@WRITER
@EXAMPLES
@given(data=st.data())
def test_each_is_written_as_if_it_were_alone(dialect: str, data: st.DataObject) -> None:
    answers = [said(data.draw(event_streams(fails=False))) for _ in range(3)]
    first, *others = answers
    *blocks, end = first
    together = [
        event if place == 0 else ir.Alternative(place, event) for place, event in data.draw(mixed([blocks, *others]))
    ]
    events: list[ir.Event] = [ir.Started(), *together, end]
    check(events)
    codec: Dialect = CODECS[dialect]  # type: ignore[index]
    streamed, whole = written(codec, events, dialect), folded(codec, events, dialect)
    for place, answer in enumerate(answers):
        alone: list[ir.Event] = [ir.Started(), *answer]
        assert [one for at, one in streamed if at == place] == [one for _, one in written(codec, alone, dialect)]
        assert [one for at, one in whole if at == place] == [one for _, one in folded(codec, alone, dialect)]


def written(codec: Dialect, events: list[ir.Event], dialect: str) -> list[tuple[int, Json]]:
    writer = codec.stream_writer(TO)
    data = writer.feed(events) + writer.close()
    chunks = [json.loads(frame.text) for frame in frames(data) if frame.text != "[DONE]"]
    return [apart(one) for chunk in chunks for one in chunk[LISTS[dialect]]]


def folded(codec: Dialect, events: list[ir.Event], dialect: str) -> list[tuple[int, Json]]:
    fold = ir.Fold()
    fold.feed(events)
    return [apart(one) for one in json.loads(codec.write_whole(fold.reply(), TO))[LISTS[dialect]]]


def apart(one: Json) -> tuple[int, Json]:
    return one["index"], {name: value for name, value in one.items() if name != "index"}


# readers


def candidate(place: int, piece: tuple[str, str] | None) -> Json:
    """Write a piece of a candidate, or its end."""
    if piece is None:
        return {"candidates": [{"index": place, "finishReason": "STOP"}]}
    kind, text = piece
    part: Json = {"text": text} | ({"thought": True} if kind == "thought" else {})
    if kind == "call":
        part = {"functionCall": {"name": text, "args": {}}}
    return {"candidates": [{"index": place, "content": {"role": "model", "parts": [part]}}]}


def choice(place: int, piece: tuple[str, str] | None) -> Json:
    if piece is None:
        return {"choices": [{"index": place, "delta": {}, "finish_reason": "stop"}]}
    kind, text = piece
    delta: Json = {{"text": "content", "thought": "reasoning_content"}.get(kind, ""): text}
    if kind == "call":
        called = {"id": "c", "type": "function", "function": {"name": text, "arguments": "{}"}}
        delta = {"tool_calls": [{"index": 0, **called}]}
    return {"choices": [{"index": place, "delta": delta}]}


def gemini_reader(count: int) -> StreamReader:
    return StreamReader(ReadOptions(names=NameMap([]), family="gemini", salt="s", candidates=count))


def chat_reader(count: int) -> chat.StreamReader:
    return chat.StreamReader(chat.ReadOptions(names=NameMap([]), salt="s", choices=count))


READERS: Any = {"gemini": (gemini_reader, candidate), "openai-chat": (chat_reader, choice)}


@pytest.mark.parametrize("dialect", list(READERS))
@EXAMPLES
@given(data=st.data())
def test_each_is_read_as_if_it_were_alone(dialect: str, data: st.DataObject) -> None:
    make, write = READERS[dialect]
    once = st.lists(PIECES, max_size=5).filter(lambda said: [kind for kind, _ in said].count("call") < 2)
    answers = [[*data.draw(once), None] for _ in range(3)]
    together = read(make(3), [write(place, piece) for place, piece in data.draw(mixed(answers))])
    check(together)
    for place, answer in enumerate(answers):
        alone = nameless(said(read(make(1), [write(0, piece) for piece in answer])))
        found = [event.event for event in together if isinstance(event, ir.Alternative) and event.place == place]
        if place == 0:
            found = said([event for event in together if not isinstance(event, ir.Alternative)])
        assert nameless(found) == alone


FAILED: Json = {
    "gemini": {"content": {"parts": [{"functionCall": {"args": {}}}]}},
    "openai-chat": {"finish_reason": "error", "error": {"code": 503, "message": "overloaded"}},
}


@pytest.mark.parametrize("dialect", list(READERS))
def test_one_error_is_told_where_several_fail_at_once(dialect: str) -> None:
    make, _ = READERS[dialect]
    chunk = {LISTS[dialect]: [FAILED[dialect] | {"index": place} for place in (2, 1, 0)]}
    events = read(make(3), [chunk])
    check(events)
    assert [type(event) for event in events] == [ir.Started, ir.Failed]


def read(reader: Any, chunks: Sequence[Json]) -> list[ir.Event]:
    events: list[ir.Event] = [event for chunk in chunks for event in reader.feed([json.dumps(chunk)])]
    events += reader.close()
    return events


def nameless(events: Sequence[ir.Event]) -> list[ir.Event]:
    """Take the ids from calls, which differ."""
    return [
        ir.BlockStarted(kind=event.kind, name=event.name) if isinstance(event, ir.BlockStarted) else event
        for event in events
    ]

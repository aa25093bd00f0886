"""Whatever bytes the upstream sends, however they are cut: Gemini callers get one answer, translated or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.gemini.inbound import Gemini
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.ir.grammar import check
from gateway.sse import Decoder
from tests.gateway.dialects.gemini.caller import answering, array, heard, sse
from tests.properties.test_translation import reads, upstreams, write, write_whole

CODEC = Gemini()
NATIVE = pytest.mark.parametrize("native", [True, False], ids=["passed on", "translated"])
MANY = settings(max_examples=150, deadline=None)
callers = st.builds(answering, st.sampled_from(["sse", "array"]), sealed=st.booleans(), visible=st.booleans())


def read(network: Sequence[bytes], *, native: bool) -> list[list[ir.Event]]:
    """Give the events of each network read, checked against their grammar."""
    reader = StreamReader(ReadOptions(names=NameMap([]), family="gemini", salt="salt", native=native))
    decoder = Decoder()
    batches = [reader.feed(decoder.feed(data)) for data in network]
    batches.append(reader.feed(decoder.close()) + reader.close())
    check(event for batch in batches for event in batch)
    return batches


@NATIVE
@MANY
@given(upstreams, callers, st.data())
def test_any_cut_gives_the_same_bytes(native: bool, upstream: bytes, to: Answering, data: st.DataObject) -> None:
    network = data.draw(reads(upstream))
    for write_out in (write, write_whole):
        assert write_out(CODEC, read(network, native=native), to) == write_out(
            CODEC, read([upstream], native=native), to
        )


@NATIVE
@MANY
@given(upstreams, callers)
def test_any_bytes_give_one_readable_stream(native: bool, upstream: bytes, to: Answering) -> None:
    batches = read([upstream], native=native)
    written = write(CODEC, batches, to)
    chunks = array(written) if to.array else sse(written)
    last = [event for batch in batches for event in batch][-1]
    failed = [next(iter(chunk), "") == "error" for chunk in chunks]
    assert failed == [False] * (len(chunks) - 1) + [isinstance(last, ir.Failed)] * bool(chunks)
    if not native:
        heard(chunks)


@MANY
@given(upstreams, callers)
def test_a_whole_translation_is_the_folded_stream(upstream: bytes, to: Answering) -> None:
    batches = read([upstream], native=False)
    written = write(CODEC, batches, to)
    streamed = heard(array(written) if to.array else sse(written))
    whole = heard([json.loads(write_whole(CODEC, batches, to))])
    assert (streamed.error, streamed.finish, streamed.blocked) == (whole.error, whole.finish, whole.blocked)
    if streamed.error is None:
        assert (streamed.text, streamed.thoughts, streamed.calls) == (whole.text, whole.thoughts, whole.calls)
        assert streamed.usage == whole.usage


@MANY
@given(upstreams)
def test_a_whole_answer_holds_the_parts_of_the_chunks(upstream: bytes) -> None:
    batches = read([upstream], native=True)
    whole = json.loads(write_whole(CODEC, batches, answering()))
    chunks = sse(write(CODEC, batches, answering()))
    if "error" not in whole and len(chunks) > 1:
        for index in {candidate.get("index") or 0 for chunk in chunks for candidate in chunk.get("candidates") or ()}:
            assert said(whole, index=index) == said(*chunks, index=index)


def said(*chunks: Any, index: int) -> tuple[str, str, list[Any]]:
    """Give words, thoughts and what else was said in one candidate."""
    found = [
        part
        for chunk in chunks
        for candidate in chunk.get("candidates") or ()
        if (candidate.get("index") or 0) == index
        for part in (candidate.get("content") or {}).get("parts") or ()
    ]
    words = [part for part in found if isinstance(part.get("text"), str)]
    return (
        "".join(part["text"] for part in words if not part.get("thought")),
        "".join(part["text"] for part in words if part.get("thought")),
        [part for part in found if part.keys() - {"text", "thought"}],
    )

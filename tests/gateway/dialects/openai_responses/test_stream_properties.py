"""Whatever an upstream says: one grammatical stream, one terminal event, and the whole answer says the same."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_responses.stream import StreamWriter
from tests.strategies import event_streams, reads

from .responses import Json, Stream, answering, spoken, whole

TOOLS: tuple[tuple[ir.Tool, ...], ...] = (
    (ir.Tool(name="f"), ir.Tool(name="g", namespace=("n", "g"))),
    (ir.Tool(name="f", free_form=True), ir.Tool(name="g")),
    (ir.Tool(name="f"), ir.Tool(name="web_search", builtin="web_search")),
)
callers = st.builds(
    answering,
    sealed=st.booleans(),
    store=st.booleans(),
    tools=st.sampled_from(TOOLS),
    reasoning=st.builds(ir.Reasoning, visible=st.none() | st.booleans()),
)


def arranged(events: Sequence[ir.Event]) -> list[ir.Event]:
    """Put the signature of a call before its arguments, and sources after words, as upstreams do."""
    out: list[ir.Event] = []
    start = 0
    for event in events:
        if isinstance(event, ir.BlockStarted):
            start = len(out) + 1
        kind = next((e.kind for e in reversed(out) if isinstance(e, ir.BlockStarted)), None)
        if isinstance(event, ir.SignatureDelta) and kind == "tool_call":
            out.insert(start, event)
        elif not isinstance(event, ir.CitationDelta) or any(
            isinstance(e, ir.TextDelta) and e.text for e in out[start:]
        ):
            out.append(event)
    return out


streams = event_streams().map(arranged)
ended = event_streams(fails=False).map(arranged)


def run(batches: list[list[ir.Event]], to: Answering) -> tuple[bytes, StreamWriter]:
    writer = StreamWriter(to)
    return b"".join(map(writer.feed, batches)) + writer.close(), writer


def apart(response: Json) -> tuple[Json, list[str]]:
    """Tell sources from the rest: a folded answer does not say whose they are."""
    urls: list[str] = []

    def hook(value: Json) -> Any:
        urls.extend(source["url"] for source in value.get("annotations", ()))
        return value | ({"annotations": []} if "annotations" in value else {})

    return json.loads(json.dumps(response), object_hook=hook), sorted(urls)


@settings(deadline=None)
@given(streams.flatmap(reads), callers)
def test_any_stream_is_grammatical_with_one_terminal(batches: list[list[ir.Event]], to: Answering) -> None:
    last = [event for batch in batches for event in batch][-1]
    data, writer = run(batches, to)
    stream = Stream(data)
    assert (stream.status == "failed") == isinstance(last, ir.Failed)
    assert writer.feed([ir.TextDelta("late")]) + writer.close() == b""


@settings(deadline=None)
@given(st.data(), streams, callers)
def test_the_cut_of_reads_does_not_matter(data: st.DataObject, events: list[ir.Event], to: Answering) -> None:
    assert run(data.draw(reads(events)), to)[0] == run([events], to)[0]


@settings(deadline=None)
@given(ended, callers)
def test_a_whole_answer_is_the_end_of_the_stream(events: list[ir.Event], to: Answering) -> None:
    data, writer = run([events], to)
    assert apart(whole(events, to)) == apart(Stream(data).response)
    assert apart(whole(events, to, stored=True)) == apart(json.loads(writer.response or b""))


@settings(deadline=None, max_examples=50)
@given(streams, callers)
def test_the_sdk_takes_any_stream(events: list[ir.Event], to: Answering) -> None:
    data, _ = run([events], to)
    last = spoken(data)[-1]
    assert last.type == f"response.{last.response.status}"
    output = [item.to_dict() for item in last.response.output]
    told = Stream(data).output
    assert [item["id"] for item in output] == [item["id"] for item in told]
    assert last.response.output_text == "".join(
        part.get("text", "") for item in told for part in item.get("content", ()) if part["type"] == "output_text"
    )

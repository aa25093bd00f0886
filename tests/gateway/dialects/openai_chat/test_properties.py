"""Whatever an upstream says: one grammatical stream, one terminal, and the whole answer says the same."""

from hypothesis import given
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_chat import OpenAIChat
from tests.strategies import event_streams, reads

from .chat import Json, Stream, answering, whole

TOOLS: tuple[tuple[ir.Tool, ...], ...] = (
    (ir.Tool(name="f"), ir.Tool(name="g")),
    (ir.Tool(name="f", free_form=True), ir.Tool(name="g")),
    (ir.Tool(name="f", path="functions[0]"),),
)
callers = st.builds(
    answering,
    images=st.sampled_from(("markdown", "images")),
    sealed=st.booleans(),
    include_usage=st.booleans(),
    tools=st.sampled_from(TOOLS),
    reasoning=st.builds(ir.Reasoning, visible=st.none() | st.booleans()),
)
event_reads = event_streams().flatmap(reads)
ended_reads = event_streams(fails=False).flatmap(reads)


def run(batches: list[list[ir.Event]], to: Answering) -> bytes:
    writer = OpenAIChat().stream_writer(to)
    return b"".join(map(writer.feed, batches)) + writer.close()


def without_places(message: Json) -> Json:
    """Leave out where citations stand: a folded answer does not tell their blocks apart."""
    sources = [annotation["url_citation"]["url"] for annotation in message.get("annotations", ())]
    return message | {"annotations": sources, "content": message.get("content") or None}


def without_kept(message: Json) -> Json:
    """Leave out the copy of the thoughts that only a stream needs, and that must be a true one."""
    extra = dict(message.get("extra_content", {}))
    kept = extra.pop("gateway", None)
    if kept is not None and "blocks" in kept:
        return message
    assert kept in (None, {"thoughts": message.get("reasoning_content")})
    return message | ({"extra_content": extra} if extra else {})


@given(event_reads, callers)
def test_any_stream_is_grammatical_with_one_terminal(batches: list[list[ir.Event]], to: Answering) -> None:
    last = [event for batch in batches for event in batch][-1]
    stream = Stream(run(batches, to))
    assert stream.done == isinstance(last, ir.Finished)
    assert (stream.usage is not None) == (stream.done and to.request.include_usage)


@given(ended_reads, callers, st.data())
def test_a_cut_stream_is_an_error(batches: list[list[ir.Event]], to: Answering, data: st.DataObject) -> None:
    events = [event for batch in batches for event in batch]
    cut = events[: data.draw(st.integers(0, len(events) - 1))]
    stream = Stream(run([cut], to))
    assert (stream.done, stream.error is not None) == (False, True)


@given(ended_reads, callers)
def test_a_whole_answer_equals_the_stream(batches: list[list[ir.Event]], to: Answering) -> None:
    stream = Stream(run(batches, to))
    body = whole([event for batch in batches for event in batch], to)
    (choice,) = body["choices"]
    streamed = {"refusal": None} | without_kept(stream.message())
    assert without_places(choice["message"]) == without_places(streamed)
    assert choice["finish_reason"] == stream.finish
    assert body["usage"] == (stream.usage or body["usage"])


@given(event_streams(kinds=("text", "thinking", "tool_call"), fails=False, max_blocks=3), callers, st.data())
def test_the_cut_into_reads_does_not_change_the_message(
    events: list[ir.Event], to: Answering, data: st.DataObject
) -> None:
    one, many = Stream(run([events], to)), Stream(run(data.draw(reads(events)), to))
    assert one.message() == many.message()


@given(event_streams(kinds=("text",), fails=False, max_blocks=1), callers)
def test_citations_of_one_block_stand_at_the_same_place(events: list[ir.Event], to: Answering) -> None:
    stream = Stream(run([events], to))
    (choice,) = whole(events, to)["choices"]
    assert choice["message"].get("annotations") == stream.message().get("annotations")

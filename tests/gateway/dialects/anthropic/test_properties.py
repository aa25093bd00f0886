"""What must hold for every stream of events that the grammar allows."""

import json
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic import Anthropic
from tests.strategies import event_streams, reads

from .reader import accumulate, answering, check, content, fold, parse, write

Block = dict[str, Any]

REASONING = (
    ir.Reasoning(visible=True),
    ir.Reasoning(visible=False),
    ir.Reasoning(visible=False, display="omitted"),
)
SEARCH = (ir.Tool(name="web_search", builtin="web_search"),)


def answerings() -> st.SearchStrategy[Answering]:
    tools = st.sampled_from(((), SEARCH))
    return st.builds(answering, st.sampled_from(REASONING), tools, sealed=st.booleans())


@given(event_streams(), answerings())
def test_every_stream_is_grammatical(events: list[ir.Event], to: Answering) -> None:
    check(parse(write(events, to)))


@given(event_streams(), answerings(), st.data())
def test_the_cut_into_reads_does_not_matter(events: list[ir.Event], to: Answering, data: st.DataObject) -> None:
    writer = Anthropic().stream_writer(to)
    parts = [writer.feed(read) for read in data.draw(reads(events))]
    assert b"".join(parts) + writer.close() == write(events, to)


@given(st.lists(event_streams(max_blocks=2), min_size=1, max_size=2), answerings(), st.data())
def test_even_a_senseless_stream_ends_well(streams: list[list[ir.Event]], to: Answering, data: st.DataObject) -> None:
    """No upstream may make an ungrammatical answer: here events are lost, doubled and shuffled."""
    events = data.draw(st.permutations([event for stream in streams for event in stream]))
    written = parse(write([event for event in events if not isinstance(event, ir.ArgumentsDelta)], to))
    check(written)


@given(event_streams(fails=False), answerings())
def test_the_whole_answer_equals_the_stream(events: list[ir.Event], to: Answering) -> None:
    signed_first = [*_signed_first(events)]
    whole = json.loads(Anthropic().write_whole(fold(events), to))
    streamed = parse(write(signed_first, to))
    start, delta = streamed[0]["message"], streamed[-2]
    assert _plain(content(streamed)) == _plain(whole["content"])
    assert _citations(content(streamed)) == _citations(whole["content"])
    assert delta["delta"].items() <= whole.items()
    assert delta["usage"].items() <= whole["usage"].items()
    assert {key: start[key] for key in ("id", "type", "role", "model")}.items() <= whole.items()


@given(event_streams(fails=False), answerings())
def test_the_official_client_reads_what_was_written(events: list[ir.Event], to: Answering) -> None:
    data = write(events, to)
    message = accumulate(data)
    read = [_without_nulls(block.to_dict()) for block in message.content]
    assert read == [_without_nulls(block) for block in content(parse(data))]
    assert message.stop_reason == parse(data)[-2]["delta"]["stop_reason"]


@given(event_streams(fails=False))
def test_what_the_client_sends_back_reads_as_what_the_model_said(events: list[ir.Event]) -> None:
    """Words, calls and signatures survive the way to the caller and back."""
    sent = json.loads(Anthropic().write_whole(fold(events), answering()))["content"]
    body = {"model": "m", "messages": [{"role": "assistant", "content": sent}]}
    (turn,) = Anthropic().read_request(json.dumps(body).encode()).turns
    said = [part for part in fold(events).parts if isinstance(part, ir.Thinking | ir.ToolCall)]
    came = [part for part in turn.parts if isinstance(part, ir.Thinking | ir.ToolCall)]
    assert [_essence(part) for part in came] == [_essence(part) for part in said if _lasts(part)]


def _signed_first(events: Sequence[ir.Event]) -> Iterator[ir.Event]:
    """Put the signature of each call before its arguments, as the upstream readers do."""
    held: list[ir.Event] = []
    for event in events:
        if isinstance(event, ir.ArgumentsDelta):
            held.append(event)
            continue
        if isinstance(event, ir.BlockEnded):
            yield from held
            held = []
        yield event


def _plain(blocks: Sequence[Block]) -> list[Block]:
    """Leave out citations, and the empty text that exists only to hold them."""
    bare = [{key: value for key, value in block.items() if key != "citations"} for block in blocks]
    return [block for block in bare if block != {"type": "text", "text": ""}]


def _citations(blocks: Sequence[Block]) -> list[Block]:
    """Collect them, sorted: those of an empty text stand with other words in a whole answer."""
    return sorted((one for block in blocks for one in block.get("citations", [])), key=itemgetter("url"))


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _lasts(part: ir.Thinking | ir.ToolCall) -> bool:
    return isinstance(part, ir.ToolCall) or bool(part.text) or part.signature is not None


def _essence(part: ir.Thinking | ir.ToolCall) -> tuple[object, ...]:
    signature = part.signature
    if isinstance(part, ir.Thinking):
        return part.text, signature and (signature.issuer, signature.value)
    carried = signature if signature is not None and signature.issuer is not None else None
    return part.id, part.name, json.loads(bytes(part.arguments)), carried and (carried.issuer, carried.value)

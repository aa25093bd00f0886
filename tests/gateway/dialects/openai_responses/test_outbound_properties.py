"""Whatever callers ask, OpenAI accepts it; what this gateway itself has said comes back."""

import json
from typing import Any, TypeAlias

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.openai_responses.outbound_request import write_request
from gateway.dialects.openai_responses.stream import StreamWriter
from gateway.dialects.openai_responses.whole import write_both
from gateway.dialects.outbound import OpenAITarget
from gateway.errors import InvalidRequest
from gateway.ir import Fold
from gateway.ir.grammar import check
from gateway.sse import Decoder
from tests.fakes.openai_api_kept import Kept
from tests.fakes.openai_api_models import describe
from tests.fakes.openai_api_responses import Wanted, judge
from tests.gateway.dialects.gemini.test_properties import OUTPUTS, REASONING, SAMPLING, TOOLS, TURNS

from .outbound import reader, sent, user
from .responses import answering

Json: TypeAlias = st.SearchStrategy[Any]

# answers: what this gateway itself writes comes back

CALL_NAMES = st.sampled_from(["f", "patch", "ns__g"])
TEXTS = st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3)
TOOLBOX = (
    ir.Tool(name="f", path="tools[0]"),
    ir.Tool(name="patch", free_form=True, path="tools[1]"),
    ir.Tool(name="ns__g", path="tools[2].tools[0]", namespace=("ns", "g")),
)
DECLARED = [{"name": "f"}, {"name": "patch"}, {"type": "namespace", "name": "ns", "tools": [{"name": "g"}]}]


@st.composite
def _blocks(draw: st.DrawFn) -> list[ir.Event]:
    kind = draw(st.sampled_from(["text", "thinking", "tool_call", "media"]))
    if kind == "media":
        return [ir.BlockStarted(kind="media"), ir.MediaChunk(media_type="image/webp", data="cG5n"), ir.BlockEnded()]
    if kind == "tool_call":
        name = draw(CALL_NAMES)
        words = draw(st.text(max_size=5))
        text = json.dumps({"input": words}, ensure_ascii=False)
        cut = draw(st.integers(0, len(text)))
        begun = ir.BlockStarted(kind="tool_call", id=f"call_{draw(st.uuids())}", name=name)
        return [begun, ir.ArgumentsDelta(text[:cut]), ir.ArgumentsDelta(text[cut:]), ir.BlockEnded()]
    pieces = draw(TEXTS)
    if kind == "text":
        source = ir.CitationDelta(url="https://a.b", title="A", start=0, end=len(pieces[0].encode()), text=pieces[0])
        return [
            ir.BlockStarted(kind="text"),
            *map(ir.TextDelta, pieces),
            *draw(st.sampled_from([[], [source]])),
            ir.BlockEnded(),
        ]
    signature = ir.SignatureDelta(ir.Signature("openai", draw(st.sampled_from(["gAAAA", "gBBBB"]))))
    return [ir.BlockStarted(kind="thinking"), *map(ir.ThinkingDelta, pieces), signature, ir.BlockEnded()]


FINISHES = st.sampled_from(
    [ir.Finished(reason="stop"), ir.Finished(reason="length"), ir.Finished(reason="content_filter", explanation="No.")]
)
USAGES = st.builds(
    ir.Usage,
    input=st.integers(50, 99),
    output=st.integers(50, 99),
    cache_read=st.integers(0, 30),
    reasoning=st.integers(0, 50),
)


@st.composite
def _answers(draw: st.DrawFn) -> list[ir.Event]:
    said = [event for block in draw(st.lists(_blocks(), max_size=4)) for event in block]
    calls = any(isinstance(event, ir.BlockStarted) and event.kind == "tool_call" for event in said)
    finish = draw(FINISHES)
    if calls and finish.reason == "stop":
        finish = ir.Finished(reason="tool_calls")
    return [ir.Started(id="r", model="m"), *said, ir.UsageReported(draw(USAGES)), finish]


def _told() -> Any:
    echo = {"tools": json.dumps(DECLARED).encode()}
    return answering(store=False, echo=echo, tools=TOOLBOX, reasoning=ir.Reasoning(visible=True))


def _folded(events: list[ir.Event]) -> ir.Reply:
    check(events)
    fold = Fold()
    fold.feed(events)
    return fold.reply()


def _alike(reply: ir.Reply) -> Any:
    """Give what must come back: not ids of answers, nor native words, nor envelopes."""
    finish = reply.finish
    parts: list[object] = []
    for part in reply.parts:
        if isinstance(part, ir.Thinking) and part.signature is not None:
            value = part.signature.value
            sealed = value if value.startswith("gw1.") else ir.seal(part.signature)
            parts.append(replace(part, signature=ir.unseal(sealed)))
        elif isinstance(part, ir.ToolCall):
            parts.append((part.id, part.name, json.loads(bytes(part.arguments))))
        else:
            parts.append(part)
    spoken = any(not isinstance(part, ir.Thinking) for part in reply.parts)
    explanation = finish.explanation if not spoken else None
    return parts, finish.reason, explanation, replace(reply.usage, total=None), reply.citations


@settings(max_examples=200)
@given(_answers())
def test_what_the_gateway_streams_comes_back(answer: list[ir.Event]) -> None:
    writer, decoder = StreamWriter(_told()), Decoder()
    data = writer.feed(answer) + writer.close()
    one = reader(ns__g=("ns", "g"))
    events = one.feed(decoder.feed(data) + decoder.close()) + one.close()
    assert _alike(_folded(events)) == _alike(_folded(answer))


@given(_answers())
def test_stream_and_whole_say_the_same(answer: list[ir.Event]) -> None:
    told = _told()
    writer, decoder = StreamWriter(told), Decoder()
    data = writer.feed(answer) + writer.close()
    streamed = reader().feed(decoder.feed(data) + decoder.close())
    whole = reader().feed_whole(write_both(_folded(answer), told)[0])
    assert _alike(_folded(streamed)) == _alike(_folded(whole))


# requests


@settings(max_examples=200, deadline=None)
@given(
    TURNS,
    st.sampled_from(["gpt-5", "o3", "gpt-4.1"]),
    REASONING,
    SAMPLING,
    OUTPUTS,
    TOOLS,
    st.sampled_from([None, "auto", "none", "required"]),
)
def test_upstream_accepts_whatever_is_written(
    turns: tuple[ir.Turn, ...],
    model: str,
    reasoning: ir.Reasoning,
    sampling: ir.Sampling,
    output: ir.Output,
    tools: list[ir.Tool],
    mode: Any,
) -> None:
    request = ir.Request(
        model="m",
        turns=(*turns, user("go on")),  # a call that ends the conversation is the caller's to answer
        reasoning=reasoning,
        sampling=sampling,
        output=output,
        tools=tuple(tools),
        tool_choice=ir.ToolChoice(mode=mode) if mode and tools else None,
    )
    assume(not (output.kind == "schema" and output.schema is not None and b'"type"' not in bytes(output.schema)))
    try:
        written = write_request(request, OpenAITarget(model=model, max_output=32_000))
    except InvalidRequest as error:
        assert error.param
        return
    judge(Wanted(sent(written), describe(model), Kept(sealed={"gAAAA": "rs_1"}), []))
    assert all(loss.path for loss in written.losses)

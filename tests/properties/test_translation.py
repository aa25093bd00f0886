"""Whatever bytes the upstream sends, and however they are cut: callers get one grammatical answer, always the same."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering, Dialect
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.errors import GatewayError
from gateway.ir.grammar import check
from gateway.sse import Decoder
from tests.automata import STREAMS, WHOLES
from tests.conformance.recordings import NAMES, stream
from tests.conformance.test_cases_ends import ENDS
from tests.strategies import words

Json = dict[str, Any]

CODECS: dict[str, Dialect] = {
    "openai-chat": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
    "anthropic": Anthropic(),
}
DIALECT = pytest.mark.parametrize("dialect", CODECS)

values = st.none() | st.booleans() | st.integers(-9, 9) | words(max_size=4)
signatures = st.sampled_from(["EkBG", "RWtC", "not base64"])
arguments = st.dictionaries(words(max_size=4), values, max_size=2) | values
part = st.one_of(
    st.builds(lambda text: {"text": text}, words()),
    st.builds(lambda text: {"text": text, "thought": True}, words()),
    st.builds(lambda text, sig: {"text": text, "thoughtSignature": sig}, words(), signatures),
    st.builds(lambda text, sig: {"text": text, "thought": True, "thoughtSignature": sig}, words(), signatures),
    st.builds(lambda sig: {"thoughtSignature": sig}, signatures),
    st.builds(
        lambda name, args, ident: {"functionCall": {"name": name, "args": args, "id": ident}},
        st.sampled_from(["f", "g", ""]),
        arguments,
        st.sampled_from([None, "a1", "a1", "not legal!"]),
    ),
    st.builds(
        lambda data: {"inlineData": {"mimeType": "image/png", "data": b64encode(data).decode()}}, st.binary(max_size=4)
    ),
    st.builds(lambda code: {"executableCode": {"language": "PYTHON", "code": code}}, words()),
    st.builds(lambda out: {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": out}}, words()),
    st.just({}),
    st.just({"neverHeardOf": {"a": [1]}}),
)
counts = st.none() | st.integers(0, 5000)
usages = st.fixed_dictionaries(
    {},
    optional={
        f"{name}TokenCount": counts
        for name in ("prompt", "candidates", "thoughts", "total", "cachedContent", "toolUsePrompt")
    },
)
finishes = st.none() | st.sampled_from([*ENDS, "NEVER_HEARD_OF", ""])
candidates = st.builds(
    lambda parts, finish, index: {"content": {"parts": parts}, "finishReason": finish, "index": index},
    st.lists(part, max_size=4) | st.none(),
    finishes,
    st.sampled_from([None, 0, 0, 0, 1]),
)
chunks = st.one_of(
    st.builds(
        lambda all_, usage: {"candidates": all_, "usageMetadata": usage}, st.lists(candidates, max_size=2), usages
    ),
    st.builds(lambda usage: {"usageMetadata": usage, "responseId": "r1"}, usages),
    st.just({}),
    st.just({"promptFeedback": {"blockReason": "SAFETY"}}),
)
bodies = st.one_of(
    *[chunks.map(lambda chunk: {"response": chunk})] * 6,
    chunks,
    st.sampled_from([{"error": {"code": 503, "message": "no"}}, {"error": {"status": "INTERNAL"}}, {"error": None}]),
    values,
)
endings = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])
events = st.one_of(
    *[
        st.builds(
            lambda head, body, end: head + json.dumps(body, ensure_ascii=False).encode() + end,
            st.sampled_from([b"data: ", b"data:", b": hm\ndata: ", b"event: x\nid: 1\ndata: "]),
            bodies,
            endings,
        )
    ]
    * 4,
    st.sampled_from([b"data: [DONE]\n\n", b'data: {"respo\n\n', b": keep\n\n", b"\n", b"data: <html>\n\n"]),
    st.binary(max_size=12),
)
# what begins like an answer and ends like one
answers = st.builds(
    lambda said, finish, usage: [*said, {"candidates": [{"finishReason": finish}], "usageMetadata": usage}],
    st.lists(st.lists(part, min_size=1, max_size=3).map(lambda parts: {"candidates": [{"content": {"parts": parts}}]})),
    st.sampled_from(["STOP", "STOP", "MAX_TOKENS", "OTHER", "SAFETY", "CONTINUATION", "MALFORMED_FUNCTION_CALL"]),
    usages,
).map(lambda said: b"".join(b'data: {"response":%b}\n\n' % json.dumps(one).encode() for one in said))
upstreams = (
    answers
    | answers
    | st.lists(events, max_size=6).map(b"".join)
    | st.sampled_from(NAMES).map(stream)
    | st.binary(max_size=60)
)


@st.composite
def answerings(draw: st.DrawFn) -> Answering:
    """Draw a caller: with thoughts or without, with usage in the stream."""
    reasoning = ir.Reasoning(mode="auto", visible=draw(st.booleans()))
    request = ir.Request(model="m", turns=(), reasoning=reasoning, include_usage=True)
    return Answering(
        request=request,
        model="asked",
        id="0f" * 12,
        created=1_700_000_000,
        request_id="req_1",
        estimate=lambda: 5,
        sealed=draw(st.booleans()),
    )


@st.composite
def reads(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Cut bytes into network reads, some of them empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in itertools.pairwise([0, *cuts, len(data)])]


def read(network: Sequence[bytes], *, parallel: bool = True) -> list[list[ir.Event]]:
    """Give the events of each network read, checked against their grammar."""
    reader = StreamReader(ReadOptions(names=NameMap([]), family="gemini", salt="salt", parallel=parallel))
    decoder = Decoder()
    batches = [reader.feed(decoder.feed(data)) for data in network]
    batches.append(reader.feed(decoder.close()) + reader.close())
    check(event for batch in batches for event in batch)
    return batches


def write(codec: Dialect, batches: Sequence[list[ir.Event]], answering: Answering) -> bytes:
    writer = codec.stream_writer(answering)
    data = b"".join(map(writer.feed, batches)) + writer.close()
    assert writer.feed([ir.TextDelta("late")]) + writer.close() == b""
    return data


def write_whole(codec: Dialect, batches: Sequence[list[ir.Event]], answering: Answering) -> bytes:
    fold = ir.Fold()
    for batch in batches:
        fold.feed(batch)
    try:
        return codec.write_whole(fold.reply(), answering)
    except GatewayError as error:
        return codec.write_error(error, "req_1")[1]


@DIALECT
@settings(max_examples=150, deadline=None)
@given(upstreams, answerings(), st.data())
def test_any_cut_gives_the_same_bytes(dialect: str, upstream: bytes, answering: Answering, data: st.DataObject) -> None:
    network = data.draw(reads(upstream))
    for write_out in (write, write_whole):
        cut = write_out(CODECS[dialect], read(network), answering)
        assert cut == write_out(CODECS[dialect], read([upstream]), answering)


@DIALECT
@settings(max_examples=150, deadline=None)
@given(upstreams, answerings(), st.booleans())
def test_any_bytes_give_one_grammatical_stream(
    dialect: str, upstream: bytes, answering: Answering, parallel: bool
) -> None:
    batches = read([upstream], parallel=parallel)
    heard = STREAMS[dialect](write(CODECS[dialect], batches, answering))
    last = [event for batch in batches for event in batch][-1]
    assert (heard.error is None) == isinstance(last, ir.Finished) == (heard.finish is not None)
    assert parallel or len(heard.calls) <= 1


@DIALECT
@settings(max_examples=150, deadline=None)
@given(upstreams, answerings())
def test_a_whole_answer_is_the_folded_stream(dialect: str, upstream: bytes, answering: Answering) -> None:
    batches = read([upstream])
    streamed = STREAMS[dialect](write(CODECS[dialect], batches, answering))
    whole = WHOLES[dialect](write_whole(CODECS[dialect], batches, answering))
    if streamed.error is None:
        assert whole == streamed
    else:
        assert whole.error is not None
        told = ("message",) if dialect == "openai-responses" else streamed.error  # its events have codes of their own
        assert [streamed.error[field] for field in told] == [whole.error[field] for field in told]


@settings(max_examples=150, deadline=None)
@given(upstreams, answerings())
def test_parts_of_usage_are_never_more_than_the_whole(upstream: bytes, answering: Answering) -> None:
    batches = read([upstream])
    chat = STREAMS["openai-chat"](write(CODECS["openai-chat"], batches, answering)).usage
    if not chat:
        return
    cached = chat["prompt_tokens_details"]["cached_tokens"]
    reasoning = chat["completion_tokens_details"]["reasoning_tokens"]
    assert 0 <= cached <= chat["prompt_tokens"]
    assert 0 <= reasoning <= chat["completion_tokens"]
    assert chat["total_tokens"] == chat["prompt_tokens"] + chat["completion_tokens"]
    messages = STREAMS["anthropic"](write(CODECS["anthropic"], batches, answering)).usage
    assert messages["output_tokens"] == chat["completion_tokens"]
    assert messages["cache_read_input_tokens"] == cached
    assert messages["input_tokens"] >= 0
    assert messages["input_tokens"] + cached == chat["prompt_tokens"] or chat["prompt_tokens"] == 0

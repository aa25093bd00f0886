"""Whatever an upstream says, a Gemini caller hears one grammatical answer; whatever a caller sends, no crash."""

import json
from collections.abc import Sequence
from typing import Any, get_args

from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.gemini.inbound import Gemini
from gateway.errors import GatewayError
from gateway.routes import Streaming
from tests.strategies import event_streams, reads, words

from .caller import SSE, answering, array, ask, fold, heard, parts_of, sse, whole, write

HI = [{"parts": [{"text": "hi"}]}]
NAMES = [
    "text",
    "parts",
    "role",
    "functionCall",
    "function_call",
    "functionResponse",
    "inlineData",
    "name",
    "args",
    "functionDeclarations",
    "parameters",
    "type",
    "properties",
    "thoughtSignature",
    "fileData",
    "data",
    "id",
    "response",
]
FORMS: tuple[Streaming, ...] = ("sse", "array")

callers = st.builds(answering, st.sampled_from(FORMS), sealed=st.booleans(), visible=st.booleans())
ended = event_streams(fails=False)


def read(data: bytes, to: Answering) -> list[Any]:
    return array(data) if to.array else sse(data)


@given(event_streams(), callers)
def test_every_stream_is_grammatical(events: list[ir.Event], to: Answering) -> None:
    answer = heard(read(write(events, to), to))
    assert (answer.error is None) == isinstance(events[-1], ir.Finished)


@given(event_streams(), callers, st.data())
def test_the_cut_into_reads_does_not_matter(events: list[ir.Event], to: Answering, data: st.DataObject) -> None:
    writer = Gemini().stream_writer(to)
    pieces = [writer.feed(batch) for batch in data.draw(reads(events))]
    assert b"".join(pieces) + writer.close() == write(events, to)


@given(ended, callers, st.data())
def test_a_cut_stream_is_an_error(events: list[ir.Event], to: Answering, data: st.DataObject) -> None:
    cut = events[: data.draw(st.integers(0, len(events) - 1))]
    assert heard(read(write(cut, to), to)).error is not None


@given(st.lists(event_streams(max_blocks=2), min_size=1, max_size=2), callers, st.data())
def test_even_a_senseless_stream_ends_well(streams: list[list[ir.Event]], to: Answering, data: st.DataObject) -> None:
    events = data.draw(st.permutations([event for stream in streams for event in stream]))
    heard(read(write(events, to), to))


@given(ended, callers)
def test_a_whole_answer_equals_the_stream(events: list[ir.Event], to: Answering) -> None:
    streamed, at_once = heard(read(write(events, to), to)), heard([whole(events, to)])
    assert (streamed.text, streamed.thoughts) == (at_once.text, at_once.thoughts)
    assert (streamed.calls, streamed.images) == (at_once.calls, at_once.images)
    assert (streamed.finish, streamed.blocked, streamed.usage) == (at_once.finish, at_once.blocked, at_once.usage)


@given(ended)
def test_the_official_client_reads_what_was_written(events: list[ir.Event]) -> None:
    chunks = sse(write(events))
    read_by_sdk = [types.GenerateContentResponse.model_validate(chunk) for chunk in chunks]
    texts = [part.text for one in read_by_sdk for content in _contents(one) for part in content.parts or ()]
    assert "".join(text or "" for text in texts) == "".join(part.get("text", "") for part in heard(chunks).parts)


@given(ended)
def test_what_the_client_sends_back_reads_as_what_the_model_said(events: list[ir.Event]) -> None:
    """Words, calls and signatures survive the way to the caller and back, streamed or not."""
    reply = fold(events)
    for body in (whole(events), *_one(sse(write(events)))):
        sent = parts_of(heard([body]))
        if sent:
            turns = ask({"contents": [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": sent}]}).turns
            assert _essence(turns[1].parts) == _essence(reply.parts)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | words(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | words(max_size=3), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_request_or_an_error_of_the_caller(value: Any) -> None:
    for body in (value, {"contents": value}, {"contents": [{"parts": [value]}]}, {"contents": HI, "tools": value}):
        _read_or_refuse(json.dumps(body).encode())


@given(st.binary(max_size=40))
def test_any_bytes_are_a_request_or_an_error_of_the_caller(body: bytes) -> None:
    _read_or_refuse(body)


def _read_or_refuse(body: bytes) -> None:
    try:
        read = Gemini().read_request(body, route=SSE)
    except GatewayError as error:
        assert error.status == 400
    else:
        assert isinstance(read, ir.Request)


def _contents(response: types.GenerateContentResponse) -> list[types.Content]:
    return [candidate.content for candidate in response.candidates or () if candidate.content]


def _one(chunks: Sequence[Any]) -> list[Any]:
    """Put a stream together as clients do: all its parts in one turn."""
    answer = heard(chunks)
    if answer.finish is None:
        return []
    content = {"role": "model", "parts": answer.parts}
    return [{"candidates": [{"content": content, "finishReason": answer.finish}], "usageMetadata": answer.usage}]


def _essence(parts: Sequence[ir.Part]) -> list[Any]:
    """Give what must come back: words joined, calls, pictures, and every signature of a known issuer."""
    found: list[Any] = []
    for part in parts:
        assert isinstance(part, get_args(ir.ReplyPart))
        if isinstance(part, ir.ToolCall):
            found.append((part.id, part.name, json.loads(bytes(part.arguments))))
        elif isinstance(part, ir.Media):
            found.append((part.media_type, part.data))
        elif isinstance(part, ir.Text | ir.Thinking) and part.text:
            last = found[-1] if found else None
            kind = type(part)
            if last is not None and last[0] is kind:
                found[-1] = (kind, last[1] + part.text)
            else:
                found.append((kind, part.text))
        signature = getattr(part, "signature", None)
        if signature is not None and signature.issuer is not None:
            found.append((signature.issuer, signature.value, signature.kind))
    return found

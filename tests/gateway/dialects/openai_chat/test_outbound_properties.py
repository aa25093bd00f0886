"""What a server says whole is what it streams; what callers say, OpenAI takes as it is written."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.json import decode, encode
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.outbound_errors import read_details, read_error
from gateway.dialects.openai_chat.outbound_request import write_request
from gateway.dialects.openai_chat.outbound_stream import ReadOptions, StreamReader
from gateway.dialects.outbound import OpenAITarget
from gateway.errors import CallerError
from tests.fakes.openai_api_chat import Asked, judge
from tests.fakes.openai_api_errors import OpenAIRefusal
from tests.fakes.openai_api_models import describe
from tests.properties.leaves.strategies import REQUESTS
from tests.strategies import reads, words
from tests.translating import CODECS

from .test_outbound_leaves import ROUTES

Json = Any

# answers

_object = st.dictionaries(words(), st.none() | st.integers(-9, 9) | words(), max_size=2).map(json.dumps)
_message: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": words(1), "reasoning_content": words()},
    optional={"tool_calls": st.lists(st.tuples(st.sampled_from(["f", "g"]), _object), min_size=1, max_size=3)},
).map(lambda message: message | ({"tool_calls": _numbered(message["tool_calls"])} if "tool_calls" in message else {}))


def _numbered(calls: Any) -> list[Json]:
    return [
        {"id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": given}}
        for place, (name, given) in enumerate(calls)
    ]


def _streamed(message: Json, draw: Any) -> Iterator[Json]:
    for field in ("reasoning_content", "content"):
        for piece in draw(reads(message[field])):
            yield {field: "".join(piece)}
    fragments = [list(_pieces(place, call, draw)) for place, call in enumerate(message.get("tool_calls", ()))]
    while any(fragments):  # mixed at will
        yield {"tool_calls": [draw(st.sampled_from([one for one in fragments if one])).pop(0)]}


def _pieces(place: int, call: Json, draw: Any) -> Iterator[Json]:
    yield {"index": place, **call, "function": call["function"] | {"arguments": ""}}
    for piece in draw(reads(call["function"]["arguments"])):
        yield {"index": place, "function": {"arguments": "".join(piece)}}


@given(_message, st.sampled_from(["stop", "length", "tool_calls"]), st.data())
def test_a_whole_answer_is_the_folded_stream(message: Json, finish: str, data: st.DataObject) -> None:
    def folded(events: list[ir.Event]) -> ir.Reply:
        fold = ir.Fold()
        fold.feed(events)
        return fold.reply()

    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    head = {"id": "c1", "model": "m", "created": 1}
    whole, stream = (StreamReader(ReadOptions(names=NameMap([]))) for _ in range(2))
    body = head | {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}
    chunks = [{"delta": delta} for delta in _streamed(message, data.draw)] + [{"delta": {}, "finish_reason": finish}]
    payloads = [json.dumps(head | {"choices": [chunk]}) for chunk in chunks]
    events = stream.feed([*payloads, json.dumps(head | {"choices": [], "usage": usage}), "[DONE]"])
    one, other = folded(whole.feed_whole(json.dumps(body).encode())), folded(events)
    assert sorted(one.parts, key=repr) == sorted(other.parts, key=repr)  # a call that began later may be whole earlier
    assert (one.finish, one.usage, one.id, one.model) == (other.finish, other.usage, other.id, other.model)


@given(st.integers(200, 599), st.binary(max_size=60) | words().map(lambda text: encode({"error": {"message": text}})))
def test_any_error_body_is_read(status: int, body: bytes) -> None:
    read_details(body)
    assert "\n" not in read_error(status, body, {"retry-after": "x"}, now=1.0).message


# requests


@given(st.sampled_from(sorted(REQUESTS)), st.data(), st.sampled_from(["gpt-4.1", "gpt-5", "gpt-5-chat-latest", "o3"]))
def test_openai_takes_what_is_written(dialect: Any, data: st.DataObject, model: str) -> None:
    request = data.draw(REQUESTS[dialect])
    try:
        read = CODECS[dialect].read_request(json.dumps(request).encode(), route=ROUTES[dialect])
        written = write_request(
            replace(read, extras={}), OpenAITarget(model=model, max_output=describe(model).max_output)
        )
    except CallerError:
        assume(False)
        raise
    body = decode(encode(written.body))
    assume(not _ends_with_calls(body["messages"]))  # the caller is still at it
    try:
        judge(Asked(body, describe(model)))
    except OpenAIRefusal as refusal:
        assert "Invalid schema" in str(refusal)  # the caller's own, as it came


def _ends_with_calls(messages: list[Json]) -> bool:
    return "tool_calls" in messages[-1]

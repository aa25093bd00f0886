"""Whatever an upstream says, its events are in their grammar; what this dialect said is read back as it was."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.json import decode, encode
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_chat.outbound_errors import read_details, read_error
from gateway.dialects.openai_chat.outbound_request import write_request
from gateway.dialects.openai_chat.outbound_stream import ReadOptions, StreamReader
from gateway.dialects.outbound import OpenAITarget
from gateway.errors import CallerError
from gateway.ir.grammar import check
from tests.fakes.openai_api_chat import Asked, judge
from tests.fakes.openai_api_errors import OpenAIRefusal
from tests.fakes.openai_api_models import describe
from tests.properties.leaves.changes import CODECS
from tests.properties.leaves.strategies import REQUESTS
from tests.strategies import reads, words

from .test_outbound_leaves import ROUTES

Json = Any

JSON_MODE = "Answer in JSON."

# answers

_some = st.none() | words()
_arguments = _some | st.sampled_from(['{"a":1}', "{", "}", "[1]", "null"]) | st.just({"a": 1})
_call = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(0, 2),
        "id": st.none() | st.sampled_from(["", "a", "b", "functions.f:0"]),
        "function": st.none()
        | st.fixed_dictionaries({}, optional={"name": st.sampled_from(["f", "g", "", None]), "arguments": _arguments}),
        "custom": st.none() | st.fixed_dictionaries({}, optional={"name": st.just("sql"), "input": _some}),
        "extra_content": st.just({"google": {"thought_signature": "c2ln"}}),
    },
)
_source = {"type": "url_citation", "url_citation": {"url": "https://a.example", "start_index": 1, "end_index": 3}}
_delta: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": _some | st.just([{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "y"}, 1]),
        "reasoning_content": _some,
        "reasoning": _some | st.just({}),
        "reasoning_details": st.just([{"text": "x"}]) | st.just(1),
        "refusal": _some,
        "tool_calls": st.none() | st.lists(_call, max_size=3),
        "function_call": st.just({"name": "f", "arguments": "{}"}),
        "annotations": st.just([_source]) | st.just([1]),
        "images": st.just([{"image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]) | st.just([{}]),
    },
)
_usage = st.none() | st.fixed_dictionaries(
    {}, optional={"prompt_tokens": st.integers(0, 9), "total_tokens": st.just(5)}
)
_choice = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 0, 0, 1, None]),
        "delta": st.none() | _delta,
        "message": _delta,
        "finish_reason": st.sampled_from([None, None, "", "stop", "length", "tool_calls", "error", "eos"]),
        "usage": _usage,
    },
)
_chunk = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["c1", "", None, 5]),
        "created": st.sampled_from([1, 0, "x"]),
        "choices": st.none() | st.lists(_choice, max_size=2),
        "usage": _usage | st.just("x"),
        "error": st.sampled_from([None, {}, {"message": "no"}, "no"]),
    },
)
_payload = st.one_of(
    _chunk.map(json.dumps), _chunk.map(json.dumps), _chunk.map(json.dumps), st.sampled_from(["[DONE]", "{", "[]"])
)


@given(st.lists(_payload, max_size=12).flatmap(reads))
def test_any_chunks_give_one_grammatical_stream(batches: list[list[str]]) -> None:
    reader = StreamReader(ReadOptions(names=NameMap([]), salt="r"))
    events = [event for batch in batches for event in reader.feed(batch)] + reader.close()
    check(events)
    assert reader.close() == []


@given(st.lists(_payload, max_size=12), st.data())
def test_the_cut_into_reads_changes_nothing(payloads: list[str], data: st.DataObject) -> None:
    def run(batches: list[list[str]]) -> list[str]:
        reader = StreamReader(ReadOptions(names=NameMap([]), salt="r"))
        events = [event for batch in batches for event in reader.feed(batch)] + reader.close()
        return [repr(event) for event in events]

    joined = run([payloads])
    assert run(data.draw(reads(payloads))) == joined


@given(st.binary(max_size=30) | _chunk.map(lambda chunk: json.dumps(chunk).encode()))
def test_any_whole_answer_gives_one_grammatical_stream(body: bytes) -> None:
    check(StreamReader(ReadOptions(names=NameMap([]), salt="r")).feed_whole(body))


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


@given(REQUESTS["openai-chat"], st.sampled_from(["gpt-4.1", "mistral-large", "deepseek-chat"]))
def test_what_a_chat_caller_says_is_read_back(request: Json, model: str) -> None:
    codec = OpenAIChat()
    try:
        first = codec.read_request(json.dumps(request).encode())
        written = write_request(first, OpenAITarget(model=model))
    except CallerError:
        assume(False)
        raise
    again = codec.read_request(encode(written.body))
    assert _carried(again) == _carried(first)
    assert again.losses == ()


def _carried(request: ir.Request) -> Json:
    """Say of a request what an upstream of its own dialect gets of it, however its messages are cut."""
    tools = [(_upstream(tool.name), tool.description) for tool in request.tools]
    choice = request.tool_choice if any(tool.builtin is None for tool in request.tools) else None
    sampling = request.sampling
    return {
        "system": "\n\n".join(text.text for text in request.system if text.text not in ("", JSON_MODE)),
        "words": _words(request),
        "calls": [(_upstream(call.name), decode(call.arguments)) for call in _parts(request, ir.ToolCall)],
        "media": [(one.media_type, one.data, one.url) for one in _parts(request, ir.Media)],
        "tools": tools,
        "choice": choice and (choice.mode, tuple(map(_upstream, choice.names)), choice.parallel),
        "sampling": replace(sampling, top_k=None) if sampling.stop is not None else None,
        "output": (request.output.kind, request.output.schema and decode(request.output.schema)),
        "who": (request.user, request.session),
        "extras": {name: decode(value) for name, value in request.extras.items()},
    }


def _parts(request: ir.Request, kind: type) -> list[Any]:
    return [part for turn in request.turns for part in turn.parts if isinstance(part, kind)]


def _words(request: ir.Request) -> dict[str, str]:
    """Join what each of them said; results of unknown calls become text, and are not meant."""
    said = {"user": "", "assistant": ""}
    for turn in request.turns:
        for part in turn.parts:
            if turn.role != "system" and isinstance(part, ir.Text) and not part.text.startswith("[tool result"):
                said[turn.role] += part.text.replace("\n", "")
    return said


def _upstream(name: str) -> str:
    return NameMap([name]).upstream(name)


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

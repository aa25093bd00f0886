"""What Anthropic says whole is what it streams; what a caller says, Anthropic takes as it is written."""

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode

from gateway import ir
from gateway.dialects.anthropic.outbound_errors import read_details, read_error
from gateway.dialects.anthropic.outbound_request import AnthropicTarget, write_request
from gateway.dialects.anthropic.outbound_stream import ReadOptions, StreamReader
from gateway.dialects.gemini.names import NameMap
from gateway.errors import CallerError
from tests.fakes.anthropic_api_asked import Asked
from tests.fakes.anthropic_api_errors import AnthropicRefusal
from tests.fakes.anthropic_api_models import describe
from tests.fakes.anthropic_api_request import judge, shaped
from tests.fakes.anthropic_api_seals import Seals
from tests.properties.leaves.strategies import REQUESTS
from tests.strategies import reads, words
from tests.translating import CODECS

from .test_outbound_leaves import ROUTES

Json = Any

# answers


def reader() -> StreamReader:
    return StreamReader(ReadOptions(names=NameMap([]), salt="r", answer="answer"))


_reasons = st.sampled_from(
    ["end_turn", "tool_use", "max_tokens", "stop_sequence", "pause_turn", "refusal", "unheard_of"]
)
_object = st.dictionaries(words(), st.none() | st.integers(-9, 9) | words(), max_size=2)
_whole = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, words(1)),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "RXNpZw=="}, words()),
    st.just({"type": "redacted_thinking", "data": "sealed"}),
    st.builds(lambda name, given: {"type": "tool_use", "name": name, "input": given}, st.sampled_from("fg"), _object),
    st.just({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}),
)
_DELTAS = {
    "text": ("text", "text_delta", "text"),
    "thinking": ("thinking", "thinking_delta", "thinking"),
    "tool_use": ("input", "input_json_delta", "partial_json"),
    "server_tool_use": ("input", "input_json_delta", "partial_json"),
}


def _streamed(index: int, block: Json, draw: Any) -> list[Json]:
    field, kind, inner = _DELTAS.get(block["type"], ("", "", ""))
    given = block.get(field, "")
    said = given if isinstance(given, str) else encode(given).decode()
    empty: Json = {} if field == "input" else ""
    events = [{"type": "content_block_start", "content_block": block | ({field: empty} if field else {})}]
    pieces = ("".join(piece) for piece in draw(reads(said)))
    events += [{"type": "content_block_delta", "delta": {"type": kind, inner: piece}} for piece in pieces]
    return [event | {"index": index} for event in [*events, {"type": "content_block_stop"}]]


@given(st.lists(_whole, max_size=5), _reasons, st.data())
def test_a_whole_answer_is_the_folded_stream(blocks: list[Json], reason: str, data: st.DataObject) -> None:
    content = [
        block | ({"id": f"toolu_{place}"} if block["type"] == "tool_use" else {}) for place, block in enumerate(blocks)
    ]
    head = {"id": "m1", "model": "c"}
    usage = {"input_tokens": 5, "output_tokens": 7}
    end = {"stop_reason": reason, "stop_sequence": None}
    events = [{"type": "message_start", "message": head | {"content": [], "usage": usage | {"output_tokens": 1}}}]
    events += [event for index, block in enumerate(content) for event in _streamed(index, block, data.draw)]
    events += [{"type": "message_delta", "delta": end, "usage": usage}, {"type": "message_stop"}]
    one = _folded(reader().feed_whole(encode(head | end | {"content": content, "usage": usage})))
    other = _folded(reader().feed([json.dumps(event) for event in events]))
    assert (one.parts, one.finish, one.usage, one.id) == (other.parts, other.finish, other.usage, other.id)
    assert [decode(event.value) for event in one.opaque] == [decode(event.value) for event in other.opaque]


def _folded(events: list[ir.Event]) -> ir.Reply:
    fold = ir.Fold()
    fold.feed(events)
    return fold.reply()


@given(
    st.integers(200, 599),
    st.binary(max_size=60)
    | words().map(lambda text: encode({"type": "error", "error": {"type": "api_error", "message": text}})),
)
def test_any_error_body_is_read(status: int, body: bytes) -> None:
    read_details(body)
    assert "\n" not in read_error(status, body, {"retry-after": "x"}, now=1.0).message


# requests

TARGETS = {
    "claude-sonnet-4-5": AnthropicTarget(model="claude-sonnet-4-5", max_output=64_000, both_samplings=False),
    "claude-sonnet-4-6": AnthropicTarget(
        model="claude-sonnet-4-6", max_output=64_000, adaptive=True, both_samplings=False, efforts=("low", "high")
    ),
    "claude-opus-4-8": AnthropicTarget(
        model="claude-opus-4-8", max_output=128_000, adaptive=True, sampling=False, system_turns=True
    ),
}
# what the strategies make up, and no codec can mend: schemas and pictures that are none, thoughts that nobody signed
_MADE_UP = (
    "JSON schema is invalid",
    "Could not process image",
    "appears to be",
    "PDF",
    "Invalid `signature`",
    "Invalid `data`",
    "server_tool_use",
    "web_search",
)


@given(st.sampled_from(sorted(REQUESTS)), st.sampled_from(sorted(TARGETS)), st.data())
@settings(deadline=None)
def test_anthropic_takes_what_is_written(dialect: Any, model: str, data: st.DataObject) -> None:
    request = data.draw(REQUESTS[dialect])
    try:
        read = CODECS[dialect].read_request(json.dumps(request).encode(), route=ROUTES[dialect])
        written = write_request(read, TARGETS[model])
    except CallerError:
        assume(False)
        raise
    body, betas = decode(encode(written.body)), frozenset(written.betas)
    try:
        shaped(body, betas, vertex=False, counting=False)
        judge(Asked(body, describe(model), betas, Seals()))
    except AnthropicRefusal as refusal:
        if not any(words in str(refusal) for words in _MADE_UP):
            raise

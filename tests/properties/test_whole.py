"""T6: a whole answer says what its stream says, for every upstream and every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.json import decode

from gateway import ir
from gateway.dialects import Answering
from gateway.errors import GatewayError
from gateway.routes import DialectName
from tests.conformance.recordings import NAMES, stream
from tests.gateway.dialects.gemini import caller

from .examples import EXAMPLES
from .reading import UPSTREAMS, are_sound, flat, fold, read, read_whole
from .upstreams import framing
from .writing import CODECS, PASSING, answerings, listen, listen_whole, passed, passed_whole, write, write_whole

UPSTREAM = pytest.mark.parametrize("upstream", UPSTREAMS)


@UPSTREAM
@EXAMPLES
@given(data=st.data(), to=answerings())
def test_t6_a_whole_answer_is_the_folded_stream(upstream: DialectName, data: st.DataObject, to: Answering) -> None:
    batches = read(upstream, [data.draw(UPSTREAMS[upstream].bodies)])
    assume(are_sound(flat(batches)))
    for dialect in CODECS:
        agree(dialect, batches, to)


@UPSTREAM
@EXAMPLES
@given(data=st.data())
def test_t6_a_byte_order_mark_is_no_part_of_an_answer(upstream: DialectName, data: st.DataObject) -> None:
    body = json.dumps(data.draw(UPSTREAMS[upstream].sound).whole).encode()
    marked, plain = (read_whole(upstream, lead + body) for lead in (b"\xef\xbb\xbf", b""))
    assert repr(marked) == repr(plain)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dialect", CODECS)
def test_t6_a_recorded_answer_is_the_same_whole(dialect: DialectName, name: str) -> None:
    request = ir.Request(model="m", turns=(), reasoning=ir.Reasoning(mode="auto", visible=True), include_usage=True)
    to = Answering(request=request, model="m", id="0f", created=1, request_id="req_1", estimate=lambda: 5)
    agree(dialect, read("gemini", [stream(name)]), to)


def agree(dialect: DialectName, batches: list[list[ir.Event]], to: Answering) -> None:
    """Hear the same of a stream as of the whole."""
    streamed = listen(dialect, write(CODECS[dialect], batches, to), to)
    whole = listen_whole(dialect, write_whole(CODECS[dialect], batches, to))
    if streamed.error is None:
        assert whole == streamed
        return
    assert whole.error is not None
    told = ("message",) if dialect == "openai-responses" else streamed.error  # its events have codes of their own
    assert [streamed.error[field] for field in told] == [whole.error[field] for field in told]


@UPSTREAM
@EXAMPLES
@given(data=st.data())
def test_t6_what_a_service_says_whole_is_read_as_its_stream(upstream: DialectName, data: st.DataObject) -> None:
    sound = data.draw(UPSTREAMS[upstream].sound)
    whole = fold(read_whole(upstream, json.dumps(sound.whole, ensure_ascii=False).encode()))
    assert said(whole) == said(fold(flat(read(upstream, [framing.stream(sound.events)]))))


def said(reply: ir.Reply | GatewayError) -> Any:
    """Tell what an answer says, apart from how its JSON is spaced."""
    if isinstance(reply, GatewayError):
        return type(reply), reply.message
    return [part(one) for one in reply.parts], reply.finish, reply.usage, reply.id, reply.model, reply.citations


def part(one: ir.ReplyPart) -> Any:
    """Give one part of it."""
    if isinstance(one, ir.ToolCall):
        return one.id, one.name, decode(one.arguments), one.signature
    return one


@EXAMPLES
@given(st.data())
def test_t6_a_whole_answer_that_passes_holds_the_parts_of_its_chunks(data: st.DataObject) -> None:
    """Code Assist is asked for a stream only: of its chunks one document is made."""
    batches = read("gemini", [data.draw(UPSTREAMS["gemini"].bodies)], passes=True)
    codec, to = PASSING["gemini"], caller.answering()
    whole, chunks = json.loads(passed_whole(codec, batches, to)), caller.sse(passed(codec, batches, to))
    if "error" not in whole and len(chunks) > 1:
        for index in {candidate.get("index") or 0 for chunk in chunks for candidate in chunk.get("candidates") or ()}:
            assert held(whole, index=index) == held(*chunks, index=index)


def held(*chunks: Any, index: int) -> tuple[str, str, list[Any]]:
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

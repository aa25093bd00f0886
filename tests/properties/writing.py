"""The writers of all dialects, and what their callers hear of what they write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st
from msgspec.json import decode

from gateway import ir
from gateway.dialects import Answering, Dialect, Passing
from gateway.errors import GatewayError
from gateway.routes import DialectName
from gateway.testing.grammar_gemini import gemini_said
from tests.automata import STREAMS, WHOLES, Heard
from tests.gateway.dialects.gemini import caller
from tests.translating import CODECS

__all__ = [
    "CODECS",
    "PASSING",
    "answerings",
    "ends",
    "listen",
    "listen_whole",
    "passed",
    "passed_whole",
    "write",
    "write_whole",
]

PASSING: Final[dict[DialectName, Passing]] = {
    name: codec for name, codec in CODECS.items() if isinstance(codec, Passing)
}


@st.composite
def answerings(draw: st.DrawFn) -> Answering:
    """Draw a caller: with thoughts or without, its stream framed in one way or the other."""
    reasoning = ir.Reasoning(mode="auto", visible=draw(st.booleans()))
    return Answering(
        request=ir.Request(
            model=draw(st.sampled_from(["m", "asked"])), turns=(), reasoning=reasoning, include_usage=True
        ),
        model="asked",
        id="0f" * 12,
        created=1_700_000_000,
        request_id="req_1",
        estimate=lambda: 5,
        sealed=draw(st.booleans()),
        array=draw(st.booleans()),
    )


def write(codec: Dialect, batches: Sequence[Sequence[ir.Event]], to: Answering) -> bytes:
    """Write a stream; nothing follows its end."""
    writer = codec.stream_writer(to)
    data = b"".join(map(writer.feed, batches)) + writer.close()
    assert writer.feed([ir.TextDelta("late")]) + writer.close() == b""
    return data


def write_whole(codec: Dialect, batches: Sequence[Sequence[ir.Event]], to: Answering) -> bytes:
    """Write a whole answer, or the error that stands in its place."""
    fold = ir.Fold()
    for batch in batches:
        fold.feed(batch)
    try:
        return codec.write_whole(fold.reply(), to)
    except GatewayError as error:
        return codec.write_error(error, "req_1")[1]


def passed(codec: Passing, batches: Sequence[Sequence[ir.Event]], to: Answering) -> bytes:
    """Write an upstream's own stream."""
    passage = codec.passage(to)
    data = b"".join(map(passage.feed, batches)) + passage.close()
    assert passage.close() == b""
    return data


def passed_whole(codec: Passing, batches: Sequence[Sequence[ir.Event]], to: Answering) -> bytes:
    """Write an upstream's own whole answer, or the error that stands in its place."""
    fold = ir.Fold()
    for batch in batches:
        fold.feed(batch)
    try:
        return codec.passage(to).whole(fold.reply().passed)
    except GatewayError as error:
        return codec.write_error(error, "req_1")[1]


def listen(dialect: DialectName, data: bytes, to: Answering) -> Heard:
    """Walk a stream; AssertionError where it leaves its grammar, or has not exactly one end."""
    if dialect != "gemini":
        return STREAMS[dialect](data)
    return gemini_said(caller.heard(caller.array(data) if to.array else caller.sse(data)))


def listen_whole(dialect: DialectName, body: bytes) -> Heard:
    """Read a whole answer, or an error."""
    return WHOLES[dialect](body) if dialect != "gemini" else gemini_said(caller.heard([decode(body)]))


def ends(dialect: DialectName, data: bytes, to: Answering) -> list[bool]:
    """Give the ends of a stream: True for a good one, False for an error."""
    if dialect == "gemini":
        chunks = caller.array(data) if to.array else caller.sse(data)
        return [ended for chunk in chunks for ended in _chunk_ends(chunk)]
    events = [line.removeprefix(b"data: ") for line in data.split(b"\n") if line.startswith(b"data: ")]
    read = [decode(event) if event.startswith(b"{") else {"type": event.decode()} for event in events]
    kinds = ["error" if "error" in event else event.get("type") for event in read]
    return [_ENDS[kind] for kind in kinds if kind in _ENDS]


_ENDS: Final = {
    "[DONE]": True,
    "error": False,
    "message_stop": True,
    "response.completed": True,
    "response.incomplete": True,
    "response.failed": False,
}


def _chunk_ends(chunk: Any) -> list[bool]:
    finished = [bool(one.get("finishReason")) for one in chunk.get("candidates") or ()]
    blocked = "blockReason" in (chunk.get("promptFeedback") or {})
    return [False] * ("error" in chunk) + [True] * (any(finished) or blocked)

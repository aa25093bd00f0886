"""The checks refuse every answer that is not the script's."""

from __future__ import annotations

import pytest

from bench.answers import CHECKS, WrongAnswer
from bench.script import WHOLE, Script, Wire

TWO = Script("burst", 2)

CHAT = (
    b'data: {"choices":[{"delta":{"content":"Northbound trains leave "}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"at nine, or later. "}}]}\n\n'
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
GEMINI = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"Northbound trains leave "}]}}]}\n\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":"at nine, or later. "}]},"finishReason":"STOP"}]}\n\n'
)
V1INTERNAL = GEMINI.replace(b'{"candidates"', b'{"response":{"candidates"').replace(b"}\n\n", b"}}\n\n")
STREAMS: dict[Wire, bytes] = {"chat": CHAT, "gemini": GEMINI, "v1internal": V1INTERNAL}
WHOLES: dict[Wire, bytes] = {
    "chat": b'{"choices":[{"message":{"content":"Northbound trains leave "},"finish_reason":"stop"}]}',
    "gemini": b'{"candidates":[{"content":{"parts":[{"text":"Northbound trains leave "}]},"finishReason":"STOP"}]}',
}


@pytest.mark.parametrize("wire", STREAMS)
def test_the_right_stream_passes(wire: Wire) -> None:
    CHECKS[wire, True](TWO, STREAMS[wire])


@pytest.mark.parametrize(
    ("wire", "there", "instead"),
    [
        ("chat", b"data: [DONE]\n\n", b""),
        ("chat", b"[DONE]\n\n", b"[DONE]"),
        ("chat", b'"stop"', b'"length"'),
        ("chat", b"nine", b"ten"),
        ("chat", b'data: {"choices":[{"delta":{"content":"at nine, or later. "}}]}\n\n', b""),
        ("chat", b'"choices"', b'"error"'),
        ("gemini", b'"STOP"', b'"MAX_TOKENS"'),
        ("gemini", b"nine", b"ten"),
        ("gemini", b"}\n\n", b"}"),
        ("v1internal", b'"response"', b'"error"'),
    ],
)
def test_a_wrong_stream_is_refused(wire: Wire, there: bytes, instead: bytes) -> None:
    body = STREAMS[wire]
    assert there in body
    with pytest.raises(WrongAnswer):
        CHECKS[wire, True](TWO, body.replace(there, instead))


@pytest.mark.parametrize("wire", WHOLES)
def test_the_right_whole_answer_passes(wire: Wire) -> None:
    CHECKS[wire, False](WHOLE, WHOLES[wire])


@pytest.mark.parametrize("wire", WHOLES)
def test_another_text_is_refused(wire: Wire) -> None:
    with pytest.raises(WrongAnswer):
        CHECKS[wire, False](WHOLE, WHOLES[wire].replace(b"trains", b"buses"))


def test_a_message_that_was_cut_off_is_refused() -> None:
    with pytest.raises(WrongAnswer, match="length"):
        CHECKS["chat", False](WHOLE, WHOLES["chat"].replace(b'"stop"', b'"length"'))

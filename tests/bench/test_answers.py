"""The checks refuse every answer that is not the script's."""

from __future__ import annotations

import re
from itertools import count

import pytest

from bench.answers import CHECKS, UNENDED, UNNUMBERED, WrongAnswer
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
ANTHROPIC = (
    b'event: message_start\ndata: {"type":"message_start","message":{"content":[],"stop_reason":null}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"text":""}}\n\n'
    b'event: ping\ndata: {"type":"ping"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Northbound trains leave "}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"at nine, or later. "}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
RESPONSES = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,'
    b'"response":{"id":"resp_1","status":"in_progress","output":[]}}\n\n'
    b'event: response.in_progress\ndata: {"type":"response.in_progress","sequence_number":1,'
    b'"response":{"id":"resp_1","status":"in_progress","output":[]}}\n\n'
    b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":2}\n\n'
    b'event: response.content_part.added\ndata: {"type":"response.content_part.added","sequence_number":3}\n\n'
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,'
    b'"delta":"Northbound trains leave "}\n\n'
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":5,'
    b'"delta":"at nine, or later. "}\n\n'
    b'event: response.output_text.done\ndata: {"type":"response.output_text.done","sequence_number":6,'
    b'"text":"Northbound trains leave at nine, or later. "}\n\n'
    b'event: response.content_part.done\ndata: {"type":"response.content_part.done","sequence_number":7}\n\n'
    b'event: response.output_item.done\ndata: {"type":"response.output_item.done","sequence_number":8}\n\n'
    b'event: response.completed\ndata: {"type":"response.completed","sequence_number":9,'
    b'"response":{"id":"resp_1","status":"completed",'
    b'"output":[{"content":[{"text":"Northbound trains leave at nine, or later. "}]}]}}\n\n'
)
STREAMS: dict[Wire, bytes] = {
    "chat": CHAT,
    "responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
    "v1internal": V1INTERNAL,
}
DONE = b"data: [DONE]\n\n"
WHOLES: dict[Wire, bytes] = {
    "responses": b'{"id":"resp_1","status":"completed","output":[{"content":[{"text":"Northbound trains leave "}]}]}',
    "anthropic": b'{"content":[{"type":"text","text":"Northbound trains leave "}],"stop_reason":"end_turn"}',
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
        ("anthropic", b"nine", b"ten"),
        ("anthropic", b"end_turn", b"max_tokens"),
        ("anthropic", b"event: content_block_delta\n", b""),
        ("anthropic", b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n', b""),
        ("anthropic", b'event: message_stop\ndata: {"type":"message_stop"}\n\n', b""),
        ("anthropic", b'"index":0', b'"index":1'),
        ("responses", b"nine", b"ten"),
        ("responses", b'at nine, or later. "}]', b'"}]'),
        ("responses", b'"text":"Northbound trains leave at nine', b'"text":"at nine'),
        ("responses", b'"completed"', b'"incomplete"'),
        ("responses", b'"sequence_number":5', b'"sequence_number":6'),
        ("responses", b"event: response.completed\n", b""),
        (
            "responses",
            b'"sequence_number":9,"response":{"id":"resp_1"',
            b'"sequence_number":9,"response":{"id":"resp_2"',
        ),
    ],
)
def test_a_wrong_stream_is_refused(wire: Wire, there: bytes, instead: bytes) -> None:
    body = STREAMS[wire]
    assert there in body
    with pytest.raises(WrongAnswer):
        CHECKS[wire, True](TWO, body.replace(there, instead))


@pytest.mark.parametrize(
    ("wire", "one", "other"),
    [
        ("anthropic", b"content_block_start", b"content_block_delta"),
        ("responses", b"response.output_text.delta", b"response.output_text.done"),
    ],
)
def test_text_outside_of_its_block_is_refused(wire: Wire, one: bytes, other: bytes) -> None:
    events = STREAMS[wire].split(b"\n\n")
    first, second = (next(place for place, event in enumerate(events) if name in event) for name in (one, other))
    events[first], events[second] = events[second], events[first]
    with pytest.raises(WrongAnswer, match="outside"):
        CHECKS[wire, True](TWO, renumbered(b"\n\n".join(events)))


def renumbered(body: bytes) -> bytes:
    numbers = count()
    return re.sub(rb'(?<="sequence_number":)\d', lambda _: b"%d" % next(numbers), body)


def test_a_peers_responses_may_lack_names_and_numbers() -> None:
    bare = re.sub(rb'event: \S+\n|,"sequence_number":\d', b"", RESPONSES) + b"data: [DONE]\n\n"
    with pytest.raises(WrongAnswer):
        CHECKS["responses", True](TWO, bare)
    UNNUMBERED["responses", True](TWO, bare)


def test_a_peers_responses_may_have_names_and_other_numbers() -> None:
    body = re.sub(rb'(?<="sequence_number":)\d', b"7", RESPONSES) + DONE
    UNNUMBERED["responses", True](TWO, body)


@pytest.mark.parametrize(("there", "instead"), [(b"nine", b"ten"), (b'"completed"', b'"failed"')])
def test_a_peers_wrong_responses_are_refused(there: bytes, instead: bytes) -> None:
    with pytest.raises(WrongAnswer):
        UNNUMBERED["responses", True](TWO, RESPONSES.replace(there, instead))


def test_a_peers_chat_may_end_without_done() -> None:
    bare = CHAT.replace(DONE, b"")
    UNENDED["chat", True](TWO, CHAT)
    UNENDED["chat", True](TWO, bare)
    for there, instead in ((b"nine", b"ten"), (b'"stop"', b"null")):
        with pytest.raises(WrongAnswer):
            UNENDED["chat", True](TWO, bare.replace(there, instead))


def test_gemini_ends_lines_as_it_likes_and_a_stream_with_an_empty_text() -> None:
    *texts, end = GEMINI.split(b"\n\n")[:-1]
    bare = end.replace(b',"finishReason":"STOP"', b"")
    last = re.sub(rb'"text":"[^"]*"', b'"text":""', end)
    CHECKS["gemini", True](TWO, b"".join(event + b"\r\n\r\n" for event in (*texts, bare, last)))


@pytest.mark.parametrize("wire", WHOLES)
def test_the_right_whole_answer_passes(wire: Wire) -> None:
    CHECKS[wire, False](WHOLE, WHOLES[wire])


@pytest.mark.parametrize("wire", WHOLES)
def test_another_text_is_refused(wire: Wire) -> None:
    with pytest.raises(WrongAnswer):
        CHECKS[wire, False](WHOLE, WHOLES[wire].replace(b"trains", b"buses"))


@pytest.mark.parametrize(
    ("wire", "end", "instead"),
    [
        ("chat", b"stop", b"length"),
        ("anthropic", b"end_turn", b"max_tokens"),
        ("responses", b"completed", b"incomplete"),
    ],
)
def test_a_message_that_was_cut_off_is_refused(wire: Wire, end: bytes, instead: bytes) -> None:
    with pytest.raises(WrongAnswer, match=instead.decode()):
        CHECKS[wire, False](WHOLE, WHOLES[wire].replace(b'"%b"' % end, b'"%b"' % instead))

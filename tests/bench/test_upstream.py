"""The fake upstream: what it reads of a request, and what it answers in each wire format."""

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest

from bench.asked import Asked, read_asked
from bench.frames import Answers
from bench.replies import STREAMS, WHOLES
from bench.script import WHOLE, Script, Wire

TWO = Script("burst", 2)
CHAT = "/v1/chat/completions"


def asked_by(path: str, body: object) -> Asked | None:
    return read_asked(path.encode(), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        (CHAT, {"messages": [{"role": "user", "content": "whole"}]}, Asked("chat", WHOLE, stream=False)),
        (
            CHAT,
            {
                "messages": [{"content": "Hi"}, {"content": [{"type": "text", "text": "burst 2"}]}],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
            Asked("chat", TWO, stream=True, counted=True),
        ),
        ("/v1/messages", {"messages": [{"content": "burst 2"}], "stream": True}, Asked("anthropic", TWO, stream=True)),
        (
            "/v1beta/models/m:streamGenerateContent",
            {"contents": [{"parts": [{"text": "burst 2"}]}]},
            Asked("gemini", TWO, stream=True),
        ),
        (
            "/v1internal:generateContent",
            {"request": {"contents": [{"parts": [{"text": "whole"}]}]}},
            Asked("v1internal", WHOLE, stream=False),
        ),
    ],
)
def test_path_and_body_say_what_is_asked(path: str, body: object, asked: Asked) -> None:
    assert asked_by(path, body) == asked


def test_other_calls_ask_for_no_answer() -> None:
    assert asked_by("/v1/models", {}) is None


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"messages": [{"content": "hello"}]}])
def test_a_body_without_a_script_is_refused(body: object) -> None:
    with pytest.raises((msgspec.DecodeError, IndexError, ValueError)):
        asked_by(CHAT, body)


def read_events(wire: Wire, *, counted: bool = False) -> list[bytes]:
    *events, rest = b"".join(STREAMS[wire](Asked(wire, TWO, stream=True, counted=counted))).split(b"\n\n")
    assert rest == b""
    return events


def test_a_chat_stream_begins_with_the_role_and_ends_with_done() -> None:
    *events, done = read_events("chat")
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    assert done == b"data: [DONE]"
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Northbound trains leave "},
        {"content": "at nine, or later. "},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert all("usage" not in chunk for chunk in chunks)


def test_a_chat_stream_tells_its_usage_to_who_asks_for_it() -> None:
    *events, _ = read_events("chat", counted=True)
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 4
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 2


def test_a_gemini_stream_ends_lines_as_google_does_and_has_its_end_apart() -> None:
    *events, rest = b"".join(STREAMS["gemini"](Asked("gemini", TWO, stream=True))).split(b"\r\n\r\n")
    assert rest == b""
    candidates = [json.loads(event.removeprefix(b"data: "))["candidates"][0] for event in events]
    texts = [candidate["content"]["parts"][0]["text"] for candidate in candidates]
    assert texts == ["Northbound trains leave ", "at nine, or later. ", ""]
    assert [candidate.get("finishReason") for candidate in candidates] == [None, None, "STOP"]


def test_a_messages_stream_names_each_event() -> None:
    events = [event.partition(b"\n") for event in read_events("anthropic")]
    names = [name.removeprefix(b"event: ").decode() for name, _, _ in events]
    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [json.loads(data.removeprefix(b"data: "))["type"] for _, _, data in events] == names


@pytest.mark.parametrize("wire", STREAMS)
def test_each_chunk_of_a_script_is_one_write(wire: Wire) -> None:
    writes = Answers().writes(Asked(wire, Script("burst", 5), stream=True))
    assert len(writes) == 5
    assert writes[-1].endswith(b"\r\n0\r\n\r\n")
    assert all(b"Northbound" in one or b"at nine" in one for one in writes)
    assert all(one != other for one, other in pairwise(writes))


@pytest.mark.parametrize("wire", WHOLES)
def test_a_whole_answer_is_one_write(wire: Wire) -> None:
    [write] = Answers().writes(Asked(wire, TWO, stream=False))
    head, _, body = write.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head
    assert b"Northbound trains leave at nine, or later. " in body

"""The automata say which rule does not hold; what SSE allows besides is no fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.testing import GRAMMARS, Broken
from gateway.testing.grammar_sse import frames, letter
from tests.patience import patient
from tests.processes import environment

CHUNK: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
DONE = b"data: [DONE]\n\n"
DETAILS: dict[str, Any] = {"input_tokens_details": {}, "output_tokens_details": {}}


def chunk(delta: Any, finish: str | None = None, **over: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({**CHUNK, "choices": [choice], **over}).encode() + b"\n\n"


def call(index: int = 0, **function: Any) -> bytes:
    delta: dict[str, Any] = {"index": index, "function": function}
    if "name" in function:
        delta |= {"id": f"call_{index}", "type": "function"}
    return chunk({"tool_calls": [delta]})


ROLE = chunk({"role": "assistant", "content": ""})
STOP, CALLS = chunk({}, "stop"), chunk({}, "tool_calls")


def chat(*pieces: bytes) -> Any:
    return GRAMMARS["openai-chat"].stream(b"".join(pieces))


def test_a_stream_is_heard_with_what_sse_allows_besides() -> None:
    told = b": alive\n\n" + ROLE + chunk({"content": "Hé"}).replace(b"\n", b"\r\n") + b":\n" + STOP + b"id: 7\n" + DONE
    heard = chat(told)
    assert (heard.text, heard.finish, heard.error) == ("Hé", "stop", None)


def test_arguments_that_come_in_pieces_are_one_call() -> None:
    nulls = chunk({"content": None, "tool_calls": [{"index": 0, "id": None, "function": {"arguments": ":1}"}}]})
    heard = chat(ROLE, call(name="f"), call(arguments='{"a"'), nulls, CALLS, DONE)
    assert [(one.id, one.name, one.arguments) for one in heard.calls] == [("call_0", "f", {"a": 1})]


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((), "the stream is empty"),
        ((DONE,), "finish_reason is in"),
        ((ROLE, STOP), "ends without .DONE."),
        ((ROLE, b"data: {", b"\n\n", DONE), "not JSON"),
        ((ROLE, chunk({}, "end_turn"), DONE), "finish_reason is"),
        ((ROLE, STOP, chunk({}), DONE), "follows finish_reason"),
        ((ROLE, chunk({}, "stop", usage={"total_tokens": 1}), DONE), "usage is in a chunk with choices"),
        ((ROLE, CALLS, DONE), "there is no call"),
        ((ROLE, call(name="f", arguments="{}"), call(name="g", arguments="{}"), CALLS, DONE), "named again"),
        ((ROLE, call(index=1, name="f", arguments="{}"), CALLS, DONE), "indices of the calls"),
        ((ROLE, call(name="f", arguments="{"), CALLS, DONE), "arguments that are not JSON"),
        ((ROLE, chunk({}, "stop", created=2), DONE), "created changes"),
        ((ROLE, chunk({}, "stop", object="chunk"), DONE), "object is"),
        ((ROLE, b'data: {"error": {"message": "m", "type": "t"}}\n\n', DONE), "continues after an error"),
        ((ROLE, b'data: {"error": "broken"}\n\n'), "cannot be read|missing"),
        ((ROLE, b"data: " + STOP[6:].replace(b"choices", b"chosen"), DONE), "the field 'choices' is missing"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_broken_rule_of_chat_is_named(pieces: tuple[bytes, ...], words: str) -> None:
    with pytest.raises(Broken, match=words):
        chat(*pieces)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"data: 1\n", "lacks its blank line"),
        (b"data: 1", "ends within a line"),
        (b"event: a\n\n", "an event without data"),
        (b"data: 1\nevent: a\n\n", "after the data"),
        (b"event: a\nevent: b\ndata: 1\n\n", "two names"),
        (b"data: 1\nmore\n\n", "not a field of an event"),
        (b"data: \xff\n\n", "not UTF-8"),
    ],
    ids=["no blank line", "cut", "no data", "late name", "two names", "stray line", "bytes"],
)
def test_what_readers_of_sse_would_drop_in_silence_is_told(data: bytes, words: str) -> None:
    with pytest.raises(Broken, match=words):
        frames(data)


def test_lines_of_one_event_are_joined() -> None:
    assert [(frame.event, frame.text) for frame in frames(b"event:a\rdata:1\rdata: 2\r\rdata: 3\n\n")] == [
        ("a", "1\n2"),
        ("", "3"),
    ]


@pytest.mark.parametrize("data", [b": alive\n\n", b"data:1\n\n", "data: \u2028\n\n".encode(), b"data: 1\ndata: 2\n\n"])
def test_the_plain_letter_allows_less(data: bytes) -> None:
    frames(data.replace(b": alive", b"data: 1"))
    with pytest.raises(Broken):
        letter(data)


@pytest.mark.parametrize(
    ("dialect", "usage", "words"),
    [
        ("openai-chat", {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 4}, "total_tokens is 4"),
        ("openai-chat", {"prompt_tokens": True, "completion_tokens": 2, "total_tokens": 3}, "not a count"),
        (
            "openai-responses",
            {"input_tokens": 1, "output_tokens": 2, "total_tokens": 2, **DETAILS},
            "total_tokens is 2",
        ),
        ("openai-responses", {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}, "_details' is missing"),
        (
            "openai-responses",
            {
                "input_tokens": 1,
                "output_tokens": 2,
                "total_tokens": 3,
                **DETAILS,
                "output_tokens_details": {"reasoning_tokens": 3},
            },
            "reasoning_tokens",
        ),
        ("anthropic", {"input_tokens": 1, "output_tokens": -1}, "output_tokens is -1"),
        ("anthropic", {"input_tokens": 1}, "the field 'output_tokens' is missing"),
        ("gemini", {"promptTokenCount": 5, "totalTokenCount": 4}, "totalTokenCount is 4"),
        (
            "gemini",
            {"promptTokenCount": 5, "cachedContentTokenCount": 6, "totalTokenCount": 5},
            "cachedContentTokenCount",
        ),
    ],
)
def test_usage_that_does_not_add_up_is_told(dialect: str, usage: Any, words: str) -> None:
    with pytest.raises(Broken, match=words):
        GRAMMARS[dialect].counts(usage)


def test_usage_in_the_dialects_own_words_is_one_set_of_counts() -> None:
    counted: dict[str, dict[str, Any]] = {
        "openai-chat": {
            "prompt_tokens": 9,
            "completion_tokens": 7,
            "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        "gemini": {
            "promptTokenCount": 9,
            "candidatesTokenCount": 4,
            "thoughtsTokenCount": 3,
            "cachedContentTokenCount": 2,
            "totalTokenCount": 16,
        },
    }
    assert {GRAMMARS[name].counts(usage) for name, usage in counted.items()} == {(9, 2, 7, 3)}
    assert GRAMMARS["anthropic"].counts({"input_tokens": 7, "cache_read_input_tokens": 2, "output_tokens": 7})[:2] == (
        9,
        2,
    )


def test_the_public_names_need_no_test_of_ours(tmp_path: Path) -> None:
    program = """
import gateway.testing, sys
print([name for name in gateway.testing.__all__ if not hasattr(gateway.testing, name)])
print([name for name in sys.modules if name.partition(".")[0] in ("tests", "pytest", "hypothesis", "redis", "psycopg")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=patient(60),
    )
    assert (done.stdout, done.stderr) == ("[]\n[]\n", "")

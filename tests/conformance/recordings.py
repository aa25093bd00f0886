"""The recorded streams of Code Assist, and what `expected.json` says that callers get of each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway import ir
from tests.automata import Heard
from tests.fakes.gemini_api_wire import unwrapped

__all__ = ["EXPECTED", "FIXTURES", "LIMITED", "NAMES", "SENT", "agree", "bare", "family", "stream"]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1internal"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text())
NAMES = sorted(EXPECTED)

FENCED = re.compile(r"\n```\w*\n.*?\n```\n", re.DOTALL)
FINISHES = {"openai-chat": "openai_finish", "openai-responses": "openai_finish", "anthropic": "anthropic_stop"}
# how Responses calls the ends that Chat has a word for
ENDS = {
    "stop": "completed",
    "tool_calls": "completed",
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
# how an error of the stream is called: `code` of Chat, and of the errors of Responses; Messages' `type`; and `code` of
# a streamed Response that failed, of which there are but few
ERRORS = {
    "upstream_malformed_tool_call": ("upstream_malformed_tool_call", "api_error", "server_error"),
    "upstream_unexpected_tool_call": ("upstream_unexpected_tool_call", "api_error", "server_error"),
    "upstream_error_in_stream": ("overloaded", "overloaded_error", "server_error"),
    "rate_limited": ("rate_limit_exceeded", "rate_limit_error", "rate_limit_exceeded"),
    "upstream_truncated": ("upstream_truncated", "api_error", "server_error"),
}
OPENAI_COUNTS = {
    "openai-chat": ("prompt_tokens", "completion_tokens"),
    "openai-responses": ("input_tokens", "output_tokens"),
}
LIMITED = "25_error_first_event"


# every stream in one piece, byte by byte, and in pieces; one that is tried again after a pause, in one piece only
SENT = [
    pytest.param(name, sending, id=f"{name}-{sending[-2:] or 'whole'}")
    for name in NAMES
    for sending in ("", "\n!bytes 1", "\n!bytes 97")
    if name != LIMITED and not (sending and name == "24_error_midstream")
]


def stream(name: str) -> bytes:
    """Give the bytes of a recorded stream."""
    return (FIXTURES / f"{name}.sse").read_bytes()


def bare(name: str) -> bytes:
    """Give the bytes of a recorded stream as the public API would send them: in the same framing, without envelopes."""
    return b"".join(unwrapped(stream(name)))


def family(name: str) -> ir.Family:
    """Tell whose stream it is."""
    return "claude" if "claude" in name else "gemini"


def agree(name: str, dialect: str, heard: Heard, *, streamed: bool, thoughts: bool = True) -> None:
    """Assert that a caller who reads `thoughts`, or does not, heard what is expected."""
    expected = EXPECTED[name]
    if expected["outcome"] in ("error", "truncated"):
        _agree_error(expected, dialect, heard)
        if streamed and heard.text + heard.thoughts:
            _agree_words(expected, heard, thoughts=thoughts)
        return
    assert heard.error is None
    finish = expected[FINISHES[dialect]]
    assert heard.finish == (ENDS[finish] if dialect == "openai-responses" else finish)
    _agree_words(expected, heard, thoughts=thoughts)
    _agree_calls(expected, heard)
    _agree_usage(name, dialect, heard.usage)
    assert len(heard.images) == expected.get("images", 0)


def _agree_error(expected: dict[str, Any], dialect: str, heard: Heard) -> None:
    code, kind, failed = ERRORS[expected["error_kind"]]
    assert heard.finish is None
    assert heard.error is not None
    if dialect == "anthropic":
        assert heard.error["type"] == kind
    else:
        within = dialect == "openai-responses" and "type" not in heard.error  # a Response that failed
        assert heard.error["code"] == (failed if within else code)


def _agree_words(expected: dict[str, Any], heard: Heard, *, thoughts: bool) -> None:
    assert FENCED.sub("", heard.text) == expected["text"]
    assert heard.thoughts == (expected["thoughts"] if thoughts else "")
    assert len(FENCED.findall(heard.text)) == 2 * expected.get("code", 0)  # the code, and what it printed


def _agree_calls(expected: dict[str, Any], heard: Heard) -> None:
    wanted = [(call["id"], call["name"], call["args"]) for call in expected["tool_calls"]]
    pairs = zip(wanted, heard.calls, strict=True)
    assert [(ident and call.id, call.name, call.arguments) for (ident, _, _), call in pairs] == wanted
    ids = [call.id for call in heard.calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)


def _agree_usage(name: str, dialect: str, usage: dict[str, Any]) -> None:
    if dialect in OPENAI_COUNTS:
        wanted = EXPECTED[name]["usage_openai"]
        prompt, completion = OPENAI_COUNTS[dialect]
        details = usage[f"{prompt}_details"] | usage[f"{completion}_details"]
        counted = usage | details | {"prompt_tokens": usage[prompt], "completion_tokens": usage[completion]}
        assert {key: counted[key] for key in wanted} == wanted
        return
    wanted = EXPECTED[name]["usage_anthropic"]
    assert {key: usage[key] for key in wanted} == wanted

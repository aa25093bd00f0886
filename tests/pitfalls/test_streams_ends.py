"""Streaming: how answers end, break off, and fail; and what stands on the wire."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import anthropic
import openai
import pytest
from aiohttp import web
from google import genai

from tests.conformance.openai_api import ENDS
from tests.conformance.replies import T, Th, chunk, usage
from tests.gateway.dialects.anthropic.reader import parse
from tests.gateway.dialects.gemini.caller import array, heard
from tests.pitfalls.chunks import delta, responded
from tests.pitfalls.gateways import (
    ALL,
    CHAT_FORM,
    CLAUDES,
    DIALECTS,
    GOOGLE,
    TRANSLATING,
    Alone,
    At,
    each,
)
from tests.pitfalls.sdks import chunks_of, contents_of, message_of, response_of

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
TRANSLATED = pytest.mark.parametrize("dialect", TRANSLATING)
READERS = {
    "openai-chat": chunks_of,
    "openai-responses": response_of,
    "anthropic": message_of,
    "gemini": contents_of,
}
RAISED = (openai.APIError, anthropic.APIError, genai.errors.APIError, RuntimeError)


def broken(at: At) -> None:
    """Close the connection in the middle of a text, and say no reason."""
    at.push(f"!say one two three four five six seven eight\n!fin {pieces(at)}")


def pieces(at: At) -> int:
    """Count the events up to the first or second word."""
    return {"responses": 6, **dict.fromkeys(CLAUDES, 5)}.get(at.upstream, 3)


@DIALECT
@each(*ALL)
async def test_pitfall_06_a_stream_that_breaks_off_ends_in_an_error(at: At, dialect: str) -> None:
    broken(at)
    told = await at.ask(dialect, stream=True)
    assert told.text
    assert (told.finish, bool(told.error)) == (None, True)
    assert len(at.calls) == 1


@DIALECT
@each(*ALL)
async def test_pitfall_06_official_sdks_raise_where_a_stream_breaks_off(at: At, dialect: str) -> None:
    broken(at)
    with pytest.raises(RAISED):
        await READERS[dialect](at)


NOTHING: dict[str, list[Json]] = {
    "no candidates": [{"usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}}],
    "thoughts only": [chunk(Th("hm"))],
}
STOPPED = chunk(T(""), fin="STOP", usage=usage(3, 0, 3))


@STREAM
@TRANSLATED
@pytest.mark.parametrize("given", NOTHING)
@each(*GOOGLE)
async def test_pitfall_30_no_answer_is_asked_for_again_and_then_an_error(
    at: At, given: str, dialect: str, stream: bool
) -> None:
    """Thoughts that the caller does not see are no answer either."""
    for _ in range(2):
        at.play(*NOTHING[given])
    unseen = {"reasoning_effort": "none"} if dialect == "openai-chat" else {}
    response = await at.response(dialect, stream=stream, more=unseen)
    assert (response.status_code, len(at.calls)) == (502, 2)


@STREAM
@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_30_a_bare_stop_is_at_last_an_empty_answer_and_locks_nothing_out(
    at: At, dialect: str, stream: bool
) -> None:
    for _ in range(2):
        at.play(STOPPED)
    told = await at.ask(dialect, stream=stream)
    assert (told.text, told.finish, told.error) == ("", ENDS[dialect][0], None)
    assert len(at.calls) == 2
    at.push("!say well")
    assert (await at.ask(dialect, stream=stream)).text == "well"


@STREAM
@TRANSLATED
@pytest.mark.parametrize("begun", [True, False])
@each(*GOOGLE)
async def test_pitfall_31_a_malformed_call_is_no_clean_stop(at: At, begun: bool, dialect: str, stream: bool) -> None:
    for _ in range(2):
        at.play(*([chunk(T("a"))] if begun else []), chunk(fin="MALFORMED_FUNCTION_CALL", usage=usage(3, 1, 4)))
    told = await at.ask(dialect, stream=stream, tools=["f"])
    assert (told.finish, bool(told.error)) == (None, True)
    assert len(at.calls) == (1 if begun else 2)


@STREAM
@each(*GOOGLE)
async def test_pitfall_31_a_gemini_caller_hears_the_word_itself_or_an_error(at: At, stream: bool) -> None:
    for _ in range(2):
        at.play(chunk(T("a")), chunk(fin="MALFORMED_FUNCTION_CALL", usage=usage(3, 1, 4)))
    told = await at.ask("gemini", stream=stream)
    assert told.error or told.finish == "MALFORMED_FUNCTION_CALL"
    assert told.finish != "STOP"


@STREAM
@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_32_a_blocked_prompt_is_withheld_and_no_failure(at: At, dialect: str, stream: bool) -> None:
    at.play({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 13}})
    told = await at.ask(dialect, stream=stream)
    assert (told.text, told.finish, told.error) == ("", ENDS[dialect][3], None)
    assert len(at.calls) == 1


@STREAM
@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_33_a_candidate_without_content_is_an_answer(at: At, dialect: str, stream: bool) -> None:
    at.play(chunk(fin="MAX_TOKENS", usage=usage(3, 0, 3)))
    told = await at.ask(dialect, stream=stream)
    assert (told.finish, told.error) == (ENDS[dialect][2], None)


@each(*ALL)
async def test_pitfall_36_after_a_drop_the_next_event_is_an_error(at: At) -> None:
    at.push(f"!say one two three four five six seven eight\n!drop {pieces(at)}")
    *told, last = parse((await at.response("anthropic", stream=True)).content)
    assert told[-1]["type"] == "content_block_delta"
    assert (last["type"], bool(last["error"]["message"])) == ("error", True)


# how each upstream says within a stream that it is overloaded, or that the caller has had enough
INBAND: dict[str, dict[int, Json]] = {
    "google": {
        503: {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}},
        429: {"error": {"code": 429, "message": "Resource has been exhausted.", "status": "RESOURCE_EXHAUSTED"}},
    },
    "chat": {
        503: {"error": {"message": "The engine is overloaded", "type": "server_error", "code": "overloaded"}},
        429: {"error": {"message": "Rate limit", "type": "requests", "code": "rate_limit_exceeded", "param": None}},
    },
    "responses": {
        503: {"code": "server_is_overloaded", "message": "Our servers are overloaded."},
        429: {"code": "rate_limit_exceeded", "message": "Rate limit reached"},
    },
    "claude": {
        503: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        429: {"type": "error", "error": {"type": "rate_limit_error", "message": "Rate limit"}},
    },
}
SAYING = {**dict.fromkeys((*GOOGLE, "v1internal-claude"), "google"), **dict.fromkeys(CHAT_FORM, "chat")}
SAYING |= {**dict.fromkeys(CLAUDES, "claude"), "responses": "responses"}
# what each dialect calls an overloaded upstream in a stream
OVERLOADED = {
    "openai-chat": ("code", "overloaded"),
    "openai-responses": ("code", "server_error"),
    "anthropic": ("type", "overloaded_error"),
    "gemini": ("status", "UNAVAILABLE"),
}
TWO = {
    "v1internal": {"pool": {"refresh_tokens": ["rt-1", "rt-2"], "uses_per_turn": 1}},
    **{table: {"api_key": ["key-1", "key-2"]} for table in ("gemini", "chat", "responses", "azure", "anthropic")},
}


def said_in_band(at: At, status: int, *, begun: bool) -> list[Json]:
    """Write the events: some words where it has `begun`, then the error."""
    kind = SAYING[at.upstream]
    failed = INBAND[kind][status]
    if kind == "google":
        return [*([chunk(T("a"))] if begun else []), failed]
    if kind == "chat":
        return [*([delta(role="assistant", content=""), delta(content="a")] if begun else []), failed]
    if kind == "claude":
        message: Json = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m"}
        message |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1}}
        words: list[Json] = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        ]
        return [*(words if begun else []), failed]
    return responded("a" if begun else "", "failed", error=failed)


@DIALECT
@pytest.mark.parametrize("upstream", ALL)
async def test_pitfall_37_an_overload_within_a_stream_stays_one(upstream: str, dialect: str, alone: Alone) -> None:
    at = await alone(upstream)
    at.play(*said_in_band(at, 503, begun=True))
    told = await at.ask(dialect, stream=True)
    field, word = OVERLOADED[dialect]
    passed = {"server_is_overloaded"} if (upstream, dialect) == ("responses", "openai-responses") else set[str]()
    assert told.text == "a"
    assert told.error is not None
    assert told.error[field] in {word} | passed


@DIALECT
@pytest.mark.parametrize("upstream", [one for one in ALL if not one.startswith("vertex")])
async def test_pitfall_37_a_limit_within_a_stream_is_the_credentials(upstream: str, dialect: str, alone: Alone) -> None:
    """Before the first word another credential answers, and the first one rests."""
    table = upstream.removesuffix("-claude")
    at = await alone(upstream, **{table: TWO[table]})
    at.play(*said_in_band(at, 429, begun=False))
    assert [(await at.ask(dialect, "!say well", stream=True)).text for _ in range(3)] == ["well"] * 3
    used = [call.credential for call in at.calls]
    assert (len(used), len({*used[1:]})) == (4, 1)
    assert used[0] != used[1]


SEPARATORS = "a\u2028b\u2029c\u0085d"


def script_separators(at: At) -> None:
    """Say them raw in JSON, which allows it."""
    if SAYING[at.upstream] == "google":
        at.play(chunk(T(SEPARATORS)), chunk(T(""), fin="STOP", usage=usage(3, 2, 5)))
    elif SAYING[at.upstream] == "chat":
        at.play(delta(role="assistant", content=""), delta(content=SEPARATORS), delta("stop"))
    else:
        at.push(f"!tool f {json.dumps({'a': SEPARATORS})}")


@pytest.mark.parametrize(("at", "dialect"), [(at, dialect) for at in ALL for dialect in DIALECTS], indirect=["at"])
async def test_pitfall_62_line_separators_are_read_and_go_out_escaped(at: At, dialect: str) -> None:
    script_separators(at)
    response = await at.response(dialect, stream=True, tools=["f"])
    assert not any(mark in response.text for mark in SEPARATORS[1::2])
    told = at.hear(dialect, response)
    assert SEPARATORS in (told.text, *(call.arguments["a"] for call in told.calls))


@each(*CLAUDES)
async def test_pitfall_62_the_sdk_reads_what_passes(at: At) -> None:
    script_separators(at)
    (use,) = (await message_of(at, tools=["f"])).content
    assert (use.type, use.type == "tool_use" and use.input) == ("tool_use", {"a": SEPARATORS})


def test_pitfall_62_httpx_sse_is_one_that_reads_them() -> None:
    assert tuple(map(int, version("httpx-sse").split(".")[:3])) >= (0, 4, 2)


@each(*ALL)
async def test_pitfall_63_without_alt_a_stream_is_a_json_array(at: At) -> None:
    at.push("!say one two three")
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    response = await at.http.post(f"/v1beta/models/{at.model}:streamGenerateContent", json=body)
    assert response.headers["content-type"].split(";")[0] == "application/json"
    assert heard(array(response.content)).text == "one two three"


GOOGLES: Json = {"candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]}, "finishReason": "STOP"}]}
GOOGLES |= {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4}}
CHATS: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_800_000_000,
    "model": "gpt-4.1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
PARTS = [{"type": "output_text", "text": "ok", "annotations": []}]
RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_800_000_000,
    "model": "gpt-4.1",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": PARTS}],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "usage": {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 4,
    },
}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
WHOLE: dict[str, Json] = {
    **{one: {"response": GOOGLES} for one in ("v1internal", "v1internal-claude")},
    **dict.fromkeys(("gemini", "vertex"), GOOGLES),
    **dict.fromkeys(CHAT_FORM, CHATS),
    **dict.fromkeys(CLAUDES, MESSAGE),
    "responses": RESPONSE,
}


@DIALECT
@each(*ALL)
async def test_pitfall_63_a_whole_answer_where_a_stream_was_asked_for_is_read(
    at: At, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def whole(*_: Any) -> web.Response:
        return web.json_response(WHOLE[at.upstream])

    monkeypatch.setattr(at.fake, "send", whole)
    told = await at.ask(dialect, stream=True)
    assert (told.text, told.finish, told.error) == ("ok", ENDS[dialect][0], None)

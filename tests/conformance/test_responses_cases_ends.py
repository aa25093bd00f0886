"""The acceptance cases for callers of Responses: ends, counts and errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.conformance.recordings import ENDS as WORDS
from tests.conformance.replies import FC, T, chunk, script, usage
from tests.conformance.served import RESPONSES, Served
from tests.conformance.test_cases_ends import ENDS, UNCLEAR
from tests.conformance.test_cases_errors import BAD, DROPPED, KEY, LIMITED
from tests.conformance.test_cases_tools import responses_tools as tools
from tests.conformance.test_responses_cases import stream_of
from tests.conformance.upstreams import Upstream, before

pytestmark = pytest.mark.anyio

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
COUNT = f"{RESPONSES}/input_tokens"
BLOCKED = script({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 13}})


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Check the shape of an error, and give what it says."""
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert body.keys() == {"error"}
    error: dict[str, Any] = body["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error


# G: how answers end, and what is counted


@STREAM
@pytest.mark.parametrize("native", ENDS)
async def test_every_finish_reason_has_its_word(either: Served, native: str, stream: bool) -> None:
    """G1"""
    heard = await either.hear("openai-responses", script(chunk(T("a")), chunk(fin=native)), stream=stream)
    ends = ENDS[native]
    assert heard.finish == (ends and WORDS[ends[0]])
    assert (heard.error is None) == (ends is not None)
    assert heard.text == ("a" if stream or ends else "")


@STREAM
@pytest.mark.parametrize("native", [*UNCLEAR, *(native for native, ends in ENDS.items() if ends is None)])
async def test_an_unclear_end_without_content_is_tried_again_and_then_an_error(
    either: Served, native: str, stream: bool
) -> None:
    """G1: nothing has been sent, so it is a status."""
    response = await either.post(RESPONSES, script(chunk(fin=native)), stream=stream)
    assert response.status_code == 502
    assert len(either.calls) >= 2


@STREAM
@pytest.mark.parametrize("last", [chunk(fin="STOP"), chunk(fin="OTHER"), chunk(T(""))], ids=["stop", "other", "none"])
async def test_a_complete_call_completes_the_response(either: Served, last: Any, stream: bool) -> None:
    """G1: STOP, OTHER or no reason at all, after a call anywhere in the stream."""
    heard = await either.hear("openai-responses", script(chunk(FC("f", {})), last), stream=stream, tools=tools("f"))
    assert (heard.error, heard.finish, len(heard.calls)) == (None, "completed", 1)


@STREAM
async def test_text_without_a_finish_reason_is_no_clean_end(either: Served, stream: bool) -> None:
    """G1: the stream ended with no finishReason"""
    heard = await either.hear("openai-responses", script(chunk(T("a"))), stream=stream)
    assert heard.error is not None


@STREAM
async def test_a_blocked_prompt_is_incomplete_with_its_tokens(either: Served, stream: bool) -> None:
    """G2"""
    heard = await either.hear("openai-responses", BLOCKED, stream=stream)
    assert (heard.text, heard.finish, heard.usage["input_tokens"]) == ("", "content_filter", 13)
    assert len(either.calls) == 1


async def test_a_blocked_prompt_is_refused_in_words(either: Served) -> None:
    """G2"""
    (message,) = (await either.post(RESPONSES, BLOCKED)).json()["output"]
    (part,) = message["content"]
    assert (part["type"], "PROHIBITED_CONTENT" in part["refusal"]) == ("refusal", True)


@STREAM
@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        (usage(20, 198, 623, th=405), (20, 603, 623, 405)),
        (usage(100, 3362, 3462, th=3347), (100, 3362, 3462, 3347)),
    ],
    ids=["thoughts apart", "thoughts inside"],
)
async def test_thoughts_are_counted_once(either: Served, counted: Any, expected: tuple[int, ...], stream: bool) -> None:
    """G4"""
    said = script(chunk(T("a"), fin="STOP", usage=counted))
    tokens = (await either.hear("openai-responses", said, stream=stream)).usage
    reasoning = tokens["output_tokens_details"]["reasoning_tokens"]
    assert (tokens["input_tokens"], tokens["output_tokens"], tokens["total_tokens"], reasoning) == expected


@STREAM
async def test_cached_tokens_are_in_the_input(either: Served, stream: bool) -> None:
    """G5"""
    said = script(chunk(T("a"), fin="STOP", usage=usage(1000, 10, 1010, cached=800)))
    tokens = (await either.hear("openai-responses", said, stream=stream)).usage
    assert (tokens["input_tokens"], tokens["input_tokens_details"]["cached_tokens"]) == (1000, 800)


@STREAM
async def test_usage_without_numbers_changes_nothing(either: Served, stream: bool) -> None:
    """G6"""
    said = script(chunk(T("a"), usage=usage(3, 2, 5)), chunk(fin="STOP", usage={"trafficType": "ON_DEMAND"}))
    tokens = (await either.hear("openai-responses", said, stream=stream)).usage
    assert (tokens["input_tokens"], tokens["output_tokens"], tokens["total_tokens"]) == (3, 2, 5)


# H: errors


@STREAM
async def test_a_request_that_the_upstream_calls_bad_is_a_400(either: Served, stream: bool) -> None:
    """H1"""
    response = await either.post(RESPONSES, f"!refuse {json.dumps({'error': BAD})}", stream=stream)
    error = error_of(response)
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert "Cannot find field" in error["message"]
    assert len(either.calls) == 1


@STREAM
async def test_a_used_up_quota_is_a_429_that_says_when(fresh: Served, stream: bool) -> None:
    """H2"""
    response = await fresh.post(RESPONSES, f"!refuse {json.dumps({'error': LIMITED})}", stream=stream)
    assert (response.status_code, response.headers["retry-after"]) == (429, "13")
    assert error_of(response)["code"] == "rate_limit_exceeded"
    assert len(fresh.calls) == 1


async def test_a_drop_after_text_is_a_response_that_failed(either: Served) -> None:
    """H4: with what was said until then, and it is not kept."""
    said = await stream_of(either, DROPPED)
    assert (said.names[-1], said.response["error"]["code"]) == ("failed", "server_error")
    assert said.output[0]["content"][0]["text"] == "one two "
    assert "completed" not in said.names
    assert len(either.calls) == 1
    assert (await either.http.get(f"{RESPONSES}/{said.response['id']}")).status_code == 404


async def test_a_drop_is_an_error_status_for_who_does_not_stream(either: Served) -> None:
    """H4"""
    response = await either.post(RESPONSES, DROPPED)
    assert response.status_code == 502
    error_of(response)


async def test_the_openai_client_is_told_of_a_drop(either: Served) -> None:
    """H4: the event is one of its own; only its helper raises."""
    async with (
        openai.AsyncOpenAI(api_key="k", base_url=f"{either.url}/v1", max_retries=0) as client,
        client.responses.stream(model=either.model, input=either.directed(DROPPED)) as stream,
    ):
        events = [event async for event in stream]
        with pytest.raises(RuntimeError):
            await stream.get_final_response()
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "one two "
    assert events[-1].type == "response.failed"


@STREAM
@pytest.mark.parametrize("refused", ["401_unauthenticated", "403_permission_denied_license", "403_tos_disabled"])
async def test_our_dead_credential_is_not_the_callers_fault(served: Served, refused: str, stream: bool) -> None:
    """H6"""
    response = await served.post(RESPONSES, f"!error {refused}", stream=stream)
    assert response.status_code == 503
    assert error_of(response)["type"] != "authentication_error"


@STREAM
@pytest.mark.parametrize("refused", ["400_key_invalid", "403_key_suspended", "403_key_leaked", "400_location"])
async def test_our_dead_key_is_not_the_callers_fault(google: Served, refused: str, stream: bool) -> None:
    """H6"""
    response = await google.post(RESPONSES, f"!error {refused}", stream=stream)
    assert response.status_code == 502
    assert error_of(response)["type"] != "authentication_error"
    assert "key-1" not in response.text


@pytest.fixture
async def locked(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway that wants a key."""
    async with before(upstream, tmp_path, auth={"keys": [KEY]}) as one:
        yield one


@pytest.mark.parametrize("key", [None, "sk-wrong"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", RESPONSES),
        ("POST", COUNT),
        ("GET", f"{RESPONSES}/resp_x"),
        ("DELETE", f"{RESPONSES}/resp_x"),
        ("GET", f"{RESPONSES}/resp_x/input_items"),
    ],
)
async def test_no_key_and_a_wrong_key_are_a_401(locked: Served, method: str, path: str, key: str | None) -> None:
    """H8"""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    response = await locked.http.request(method, path, headers=headers)
    assert (response.status_code, error_of(response)["code"]) == (401, "invalid_api_key")
    assert locked.calls == []


async def test_an_unknown_model_is_a_404(either: Served) -> None:
    """H8"""
    response = await either.post(RESPONSES, "hi", model="no-such-model")
    assert (response.status_code, error_of(response)["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("path", [RESPONSES, COUNT])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"hi"', b"\xff\xfe", b"{}", b'{"model": 1}', b'{"model": "m"}'])
async def test_a_body_that_is_no_request_is_a_400(either: Served, path: str, body: bytes) -> None:
    """H8"""
    response = await either.http.post(path, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, error_of(response)["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", RESPONSES, "POST"),
        ("DELETE", RESPONSES, "POST"),
        ("PUT", f"{RESPONSES}/resp_x", "DELETE, GET"),
        ("POST", f"{RESPONSES}/resp_x/input_items", "GET"),
    ],
)
async def test_a_wrong_method_is_a_405(either: Served, method: str, path: str, allowed: str) -> None:
    """H8"""
    response = await either.http.request(method, path)
    assert response.status_code == 405
    assert sorted(response.headers["allow"].split(", ")) == allowed.split(", ")
    error_of(response)


@pytest.mark.parametrize("path", [f"{RESPONSES}/", f"{RESPONSES}/resp_x/nothing"])
async def test_an_unknown_path_is_a_404(either: Served, path: str) -> None:
    """H8"""
    response = await either.http.post(path, json={})
    assert response.status_code == 404
    error_of(response)


# I: counting


async def test_input_is_counted_without_a_call(either: Served) -> None:
    """I5"""
    response = await either.post(COUNT, "count me")
    counted = response.json()
    assert (response.status_code, counted["object"]) == (200, "response.input_tokens")
    assert counted["input_tokens"] > 0
    assert either.calls == []


async def test_instructions_tools_and_what_was_said_before_count(either: Served) -> None:
    """I2, I5"""
    first = (await either.post(RESPONSES, "a long story " * 50)).json()
    fields: list[dict[str, Any]] = [
        {},
        {"instructions": "Be brief. " * 20},
        {"tools": tools("f")},
        {"previous_response_id": first["id"]},
    ]
    bare, *more = [(await either.post(COUNT, "hi", **one)).json()["input_tokens"] for one in fields]
    assert all(tokens > bare for tokens in more)
    assert (await either.post(COUNT, "hi")).json()["input_tokens"] == bare

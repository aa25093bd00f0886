"""Errors: what the caller can make of them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway import create_app
from tests.conformance.openai_api import ENDS
from tests.conformance.served import user
from tests.gateway.dialects.anthropic.reader import parse
from tests.gateway.dialects.gemini.caller import sse
from tests.gateway.wire import ending, upstream
from tests.pitfalls.gateways import ALL, CLAUDES, DIALECTS, OPENAI, Alone, At, each
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
UPSTREAM = pytest.mark.parametrize("upstream", ALL)


def limited(at: At, seconds: str) -> None:
    """Refuse the next calls, as the upstream says when to come back: in a header, or in the body."""
    if at.upstream in OPENAI or at.upstream in CLAUDES:
        error: Json = {"message": f"Rate limit reached. Please try again in {seconds}.", "type": "rate_limit_error"}
        refusal: Json = {"status": 429, "error": error | {"code": "rate_limit_exceeded"}}
    else:
        info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds}
        error = {"code": 429, "message": "Too many requests.", "status": "RESOURCE_EXHAUSTED", "details": [info]}
        refusal = {"error": error}
    at.push(*[f"!refuse {json.dumps(refusal)}"] * 5)


# how each fake says in its service's own words that a limit is used up, and the seconds after which to come back
LIMITED: dict[str, tuple[str, int]] = {
    "chat": ("429_requests", 20),
    "responses": ("429_requests", 20),
    "azure": ("429_tokens", 0),
    "anthropic": ("429_rate", 20),
}


@STREAM
@DIALECT
@pytest.mark.parametrize("upstream", ["v1internal", "v1internal-claude", "gemini", "vertex"])
async def test_pitfall_38_retry_info_is_retry_after(upstream: str, dialect: str, stream: bool, alone: Alone) -> None:
    at = await alone(upstream)
    limited(at, "32.5s")
    response = await at.response(dialect, stream=stream)
    assert response.status_code == 429
    assert 31 <= int(response.headers["retry-after"]) <= 33


@STREAM
@DIALECT
@pytest.mark.parametrize("upstream", LIMITED)
async def test_pitfall_38_retry_after_of_the_upstream_is_the_callers(
    upstream: str, dialect: str, stream: bool, alone: Alone
) -> None:
    at = await alone(upstream)
    name, seconds = LIMITED[upstream]
    at.fake.fail(name, times=9)
    response = await at.response(dialect, stream=stream)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    assert not seconds or seconds - 2 <= int(response.headers["retry-after"]) <= seconds


@DIALECT
@UPSTREAM
async def test_pitfall_39_after_all_attempts_a_client_need_not_try_again(
    upstream: str, dialect: str, alone: Alone
) -> None:
    at = await alone(upstream, retry={"attempts": 2})
    for method in at.kind.called:
        at.fake.fail("500", times=9, method=method)
    response = await at.response(dialect)
    assert response.status_code >= 500
    assert response.headers["x-should-retry"] == "false"
    assert len(at.calls) == 2


@DIALECT
@pytest.mark.parametrize("upstream", ["v1internal", "v1internal-claude", "gemini", "vertex"])
async def test_pitfall_39_nor_while_a_long_rest_lasts(upstream: str, dialect: str, alone: Alone) -> None:
    at = await alone(upstream)
    limited(at, "3600s")
    for _ in range(2):
        response = await at.response(dialect)
        assert (response.status_code, response.headers["x-should-retry"]) == (429, "false")
        assert int(response.headers["retry-after"]) > 3500


@STREAM
@pytest.mark.parametrize(("finish", "place"), [("MAX_TOKENS", 2), ("content_filter", 3)])
@DIALECT
@each("responses")
async def test_pitfall_74_an_incomplete_response_has_its_reason(
    at: At, finish: str, place: int, dialect: str, stream: bool
) -> None:
    at.push(f"!say ab\n!finish {finish}")
    told = await at.ask(dialect, stream=stream)
    assert (told.text, told.finish, told.error) == ("ab", ENDS[dialect][place], None)


@STREAM
@DIALECT
@each("responses")
async def test_pitfall_74_a_failed_response_is_an_error(at: At, dialect: str, stream: bool) -> None:
    at.push(*["!say ab\n!finish failed"] * 2)
    told = await at.ask(dialect, stream=stream)
    assert (told.finish, bool(told.error)) == (None, True)


@each(*ALL)
async def test_pitfall_81_an_error_chunk_begins_with_error_and_all_lines_are_data(at: At) -> None:
    at.push(f"!say one two three four five six seven eight\n!drop {6 if at.upstream not in GEMINIS else 3}")
    response = await at.response("gemini", stream=True)
    *told, last = response.content.split(b"\r\n\r\n")[:-1]
    assert told
    assert all(one.startswith(b"data: {") for one in told)
    assert last.startswith(b'data: {"error":')
    assert list(sse(response.content)[-1]) == ["error"]


GEMINIS = ("v1internal", "v1internal-claude", "gemini", "vertex")


@each(*ALL)
async def test_pitfall_82_the_event_line_of_anthropics_callers_is_the_type(at: At) -> None:
    """`parse` walks the stream by the letter."""
    at.push("!think hm\n!say ok\n!tool f {}", "!say one two three four five six seven eight\n!fin 5")
    for _ in range(2):
        response = await at.response("anthropic", stream=True, tools=["f"])
        lines = [line for line in response.text.split("\n") if line]
        names = [line.removeprefix("event: ") for line in lines[::2]]
        assert names == [json.loads(line.removeprefix("data: "))["type"] for line in lines[1::2]]
        assert names == [event["type"] for event in parse(response.content)]


# what each upstream says of a credential that is none any more, or may not
REFUSING: dict[str, tuple[str, ...]] = {
    "v1internal": ("401_unauthenticated", "403_permission_denied_license", "403_tos_disabled"),
    "v1internal-claude": ("401_unauthenticated", "403_permission_denied_license"),
    "gemini": ("401", "403_key_suspended", "403_key_leaked"),
    "vertex": ("401_expired", "403_permission"),
    "vertex-claude": ("401_bearer", "403_vertex"),
    "chat": ("401_invalid_key", "401_deactivated", "403_country"),
    "responses": ("401_invalid_key", "401_scopes"),
    "azure": ("401_key", "401_token", "403_network"),
    "anthropic": ("401_key", "401_expired", "403_permission"),
}


@STREAM
@DIALECT
@pytest.mark.parametrize(("upstream", "error"), [(one, error) for one, errors in REFUSING.items() for error in errors])
async def test_pitfall_83_our_credential_is_not_the_callers_fault(
    upstream: str, error: str, dialect: str, stream: bool, alone: Alone
) -> None:
    at = await alone(upstream)
    at.fake.fail(error, times=9)
    response = await at.response(dialect, stream=stream)
    assert response.status_code in (502, 503)
    assert error_of(response)


def error_of(response: httpx.Response) -> Json:
    body = response.json()
    error: Json = (body[0] if isinstance(body, list) else body)["error"]
    return error


@STREAM
@DIALECT
@each("v1internal-claude")
async def test_pitfall_88_an_error_within_the_message_of_an_error_is_unwrapped(
    at: At, dialect: str, stream: bool
) -> None:
    at.fake.fail("400_claude_prefill", method="streamGenerateContent")
    response = await at.response(dialect, stream=stream)
    assert response.status_code == 400
    message = error_of(response)["message"]
    assert "This model does not support assistant message prefill." in message
    assert '{"type"' not in message


@each("anthropic", "vertex-claude")
async def test_details_of_anthropics_error_reach_its_callers(at: At) -> None:
    """By them Anthropic's SDKs know that a thread is gone, and send the whole conversation in another one."""
    details = {"error_code": "thread_not_found"}
    error = {"type": "invalid_request_error", "message": "no such thread", "details": details}
    refusal = json.dumps({"status": 400, "error": error})
    response = await at.post("/v1/messages", {"max_tokens": 9, "messages": [user(f"!refuse {refusal}")]})
    assert response.status_code == 400
    assert response.json()["error"] == error


@pytest.mark.parametrize(("kind", "status"), [("api_error", 500), ("invalid_request_error", 400)])
@STREAM
async def test_details_that_repeat_the_key_do_not_tell_it(stream: bool, kind: str, status: int) -> None:
    """Neither those of a refusal, nor those of an error that comes as an answer."""
    key = "sk-ant-0123456789"
    details = {"error_code": "odd", "seen": [f"x-api-key: {key}"]}
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "odd", "details": details}}).encode()
    event = b"event: error\ndata: %b\n\n" % body
    said = [
        b"HTTP/1.1 %d Oh\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + event,
    ]
    for answer in said:
        async with upstream(ending(answer)) as server:
            claude = {"type": "anthropic", "base_url": server.url, "api_key": key, "models": ["claude-opus-5-5"]}
            config = {"upstream": {"claude": claude}, "retry": {"attempts": 1}}
            async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url) as http:
                asked = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [user("hi")], "stream": stream}
                response = await http.post("/v1/messages", json=asked)
        assert key not in response.text
        assert response.json()["error"]["details"] == {"error_code": "odd", "seen": ["x-api-key: ***"]}


@each("vertex-claude")
async def test_a_caller_learns_that_a_cloud_keeps_no_threads(at: At) -> None:
    """The tool runners of Anthropic's SDKs try one, and go on without it when they are told so."""
    asked = {"max_tokens": 9, "messages": [user("hi")], "thread": {"type": "create"}}
    response = await at.post("/v1/messages", asked, anthropic_beta="message-threads-2026-08-12")
    assert response.status_code == 400
    assert response.json()["error"]["details"] == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["thread"],
    }

"""Acceptance cases H: errors, as each dialect spells them, with the status that tells the truth."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.conformance.replies import T, chunk, script
from tests.conformance.served import CHAT, DIALECTS, MESSAGES, Served
from tests.conformance.upstreams import Upstream, before

pytestmark = pytest.mark.anyio

DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])

KEY = "sk-a-key-that-is-long-enough"
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}
BAD = {"code": 400, "message": "Unknown name: Cannot find field.", "status": "INVALID_ARGUMENT"}
LIMITED = {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED", "details": [RETRY_INFO]}
DROPPED = script(chunk(T("one ")), chunk(T("two ")), chunk(T("three"), fin="STOP"), then="!drop 2")


def error_of(dialect: str, response: httpx.Response) -> dict[str, Any]:
    """Check the shape of an error, and give what it says."""
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    error: dict[str, Any] = body["error"]
    if dialect == "anthropic":
        assert (body["type"], body["request_id"]) == ("error", response.headers["request-id"])
        assert {"type", "message"} <= error.keys()
    else:
        assert body.keys() == {"error"}
        assert error.keys() == {"message", "type", "param", "code"}
    return error


@STREAM
@DIALECT
async def test_a_request_that_the_upstream_calls_bad_is_a_400(either: Served, dialect: str, stream: bool) -> None:
    """H1"""
    refused = f"!refuse {json.dumps({'error': BAD})}"
    response = await either.post(DIALECTS[dialect], refused, stream=stream, max_tokens=50)
    assert response.status_code == 400
    error = error_of(dialect, response)
    assert error["type"] == "invalid_request_error"
    assert "Cannot find field" in error["message"]
    assert response.headers["request-id"]
    assert len(either.calls) == 1


@STREAM
@pytest.mark.parametrize(("dialect", "kind"), [("openai-chat", "requests"), ("anthropic", "rate_limit_error")])
async def test_a_used_up_quota_is_a_429_that_says_when(fresh: Served, dialect: str, kind: str, stream: bool) -> None:
    """H2"""
    refused = f"!refuse {json.dumps({'error': LIMITED})}"
    response = await fresh.post(DIALECTS[dialect], refused, stream=stream, max_tokens=50)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "13"
    assert error_of(dialect, response)["type"] == kind
    assert len(fresh.calls) == 1


async def test_a_drop_after_text_is_a_chat_error_without_done(either: Served) -> None:
    """H4"""
    heard = await either.hear("openai-chat", DROPPED, stream=True)
    assert (heard.text, heard.finish) == ("one two ", None)
    assert heard.error is not None
    assert len(either.calls) == 1


async def test_a_drop_after_text_is_a_messages_error_event(either: Served) -> None:
    """H4"""
    heard = await either.hear("anthropic", DROPPED, stream=True, max_tokens=50)
    assert (heard.text, heard.finish) == ("one two ", None)
    assert heard.error is not None
    assert heard.error["type"] == "api_error"
    assert len(either.calls) == 1


@DIALECT
async def test_a_drop_is_an_error_status_for_who_does_not_stream(either: Served, dialect: str) -> None:
    """H4"""
    response = await either.post(DIALECTS[dialect], DROPPED, max_tokens=50)
    assert response.status_code == 502
    error_of(dialect, response)


async def test_the_openai_client_raises_on_a_drop(either: Served) -> None:
    """H4"""
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{either.url}/v1", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model=either.model, messages=[{"role": "user", "content": either.directed(DROPPED)}], stream=True
        )
        said = ""
        with pytest.raises(openai.APIError):
            async for one in stream:
                said += one.choices[0].delta.content or ""
    assert said == "one two "


async def test_the_anthropic_client_raises_on_a_drop(either: Served) -> None:
    """H4"""
    async with anthropic.AsyncAnthropic(api_key="k", base_url=either.url, max_retries=0) as client:
        said = ""
        with pytest.raises(anthropic.APIError):
            async with client.messages.stream(
                model=either.model, max_tokens=50, messages=[{"role": "user", "content": either.directed(DROPPED)}]
            ) as stream:
                async for text in stream.text_stream:
                    said += text
    assert said == "one two "


@STREAM
@DIALECT
@pytest.mark.parametrize("refused", ["401_unauthenticated", "403_permission_denied_license", "403_tos_disabled"])
async def test_our_dead_credential_is_not_the_callers_fault(
    served: Served, dialect: str, refused: str, stream: bool
) -> None:
    """H6: and never a 401 or 403, on which callers drop their own key."""
    response = await served.post(DIALECTS[dialect], f"!error {refused}", stream=stream, max_tokens=50)
    assert response.status_code == 503
    assert error_of(dialect, response)["type"] not in ("authentication_error", "permission_error")


@STREAM
@DIALECT
@pytest.mark.parametrize("refused", ["400_key_invalid", "403_key_suspended", "403_key_leaked", "400_location"])
async def test_our_dead_key_is_not_the_callers_fault(google: Served, dialect: str, refused: str, stream: bool) -> None:
    """H6"""
    response = await google.post(DIALECTS[dialect], f"!error {refused}", stream=stream, max_tokens=50)
    assert response.status_code == 502
    assert error_of(dialect, response)["type"] not in ("authentication_error", "permission_error")
    assert "key-1" not in response.text


async def test_a_dead_refresh_token_is_not_the_callers_fault(served: Served) -> None:
    """H6"""
    served.fake.oauth.accounts.clear()
    served.fake.oauth.expire()
    assert (await served.post(CHAT, "hi")).status_code == 503


@pytest.fixture
async def locked(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a gateway that wants a key."""
    async with before(upstream, tmp_path, auth={"keys": [KEY]}) as one:
        yield one


@pytest.mark.parametrize("key", [None, "sk-wrong"])
@pytest.mark.parametrize(
    ("dialect", "header", "kind"),
    [
        ("openai-chat", "authorization", "invalid_request_error"),
        ("anthropic", "x-api-key", "authentication_error"),
    ],
)
async def test_no_key_and_a_wrong_key_are_a_401(
    locked: Served, dialect: str, header: str, kind: str, key: str | None
) -> None:
    """H8"""
    value = f"Bearer {key}" if header == "authorization" else key
    headers = {header: value} if key and value else {}
    response = await locked.http.post(DIALECTS[dialect], json={}, headers=headers)
    assert response.status_code == 401
    assert error_of(dialect, response)["type"] == kind
    assert locked.calls == []


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}])
@DIALECT
async def test_a_key_opens_every_dialect(locked: Served, dialect: str, headers: dict[str, str]) -> None:
    """H8"""
    body = {"model": locked.model, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    response = await locked.http.post(DIALECTS[dialect], json=body, headers=headers)
    assert response.status_code == 200
    assert KEY not in json.dumps([call.shown() for call in locked.fake.requests])


@pytest.mark.parametrize(
    ("dialect", "kind"), [("openai-chat", "invalid_request_error"), ("anthropic", "not_found_error")]
)
async def test_an_unknown_model_is_a_404(either: Served, dialect: str, kind: str) -> None:
    """H8"""
    response = await either.post(DIALECTS[dialect], "hi", model="no-such-model", max_tokens=50)
    assert response.status_code == 404
    error = error_of(dialect, response)
    assert error["type"] == kind
    assert dialect == "anthropic" or error["code"] == "model_not_found"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"hi"', b"\xff\xfe", b"{}", b'{"model": 1}'])
@DIALECT
async def test_a_body_that_is_no_request_is_a_400(either: Served, dialect: str, body: bytes) -> None:
    """H8"""
    headers = {"content-type": "application/json"}
    response = await either.http.post(DIALECTS[dialect], content=body, headers=headers)
    assert response.status_code == 400
    assert error_of(dialect, response)["type"] == "invalid_request_error"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@DIALECT
async def test_a_wrong_method_is_a_405(either: Served, dialect: str, method: str) -> None:
    """H8"""
    response = await either.http.request(method, DIALECTS[dialect])
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    error_of(dialect, response)


@pytest.mark.parametrize(("dialect", "path"), [("openai-chat", f"{CHAT}/"), ("anthropic", f"{MESSAGES}/x")])
async def test_an_unknown_path_is_a_404(either: Served, dialect: str, path: str) -> None:
    """H8"""
    response = await either.http.post(path, json={})
    assert response.status_code == 404
    error_of(dialect, response)

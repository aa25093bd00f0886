"""Errors and model lists of Anthropic, read."""

from datetime import UTC, datetime

import pytest
from msgspec.json import encode

from gateway import errors
from gateway.dialects.anthropic.outbound_errors import Details, read_details, read_error
from gateway.dialects.anthropic.outbound_models import Abilities, read_page
from gateway.upstream import ModelInfo

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


def told(kind: str, message: str) -> bytes:
    return encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        (400, "invalid_request_error", errors.UpstreamRejected),
        (401, "authentication_error", errors.UpstreamCredential),
        (402, "billing_error", errors.UpstreamRateLimited),
        (403, "permission_error", errors.UpstreamCredential),
        (413, "request_too_large", errors.UpstreamRejected),
        (429, "rate_limit_error", errors.UpstreamRateLimited),
        (500, "api_error", errors.UpstreamUnavailable),
        (504, "timeout_error", errors.UpstreamTimeout),
        (529, "overloaded_error", errors.UpstreamOverloaded),
    ],
)
def test_each_type_has_its_class_also_in_a_stream(status: int, kind: str, cause: type[errors.GatewayError]) -> None:
    body = told(kind, "no")
    assert type(read_error(status, body, {})) is cause
    assert type(read_error(200, body, {})) is cause


def test_what_is_too_large_keeps_its_status() -> None:
    body = told("request_too_large", "no")
    assert [read_error(status, body, {}).status for status in (413, 200)] == [413, 413]


def test_a_message_stays_as_it_is() -> None:
    error = read_error(400, told("invalid_request_error", "messages.0: no"), {})
    assert error.message == "messages.0: no"


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 205000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    ],
)
def test_a_prompt_that_is_too_long(message: str) -> None:
    assert isinstance(read_error(400, told("invalid_request_error", message), {}), errors.ContextTooLong)


def test_a_model_that_is_not_there() -> None:
    assert isinstance(read_error(404, told("not_found_error", "model: claude-9"), {}), errors.ModelNotFound)


def test_money_that_is_used_up_comes_as_a_400() -> None:
    words = "Your credit balance is too low to access the Anthropic API."
    error = read_error(400, told("invalid_request_error", words), {})
    assert (type(error), error.code) == (errors.UpstreamRateLimited, "insufficient_quota")


def test_pitfall_38_the_wait_stands_in_a_header() -> None:
    assert read_error(429, told("rate_limit_error", "slow"), {"Retry-After": "12"}).retry_after == 12


def test_the_wait_is_until_the_last_used_up_limit_begins_anew() -> None:
    headers = {
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-20T12:00:20Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-20T12:00:50Z",
        "anthropic-ratelimit-output-tokens-remaining": "9",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-20T13:00:00Z",
    }
    assert read_error(429, told("rate_limit_error", "slow"), headers, now=NOW).retry_after == 50


def test_pitfall_88_an_error_within_the_message_of_another_is_read() -> None:
    inner = told("invalid_request_error", "messages.0: no").decode()
    body = encode([{"error": {"code": 400, "message": inner, "status": "INVALID_ARGUMENT"}}])
    assert read_error(400, body, {}).message == "messages.0: no"
    assert read_details(body) == Details(
        message="messages.0: no", type="invalid_request_error", status=400, request_id="req_1"
    )


def test_a_cloud_refuses_in_its_own_form() -> None:
    body = encode({"error": {"code": 429, "message": "Quota exceeded for x", "status": "RESOURCE_EXHAUSTED"}})
    assert isinstance(read_error(429, body, {}), errors.UpstreamRateLimited)


def test_what_is_no_error_body_gives_a_snippet() -> None:
    assert "down" in read_error(502, b"<html><body>down</body></html>", {}).message


# models


def yes(answer: bool) -> dict[str, bool]:
    return {"supported": answer}


def test_a_page_of_models() -> None:
    types = {"adaptive": yes(True), "enabled": yes(False), "disabled": yes(True), "between_tools": yes(False)}
    efforts = {name: yes(name != "max") for name in ("low", "medium", "high", "xhigh", "max")}
    listed = {
        "id": "claude-opus-4-8",
        "display_name": "Claude Opus 4.8",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
        "capabilities": {
            "thinking": yes(True) | {"types": types},
            "effort": yes(True) | efforts,
            "structured_outputs": yes(True),
        },
    }
    page = read_page(encode({"data": [listed], "has_more": True, "first_id": "x", "last_id": "claude-opus-4-8"}))
    info = ModelInfo(
        id="claude-opus-4-8",
        display_name="Claude Opus 4.8",
        max_input=1_000_000,
        max_output=128_000,
        thinking=True,
    )
    assert page.models == {"claude-opus-4-8": info}
    abilities = Abilities(
        adaptive=True,
        budgets=False,
        rests=True,
        between=False,
        efforts=("low", "medium", "high", "xhigh"),
        structured=True,
    )
    assert page.abilities == {"claude-opus-4-8": abilities}
    assert page.next == "claude-opus-4-8"


def test_the_last_page_of_an_older_server() -> None:
    page = read_page(b'{"data": [{"id": "claude-3"}, {"id": ""}], "has_more": false, "last_id": "claude-3"}')
    assert page.models == {"claude-3": ModelInfo(id="claude-3")}
    assert (page.abilities, page.next) == ({}, None)


@pytest.mark.parametrize("body", [b"{", b'{"data": 5}', b"[" * 5000])
def test_what_is_no_list_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_page(body)

"""Errors of OpenAI and its like."""

import json
from typing import Any

import pytest

from gateway import errors
from gateway.dialects.openai_chat.outbound_errors import Details, read_details, read_error


def body(message: str = "no", **fields: Any) -> bytes:
    return json.dumps({"error": {"message": message, **fields}}).encode()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            body("bad", type="invalid_request_error", param="messages", code="invalid_value"),
            Details(message="bad", type="invalid_request_error", param="messages", code="invalid_value"),
        ),
        (body("bad", type="x", param=None, code=None), Details(message="bad", type="x")),
        (body("slow", code=429), Details(message="slow", status=429)),
        (body("slow", code="429"), Details(message="slow", status=429)),
        (body("odd", code="²²²"), Details(message="odd", code="²²²")),
        (body("slow", status=429), Details(message="slow", status=429)),
        (body("slow", status="429"), Details(message="slow")),
        (
            b'{"object":"error","message":"bad","type":"BadRequestError","param":null,"code":400}',
            Details(message="bad", type="BadRequestError", status=400),
        ),
        (b'{"error":"model \'x\' not found"}', Details(message="model 'x' not found")),
        (b'{"detail":"Not Found"}', Details(message="Not Found")),
        (b'{"detail":[{"loc":["body"],"msg":"x"}]}', Details(message='[{"loc":["body"],"msg":"x"}]')),
        (b'[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]', Details(message="bad", status=400)),
        (b'data: {"error":{"code":"1113","message":"bad"}}\n\n', Details(message="bad", code="1113")),
        (
            body("Param Incorrect", code="400", param="It must be so."),
            Details(message="Param Incorrect: It must be so.", status=400),
        ),
        (b'{"errors":[{"code":5007,"message":"bad"}],"success":false}', Details(message="bad", code="5007")),
        (b'{"message":"bad","errors":{"x":1}}', Details(message="bad")),
        (
            body("slow", metadata={"headers": {"X-RateLimit-Reset": 7}, "provider_name": None}),
            Details(message="slow", headers={"x-ratelimit-reset": "7"}),
        ),
        (b"<html><b>502</b> Bad Gateway</html>", Details(message="502 Bad Gateway")),
        (b"", Details()),
    ],
)
def test_every_form_of_a_body_is_read(given: bytes, expected: Details) -> None:
    assert read_details(given) == expected


@pytest.mark.parametrize(
    ("status", "fields", "kind", "code"),
    [
        (400, {"code": "context_length_exceeded"}, errors.ContextTooLong, "context_length_exceeded"),
        (400, {"code": "unsupported_value"}, errors.UpstreamRejected, "unsupported_value"),
        (400, {"code": None}, errors.UpstreamRejected, None),
        (422, {}, errors.UpstreamRejected, None),
        (413, {}, errors.UpstreamRejected, None),
        (401, {"code": "invalid_api_key"}, errors.UpstreamCredential, "upstream_credential"),
        (403, {"code": None}, errors.UpstreamCredential, "upstream_credential"),
        (403, {"code": "model_not_found"}, errors.ModelNotFound, "model_not_found"),
        (403, {"code": "unsupported_country_region_territory"}, errors.UpstreamUnavailable, "upstream_error"),
        (404, {"code": "model_not_found"}, errors.ModelNotFound, "model_not_found"),
        (404, {"code": "DeploymentNotFound"}, errors.ModelNotFound, "model_not_found"),
        (402, {}, errors.UpstreamRateLimited, "insufficient_quota"),
        (429, {"code": "insufficient_quota"}, errors.UpstreamRateLimited, "insufficient_quota"),
        (429, {"code": "rate_limit_exceeded"}, errors.UpstreamRateLimited, "rate_limit_exceeded"),
        (429, {}, errors.UpstreamRateLimited, "rate_limit_exceeded"),
        (500, {"type": "server_error"}, errors.UpstreamUnavailable, "upstream_error"),
        (502, {}, errors.UpstreamUnavailable, "upstream_error"),
        (503, {"code": "slow_down"}, errors.UpstreamOverloaded, "overloaded"),
        (504, {}, errors.UpstreamTimeout, "timeout"),
        (529, {}, errors.UpstreamOverloaded, "overloaded"),
        (200, {"code": "rate_limit_exceeded"}, errors.UpstreamRateLimited, "rate_limit_exceeded"),
        (200, {"type": "server_error"}, errors.UpstreamUnavailable, "upstream_error"),
        (200, {"code": 503}, errors.UpstreamOverloaded, "overloaded"),
        (200, {}, errors.UpstreamUnavailable, "upstream_error"),
    ],
)
def test_status_and_code_give_the_cause(
    status: int, fields: dict[str, Any], kind: type[errors.GatewayError], code: str | None
) -> None:
    error = read_error(status, body(**fields), {})
    assert (type(error), error.code) == (kind, code)


def test_what_is_too_large_keeps_its_status() -> None:
    assert [read_error(status, body(), {}).status for status in (413, 422)] == [413, 400]


@pytest.mark.parametrize(
    ("message", "param", "kind"),
    [
        ("The model `x` does not exist or you do not have access to it.", None, errors.ModelNotFound),
        ("It does not exist.", "model", errors.ModelNotFound),
        ("Invalid URL (POST /v1/chat)", None, errors.UpstreamUnavailable),
        ("Item with id 'rs_1' not found.", "input", errors.UpstreamRejected),
    ],
)
def test_a_404_is_about_the_model_the_address_or_what_a_field_names(
    message: str, param: str | None, kind: type[errors.GatewayError]
) -> None:
    assert type(read_error(404, body(message, param=param), {})) is kind


def test_words_for_a_prompt_too_long_are_enough() -> None:
    message = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
    assert type(read_error(400, body(message, code=400), {})) is errors.ContextTooLong


@pytest.mark.parametrize(
    ("message", "headers", "wait"),
    [
        ("Please try again in 1.3s.", {}, 1.3),
        ("Please try again in 350ms. Visit us", {}, 0.35),
        ("Please try again in 6m0s.", {}, 360.0),
        ("Please try again in 7m12s. Visit https://a.example", {}, 432.0),
        ("Please retry after 26 seconds.", {}, 26.0),
        ("Slow down", {"Retry-After": "20"}, 20.0),
        ("Please try again in 20s.", {"retry-after": "21", "retry-after-ms": "20500"}, 20.5),
        ("Slow", {"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40.0),
        ("Slow", {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ("Slow", {"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
        ("Slow", {"x-ratelimit-remaining-tokens-day": "0", "x-ratelimit-reset-tokens-day": "3000.5"}, 3000.5),
        ("Slow", {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "90"}, 90.0),
        ("Slow", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000000000"}, 1_799_999_940.0),
        ("Slow", {"ratelimit-remaining": "-1", "ratelimit-reset": "1800000000"}, 1_799_999_940.0),
        ("Slow", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ("Slow", {"x-ratelimit-remaining": "0"}, None),
        ("Rate limit of 50 per 86400s exceeded. Please wait 543 seconds before retrying.", {}, 543.0),
        ("Please try again in 5 minutes.", {}, 300.0),
        ("It resets at 1970-01-01T00:02:00Z", {}, 60.0),
        ("Your limit will reset at 1970-01-01 08:02:00", {}, 60.0),  # in Beijing
        ("Your limit will reset at 1970-01-01 07:02:00", {}, None),
        ("Your limit will reset at 1970-13-01 07:02:00", {}, None),
        ("Slow", {"retry-after": "soon"}, None),
        ("Slow", {}, None),
    ],
)
def test_how_long_to_wait(message: str, headers: dict[str, str], wait: float | None) -> None:
    assert read_error(429, body(message), headers, now=60.0).retry_after == pytest.approx(wait)


@pytest.mark.parametrize(
    ("details", "wait"),
    [
        ([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}], 12.5),
        ([{"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quotaResetDelay": "1h2m"}}], 3720.0),
        ([{"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quotaResetTimeStamp": "1970-01-01T00:02:00Z"}}], 60.0),
        ([{"reason": "RATE_LIMIT_EXCEEDED"}], 7.0),
        ("none", 7.0),
    ],
)
def test_googles_server_says_in_its_own_form_how_long_to_wait(details: object, wait: float) -> None:
    given = b"[" + body("Quota exceeded", code=429, status="RESOURCE_EXHAUSTED", details=details) + b"]"
    assert read_error(429, given, {"retry-after": "7"}, now=60.0).retry_after == pytest.approx(wait)


@pytest.mark.parametrize(
    ("message", "secret"),
    [
        ("Incorrect API key provided: sk-proj-********1234. You can find", "1234"),
        ("Incorrect API key provided: my-key-********9876. You can", "9876"),
        ("Rate limit reached for gpt-4 in organization org-abcDEF123 on tokens", "abcDEF123"),
        ("Project `proj_abc123` does not have access", "abc123"),
        ("write to ann@example.com", "ann@"),
    ],
)
def test_what_names_an_account_is_masked(message: str, secret: str) -> None:
    assert secret not in read_error(429, body(message), {}).message


def test_our_credentials_fault_says_so() -> None:
    assert read_error(401, body("Bad key"), {}).message == "the upstream rejects the gateway's credential: Bad key"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (b'{"error": {"code": 429}}', errors.UpstreamRateLimited),
        (b'{"error": {"code": "slow_down", "message": null}}', errors.UpstreamOverloaded),
        (b'{"type": "error", "error": {"type": "overloaded_error"}}', errors.UpstreamOverloaded),
    ],
)
def test_an_error_without_words_has_its_cause_and_a_status(given: bytes, kind: type[errors.GatewayError]) -> None:
    error = read_error(200, given, {})
    assert type(error) is kind
    assert error.message in ("status 429", "status 200")


def test_no_body_still_says_the_status() -> None:
    assert read_error(502, b"", {}).message == "the upstream failed: status 502"

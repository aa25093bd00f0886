"""What each refusal of the Gemini API means."""

import json
import typing
from typing import Any

import pytest

from gateway.adapters import failures, openai_errors
from gateway.adapters.failures import AMENDED, Cause, Failure
from gateway.adapters.gemini_errors import RULES, astray, of_named, read_failure
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NotFound,
    UpstreamCredential,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from tests.fakes.gemini_api_errors import NAMED
from tests.fakes.v1internal_errors import Refusal

NOW = 1_800_000_000.0  # midnight in California

MEANT: dict[str, tuple[Cause, type[GatewayError], float | None]] = {
    "400_key_invalid": ("key", UpstreamCredential, None),
    "400_key_expired": ("key", UpstreamCredential, None),
    "400_location": ("location", UpstreamUnavailable, None),
    "400_invalid_argument": ("states", UpstreamRejected, None),
    "403_key_suspended": ("banned", UpstreamCredential, None),
    "403_key_leaked": ("banned", UpstreamCredential, None),
    "403_service_disabled": ("service", UpstreamCredential, None),
    "429_bare": ("rate_limit", UpstreamRateLimited, None),
    "429_per_minute": ("rate_limit", UpstreamRateLimited, 38),
    "429_per_day": ("rate_limit", UpstreamRateLimited, 86_400),
    "429_tokens_per_minute": ("rate_limit", UpstreamRateLimited, 26),
    "429_limit_zero": ("rate_limit", UpstreamRateLimited, 86_400),
    "499_cancelled": ("cancelled", UpstreamUnavailable, None),
    "500_internal": ("server", UpstreamUnavailable, None),
    "503_high_demand": ("capacity", UpstreamOverloaded, None),
    "503_overloaded": ("capacity", UpstreamOverloaded, None),
    "504_deadline": ("server", UpstreamTimeout, None),
}


def read(refusal: Refusal) -> Failure:
    return read_failure(refusal.status, json.dumps(refusal.body).encode(), {}, NOW)


def said(status: int, message: str, **info: Any) -> Failure:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}] if info else []
    error = {"code": status, "message": message, "details": details}
    return read_failure(status, json.dumps({"error": error}).encode(), {}, NOW)


def test_every_refusal_that_is_known_has_its_meaning() -> None:
    assert MEANT.keys() == NAMED.keys()


@pytest.mark.parametrize("name", MEANT)
def test_published_refusals(name: str) -> None:
    cause, kind, wait_s = MEANT[name]
    failure = read(NAMED[name]("gemini-3-flash-preview"))
    assert (failure.cause, type(failure.error)) == (cause, kind)
    assert failure.wait_s == failure.error.retry_after == wait_s


@pytest.mark.parametrize(
    ("status", "message", "cause", "kind"),
    [
        (400, "Unknown name \"parametersJsonSchema\" at 'tools[0]': Cannot find field.", "schemas", UpstreamRejected),
        (400, "* …function_declarations[0].parameters_json_schema: keyword", "schemas", UpstreamRejected),
        (400, "* …generation_config.response_json_schema: too deep", "schemas", UpstreamRejected),
        (400, "Thought signature is not valid.", "signatures", UpstreamRejected),
        (400, "Function call is missing a thought_signature in functionCall parts.", "unsigned", UpstreamRejected),
        (400, "Image part is missing a thought_signature in content position 2.", "unsigned_parts", UpstreamRejected),
        (400, "Text part is missing a thought_signature in content position 2.", "unsigned_parts", UpstreamRejected),
        (
            400,
            "* GenerateContentRequest.contents[1].parts: contents.parts must not be empty.",
            "blanks",
            UpstreamRejected,
        ),
        (400, "Unable to submit request because it must include at least one parts field.", "blanks", UpstreamRejected),
        (400, "Corrupted thought signature.", "signatures", UpstreamRejected),
        (400, "Thinking level is not supported for this model.", "level", UpstreamRejected),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it", "instructions", UpstreamRejected),
        (400, "JSON mode is not enabled for models/gemma-3-27b-it", "json_mode", UpstreamRejected),
        (400, "Thinking is not enabled for models/gemma-3-27b-it", "thinking_config", UpstreamRejected),
        (400, "Thinking budget is not supported for this model.", "thinking_config", UpstreamRejected),
        (400, "Penalty is not enabled for models/gemini-2.5-flash", "penalties", UpstreamRejected),
        (400, "Requests ending with a model turn are not supported.", "begun", UpstreamRejected),
        (400, "Gemini API free tier is not available in your country.", "location", UpstreamUnavailable),
        (401, "Request had invalid authentication credentials.", "token", UpstreamCredential),
        (401, "API key not valid. Please pass a valid API key.", "key", UpstreamCredential),
        (401, "API keys are not supported by this API. Expected OAuth2 access token.", "keyless", NotFound),
        (402, "no credits", "quota", UpstreamRateLimited),
        (429, "Your prepayment credits are depleted. Please go to AI Studio", "quota", UpstreamRateLimited),
        (429, "Your project has exceeded its monthly spending cap.", "quota", UpstreamRateLimited),
        (403, "Request had insufficient authentication scopes.", "keyless", NotFound),
        (403, "Method doesn't allow unregistered callers.", "forbidden", UpstreamCredential),
        (403, "You do not have permission to access the File f or it may not exist.", "resource", NotFound),
        (403, "x@y.z does not have storage.objects.get access to the Cloud Storage object.", "resource", NotFound),
        (403, "CachedContent not found (or permission denied)", "resource", NotFound),
        (403, "The caller does not have permission", "scope", UpstreamCredential),
        (404, "models/x is not found for API version v1beta", "missing", ModelNotFound),
        (409, "aborted", "final", UpstreamRejected),
        (520, "", "server", UpstreamUnavailable),
    ],
)
def test_refusals_by_their_words(status: int, message: str, cause: Cause, kind: type[GatewayError]) -> None:
    failure = said(status, message)
    assert (failure.cause, type(failure.error)) == (cause, kind)


def test_money_that_is_used_up_is_told_by_its_code() -> None:
    failure = said(429, "Your prepayment credits are depleted. Please go to AI Studio")
    assert failure.error.code == "insufficient_quota"
    body = b'[{"error":{"code":429,"message":"Your prepayment credits are depleted.","status":"RESOURCE_EXHAUSTED"}}]'
    behind_openais_api = openai_errors.read_failure(429, body, {}, NOW)
    assert (behind_openais_api.cause, behind_openais_api.error.code) == ("quota", "insufficient_quota")


def test_a_bare_lack_of_permission_is_about_what_is_named() -> None:
    body = b'{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}'
    failure = of_named(403, body, {}, NOW)
    assert (failure.cause, type(failure.error), failure.status) == ("resource", NotFound, 403)
    body = b'{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key."}}'
    assert of_named(403, body, {}, NOW).cause == "banned"


@pytest.mark.parametrize(
    ("reason", "cause"), [("API_KEY_SERVICE_BLOCKED", "forbidden"), ("API_KEY_IP_ADDRESS_BLOCKED", "key")]
)
def test_a_key_with_restrictions_is_the_operators_matter(reason: str, cause: Cause) -> None:
    failure = said(403, "Requests are blocked.", reason=reason)
    assert (failure.cause, type(failure.error)) == (cause, UpstreamCredential)


@pytest.mark.parametrize(("status", "reason"), [(401, "CREDENTIALS_MISSING"), (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")])
def test_a_method_that_takes_no_key_says_nothing_of_the_key(status: int, reason: str) -> None:
    failure = said(status, "no", reason=reason)
    rule = RULES[failure.cause]
    assert (type(failure.error), rule.mark, rule.others) == (NotFound, None, 0)


def test_an_error_event_goes_by_its_own_code() -> None:
    refusal = NAMED["400_key_invalid"]("m")
    assert read_failure(200, json.dumps(refusal.body).encode(), {}, NOW).cause == "key"


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"\xff\xfe", b"[" * 50_000])
def test_a_refusal_that_cannot_be_read_goes_by_its_status(body: bytes) -> None:
    assert read_failure(502, body, {}, NOW).cause == "server"
    assert type(read_failure(200, body, {}, NOW).error) is UpstreamMalformed


def test_no_rule_goes_on_for_ever() -> None:
    """Steps that retry.attempts does not count are bounded: once for each credential, or by the pool's size."""
    for rule in RULES.values():
        assert rule.base is False
        assert rule.waits is False or rule.again == 0


def test_what_is_left_out_is_left_out_once() -> None:
    for cause in AMENDED:
        assert RULES[cause].renew == ("body",)
        assert RULES[cause].again == RULES[cause].others == 0


def test_every_cause_that_needs_no_answer_has_a_rule() -> None:
    below = {"server", "unreachable", "broken", "malformed", "final", "cooling"}
    assert below <= RULES.keys() <= set(typing.get_args(failures.Cause))


@pytest.mark.parametrize(
    "body",
    [b"<html><p>/v1beta/v1beta/models/m was not found</html>", b"404 page not found", b'{"detail":"Not Found"}', b""],
)
def test_a_404_that_knows_of_no_model_is_of_the_address(body: bytes) -> None:
    """musistudio/claude-code-router#651: base_url had the version in it, and callers were told of a model."""
    failure = astray(read_failure(404, body, {}, NOW), body)
    assert (failure.cause, type(failure.error)) == ("address", UpstreamUnavailable)
    assert "base_url is given without /v1beta" in str(failure.error)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":404,"message":"models/m is not found for API version v1beta","status":"NOT_FOUND"}}',
        b'{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}',
        b'{"error":{"message":"unknown model m","type":"invalid_request_error"}}',
    ],
)
def test_a_404_of_the_service_or_of_a_model_stays_what_it_is(body: bytes) -> None:
    failure = read_failure(404, body, {}, NOW)
    assert astray(failure, body) is failure
    assert failure.cause == "missing"

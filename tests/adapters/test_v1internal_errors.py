"""What each recorded refusal means."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from gateway.adapters import failures
from gateway.adapters.failures import Cause, Failure, cause_of, unreachable
from gateway.adapters.v1internal_errors import RULES, read_failure
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NotFound,
    StreamBroken,
    UpstreamCredential,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport import Broken, ConnectFailed, FirstByteTimeout, TooLarge, TransportError

ERRORS = Path(__file__).parents[1] / "fixtures" / "v1internal" / "errors"
NOW = datetime(2026, 4, 20, 9, 19, 0, tzinfo=UTC).timestamp()

RECORDED: list[tuple[str, Cause, type[GatewayError], float | None]] = [
    ("400_array_wrapped", "signatures", UpstreamRejected, None),
    ("400_claude_expected_thinking", "thinking", UpstreamRejected, None),
    ("400_claude_invalid_signature", "signatures", UpstreamRejected, None),
    ("400_claude_prefill", "final", UpstreamRejected, None),
    ("400_claude_schema_draft", "final", UpstreamRejected, None),
    ("400_claude_signature_required", "signatures", UpstreamRejected, None),
    ("400_gemini_missing_thought_signature", "unsigned", UpstreamRejected, None),
    ("400_invalid_project", "project", UpstreamCredential, None),
    ("400_invalid_argument_schema", "final", UpstreamRejected, None),
    ("401_unauthenticated", "token", UpstreamCredential, None),
    ("403_consumer_invalid", "permission", UpstreamCredential, None),
    ("403_iam_permission_denied", "permission", UpstreamCredential, None),
    ("403_permission_denied_license", "banned", UpstreamCredential, None),
    ("403_service_disabled", "service", UpstreamCredential, None),
    ("403_subscription_required", "permission", UpstreamCredential, None),
    ("403_tos_disabled", "banned", UpstreamCredential, None),
    ("403_validation_required", "verification", UpstreamCredential, None),
    ("404_not_found_model", "missing", ModelNotFound, None),
    ("404_project", "project", UpstreamCredential, None),
    ("429_bare", "bare_429", UpstreamRateLimited, None),
    ("429_capacity", "capacity", UpstreamOverloaded, None),
    ("429_individual_quota", "quota", UpstreamRateLimited, 256527.79),
    ("429_insufficient_credits", "quota", UpstreamRateLimited, None),
    ("429_quota_exhausted_hours", "quota", UpstreamRateLimited, 91226.18),
    ("429_quota_failure_daily", "rate_limit", UpstreamRateLimited, 78060),
    ("429_rate_limit_minutes", "rate_limit", UpstreamRateLimited, 72.5),
    ("429_rate_limit_short", "rate_limit", UpstreamRateLimited, 0.479),
    ("500_internal", "server", UpstreamUnavailable, None),
    ("503_no_capacity", "capacity", UpstreamOverloaded, None),
]
SECRETS = ("fake-project-000", "accounts.example.invalid/signin/continue?fake=1", "@")


def recorded(name: str) -> Failure:
    return read_failure(int(name.partition("_")[0]), (ERRORS / f"{name}.json").read_bytes(), {}, NOW)


def refused(status: int, message: str, **details: str) -> Failure:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", **details}
    error = {"code": status, "message": message, "details": [info] if details else []}
    return read_failure(status, json.dumps({"error": error}).encode(), {}, NOW)


@pytest.mark.parametrize(("name", "cause", "kind", "wait_s"), RECORDED)
def test_recorded_refusals(name: str, cause: Cause, kind: type[GatewayError], wait_s: float | None) -> None:
    failure = recorded(name)
    assert failure.cause == cause
    assert type(failure.error) is kind
    assert failure.wait_s == (None if wait_s is None else pytest.approx(wait_s, abs=0.01))
    assert failure.error.retry_after == failure.wait_s
    assert not any(secret in failure.error.message for secret in SECRETS)


def test_the_link_of_a_verification_is_kept_for_the_operator() -> None:
    failure = recorded("403_validation_required")
    assert failure.link == "https://accounts.example.invalid/signin/continue?fake=1"


@pytest.mark.parametrize(
    ("status", "message", "cause"),
    [
        (400, "Invalid thought signature.", "signatures"),
        (400, "Corrupted thought signature.", "signatures"),
        (400, "Invalid 'signature' in 'thinking' block", "signatures"),
        (400, "Expected thinking or redacted_thinking, but found text.", "thinking"),
        (400, "Unable to submit request because function call `f` is missing a `thought_signature`.", "unsigned"),
        (400, "Unable to submit request because thinking_level MEDIUM is not supported by this model.", "level"),
        (400, "Unknown name \"thinkingLevel\" at 'request.generation_config': Cannot find field.", "level"),
        (400, "Penalty is not enabled for this model", "penalties"),
        (400, "Requests ending with a model turn are not supported.", "begun"),
        (400, "User location is not supported for the API use.", "location"),
        (403, "The caller does not have permission", "forbidden"),
        (403, "This client is no longer supported for individuals", "final"),
        (403, "You must be a named user of this product", "banned"),
        (408, "", "server"),
        (409, "aborted", "final"),
        (429, "Resource has been exhausted (e.g. check quota).", "bare_429"),
        (429, "Please retry in 12.5s", "rate_limit"),
        (499, "The operation was cancelled.", "cancelled"),
        (503, "The service is currently unavailable.", "server"),
        (520, "", "server"),
        (529, "Overloaded", "capacity"),
    ],
)
def test_refusals_without_reason(status: int, message: str, cause: Cause) -> None:
    assert refused(status, message).cause == cause


@pytest.mark.parametrize("reason", ["", "IAM_PERMISSION_DENIED"])
@pytest.mark.parametrize(
    "message",
    [
        "x@y.z does not have storage.objects.get access to the Google Cloud Storage object.",
        "You do not have permission to access the File abc or it may not exist.",
        "Permission 'aiplatform.cachedContents.get' denied on resource '//x' (or it may not exist).",
    ],
)
def test_what_a_request_names_and_no_account_may_read_costs_none(message: str, reason: str) -> None:
    failure = refused(403, message, reason=reason)
    assert (failure.cause, type(failure.error), failure.error.status) == ("resource", NotFound, 404)
    assert RULES[failure.cause].mark is None
    assert "credential" not in failure.error.message
    assert not any(secret in failure.error.message for secret in SECRETS)


@pytest.mark.parametrize("reason", ["CONSUMER_INVALID", "CONSUMER_SUSPENDED", "USER_PROJECT_DENIED"])
def test_a_project_that_an_account_may_not_use_is_looked_up_anew(reason: str) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    body = {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED", "details": [info]}}
    failure = read_failure(403, json.dumps(body).encode(), {}, 0.0)
    assert RULES[failure.cause].renew == ("project",)


def test_a_region_that_is_not_served_is_no_fault_of_a_caller() -> None:
    error = refused(400, "User location is not supported for the API use.").error
    assert isinstance(error, UpstreamUnavailable)
    assert error.message.startswith("the upstream is not available in this gateway's region: User location")


def test_a_limit_of_nothing_lasts_a_day_whatever_the_delay_says() -> None:
    assert refused(429, "Quota exceeded, limit: 0. Please retry in 5s").wait_s == 86_400


def test_a_retry_after_header_is_a_delay() -> None:
    body = b'{"error":{"code":429,"message":"slow down"}}'
    failure = read_failure(429, body, {"Retry-After": "7"}, NOW)
    assert (failure.cause, failure.wait_s) == ("rate_limit", 7)


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"\xff\xfe", b"[" * 50_000])
def test_a_refusal_that_cannot_be_read_goes_by_its_status(body: bytes) -> None:
    assert read_failure(502, body, {}, NOW).cause == "server"
    is_page = body.startswith(b"<")  # of a proxy
    assert read_failure(401, body, {}, NOW).cause == ("server" if is_page else "token")


def test_an_error_event_goes_by_its_own_code() -> None:
    body = (ERRORS / "401_unauthenticated.json").read_bytes()
    assert read_failure(200, body, {}, NOW).cause == "token"


@pytest.mark.parametrize(
    ("error", "cause", "kind"),
    [
        (ConnectFailed("refused"), "unreachable", UpstreamUnavailable),
        (FirstByteTimeout("no response within 1 s"), "server", UpstreamTimeout),
        (Broken("reset", before_response=True), "broken", UpstreamUnavailable),
        (Broken("reset"), "broken", StreamBroken),
        (TooLarge("too large"), "final", UpstreamMalformed),
    ],
)
def test_failures_below_http(error: TransportError, cause: Cause, kind: type[GatewayError]) -> None:
    failure = unreachable(error)
    assert (failure.cause, type(failure.error)) == (cause, kind)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (UpstreamTimeout("silent"), "server"),
        (StreamBroken("cut"), "broken"),
        (UpstreamMalformed("MALFORMED_FUNCTION_CALL"), "malformed"),
        (UpstreamRejected("no"), "final"),
    ],
)
def test_errors_that_came_without_an_answer(error: GatewayError, cause: Cause) -> None:
    assert cause_of(error).cause == cause


def test_the_next_midnight_in_california_knows_summer_time(monkeypatch: pytest.MonkeyPatch) -> None:
    daily = (ERRORS / "429_quota_failure_daily.json").read_bytes()
    zone = ZoneInfo("America/Los_Angeles")
    before_the_change = datetime(2026, 3, 8, 1, 0, tzinfo=zone).timestamp()  # the night has 23 hours
    assert read_failure(429, daily, {}, before_the_change).wait_s == 22 * 3600

    def missing(key: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(key)

    monkeypatch.setattr(failures, "ZoneInfo", missing)
    assert read_failure(429, daily, {}, before_the_change).wait_s == 24 * 3600


def test_no_rule_goes_on_for_ever() -> None:
    """Steps that retry.attempts does not count are bounded: once for each credential, or by the pool's size."""
    for rule in RULES.values():
        assert rule.base is False or rule.counted or rule.others <= 1
        assert rule.waits is False or rule.again == 0

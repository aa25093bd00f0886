"""Google's error bodies, each with the class, the wait and the words that come of it."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.dialects.gemini.errors import mask, read_details, read_error, without
from gateway.errors import GatewayError

FIXTURES = Path(__file__).parents[3] / "fixtures" / "v1internal" / "errors"
REJECTED, CREDENTIAL, LIMITED, OVERLOADED = (
    errors.UpstreamRejected,
    errors.UpstreamCredential,
    errors.UpstreamRateLimited,
    errors.UpstreamOverloaded,
)
CLASSES: dict[str, tuple[type[GatewayError], float | None]] = {
    "400_array_wrapped": (REJECTED, None),
    "400_claude_expected_thinking": (REJECTED, None),
    "400_claude_invalid_signature": (REJECTED, None),
    "400_claude_prefill": (REJECTED, None),
    "400_claude_schema_draft": (REJECTED, None),
    "400_claude_signature_required": (REJECTED, None),
    "400_gemini_missing_thought_signature": (REJECTED, None),
    "400_invalid_argument_schema": (REJECTED, None),
    "400_invalid_project": (REJECTED, None),
    "401_unauthenticated": (CREDENTIAL, None),
    "403_consumer_invalid": (CREDENTIAL, None),
    "403_iam_permission_denied": (CREDENTIAL, None),
    "403_permission_denied_license": (CREDENTIAL, None),
    "403_service_disabled": (CREDENTIAL, None),
    "403_subscription_required": (CREDENTIAL, None),
    "403_tos_disabled": (CREDENTIAL, None),
    "403_validation_required": (CREDENTIAL, None),
    "404_not_found_model": (errors.ModelNotFound, None),
    "404_project": (errors.ModelNotFound, None),
    "429_bare": (LIMITED, None),
    "429_capacity": (OVERLOADED, None),
    "429_individual_quota": (LIMITED, 256527.791609974),
    "429_insufficient_credits": (LIMITED, None),
    "429_quota_exhausted_hours": (LIMITED, 91226.179915352),
    "429_quota_failure_daily": (LIMITED, None),
    "429_rate_limit_minutes": (LIMITED, 72.5),
    "429_rate_limit_short": (LIMITED, 0.479417207),
    "500_internal": (errors.UpstreamUnavailable, None),
    "503_no_capacity": (OVERLOADED, None),
}


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def google(message: str = "words", **fields: Any) -> bytes:
    return json.dumps({"error": {"message": message} | fields}).encode()


def wait(message: str = "", headers: dict[str, str] | None = None, *details: object) -> float | None:
    return read_error(429, google(message, details=details), headers or {}, now=1776676740.0).retry_after


def info(**metadata: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "X", "metadata": metadata}


def test_every_recorded_error_is_in_the_table() -> None:
    assert {path.stem for path in FIXTURES.glob("*.json")} == set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_recorded_error_has_its_class_and_wait(name: str) -> None:
    error = read_error(int(name[:3]), fixture(name), {})
    cause, seconds = CLASSES[name]
    assert type(error) is cause
    assert error.retry_after == pytest.approx(seconds)


@pytest.mark.parametrize("name", CLASSES)
def test_recorded_error_names_no_account(name: str) -> None:
    message = read_error(int(name[:3]), fixture(name), {}).message
    assert "fake-project" not in message
    assert "?" not in message


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, REJECTED),
        (408, errors.UpstreamTimeout),
        (409, REJECTED),
        (413, REJECTED),
        (429, LIMITED),
        (499, errors.UpstreamUnavailable),
        (500, errors.UpstreamUnavailable),
        (502, errors.UpstreamUnavailable),
        (503, OVERLOADED),
        (504, errors.UpstreamTimeout),
        (529, OVERLOADED),
        (599, errors.UpstreamUnavailable),
    ],
)
def test_status_alone_tells_the_class(status: int, cause: type[GatewayError]) -> None:
    assert type(read_error(status, b"", {})) is cause


def test_what_is_too_large_keeps_its_status() -> None:
    assert [read_error(status, b"", {}).status for status in (413, 409)] == [413, 400]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (google(code=429), LIMITED),
        (google(code="503"), OVERLOADED),
        (google(status="UNAUTHENTICATED"), CREDENTIAL),
        (google(status="DEADLINE_EXCEEDED"), errors.UpstreamTimeout),
        (google(), errors.UpstreamMalformed),
    ],
)
def test_body_tells_the_class_under_status_200(body: bytes, cause: type[GatewayError]) -> None:
    assert type(read_error(200, body, {})) is cause


@pytest.mark.parametrize(
    "message",
    [
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens"}}',
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    ],
)
def test_prompt_too_long_is_known(message: str) -> None:
    assert type(read_error(400, google(message), {})) is errors.ContextTooLong


def test_no_capacity_is_known_by_its_words_too() -> None:
    assert type(read_error(429, google("No capacity available for model x on the server"), {})) is OVERLOADED


def test_bad_api_key_is_the_credentials_fault() -> None:
    assert type(read_error(400, google(details=[info() | {"reason": "API_KEY_INVALID"}]), {})) is CREDENTIAL


# bodies


def test_error_of_anthropic_is_unwrapped() -> None:
    message = read_error(400, fixture("400_claude_invalid_signature"), {}).message
    assert message == "messages.1.content.0: Invalid `signature` in `thinking` block"


@pytest.mark.parametrize("message", ['{"type":"error"}', "{not json", '{"error":{}}'])
def test_message_that_is_not_anthropics_stays(message: str) -> None:
    assert read_error(400, google(message), {}).message == message


def test_error_in_an_array_is_unwrapped() -> None:
    assert read_error(400, b"[" + google("words") + b"]", {}).message == "words"


def test_doubled_commas_are_repaired() -> None:
    body = b'{"error":{"code":400,\n ,"message":"words",,"status":"INVALID_ARGUMENT"}}'
    assert read_error(400, body, {}).message == "words"


def test_error_of_a_token_endpoint_is_read() -> None:
    body = b'{"error":"invalid_grant","error_description":"Token has been expired or revoked."}'
    assert read_details(body).message == "invalid_grant: Token has been expired or revoked."


def test_error_of_a_server_that_is_built_on_openais_is_read() -> None:
    body = b'{"error":{"message":"Slow down. Please try again in 20s.","type":"requests","code":"rate_limit_exceeded"}}'
    error = read_error(429, body, {})
    assert (error.message, error.retry_after) == ("Slow down. Please try again in 20s.", 20.0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><head><title>502</title></head><body>\n<b>Bad</b> Gateway</body></html>", "502 Bad Gateway"),
        (b"<title>404</title> <style>*{margin:0}</style><p>Not <script>run()</script>found<style>p", "404 Not found"),
        (b"upstream connect error", "upstream connect error"),
        (b"", "status 502"),
        (b"[]", "[]"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_other_body_is_shown_as_it_is(body: bytes, message: str) -> None:
    assert read_error(502, body, {}).message == f"the upstream failed: {message}"


def test_other_body_is_shown_in_short() -> None:
    assert len(read_details(b"x" * 10_000).message) == 200


# waits


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5s", 12.5),
        ("0s", 0.0),
        ("479.417207ms", 0.479417207),
        ("25h20m26.179915352s", 91226.179915352),
        ("1h", 3600.0),
        ("1m0.5s", 60.5),
        ("250us", 0.00025),
        ("5", None),
        ("-3s", None),
        ("soon", None),
    ],
)
def test_duration_is_read(text: str, seconds: float | None) -> None:
    assert wait("", None, {"retryDelay": text}) == pytest.approx(seconds)
    assert wait("", None, info(quotaResetDelay=text)) == pytest.approx(seconds)


@pytest.mark.parametrize("first", range(5))
def test_first_source_of_a_wait_holds(first: int) -> None:
    metadata = {"quotaResetDelay": "2s", "quotaResetTimeStamp": "2026-04-20T09:19:03Z"}
    kept = dict(list(metadata.items())[max(first - 1, 0) :])
    details = [info(**kept), *([{"retryDelay": "1s"}] if first == 0 else [])]
    headers = {"Retry-After": "4"} if first <= 3 else {}
    assert wait("Please retry in 5s.", headers, *details) == pytest.approx(first + 1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("Mon, 20 Apr 2026 09:19:10 GMT", 10.0),
        ("Mon, 20 Apr 2020 00:00:00 GMT", 0.0),
        ("x", None),
        ("Mon, 20 Apr 99999999999 00:00:00 GMT", None),
        ("Mon, 20 Apr 2026 09:19:10 +99999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert wait("", {"retry-after": header}) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Your quota will reset after 1h43m56s.", 6236.0),
        ("Your quota will reset after 0s.", 0.0),
        ("Please retry in 1.2s.", 1.2),
        ("Resets in 71h15m27s.", 256527.0),
        ("Please retry in a while.", None),
    ],
)
def test_wait_is_read_from_the_words(message: str, seconds: float | None) -> None:
    assert wait(message) == seconds


def test_date_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        error = read_error(503, b"", {"retry-after": "Thu Jan  1 00:01:40 1970"}, now=60.0)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert error.retry_after == 40.0


def test_date_without_a_clock_is_unknown() -> None:
    body = google(details=[info(quotaResetTimeStamp="2026-04-20T09:19:03Z")])
    assert read_error(429, body, {"retry-after": "Mon, 20 Apr 2026 09:19:10 GMT"}).retry_after is None


# details


def test_details_of_a_validation_are_read() -> None:
    details = read_details(fixture("403_validation_required"))
    assert (details.code, details.status, details.reason) == (403, "PERMISSION_DENIED", "VALIDATION_REQUIRED")
    assert details.domain == "cloudcode-pa.googleapis.com"
    assert details.validation_url == "https://accounts.example.invalid/signin/continue?fake=1"
    assert list(details.links) == ["Verify your account", "Learn more"]


def test_validation_link_is_found_without_metadata() -> None:
    links = [{"description": "Learn more", "url": "https://l"}, {"description": "Verify", "url": "https://v"}]
    details = [{"reason": "VALIDATION_REQUIRED"}, {"links": links}]
    assert read_details(google(details=details)).validation_url == "https://v"


def test_quota_ids_are_read() -> None:
    assert read_details(fixture("429_quota_failure_daily")).quota_ids == ("RequestsPerDayPerUser",)


def test_domain_is_freed_of_stray_characters() -> None:
    details = [{"reason": "X", "domain": " cloudcode-pa.googleapis.com\n\u200b"}]
    assert read_details(google(details=details)).domain == "cloudcode-pa.googleapis.com"


def test_time_of_reset_is_read() -> None:
    assert read_details(fixture("429_rate_limit_minutes")).reset_at == 1776676861.0


@pytest.mark.parametrize("details", [[5], [{"reason": 5}], ["x"], [None], [{"metadata": {"a": 1}, "reason": "X"}]])
def test_odd_details_are_passed_over(details: object) -> None:
    assert read_details(google("words", details=details)).message == "words"


# masking


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Resource projects/fake-project-000/locations/x", "Resource projects/***/locations/x"),
        ("used in project fake-project-000 before", "used in project *** before"),
        ("project number 123456789012.", "project number ***."),
        ("Invalid project resource name projects/fake-project-000", "Invalid project resource name projects/***"),
        ("for consumer 'project_number:123456789012'.", "for consumer 'project_number:***'."),
        ("Project #123456789012 is gone", "Project #*** is gone"),
        ("set project_id=fake-project-000 anew", "set project_id=*** anew"),
        ("someone.else+x@example.co.uk is blocked", "*** is blocked"),
        ("see https://x.example/a?key=AIzaSyD-secret&b=1 now", "see https://x.example/a now"),
        ("Bearer ya29.a0secret", "Bearer ***"),
        ("This organization (2d4ed7d1-0f3b-4c1a-9d52-aa0bb1cc2dd3) is", "This organization (***) is"),
        ("your organization's 2d4ed7d1-0f3b-4c1a-9d52-aa0bb1cc2dd3", "your organization's ***"),
        ("org: 2D4ED7D1-0f3b-4c1a-9d52-aa0bb1cc2dd3", "org: ***"),
        ("in workspace wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ.", "in workspace wrkspc_***."),
        ("request 2d4ed7d1-0f3b-4c1a-9d52-aa0bb1cc2dd3", "request 2d4ed7d1-0f3b-4c1a-9d52-aa0bb1cc2dd3"),
        ("two\n lines\t", "two lines"),
        ("the project is gone", "the project is gone"),
    ],
)
def test_what_names_an_account_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Consumer my-proj-1 is out; my-proj-1.", "Consumer *** is out; ***."),
        ("my-proj-12 and a-my-proj-1 are others", "my-proj-12 and a-my-proj-1 are others"),
        ("a.b c", "a.b c"),
        ("of x.example:shop.", "of ***."),
    ],
)
def test_a_name_that_is_known_is_masked_wherever_it_stands(text: str, masked: str) -> None:
    assert without(text, ["", "a.b", "my-proj-1", "x.example:shop"]) == masked


@given(st.integers(0, 999), st.binary(max_size=300), st.dictionaries(st.just("retry-after"), st.text(max_size=20)))
def test_any_body_is_some_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    assert isinstance(read_error(status, body, headers, now=0.0), GatewayError)


KEYS = ["code", "message", "status", "details", "reason", "metadata", "links", "violations", "retryDelay"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_some_error(body: object) -> None:
    assert isinstance(read_error(400, json.dumps({"error": body}).encode(), {}), GatewayError)

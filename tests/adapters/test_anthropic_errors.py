"""What each refusal of Anthropic means."""

import json
import typing

import pytest

from gateway.adapters import failures
from gateway.adapters.anthropic_errors import RULES, is_error, read_failure
from gateway.adapters.failures import AMENDED, Cause, Failure
from gateway.errors import (
    ContextTooLong,
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
from tests.fakes.anthropic_api_errors import NAMED

NOW = 1_795_176_000.0  # 2026-11-20T12:00:00Z, twenty seconds before the limits of the fake begin anew

MEANT: dict[str, tuple[Cause, type[GatewayError], float | None]] = {
    "400_context": ("final", ContextTooLong, None),
    "400_credit": ("quota", UpstreamRateLimited, None),
    "400_policy": ("final", UpstreamRejected, None),
    "400_disabled": ("banned", UpstreamCredential, None),
    "401_key": ("key", UpstreamCredential, None),
    "401_expired": ("key", UpstreamCredential, None),
    "402_billing": ("quota", UpstreamRateLimited, None),
    "403_permission": ("forbidden", UpstreamCredential, None),
    "404_model": ("missing", ModelNotFound, None),
    "409_conflict": ("server", UpstreamUnavailable, None),
    "413_large": ("final", UpstreamRejected, None),
    "429_rate": ("rate_limit", UpstreamRateLimited, 20),
    "429_requests": ("rate_limit", UpstreamRateLimited, 7),
    "429_long": ("rate_limit", UpstreamRateLimited, 3600),
    "429_bare": ("rate_limit", UpstreamRateLimited, None),
    "500_internal": ("server", UpstreamUnavailable, None),
    "504_timeout": ("server", UpstreamTimeout, None),
    "529_overloaded": ("capacity", UpstreamOverloaded, None),
}


def said(status: int, message: str, kind: str = "invalid_request_error", code: str = "") -> Failure:
    error = {"type": kind, "message": message} | ({"details": {"error_code": code}} if code else {})
    return read_failure(status, json.dumps({"type": "error", "error": error}).encode(), {}, NOW)


def test_every_refusal_that_is_known_has_its_meaning() -> None:
    assert MEANT.keys() == NAMED.keys()


@pytest.mark.parametrize("name", MEANT)
def test_published_refusals(name: str) -> None:
    cause, kind, wait_s = MEANT[name]
    refusal = NAMED[name]("claude-opus-4-6")
    failure = read_failure(refusal.status, json.dumps(refusal.body).encode(), refusal.headers, NOW)
    assert (failure.cause, type(failure.error)) == (cause, kind)
    assert failure.wait_s == failure.error.retry_after
    assert failure.wait_s == pytest.approx(wait_s) if wait_s else failure.wait_s is None


def test_the_reset_of_the_limit_that_is_used_up_says_how_long_to_wait() -> None:
    headers = {
        "anthropic-ratelimit-requests-remaining": "12",
        "anthropic-ratelimit-requests-reset": "2026-11-20T12:30:00Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-20T12:00:45Z",
    }
    body = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "Error"}}).encode()
    assert read_failure(429, body, headers, NOW).wait_s == pytest.approx(45)


def test_a_budget_of_the_operators_own_lasts_until_the_day_that_is_named() -> None:
    words = "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
    failure = said(400, words)
    assert (failure.cause, type(failure.error)) == ("quota", UpstreamRateLimited)
    assert failure.wait_s == pytest.approx(10.5 * 86_400)


CANNOT_BE_MODIFIED = (
    "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
    "modified. These blocks must remain as they were in the original response."
)
EXPECTED = (
    "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is "
    "enabled, a final `assistant` message must start with a thinking block"
)
ENABLED = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" '
    "to control thinking behavior."
)
ROLE = (
    'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an '
    "input message role."
)
IDLE = (
    "output_config.effort 'xhigh' is not supported when thinking is disabled on this model. Use effort 'high' or "
    "below, or enable thinking."
)
TURN_OFF = (
    'To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of {"type": "disabled"}. '
    "The model does not think before responding."
)
DOUBAO = (
    "The parameter `messages.role` specified in the request are not valid: invalid value: `system`, supported values "
    "are: `assistant`, `user`. Request id: 021"
)
# MoonshotAI/Kimi-K2#118, zhukunpenglinyutong/jetbrains-cc-gui#591, maximhq/bifrost#3456, decolua/9router#3905
UNCONVERTED = (
    "failed to convert tool result content: unsupported content type in ContentBlockParamUnion: tool_reference"
)
PICTURED = "The image was specified using the image/jpeg media type, but the image appears to be a image/png image"
CUSTOM = (
    "Failed to deserialize the JSON body into the target type: tools[0]: unknown variant `custom`, expected "
    "`web_search_20250305` or `web_search_20260209` at line 1 column 53766"
)
FLAVOR = (
    "tools.function.parameters is not a valid moonshot flavored json schema, details: <At path 'properties.skill': "
    "when using anyOf, type should be defined in anyOf items instead of the parent schema>"
)
CAUSES: dict[str, Cause] = {
    "messages.1.content.0: Invalid `signature` in `thinking` block": "signatures",
    "messages.3.content.0.thinking.signature: Field required": "signatures",
    CANNOT_BE_MODIFIED: "signatures",
    EXPECTED: "thinking",
    "'claude-3-5-haiku-20241022' does not support thinking.": "thinking",
    "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'": "plain_ids",
    "adaptive thinking is not supported on this model": "adaptive",
    ENABLED: "budget",
    '"thinking.type.disabled" is not supported for this model.': "stopping",
    TURN_OFF: "between",
    "Thinking may not be enabled when tool_choice forces tool use.": "choice",
    'tool_choice: type "tool" and "any" are not supported for this model.': "choice",
    "This model does not support the effort parameter.": "effort",
    "This model does not support effort level 'xhigh'. Supported levels: high, low, medium.": "effort_value",
    'output_config.effort "high" is not supported by model m; supported values: [medium]': "effort_value",  # GitHub
    'output_config.effort "high" was provided, but model m does not support reasoning effort': "effort",
    "`temperature` is deprecated for this model.": "drawing",
    "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.": "drawing_thinking",
    "`top_p` must be >= 0.95 or unset when thinking is enabled.": "drawing_thinking",
    "`temperature` and `top_p` cannot both be specified for this model. Please use only one.": "both",
    "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-x": "limit",
    ROLE: "system_turns",
    "role 'system' is not supported on this model": "system_turns",
    "messages.2.role: Input should be 'user' or 'assistant'": "system_turns",
    "messages[1].role: unknown variant `system`, expected `user` or `assistant` at line 1 column 9": "system_turns",
    "invalid params, chat content has invalid message role: system (2013)": "system_turns",
    "messages[1].role must be either 'user' or 'assistant', but got 'system'": "system_turns",
    "Invalid discriminator value. Expected 'user' | 'assistant'": "system_turns",
    "thinking options type cannot be disabled when reasoning_effort is set": "idle_effort",
    IDLE: "idle_effort",
    "deepseek-reasoner does not support this tool_choice": "choice",
    "'claude-3-haiku-20240307' does not support output format.": "structured",
    "output_config: Extra inputs are not permitted": "output_config",
    "messages.1.output_config: Extra inputs are not permitted": "turn_config",
    "tools.0.custom.strict: Extra inputs are not permitted": "strictness",
    "Unexpected value(s) `x-2026-01-01` for the `anthropic-beta` header. Please consult our documentation": "betas",
    "invalid beta flag": "betas",
    "invalid params, tool result's tool id(call_function_zyndhba17kbl_1) not found (2013)": "unanswered",
    "invalid params, tool call result does not follow tool call (2013)": "unanswered",
    'invalid params, invalid thinking.type: "enabled" (allowed: adaptive, disabled) (2013)': "budget",
    DOUBAO: "system_turns",
    UNCONVERTED: "references",
    "messages[4].content: unknown variant `tool_reference`, expected `text` at line 1 column 42187": "references",
    CUSTOM: "typed_tools",
    PICTURED: "pictures",
    "This model does not support assistant message prefill. The conversation must end with a user message.": "begun",
    FLAVOR: "plain_schemas",
    "messages.0.content: Input should be a valid list": "final",
    "max_tokens: Field required": "final",
}


@pytest.mark.parametrize(("message", "cause"), CAUSES.items())
def test_a_bad_request_by_its_words(message: str, cause: Cause) -> None:
    assert said(400, message).cause == cause


def test_a_role_that_is_refused_as_fastapi_does_it() -> None:
    said = {"loc": ["body", "messages", 1, "role"], "msg": "Input should be 'user' or 'assistant'", "input": "system"}
    failure = read_failure(422, json.dumps({"detail": [said]}).encode(), {}, NOW)
    assert failure.cause == "system_turns"


@pytest.mark.parametrize(
    ("status", "code", "cause", "kind"),
    [
        (400, "organization_on_hold", "banned", UpstreamCredential),
        (400, "cmek_key_disabled", "forbidden", UpstreamCredential),
        (429, "enforced_spend_limit_reached", "quota", UpstreamRateLimited),
        (402, "linked_organization_spend_limit_reached", "quota", UpstreamRateLimited),
        (404, "thread_not_found", "final", NotFound),
        (404, "user_profile_not_found", "final", NotFound),
    ],
)
def test_a_newer_word_for_the_cause_goes_before_the_message(
    status: int, code: str, cause: Cause, kind: type[GatewayError]
) -> None:
    failure = said(status, "no", code=code)
    assert (failure.cause, type(failure.error)) == (cause, kind)


@pytest.mark.parametrize("message", ["Your API key has been disabled.", "This organization has been disabled."])
def test_what_is_disabled_for_good_is_never_the_callers_fault(message: str) -> None:
    for status in (400, 401, 403):
        failure = said(status, message)
        assert (failure.cause, failure.error.status) == ("banned", 502)


def test_a_place_that_is_not_served_is_said() -> None:
    failure = said(403, "Request not allowed", "forbidden")
    assert (failure.cause, failure.error.status) == ("location", 502)
    assert "in this gateway's region" in failure.error.message


def test_what_llama_cpp_says_of_a_request_is_no_failure_of_the_server() -> None:
    error = {"code": 500, "message": "image input is not supported - hint: …", "type": "server_error"}
    failure = read_failure(500, json.dumps({"error": error}).encode(), {}, NOW)
    assert (failure.cause, failure.status, type(failure.error)) == ("final", 400, UpstreamRejected)


def test_nothing_at_the_address_says_what_to_set() -> None:
    failure = said(404, "Not Found", "not_found_error")
    assert (failure.cause, failure.error.status) == ("address", 502)
    assert "base_url is given without /v1" in failure.error.message


def test_a_404_of_a_service_is_of_what_it_was_asked_for() -> None:
    failure = said(404, "It is not available to you.", "not_found_error")
    assert (failure.cause, type(failure.error)) == ("missing", ModelNotFound)


@pytest.mark.parametrize(
    ("kind", "cause", "error"),
    [
        ("overloaded_error", "capacity", UpstreamOverloaded),
        ("api_error", "server", UpstreamUnavailable),
        ("rate_limit_error", "rate_limit", UpstreamRateLimited),
        ("timeout_error", "server", UpstreamTimeout),
        ("authentication_error", "key", UpstreamCredential),
        ("invalid_request_error", "final", UpstreamRejected),
    ],
)
def test_an_error_within_an_answer_goes_by_its_type(kind: str, cause: Cause, error: type[GatewayError]) -> None:
    """Pitfall 37"""
    payload = json.dumps({"type": "error", "error": {"type": kind, "message": "m"}}).encode()
    assert is_error(payload)
    failure = read_failure(200, payload, {}, NOW)
    assert (failure.cause, type(failure.error)) == (cause, error)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"type": "message_start"}', b'{"type": "ping"}'])
def test_what_is_no_error(payload: bytes) -> None:
    assert not is_error(payload)


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"\xff\xfe", b"[" * 50_000])
def test_a_refusal_that_cannot_be_read_goes_by_its_status(body: bytes) -> None:
    assert read_failure(502, body, {}, NOW).cause == "server"
    assert isinstance(read_failure(200, body, {}, NOW).error, UpstreamMalformed | UpstreamUnavailable)


def test_no_rule_goes_on_for_ever() -> None:
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

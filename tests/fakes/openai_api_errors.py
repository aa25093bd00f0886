"""How OpenAI says no: its keys, its limits, its models, its fields, and the errors a script or a failure can name.

https://platform.openai.com/docs/guides/error-codes and what callers have published of the bodies. Every body is
`{"error": {"message", "type", "param", "code"}}`.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from tests.fakes.v1internal_errors import Refusal

__all__ = [
    "NAMED",
    "OpenAIRefusal",
    "bad",
    "key_missing",
    "key_refused",
    "listing",
    "model_not_found",
    "named",
    "nothing_here",
    "unknown_argument",
    "unreadable",
    "unsupported_parameter",
    "unsupported_value",
]

LIMITS = "Visit https://platform.openai.com/account/rate-limits to learn more."


class OpenAIRefusal(Refusal):
    """One HTTP error, and the headers that come with it."""

    def __init__(self, status: int, error: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status, {"error": error})
        self.headers = headers or {}


def bad(
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    kind: str | None = "invalid_request_error",
    status: int = 400,
    **headers: str,
) -> OpenAIRefusal:
    """Write an error; underscores in the names of headers stand for dashes."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return OpenAIRefusal(status, error, {name.replace("_", "-"): value for name, value in headers.items()})


def key_missing() -> OpenAIRefusal:
    """Write the 401 of a call without a bearer."""
    return bad(
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the "
        "API from your browser and are prompted for a username and password. You can obtain an API key from "
        "https://platform.openai.com/account/api-keys.",
        status=401,
    )


def key_refused(key: str) -> OpenAIRefusal:
    """Write the 401 of a key that is unknown: most of it is starred out."""
    shown = key if len(key) < 10 else f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}"
    return bad(
        f"Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
        status=401,
    )


def model_not_found(name: str) -> OpenAIRefusal:
    """Write the 404 of a model that is not there, or not for this account."""
    return bad(
        f"The model `{name}` does not exist or you do not have access to it.", code="model_not_found", status=404
    )


def nothing_here(method: str, path: str) -> OpenAIRefusal:
    """Write the 404 of an unknown address."""
    return bad(f"Invalid URL ({method} {path})", status=404)


def unreadable() -> OpenAIRefusal:
    """Write the 400 of a body that is no JSON."""
    return bad(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
        "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
    )


def unknown_argument(name: str) -> OpenAIRefusal:
    """Write Chat's 400 of a top-level field that it does not know."""
    return bad(f"Unrecognized request argument supplied: {name}")


def unsupported_parameter(name: str, instead: str = "") -> OpenAIRefusal:
    """Write the 400 of a parameter that the model does not have."""
    words = f"Unsupported parameter: '{name}' is not supported with this model."
    return bad(f"{words} Use '{instead}' instead." if instead else words, param=name, code="unsupported_parameter")


def unsupported_value(name: str, value: Any, allowed: str) -> OpenAIRefusal:
    """Write the 400 of a value that the model does not take."""
    words = f"Unsupported value: '{name}' does not support {value!r} with this model. {allowed}"
    return bad(words, param=name, code="unsupported_value")


def listing(values: list[str]) -> str:
    """Write a list as the service does."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def _said(status: int, message: str, kind: str | None, code: str | None = None, **headers: str) -> Callable[[str], Any]:
    return lambda model: bad(message.format(model=model), status=status, kind=kind, code=code, **headers)


QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
)

# name -> the error, given the model of the call
NAMED: dict[str, Callable[[str], OpenAIRefusal]] = {
    "400_context": _said(
        400,
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens. "
        "Please reduce the length of the messages.",
        "invalid_request_error",
        "context_length_exceeded",
    ),
    "400_context_window": _said(
        400,
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "invalid_request_error",
        "context_length_exceeded",
    ),
    "400_policy": _said(
        400,
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a "
        "different prompt.",
        "invalid_request_error",
        "invalid_prompt",
    ),
    "400_billing_limit": _said(
        400, "Billing hard limit has been reached", "invalid_request_error", "billing_hard_limit_reached"
    ),
    "401_invalid_key": lambda _: key_refused("sk-proj-fakefakefakefake1234"),
    "401_deactivated": _said(
        401,
        "The OpenAI account associated with this API key has been deactivated. If you are an owner of this account, "
        "check your email for more information.",
        "invalid_request_error",
        "account_deactivated",
    ),
    "401_scopes": _said(
        401,
        "You have insufficient permissions for this operation. Missing scopes: model.request. Check that you have the "
        "correct role in your organization and project.",
        "invalid_request_error",
        "missing_scope",
    ),
    "403_country": _said(
        403,
        "Country, region, or territory not supported",
        "request_forbidden",
        "unsupported_country_region_territory",
    ),
    "403_model": _said(
        403,
        "Project `proj_fake` does not have access to model `{model}`",
        "invalid_request_error",
        "model_not_found",
    ),
    "429_requests": _said(
        429,
        "Rate limit reached for {model} in organization org-fake on requests per min (RPM): Limit 3, Used 3, "
        f"Requested 1. Please try again in 20s. {LIMITS}",
        "requests",
        "rate_limit_exceeded",
        retry_after="20",
        retry_after_ms="20000",
        x_ratelimit_limit_requests="3",
        x_ratelimit_remaining_requests="0",
        x_ratelimit_reset_requests="20s",
    ),
    "429_tokens": _said(
        429,
        "Rate limit reached for {model} in organization org-fake on tokens per min (TPM): Limit 30000, Used 29500, "
        f"Requested 4000. Please try again in 7.24s. {LIMITS}",
        "tokens",
        "rate_limit_exceeded",
        x_ratelimit_limit_tokens="30000",
        x_ratelimit_remaining_tokens="500",
        x_ratelimit_reset_tokens="7.24s",
    ),
    "429_too_large": _said(
        429,
        "Request too large for {model} in organization org-fake on tokens per min (TPM): Limit 30000, Requested 45000. "
        f"The input or output tokens must be reduced in order to run successfully. {LIMITS}",
        "tokens",
        "rate_limit_exceeded",
        x_ratelimit_limit_tokens="30000",
        x_ratelimit_remaining_tokens="30000",
        x_ratelimit_reset_tokens="0s",
    ),
    "429_day": _said(
        429,
        "Rate limit reached for {model} in organization org-fake on requests per day (RPD): Limit 200, Used 200, "
        f"Requested 1. Please try again in 7m12s. {LIMITS}",
        "requests",
        "rate_limit_exceeded",
    ),
    "429_quota": _said(429, QUOTA, "insufficient_quota", "insufficient_quota"),
    "429_bare": _said(429, "Too Many Requests", None),
    "500_server": _said(
        500,
        "The server had an error while processing your request. Sorry about that!",
        "server_error",
    ),
    "500_final": _said(500, "The model failed on this input.", "server_error", x_should_retry="false"),
    "501_again": _said(501, "Not ready yet.", "server_error", x_should_retry="true"),
    "503_overloaded": _said(
        503, "That model is currently overloaded with other requests. You can retry your request.", "server_error"
    ),
    "503_slow_down": _said(
        503, "Slow down: reduce your request rate and try again.", "service_unavailable_error", "slow_down"
    ),
}


def named(name: str, model: str) -> OpenAIRefusal:
    """Take an error of `NAMED`, or a bare one by its number."""
    if name.isdigit():
        status = int(name)
        known = status in {one.value for one in HTTPStatus}
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return bad(HTTPStatus(status).phrase if known else "Error", status=status, kind=kind)
    if name not in NAMED:
        return bad(f"fake: no error is called {name!r}")
    return NAMED[name](model)

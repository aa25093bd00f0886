"""How Anthropic says no, and how Vertex says it for Claude.

https://platform.claude.com/docs/en/api/errors and what callers have published of the bodies. Every body of Anthropic's
is `{"type": "error", "error": {"type", "message"}, "request_id"}`; the id is put in when the answer goes out. What
Vertex itself refuses (the bearer, the model, the quota) is a `google.rpc.Status`.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from tests.fakes.v1internal_errors import Refusal, google

__all__ = ["NAMED", "AnthropicRefusal", "bad", "error", "google_named", "listing", "named", "publisher_not_found"]

DOCS = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"

# https://platform.claude.com/docs/en/api/errors#http-errors
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicRefusal(Refusal):
    """One HTTP error of Anthropic's, and the headers that come with it."""

    def __init__(self, status: int, error: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status, {"type": "error", "error": error})
        self.headers = headers or {}


def error(status: int, message: str, kind: str = "", **headers: str) -> AnthropicRefusal:
    """Write an error; underscores in the names of headers stand for dashes."""
    kind = kind or TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    labels = {name.replace("_", "-"): value for name, value in headers.items()}
    return AnthropicRefusal(status, {"type": kind, "message": message}, labels)


def bad(path: str, problem: str) -> AnthropicRefusal:
    """Write the 400 of a field, or of the whole request."""
    return error(400, f"{path}: {problem}" if path else problem, x_should_retry="false")


def listing(values: list[str], last: str = "or") -> str:
    """Write a list as the service does."""
    quoted = [f"'{value}'" for value in values]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def _said(status: int, message: str, **headers: str) -> Callable[[str], AnthropicRefusal]:
    return lambda model: error(status, message.replace("{model}", model), **headers)


RESETS = "2026-11-20T12:00:20Z"
RATE = (
    "This request would exceed your organization's rate limit of 50,000 input tokens per minute (org: fake, model: "
    "{model}). For details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers "
    "for current usage. Please reduce the prompt length or the maximum tokens requested, or try again later."
)

# name -> the error, given the model of the call
NAMED: dict[str, Callable[[str], AnthropicRefusal]] = {
    "400_context": _said(400, "prompt is too long: 205000 tokens > 200000 maximum"),
    "400_credit": _said(
        400,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
        "purchase credits.",
    ),
    "400_policy": _said(400, "Output blocked by content filtering policy"),
    "400_disabled": _said(400, "This organization has been disabled."),
    "401_key": _said(401, "invalid x-api-key"),
    "401_expired": _said(401, "OAuth token has expired. Please obtain a new token or refresh your existing token."),
    "402_billing": _said(402, "Your payment could not be processed. Please update your billing details."),
    "403_permission": _said(403, "Your API key does not have permission to use the specified resource."),
    "404_model": _said(404, "model: {model}"),
    "409_conflict": _said(409, "The resource was changed by another request."),
    "413_large": _said(413, "Request exceeds the maximum size"),
    "429_rate": _said(
        429,
        RATE,
        retry_after="20",
        anthropic_ratelimit_input_tokens_limit="50000",
        anthropic_ratelimit_input_tokens_remaining="0",
        anthropic_ratelimit_input_tokens_reset=RESETS,
    ),
    "429_requests": _said(
        429,
        "Number of request tokens has exceeded your per-minute rate limit "
        "(https://docs.claude.com/en/api/rate-limits); see the response headers for current usage. Please try again "
        "later or contact sales at https://claude.com/contact-sales to discuss your options for a rate limit increase.",
        retry_after="7",
        anthropic_ratelimit_requests_limit="50",
        anthropic_ratelimit_requests_remaining="0",
        anthropic_ratelimit_requests_reset=RESETS,
    ),
    "429_long": _said(429, "This request would exceed your account's rate limit.", retry_after="3600"),
    "429_bare": _said(429, "Error"),
    "500_internal": _said(500, "Internal server error"),
    "504_timeout": _said(504, "Request timed out"),
    "529_overloaded": _said(529, "Overloaded", x_should_retry="true"),
}

GOOGLE: dict[str, Callable[[], Refusal]] = {
    "401_bearer": lambda: google(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See "
        "https://developers.google.com/identity/sign-in/web/devconsole-project.",
    ),
    "403_vertex": lambda: google(
        403,
        "Permission 'aiplatform.endpoints.predict' denied on resource "
        "'//aiplatform.googleapis.com/projects/fake/locations/global/publishers/anthropic/models/claude' (or it may "
        "not exist).",
    ),
    "429_vertex": lambda: google(
        429,
        "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model with base model: "
        "anthropic-claude. Please submit a quota increase request. "
        "https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.",
    ),
    "503_vertex": lambda: google(503, "The service is currently unavailable."),
}


def named(name: str, model: str) -> Refusal:
    """Take an error of `NAMED` or of Vertex, or a bare one by its number."""
    if name.isdigit():
        status = int(name)
        known = status in {one.value for one in HTTPStatus}
        return error(status, HTTPStatus(status).phrase if known else "Error")
    if name in GOOGLE:
        return GOOGLE[name]()
    if name not in NAMED:
        return error(400, f"fake: no error is called {name!r}")
    return NAMED[name](model)


def google_named(name: str) -> Refusal:
    """Take an error that Vertex itself gives."""
    return GOOGLE[name]()


def publisher_not_found(project: str, location: str, model: str) -> Refusal:
    """Write Vertex's 404 of a model."""
    where = f"projects/{project}/locations/{location}/publishers/anthropic/models/{model}"
    return google(
        404,
        f"Publisher Model `{where}` was not found or your project does not have access to it. Please ensure you are "
        "using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
    )

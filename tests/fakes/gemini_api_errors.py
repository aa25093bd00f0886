"""How the public API says no: its keys, its quotas, its models, and the errors a script or a failure can name.

https://ai.google.dev/gemini-api/docs/troubleshooting and what callers have published of the bodies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fakes.v1internal_errors import Refusal, google, invalid, plain

__all__ = [
    "NAMED",
    "bearer_refused",
    "key_missing",
    "key_refused",
    "model_not_found",
    "named",
    "permission_denied",
]

SERVICE = "generativelanguage.googleapis.com"
TYPE = "type.googleapis.com/google.rpc."
LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"
EXHAUSTED = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    f"head to: {LIMITS}. To monitor your current usage, head to: https://ai.dev/rate-limit. "
)
INVALID_KEY = "API key not valid. Please pass a valid API key."
EXPIRED_KEY = "API key expired. Please renew the API key."
SUSPENDED = "Permission denied: Consumer 'api_key:FAKE' has been suspended."
NOT_IDENTIFIED = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)


def _info(reason: str, **metadata: str) -> dict[str, Any]:
    metadata = {"service": SERVICE, **metadata}
    return {"@type": f"{TYPE}ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def key_refused(message: str = INVALID_KEY) -> Refusal:
    """Write the 400 of a key that is unknown, or no longer good."""
    localized = {"@type": f"{TYPE}LocalizedMessage", "locale": "en-US", "message": message}
    return google(400, message, details=[_info("API_KEY_INVALID"), localized])


def key_missing() -> Refusal:
    """Write the 403 of a call without a key."""
    return google(403, NOT_IDENTIFIED)


def bearer_refused() -> Refusal:
    """Write the 401 of a bearer that is no access token: a key does not go there."""
    return google(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        details=[_info("ACCESS_TOKEN_TYPE_UNSUPPORTED")],
    )


def permission_denied(message: str) -> Refusal:
    """Write the 403 of something that is another key's, or not there: the service does not say which."""
    return google(403, message)


def model_not_found(name: str, method: str, version: str) -> Refusal:
    """Write the 404 of a model that is not there or does not take this method; streaming is `generateContent` too."""
    shown = "generateContent" if method == "streamGenerateContent" else method
    return google(
        404,
        f"{name} is not found for API version {version}, or is not supported for {shown}. "
        "Call ListModels to see the list of available models and their supported methods.",
    )


def _quota(metric: str, quota: str, limit: int, retry_s: float) -> Callable[[str], Refusal]:
    def refusal(model: str) -> Refusal:
        violation: dict[str, Any] = {
            "quotaMetric": f"{SERVICE}/{metric}",
            "quotaId": quota,
            "quotaDimensions": {"location": "global", "model": model},
        }
        if limit:  # proto JSON leaves out a zero
            violation["quotaValue"] = str(limit)
        return google(
            429,
            f"{EXHAUSTED}\n* Quota exceeded for metric: {SERVICE}/{metric}, limit: {limit}, model: {model}\n"
            f"Please retry in {retry_s}s.",
            details=[
                {
                    "@type": f"{TYPE}Help",
                    "links": [{"description": "Learn more about Gemini API quotas", "url": LIMITS}],
                },
                {"@type": f"{TYPE}QuotaFailure", "violations": [violation]},
                {"@type": f"{TYPE}RetryInfo", "retryDelay": f"{int(retry_s)}s"},
            ],
        )

    return refusal


def _said(code: int, message: str, **extra: Any) -> Callable[[str], Refusal]:
    return lambda _: google(code, message, **extra)


REQUESTS, TOKENS = "generate_content_free_tier_requests", "generate_content_free_tier_input_token_count"
PER_MODEL = "PerProjectPerModel-FreeTier"

# name -> the error, given the model of the call
NAMED: dict[str, Callable[[str], Refusal]] = {
    "400_key_invalid": lambda _: key_refused(),
    "400_key_expired": lambda _: key_refused(EXPIRED_KEY),
    "400_location": _said(400, "User location is not supported for the API use.", status="FAILED_PRECONDITION"),
    "400_invalid_argument": _said(400, "Request contains an invalid argument."),
    "403_key_suspended": _said(403, SUSPENDED, details=[_info("CONSUMER_SUSPENDED")]),
    "403_key_leaked": _said(403, "Your API key was reported as leaked. Please use another API key."),
    "403_service_disabled": _said(
        403,
        "Generative Language API has not been used in project 0 before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/{SERVICE}/overview?project=0 then retry.",
        details=[_info("SERVICE_DISABLED", consumer="projects/0")],
    ),
    "429_bare": _said(429, "Resource has been exhausted (e.g. check quota)."),
    "429_per_minute": _quota(REQUESTS, f"GenerateRequestsPerMinute{PER_MODEL}", 5, 38.863719904),
    "429_per_day": _quota(REQUESTS, f"GenerateRequestsPerDay{PER_MODEL}", 250, 20.04466179),
    "429_tokens_per_minute": _quota(TOKENS, "GenerateContentInputTokensPerModelPerMinute-FreeTier", 250000, 26.5),
    "429_limit_zero": _quota(REQUESTS, f"GenerateRequestsPerDay{PER_MODEL}", 0, 7.967587226),
    "499_cancelled": _said(499, "The operation was cancelled."),
    "500_internal": _said(
        500,
        "An internal error has occurred. Please retry or report in "
        "https://developers.generativeai.google/guide/troubleshooting",
    ),
    "503_high_demand": _said(
        503,
        "This model is currently experiencing high demand. Spikes in demand are usually temporary. "
        "Please try again later.",
    ),
    "503_overloaded": _said(503, "The model is overloaded. Please try again later."),
    "504_deadline": _said(504, "Deadline expired before operation could complete."),
}


def named(name: str, model: str) -> Refusal:
    """Take an error of `NAMED`, or a bare one by its number."""
    if name.isdigit():
        return plain(int(name))
    if name not in NAMED:
        return invalid(f"fake: no error is called {name!r}")
    return NAMED[name](model)

"""What each failure of the Gemini API means: for the API key, and for the next try.

    status, body ─► read_failure ─► Failure(cause) ─► RULES[cause] ─► the journey's next step

An API key is refused with 400, 401 or 403. A 403 may also be about a file, a cache or a tuned model: these belong to
the key that made them, and another key's are as good as absent. A bare lack of permission is about such a thing
only where the call names one (`of_named`), else about the key. Some methods take no API key, whichever it is.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

from gateway.adapters.amendments import COMPLEX, REFUSED, SCHEMAS, UNPAID
from gateway.adapters.failures import (
    KEYED,
    NOT_HERE,
    REGION,
    STATUSES,
    Cause,
    Causes,
    Failure,
    Rule,
    Rules,
    of_service,
    quota_wait,
)
from gateway.dialects.gemini.errors import read_details, read_error
from gateway.errors import GatewayError, NotFound, UpstreamRateLimited, UpstreamUnavailable

__all__ = ["OF_KEY", "RULES", "astray", "of_named", "oversized", "read_failure"]

RULES: Final[Rules] = {
    **KEYED,
    # without a reason: as a rule of the key, but also of a method that is not for it
    "token": Rule(mark="disable", words="the API key was rejected", others=math.inf, always=True),
    "forbidden": Rule(mark="disable", words="the API key may not do this", others=math.inf, always=True),
    "service": Rule(mark="disable", words="API not enabled in its project", others=math.inf, always=True),
    "resource": Rule(others=math.inf, always=True),  # whose it is may have been seen by another process, or before
    "keyless": Rule(),
    "oversized": Rule(others=math.inf, always=True),  # another key may be of a higher tier
}
OF_KEY: Final[frozenset[Cause]] = frozenset({"key", "banned"})  # whatever it is asked for

_400: Final = frozenset({400})
_401: Final = frozenset({401})
_403: Final = frozenset({403})
_CAUSES: Final = Causes(
    reasons={
        "API_KEY_INVALID": "key",
        "API_KEY_SERVICE_BLOCKED": "forbidden",  # a key may be held to some of the methods
        "API_KEY_HTTP_REFERRER_BLOCKED": "key",
        "API_KEY_IP_ADDRESS_BLOCKED": "key",
        "API_KEY_ANDROID_APP_BLOCKED": "key",
        "API_KEY_IOS_APP_BLOCKED": "key",
        "CONSUMER_SUSPENDED": "banned",
        "CONSUMER_INVALID": "banned",
        "SERVICE_DISABLED": "service",
        "BILLING_DISABLED": "service",
        "CREDENTIALS_MISSING": "keyless",
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "keyless",
    },
    words=(
        *REGION,
        *UNPAID,
        *SCHEMAS,
        *REFUSED,
        *COMPLEX,
        (_401, "api keys are not supported", "keyless"),
        (_401, "api key not valid", "key"),
        (_401, "api key expired", "key"),
        (_403, "insufficient authentication scopes", "keyless"),
        (_403, "permission to access", "resource"),
        (_403, "storage.objects", "resource"),
        (_403, "or permission denied", "resource"),
        (_403, "caller does not have permission", "scope"),
        (_403, "reported as leaked", "banned"),
    ),
    statuses={**STATUSES, 401: "token", 402: "quota", 503: "capacity"},
)
_TOLD: Final[Mapping[Cause, tuple[Callable[..., GatewayError], str]]] = {
    "resource": (NotFound, "only the API key that made it has access to it"),
    "keyless": (
        NotFound,
        "this method does not accept API keys, the only login that the gateway has; call Google directly with OAuth",
    ),
    "location": (UpstreamUnavailable, NOT_HERE),
}
_ADDRESS: Final = "there is nothing at this URL of the upstream; base_url is given without /v1beta"


@of_service
def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read an error answer, or the payload of an error event under status 200."""
    details = read_details(body)
    error = read_error(status, body, headers, now=now)
    code = status if status >= 400 else details.code or error.status
    if code == 429:
        # the wait that is named beside a day's quota is that of the minute
        error.retry_after = quota_wait(details, error.retry_after, now, believed=False)
    cause = _CAUSES.find(code, details.reason, details.message)
    if cause in _TOLD:
        error = _told(cause, details.message)
    elif cause == "quota":
        error.code = UpstreamRateLimited.SPENT
    return Failure(error, cause, status=code, wait_s=error.retry_after, reason=details.reason)


def of_named(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read the refusal of a call that names a file, a cache or the like."""
    failure = read_failure(status, body, headers, now)
    if failure.cause != "scope":
        return failure
    error = _told("resource", read_details(body).message)
    return Failure(error, "resource", status=failure.status, reason=failure.reason)


def astray(failure: Failure, body: bytes) -> Failure:
    """Say where an answer was asked for at no address of the service: that 404 is a page, or knows of no model."""
    if failure.cause != "missing":
        return failure
    details = read_details(body)
    if details.status or details.code is not None:
        return failure
    if "model" in details.message.lower() and not body.lstrip().startswith(b"<"):  # pages repeat the path
        return failure
    return Failure(UpstreamUnavailable(f"{_ADDRESS}: {details.message or failure.status}"), "address", status=404)


def oversized(failure: Failure, body: bytes, tokens: Callable[[], int]) -> Failure:
    """Tell where a prompt of so many tokens is more than a minute's, however little is used: the key serves others."""
    if failure.cause != "rate_limit" or not 0 < read_details(body).most_read < tokens():
        return failure
    failure.error.retry_after, failure.error.headers = None, {"x-should-retry": "false"}
    return Failure(failure.error, "oversized", status=failure.status, reason=failure.reason)


def _told(cause: Cause, said: str) -> GatewayError:
    kind, words = _TOLD[cause]
    return kind(f"{words}: {said}")

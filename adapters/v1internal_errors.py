"""What each failure of Code Assist means: for the credential, and for the next try.

    status, body ─► read_failure ─► Failure(cause) ─► RULES[cause] ─► the journey's next step

The causes are Google's own reasons where it gives one, else the status, else a few words of the message.
"""

import math
from collections.abc import Mapping
from typing import Final

from gateway.adapters.amendments import REFUSED
from gateway.adapters.failures import (
    COMMON,
    NOT_HERE,
    REGION,
    STATUSES,
    Causes,
    Failure,
    Rule,
    Rules,
    of_service,
    quota_wait,
)
from gateway.dialects.gemini.errors import read_details, read_error
from gateway.errors import NotFound, UpstreamCredential, UpstreamRateLimited, UpstreamUnavailable

__all__ = ["RULES", "read_failure"]

RULES: Final[Rules] = {
    **COMMON,
    "quota": Rule(mark="cool", spent=True, others=math.inf, waits=True),
    # without details it may be the answer to words of the prompt that are not welcome, whoever sends them: not every
    # credential shall run into it, and two that do are not to blame
    "bare_429": Rule(base=True, mark="cool_briefly", others=1),
    "capacity": Rule(base=True, again=2, retries=2),
    "server": Rule(base=True, others=math.inf, counted=True, again=math.inf, fails=True),
    "unreachable": Rule(base=True, again=math.inf, fails=True),
    "broken": Rule(base=True, again=math.inf, fails=True),
    # expired tokens come as 401 also before their time
    "token": Rule(renew=("token",), mark="disable", words="401 after a refresh", others=math.inf, always=True),
    "forbidden": Rule(renew=("token",), mark="disable", words="403 after a refresh", others=math.inf, always=True),
    "verification": Rule(mark="verify", others=math.inf, always=True),
    "service": Rule(
        renew=("project", "token"),
        mark="disable",
        words="API not enabled in its project",
        others=math.inf,
        always=True,
    ),
    # found before, or by another program; one that is configured stays (see `Projects.fixed`)
    "permission": Rule(
        renew=("project",),
        mark="disable",
        words="the account may not use its project",
        others=math.inf,
        always=True,
    ),
    # also what sounds final: the account may have been changed since its token was given
    "banned": Rule(renew=("token",), mark="disable", words="refused for good", others=math.inf, always=True),
    "missing": Rule(base=True, others=1, always=True),
    "address": Rule(base=True, others=1, always=True),
    "location": Rule(),
    "project": Rule(renew=("project",), others=1, always=True),
    "resource": Rule(others=1, always=True),
    # the credential has been marked where it failed; a token endpoint that is down is so for all
    "login": Rule(others=math.inf, waits=True),
    "refresh": Rule(others=1, waits=True),
}

_CAUSES: Final = Causes(
    reasons={
        "RATE_LIMIT_EXCEEDED": "rate_limit",
        "QUOTA_EXHAUSTED": "quota",
        "INSUFFICIENT_G1_CREDITS_BALANCE": "quota",
        "MODEL_CAPACITY_EXHAUSTED": "capacity",
        "VALIDATION_REQUIRED": "verification",
        "SERVICE_DISABLED": "service",
        "IAM_PERMISSION_DENIED": "permission",
        "SUBSCRIPTION_REQUIRED": "permission",
        "CONSUMER_INVALID": "permission",
        "CONSUMER_SUSPENDED": "permission",
        "USER_PROJECT_DENIED": "permission",
    },
    words=(
        (frozenset({429, 503, 529}), "no capacity available", "capacity"),
        (frozenset({403}), "terms of service", "banned"),
        (frozenset({403}), "valid license", "banned"),
        (frozenset({403}), "named user", "banned"),
        (frozenset({403}), "no longer supported", "final"),
        (frozenset({404}), "projects/", "project"),
        (frozenset({400}), "invalid project resource name", "project"),
        *REGION,
        *REFUSED,
    ),
    statuses={**STATUSES, 401: "token"},
)
# of a file or a cache that the request names, which is no matter of the account
_NAMED: Final = ("storage.objects", "cachedcontents", "permission to access the file")


@of_service
def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read an error answer, or the payload of an error event under status 200."""
    details = read_details(body)
    error = read_error(status, body, headers, now=now)
    code = status if status >= 400 else details.code or error.status
    if code == 429:
        error.retry_after = quota_wait(details, error.retry_after, now)
    cause = _CAUSES.find(code, details.reason, details.message)
    if cause == "rate_limit" and not (error.retry_after is not None or details.reason or details.quota_ids):
        cause = "bare_429"
    if code == 403 and any(words in details.message.lower() for words in _NAMED):
        error = NotFound(f"the upstream's accounts have no access to what the request names: {details.message}")
        cause = "resource"
    elif cause == "project":  # the operator's matter, no unknown model
        error = UpstreamCredential(f"the upstream does not know the credential's project: {error.message}")
    elif cause == "location":
        error = UpstreamUnavailable(f"{NOT_HERE}: {error.message}")
    elif cause == "bare_429":
        error = UpstreamRateLimited(f"the upstream rejects the request and gives no reason: {error.message}")
    elif cause == "quota" and isinstance(error, UpstreamRateLimited):
        error.code = UpstreamRateLimited.SPENT
    return Failure(
        error, cause, status=code, wait_s=error.retry_after, link=details.validation_url, reason=details.reason
    )

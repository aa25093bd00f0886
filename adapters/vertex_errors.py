"""What each failure of Vertex AI means, and what its operator can do about it.

    status, body ─► read_failure ─► Failure(cause) ─► RULES[cause] ─► the journey's next step

Nothing here puts the credential out of use: there is one, and what it lacks is given to it from outside. Claude's own
refusals come in Anthropic's words.
"""

import math
from collections.abc import Mapping
from typing import Final

from gateway.adapters.amendments import COMPLEX, REFUSED, SCHEMAS
from gateway.adapters.failures import COMMON, STATUSES, Cause, Causes, Failure, Rule, Rules, of_service, quota_wait
from gateway.dialects.gemini.errors import Details, read_details, read_error
from gateway.errors import GatewayError, ModelNotFound, UpstreamCredential

__all__ = ["OPERATORS", "RULES", "read_failure"]

RULES: Final[Rules] = {
    **COMMON,
    # of the model's shared capacity, not of a quota: it passes
    "bare_429": Rule(again=math.inf),
    "capacity": Rule(again=math.inf),
    "server": Rule(again=math.inf, fails=True),
    "unreachable": Rule(again=math.inf, fails=True),
    "broken": Rule(again=math.inf, fails=True),
    "token": Rule(renew=("token",), always=True),
    "refresh": Rule(waits=True, always=True),
    "login": Rule(),
    "project": Rule(),
    "forbidden": Rule(),
    "service": Rule(),
    "missing": Rule(),
}
OPERATORS: Final[frozenset[Cause]] = frozenset({"token", "project", "forbidden", "service"})

_400: Final = frozenset({400})
_400_403: Final = frozenset({400, 403})
_CAUSES: Final = Causes(
    reasons={
        "RATE_LIMIT_EXCEEDED": "rate_limit",
        "SERVICE_DISABLED": "service",
        "BILLING_DISABLED": "service",
        "CONSUMER_INVALID": "project",
        "CONSUMER_SUSPENDED": "project",
        "USER_PROJECT_DENIED": "project",
        "RESOURCE_PROJECT_INVALID": "project",
        "IAM_PERMISSION_DENIED": "forbidden",
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "forbidden",
    },
    words=(
        (_400, "not servable in region", "missing"),
        (_400, "unsupported region", "missing"),
        (_400_403, "is not allowed to use publisher model", "forbidden"),
        (_400, "allowed per prediction", "batch"),
        (_400, "too many instances", "batch"),
        (_400, "supports up to 20000", "batch"),  # tokens of all the texts of a call
        (_400, "unknown name id at contents", "ids"),
        *SCHEMAS,
        *REFUSED,
        *COMPLEX,
    ),
    statuses={**STATUSES, 401: "token", 503: "capacity"},
)
_ENABLE: Final = "https://console.cloud.google.com/apis/library/aiplatform.googleapis.com"
_HINTS: Final[Mapping[Cause, str]] = {
    "token": "log in again: `gcloud auth application-default login`, or a new service account file",
    "forbidden": "give the credentials the role Vertex AI User in the project, and the project the model",
    "project": "check the project, and that the credentials may use it (role Service Usage Consumer)",
}


@of_service
def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read an error answer, or the payload of an error event under status 200."""
    details = read_details(body)
    error = read_error(status, body, headers, now=now)
    code = status if status >= 400 else details.code or error.status
    if code == 429:
        error.retry_after = quota_wait(details, error.retry_after, now)
    cause = _CAUSES.find(code, details.reason, details.message)
    if cause == "rate_limit" and error.retry_after is None and not (details.reason or details.quota_ids):
        cause = "bare_429"
    return Failure(
        _told(error, cause, details),
        cause,
        status=code,
        wait_s=error.retry_after,
        link=_link(details),
        reason=details.reason,
    )


def _told(error: GatewayError, cause: Cause, details: Details) -> GatewayError:
    """Say what can be done, and whose fault it is."""
    said = details.message.rstrip(".") or f"status {error.status}"
    if cause == "missing":
        return ModelNotFound(f"{said}; locations differ in their models, and `global` has the most")
    if cause == "service":
        return UpstreamCredential(f"the upstream rejects the gateway's project: {said}; see {_ENABLE}")
    if cause in _HINTS:
        return UpstreamCredential(f"the upstream rejects the gateway's credential: {said}; {_HINTS[cause]}")
    return error


def _link(details: Details) -> str | None:
    """Give the page where the project's owner can lift it."""
    given = details.metadata.get("activationUrl")
    return given or next((url for url in details.links.values() if "console" in url), None)

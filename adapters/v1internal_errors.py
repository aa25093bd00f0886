"""What each failure of Code Assist means: for the credential, and for the next try.

    status, body ─► read_failure ─► Failure(cause) ─► RULES[cause] ─► the journey's next step

The causes are Google's own reasons where it gives one, else the status, else a few words of the message.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from gateway.dialects.gemini.errors import Details, read_details, read_error
from gateway.errors import (
    GatewayError,
    StreamBroken,
    UpstreamCredential,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport import Broken, ConnectFailed, FirstByteTimeout, TransportError

__all__ = [
    "DISABLED",
    "RULES",
    "SHORT_S",
    "Cause",
    "Failure",
    "Rule",
    "cause_of",
    "read_failure",
    "unreachable",
]

Cause = Literal[
    "rate_limit",
    "quota",
    "bare_429",
    "capacity",
    "server",
    "cancelled",
    "unreachable",
    "broken",
    "malformed",
    "token",
    "forbidden",
    "verification",
    "service",
    "banned",
    "missing",
    "project",
    "login",
    "refresh",
    "cooling",
    "final",
]
Mark = Literal["cool", "cool_briefly", "disable", "verify"]


class Rule(Struct, frozen=True, kw_only=True):
    """What a cause leads to; the ways are tried from top to bottom.

    `renew`: first a new access token or a new project, once for each credential.
    `base`: the next base URL. `mark`: what then becomes of the credential.
    `others`: how many other credentials may be tried; `counted`: whether that counts against retry.attempts.
    `waits`: a cool-down may be waited for. `again`: how often the same way may be gone again, after a pause.
    `retries`: the most tries after the first one, in whatever way. `always`: also for a status not in retry.on.
    """

    renew: Literal["token", "project"] | None = None
    base: bool = False
    mark: Mark | None = None
    others: float = 0
    counted: bool = False
    waits: bool = False
    again: float = 0
    pause: bool = True
    retries: float = math.inf
    always: bool = False

    @property
    def shortage(self) -> bool:
        """Whether the caller is told about the pool instead of the last failure."""
        return self.waits or self.mark in ("disable", "verify")


RULES: Final[Mapping[Cause, Rule]] = {
    # short: the same credential after the pause, unless another one is free
    "rate_limit": Rule(mark="cool", others=math.inf, waits=True),
    "quota": Rule(mark="cool", others=math.inf, waits=True),
    # without details it may be the answer to a client that is not welcome: not every credential shall run into it
    "bare_429": Rule(base=True, mark="cool_briefly", others=1),
    "capacity": Rule(base=True, again=2, retries=2),
    "server": Rule(base=True, others=1, counted=True, again=math.inf),
    "unreachable": Rule(base=True, again=math.inf),
    "broken": Rule(base=True, again=math.inf),
    "malformed": Rule(again=math.inf, pause=False),
    "cancelled": Rule(again=1, retries=1, always=True),
    # expired tokens come as 401 also before their time
    "token": Rule(renew="token", mark="disable", others=math.inf, always=True),
    "forbidden": Rule(renew="token", mark="disable", others=math.inf, always=True),
    "verification": Rule(mark="verify", others=math.inf, always=True),
    "service": Rule(renew="project", mark="disable", others=math.inf, always=True),
    "banned": Rule(mark="disable", others=math.inf, always=True),
    "missing": Rule(base=True, others=1, always=True),
    "project": Rule(renew="project", others=1, always=True),
    # the credential has been marked where it failed; a token endpoint that is down is so for all
    "login": Rule(others=math.inf, waits=True),
    "refresh": Rule(others=1, waits=True),
    "cooling": Rule(waits=True),
    "final": Rule(),
}
# The first words of the reason for which a credential is disabled.
DISABLED: Final[Mapping[Cause, str]] = {
    "token": "401 after a refresh",
    "forbidden": "403 after a refresh",
    "service": "API not enabled in its project",
    "banned": "refused for good",
}
SHORT_S: Final = 3.0  # a rate limit of up to this many seconds is no reason to leave the credential

_REASONS: Final[Mapping[str, Cause]] = {
    "RATE_LIMIT_EXCEEDED": "rate_limit",
    "QUOTA_EXHAUSTED": "quota",
    "INSUFFICIENT_G1_CREDITS_BALANCE": "quota",
    "MODEL_CAPACITY_EXHAUSTED": "capacity",
    "VALIDATION_REQUIRED": "verification",
    "SERVICE_DISABLED": "service",
}
_STATUSES: Final[Mapping[int, Cause]] = {
    401: "token",
    403: "forbidden",
    404: "missing",
    408: "server",
    499: "cancelled",
    529: "capacity",
}
# (status, words in the message in lower case): the first that fits
_WORDS: Final[tuple[tuple[frozenset[int], str, Cause], ...]] = (
    (frozenset({429, 503, 529}), "no capacity available", "capacity"),
    (frozenset({403}), "terms of service", "banned"),
    (frozenset({403}), "valid license", "banned"),
    (frozenset({403}), "named user", "banned"),
    (frozenset({403}), "no longer supported", "final"),
    (frozenset({404}), "projects/", "project"),
)
_CLASSES: Final[Mapping[type, Cause]] = {
    UpstreamTimeout: "server",
    UpstreamUnavailable: "server",
    StreamBroken: "broken",
    UpstreamMalformed: "malformed",
}
_DAY_S: Final = 86_400.0


class Failure(Exception):
    """A failed upstream call: `error` is what a caller is told, `cause` says where to go from here.

    `wait_s`: how long the upstream says to wait. `link`: where the account's owner can lift it. `reason`: Google's.
    """

    def __init__(
        self,
        error: GatewayError,
        cause: Cause,
        *,
        status: int | None = None,
        wait_s: float | None = None,
        link: str | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.cause: Cause = cause
        self.status = status
        self.wait_s = wait_s
        self.link = link
        self.reason = reason


def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read an error answer, or the payload of an error event under status 200."""
    details = read_details(body)
    error = read_error(status, body, headers, now=now)
    code = status if status >= 400 else details.code or error.status
    if code == 429:
        error.retry_after = _quota_wait(details, error.retry_after, now)
    cause = _cause(code, details, error.retry_after)
    if cause == "project":  # the operator's matter, no unknown model
        error = UpstreamCredential(f"the upstream does not know the credential's project: {error.message}")
    elif cause == "bare_429":
        error = UpstreamRateLimited(f"the upstream refuses and gives no reason: {error.message}")
    return Failure(
        error, cause, status=code, wait_s=error.retry_after, link=details.validation_url, reason=details.reason
    )


def unreachable(error: TransportError) -> Failure:
    """Say what a failure below HTTP means."""
    if isinstance(error, FirstByteTimeout):
        return Failure(UpstreamTimeout(f"the upstream stayed silent: {error}"), "server", status=504)
    if isinstance(error, ConnectFailed):
        return Failure(UpstreamUnavailable(f"the upstream cannot be reached: {error}"), "unreachable")
    if isinstance(error, Broken) and error.before_response:
        return Failure(UpstreamUnavailable(f"the upstream closed the connection: {error}"), "broken")
    if isinstance(error, Broken):
        return Failure(StreamBroken(f"the upstream's answer broke off: {error}"), "broken")
    return Failure(UpstreamMalformed(f"the upstream's answer cannot be used: {error}"), "final")


def cause_of(error: GatewayError) -> Failure:
    """Say what an error means that came without an answer: silence, a broken or an empty stream."""
    for kind in type(error).__mro__:
        if kind in _CLASSES:
            return Failure(error, _CLASSES[kind])
    return Failure(error, "final")


def _cause(code: int, details: Details, wait_s: float | None) -> Cause:
    if details.reason in _REASONS:
        return _REASONS[details.reason]
    said = details.message.lower()
    for statuses, words, cause in _WORDS:
        if code in statuses and words in said:
            return cause
    if code == 429:
        known = wait_s is not None or details.reason or details.quota_ids
        return "rate_limit" if known else "bare_429"
    return _STATUSES.get(code) or ("server" if code >= 500 else "final")


def _quota_wait(details: Details, given: float | None, now: float) -> float | None:
    """Give the wait that the answer names, or the time to the next day's quota where it names a day or no limit."""
    if "limit: 0" in details.message.lower():
        return _DAY_S
    if given is None and any("perday" in name.lower() or "daily" in name.lower() for name in details.quota_ids):
        return _to_midnight(now)
    return given


def _to_midnight(now: float) -> float:
    """Give the seconds to midnight in California, when Google's daily quotas begin anew."""
    try:
        zone = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return _DAY_S
    local = datetime.fromtimestamp(now, zone)
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), zone)
    return (midnight.astimezone(UTC) - local.astimezone(UTC)).total_seconds()

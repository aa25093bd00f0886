"""The ledger of allowed calls: how often an account may call a model, and who calls although he was told to wait.

    fake.limit("rt-1", "gemini-3-flash", calls=5, delay_s=2)   # or None for each account, None for each model
    ...
    assert not fake.ledger.violations

The call after the last allowed one is a 429 that states `delay_s`; what is left of the quota falls with each call. A
call that arrives later than `grace_s` after that answer was sent, and before the delay is over, is a violation. When
the delay is over, the account may call as often as before. Times are those of `time.monotonic`, which all processes of
a machine share. That the fake itself may come late to a call is allowed for (`v1internal_arrivals`); that its callers
come late to an answer is what `grace_s` is for, so a test with many calls at once sets a larger one.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tests.fakes.v1internal_accounts import Account
from tests.fakes.v1internal_errors import Refusal, google
from tests.fakes.v1internal_record import Record

Reason = Literal["RATE_LIMIT_EXCEEDED", "QUOTA_EXHAUSTED"]

DOMAIN = "cloudcode-pa.googleapis.com"


@dataclass(frozen=True)
class Limit:
    """How often an account may call a model; None means each."""

    account: Account | None
    model: str | None
    calls: int
    delay_s: float
    reason: Reason

    def fits(self, account: Account, model: str) -> bool:
        """Say whether this limit is theirs."""
        return self.account in {None, account} and self.model in {None, model}


@dataclass
class Allowance:
    """What one account may still call of one model; `told_at` is when the first 429 had been sent."""

    limit: Limit
    left: int
    until: float = 0
    told_at: float | None = None

    def renew(self, now: float) -> None:
        """Allow all calls again when the delay is over."""
        if self.until and now >= self.until:
            self.left, self.until, self.told_at = self.limit.calls, 0, None


@dataclass(frozen=True)
class Violation:
    """A call to what was cooling: it came `at`, though it was told at `told_at` to stay away `until`."""

    email: str
    credential: str
    model: str
    at: float
    told_at: float
    until: float


@dataclass
class Ledger:
    """Counts the calls, refuses what is too much, and notes who does not listen."""

    grace_s: float = 0.05
    violations: list[Violation] = field(default_factory=list)
    allowed: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    limits: list[Limit] = field(default_factory=list)
    _allowances: dict[tuple[str, str], Allowance] = field(default_factory=dict)

    def limit(self, limit: Limit) -> None:
        """Set a limit; the newest that fits holds, with all its calls."""
        self.limits.append(limit)
        self._allowances = {
            place: allowance
            for place, allowance in self._allowances.items()
            if (limit.account is not None and limit.account.sub != place[0]) or limit.model not in {None, place[1]}
        }

    def clear(self) -> None:
        """Forget calls, violations and limits."""
        for kept in (self.violations, self.allowed, self.refused, self.limits, self._allowances):
            kept.clear()

    def meter(self, account: Account, model: str, record: Record) -> Refusal | None:
        """Count a call that arrived; give the 429 of one that is too much."""
        allowance = self._allowance(account, model, record.at)
        place = (account.email, model)
        if allowance is None or allowance.left > 0:
            self.allowed[place] += 1
            if allowance is not None:
                allowance.left -= 1
            return None
        self.refused[place] += 1
        now = time.monotonic()
        allowance.until = allowance.until or now + allowance.limit.delay_s
        told_at = allowance.told_at
        if told_at is not None and told_at + self.grace_s < record.earliest:
            broken = Violation(account.email, record.credential, model, record.earliest, told_at, allowance.until)
            self.violations.append(broken)
        return limited(model, max(allowance.until - now, 0), allowance.limit.reason)

    def told(self, account: Account, model: str) -> None:
        """Note that a 429 has been sent."""
        allowance = self._allowances.get((account.sub, model))
        if allowance is not None and allowance.until and allowance.told_at is None:
            allowance.told_at = time.monotonic()

    def left(self, account: Account, model: str) -> tuple[float | None, str] | None:
        """Give the fraction that is left and the time of its reset, where there is a limit; None is a quota used up."""
        allowance = self._allowance(account, model, time.monotonic())
        if allowance is None:
            return None
        limit = allowance.limit
        wait_s = allowance.until - time.monotonic() if allowance.until else limit.delay_s
        return (allowance.left / limit.calls if allowance.left else None), wall_time(wait_s)

    def shown(self) -> dict[str, Any]:
        """Give what JSON can carry."""
        counted = {"allowed": self.allowed, "refused": self.refused}
        return {"violations": [asdict(one) for one in self.violations]} | {
            name: [{"email": email, "model": model, "calls": calls} for (email, model), calls in counts.items()]
            for name, counts in counted.items()
        }

    def _allowance(self, account: Account, model: str, now: float) -> Allowance | None:
        place = (account.sub, model)
        if place not in self._allowances:
            limit = next((one for one in reversed(self.limits) if one.fits(account, model)), None)
            if limit is None:
                return None
            self._allowances[place] = Allowance(limit, limit.calls)
        self._allowances[place].renew(now)
        return self._allowances[place]


def limited(model: str, delay_s: float, reason: Reason) -> Refusal:
    """Write the 429 of an account that has used up what it may call of a model."""
    metadata = {"model": model, "quotaResetDelay": go_duration(delay_s), "quotaResetTimeStamp": wall_time(delay_s)}
    return google(
        429,
        f"You have exhausted your capacity on this model. Your quota will reset after {go_duration(int(delay_s))}.",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": DOMAIN,
                "metadata": {"uiMessage": "true"} | metadata,
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{delay_s:.9f}s"},
        ],
    )


def go_duration(seconds: float) -> str:
    """Write a duration as Go does: `1h0m2.5s`, `479.417207ms`, `0s`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.6f}".rstrip("0").rstrip(".") + "ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    small = f"{rest:.9f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{small}" if hours else f"{minutes}m{small}" if minutes else small


def wall_time(from_now_s: float) -> str:
    """Write a time of the calendar, in whole seconds."""
    return (datetime.now(UTC) + timedelta(seconds=from_now_s)).strftime("%Y-%m-%dT%H:%M:%SZ")

"""What people are told about a pool: how many of its credentials can serve, and what keeps the others from it.

    6 credentials: 4 cooling until 14:32 UTC, 1 needs verification, 1 disabled; Rate limit reached for …

A caller learns the counts, the earliest time, in UTC (another day stands with its date), and what the upstream said of
the limits, which names no account.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gateway.adapters.credential import SERVING, Credential
from gateway.errors import GatewayError, UpstreamRateLimited
from gateway.periods import whole_minute
from gateway.store.states import State

__all__ = ["all_spent", "counted", "number", "out_of_use", "said", "told", "until"]

_SPENT: Final = UpstreamRateLimited.SPENT
_REASONS: Final = 3
_LONGEST: Final = 300
_CLOSED: Final[Mapping[State, tuple[str, str]]] = {  # of one, of several
    "needs_verification": ("needs verification", "need verification"),
    "disabled": ("disabled", "disabled"),
}


def counted(credentials: Sequence[Credential], now: float, model: str | None = None) -> str:
    """Count those that cannot serve a model now, or all of their models, by what keeps them from it."""
    closed = Counter(one.state for one in credentials if one.state not in SERVING)
    serving = [one for one in credentials if one.state in SERVING]
    cool_s = {one.id: one.soonest_s if model is None else one.cools_s(model) for one in serving}
    rests = {
        "cooling": [seconds for seconds in cool_s.values() if seconds],
        "paused": [paused_s for one in serving if not cool_s[one.id] and (paused_s := one.rests_s(model or ""))],
    }
    return ", ".join(
        [
            *(f"{len(ends)} {word} until {until(min(ends), now)}" for word, ends in rests.items() if ends),
            *(f"{closed[state]} {words[closed[state] > 1]}" for state, words in _CLOSED.items() if closed[state]),
        ]
    )


def out_of_use(credentials: Sequence[Credential]) -> str:
    """Count those that need a person, by reason, for operators; without what names an account."""
    reasons = Counter(_closed_by(one) for one in credentials if not one.usable)
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def _closed_by(credential: Credential) -> str:
    if credential.state == "disabled":
        return f"disabled: {credential.reason.partition(':')[0]}"
    if credential.state == "needs_verification":
        return "must be verified by the owner"
    return f"paused: {credential.trouble}" if credential.trouble else "not asked yet"


def said(error: GatewayError) -> str:
    """Give an upstream's words for a limit as they are kept: for a used-up quota with their code."""
    return f"{_SPENT}: {error.message}" if error.code == _SPENT else error.message


def all_spent(limits: Sequence[str]) -> bool:
    """Tell whether all of these words are for used-up quotas."""
    return all(words.startswith(_SPENT) for words in limits)


def told(limits: Sequence[str]) -> list[str]:
    """Choose some of the words for limits, each once and in short."""
    found = [*filter(None, dict.fromkeys(limits))]
    short = [words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…" for words in found[:_REASONS]]
    return [*short, "…"] if len(found) > _REASONS else short


def number(count: int) -> str:
    """Say how many credentials."""
    return f"{count} credential{'' if count == 1 else 's'}"


def until(seconds: float, now: float) -> str:
    """Say when so many seconds have passed: the first whole minute after that."""
    moment = datetime.fromtimestamp(whole_minute(now + seconds), UTC)
    today = datetime.fromtimestamp(now, UTC).date()
    return moment.strftime("%H:%M UTC" if moment.date() == today else "%Y-%m-%d %H:%M UTC")

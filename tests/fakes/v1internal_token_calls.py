"""What the token endpoint was asked: who refreshed what, when, and with how many others at the same time.

assert not fake.oauth.calls.overlapping()            # single flight
assert not fake.oauth.calls.doubled(within_s=60)     # and no refresh of what has just been refreshed
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fakes.v1internal_accounts import Account


@dataclass
class TokenCall:
    """One call; `credential` is the refresh token or the code shown, `concurrent` counts the call itself."""

    grant: str
    credential: str
    client_id: str
    email: str = ""
    concurrent: int = 1
    at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None
    status: int = 0
    error: str = ""


@dataclass
class TokenCalls:
    """The calls so far, in the order in which they came."""

    all: list[TokenCall] = field(default_factory=list)

    def begin(self, form: Mapping[str, str], account: Account | None) -> TokenCall:
        """Note a call that came in."""
        grant = form.get("grant_type", "")
        call = TokenCall(grant, form.get("refresh_token") or form.get("code", ""), form.get("client_id", ""))
        if account is not None:
            call.email = account.email
            call.concurrent += sum(other.ended_at is None for other in self.of(account.email))
        self.all.append(call)
        return call

    def of(self, email: str) -> list[TokenCall]:
        """List the calls for one account."""
        return [call for call in self.all if call.email == email]

    def refreshes(self, email: str | None = None) -> list[TokenCall]:
        """List the refreshes, of one account or of all."""
        return [call for call in self.all if call.grant == "refresh_token" and email in {None, call.email}]

    def overlapping(self) -> list[TokenCall]:
        """List the refreshes that began while another of the same account was under way."""
        return [call for call in self.refreshes() if call.concurrent > 1]

    def doubled(self, within_s: float) -> list[TokenCall]:
        """List the refreshes that began less than this after a good one of the same account had begun."""
        last: dict[str, float] = {}
        found: list[TokenCall] = []
        for call in self.refreshes():
            if call.at - last.get(call.email, float("-inf")) < within_s:
                found.append(call)
            if call.status == 200:
                last[call.email] = call.at
        return found

    def shown(self) -> list[dict[str, Any]]:
        """Give what JSON can carry."""
        return [asdict(call) for call in self.all]

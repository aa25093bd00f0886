"""One credential of a pool: its state, and how long it rests for which model. An API key is one as it stands.

active ──429──► cooling(model, until) ──► active
  ├── what only its owner can lift ──► needs_verification      (until a restart)
  └── refused for good ──► disabled(reason)
"""

import hmac
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, Final, Literal

from gateway.adapters.google_oauth import Tokens
from gateway.clock import Clock
from gateway.redact import Secret
from gateway.store.credentials import StoredCredential

__all__ = ["EARLY_S", "STANDINGS", "Credential", "Refresh", "Saved", "State", "credential_id"]

State = Literal["active", "needs_verification", "disabled"]
Refresh = Callable[[str], Coroutine[Any, Any, Tokens]]
Saved = Callable[[], Coroutine[Any, Any, None]]

STANDINGS: Final = ("active", "cooling", "needs_verification", "disabled")
EARLY_S: Final = 0.01  # timers may fire this much too early


class Credential:
    """A secret and what is known about it. Times are the clock's monotonic ones."""

    def __init__(self, secret: Secret, clock: Clock) -> None:
        self.id = credential_id(secret)
        self.label = self.id[:8]  # its name in logs
        self.state: State = "active"
        self.reason = ""
        self.link = ""
        self.trouble = ""  # why it has no token just now
        self.cooling: dict[str, float] = {}
        self.turn = 0
        self._secret = secret
        self._clock = clock
        self._lasting = True

    async def token(self, refresh: Refresh, saved: Saved, early_s: float) -> str:
        """Give what a call shows: an API key needs no refresh."""
        return self._secret.reveal()

    def ready(self, early_s: float) -> str:
        """Give what `token` would give at once; "" where that takes a call."""
        return self._secret.reveal()

    def sign(self, text: str) -> str:
        """Prove a text by the secret."""
        return hmac.new(_bytes(self._secret), text.encode(), sha256).hexdigest()

    # states

    def cools_s(self, model: str) -> float:
        """Give the seconds for which it is rate-limited for a model, 0 for none."""
        until = self.cooling.get(model)
        left = until - self._clock.monotonic() if until is not None else 0.0
        return left if left > EARLY_S else 0.0

    def rests_s(self, model: str) -> float:
        """Give the seconds for which it cannot serve a model, for whatever reason; 0 for none."""
        return self.cools_s(model)

    @property
    def standing(self) -> str:
        """Its state, or that it is cooling for some model."""
        cools = self.state == "active" and any(map(self.rests_s, tuple(self.cooling) or ("",)))
        return "cooling" if cools else self.state

    def cool(self, model: str, seconds: float) -> None:
        """Let it rest for one model; a longer rest stays."""
        now = self._clock.monotonic()
        self.cooling = {name: until for name, until in self.cooling.items() if until > now}
        self.cooling[model] = max(self.cooling.get(model, 0.0), now + seconds)

    def disable(self, reason: str, *, lasting: bool = True) -> None:
        """Use it no more; `lasting` over a restart."""
        self.state, self.reason, self._lasting = "disabled", reason, lasting

    def need_verification(self, link: str | None) -> None:
        """Use it no more until its owner has followed the link."""
        self.state, self.reason, self.link = "needs_verification", "the account must be verified", link or ""

    # what a restart knows

    def stored(self) -> StoredCredential:
        """Give what is to be written down."""
        now, wall = self._clock.monotonic(), self._clock.time()
        lasts = self.state != "disabled" or self._lasting
        return StoredCredential(
            id=self.id,
            state=self.state if lasts else "active",
            reason=f"{self.reason}: {self.link}" if self.link else self.reason if lasts else "",
            cooling={model: wall + until - now for model, until in self.cooling.items() if until > now},
            updated_at=wall,
        )

    def restore(self, row: StoredCredential) -> None:
        """Take over what was written down."""
        now, wall = self._clock.monotonic(), self._clock.time()
        if row.state == "disabled":
            self.disable(row.reason)
        self.cooling = {model: now + until - wall for model, until in row.cooling.items() if until > wall}


def credential_id(secret: Secret) -> str:
    """Name a credential by its secret without giving it away."""
    return sha256(_bytes(secret)).hexdigest()


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")

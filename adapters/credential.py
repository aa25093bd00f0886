"""One credential of a pool: what is known of it, and for how long it rests for which model. An API key is one as it is.

    news ─► learn ─► known.changed() ─► row, and the keeper writes it
                                         ▲
    what other processes wrote ─► take ──┘

Its state goes the ways of `gateway.store.states` and no other. It rests for a model while the upstream's cool-down
lasts, and while less of its quota is left than shall be kept; and for every model while something about it must be
mended that is no fault of its own (`pause`).
"""

import hmac
import math
from collections.abc import Callable, Coroutine, Mapping
from hashlib import sha256
from typing import Any, Final

from gateway.adapters.tokens import Tokens
from gateway.clock import Clock
from gateway.redact import Secret
from gateway.store.keeper import Keeper
from gateway.store.known import Change, Happening, Quota, StoredCredential, changed, latest
from gateway.store.states import Event, State
from gateway.upstream import CredentialView

__all__ = ["EARLY_S", "FAILING", "SERVING", "Credential", "Happen", "Refresh", "credential_id"]

Refresh = Callable[[str], Coroutine[Any, Any, Tokens]]
Happen = Callable[[Event, str], None]  # an event, and the words that go with it

EARLY_S: Final = 0.01  # timers may fire this much too early
FAILING: Final = 3  # failures of a server in a row that make a credential a suspect
_TRIAL_S: Final = 300.0  # how long a suspect is left alone while others serve
SERVING: Final[frozenset[State]] = frozenset({"active", "suspected"})
_ERRORS: Final[frozenset[Event]] = frozenset({"probe_failed", "failing", "unverified", "revoked", "refused"})


class Credential:
    """A secret and what is known about it.

    `row`: what is known, with times in Unix seconds. `trouble`: why it rests, where it is not to blame; `ours`: it is
    this gateway's configuration. `open`: how many requests hold it. `turn`: its last one, as the strategy counts.
    """

    def __init__(self, secret: Secret, clock: Clock, row: StoredCredential | None = None) -> None:
        self.row = row if row is not None else StoredCredential(id=credential_id(secret))
        self.id = self.row.id
        self.label = self.id[:8]  # its name in logs
        self.salt = int.from_bytes(sha256(self.id.encode()).digest()[:8])
        self.trouble = ""
        self.ours = False
        self.open = 0
        self.turn = 0
        self._secret = secret
        self._clock = clock
        self._keeper: Keeper | None = None
        self._floor = 0.0
        self._longest_s = math.inf
        self._paused_until = 0.0
        self._failures = 0
        self._trial_at = 0.0
        self._uses = 0  # since they were told to the keeper
        self._until: Mapping[str, float] = {}  # by the monotonic clock, which never jumps
        self._limits: dict[str, str] = {}  # why, in the upstream's words
        self._short: dict[str, float] = {}  # models of which too little is left, by the wall clock
        self._may_serve = False
        self._hold(StoredCredential(id=self.id), self.row)

    def join(self, keeper: Keeper, *, floor: float = 0.0, longest_s: float = math.inf) -> None:
        """Become one of a pool: what is learnt is kept there. `floor`: how much of each quota is left alone."""
        self._keeper, self._floor, self._longest_s = keeper, floor, longest_s
        self._until = {}
        self._hold(StoredCredential(id=self.id), self.row)

    # what it shows

    async def token(self, refresh: Refresh, happen: Happen, early_s: float) -> str:
        """Give what a call shows: an API key needs no refresh."""
        return self._secret.reveal()

    def ready(self, early_s: float) -> str:
        """Give what `token` would give at once; "" where that takes a call."""
        return self._secret.reveal()

    def sign(self, text: str) -> str:
        """Prove a text by the secret."""
        return hmac.new(_bytes(self._secret), text.encode(), sha256).hexdigest()

    # how it is

    @property
    def state(self) -> State:
        """Where it stands in the table of states."""
        return self.row.state

    @property
    def reason(self) -> str:
        """Say why it is in this state."""
        return self.row.reason

    @property
    def link(self) -> str:
        """Say where its owner can act."""
        return self.row.link

    @property
    def email(self) -> str:
        """Give the e-mail of its account, "" where there is none or it is not known."""
        return self.row.email

    @property
    def project(self) -> str:
        """Give the project that it calls with, "" as long as there is none."""
        return self.row.project_id

    @property
    def project_source(self) -> str:
        """Say where the project came from."""
        return self.row.project_source

    @property
    def uses(self) -> int:
        """How many requests it was lent to, in all processes as far as is known."""
        return self.row.uses + self._uses

    @property
    def cooling(self) -> Mapping[str, float]:
        """Give the models for which it cools down, and until when, in Unix seconds."""
        wall = self._clock.time()
        return {model: wall + rest_s for model, rest_s in self._cools.items()}

    @property
    def usable(self) -> bool:
        """Whether it serves, or will when it has rested; nobody has to act first."""
        return self.row.state in SERVING and not (self.ours and self.rests_s(""))

    def serves(self, model: str) -> bool:
        """Tell whether it can serve a model now."""
        return self._may_serve and not self.rests_s(model)

    @property
    def trusted(self) -> bool:
        """Whether it may serve although others could: it is no suspect, or may prove that it works again."""
        return self.row.state == "active" or self._clock.monotonic() >= self._trial_at

    def cools_s(self, model: str) -> float:
        """Give the seconds for which the upstream's limits keep it from serving a model, 0 for none."""
        rest_s = self._until[model] - self._clock.monotonic() if model in self._until else 0.0
        if model in self._short:
            rest_s = max(rest_s, self._short[model] - self._clock.time())
        return rest_s if rest_s > EARLY_S else 0.0

    def limit(self, model: str) -> str:
        """Give the words with which the upstream keeps it from serving a model, "" where none are known."""
        return self._limits.get(model, "")

    def rests_s(self, model: str) -> float:
        """Give the seconds for which it cannot serve a model, for whatever reason; 0 for none."""
        rest_s = self.cools_s(model) if self._until or self._short else 0.0
        if not self._paused_until:
            return rest_s
        paused_s = self._paused_until - self._clock.monotonic()
        return max(rest_s, paused_s) if paused_s > EARLY_S else rest_s

    @property
    def soonest_s(self) -> float:
        """Give the seconds until the first of its cool-downs ends, 0 for none."""
        return min(self._cools.values(), default=0.0)

    def left(self, model: str) -> float:
        """Give how much of its quota for a model is left, 0 to 1; all of it where nothing is known."""
        quota = self.row.quota.get(model)
        if quota is None or (quota.reset_at is not None and quota.reset_at <= self._clock.time()):
            return 1.0
        return quota.remaining

    @property
    def standing(self) -> str:
        """Its state, or that it is cooling for some model."""
        if self.row.state not in SERVING:
            return self.row.state
        return "cooling" if self.rests_s("") or self._cools else self.row.state

    def view(self, upstream: str) -> CredentialView:
        """Show it to operators."""
        row, now = self.row, self._clock.time()
        return CredentialView(
            id=self.id,
            upstream=upstream,
            account=self.email or None,
            project=self.project or None,
            project_source=self.project_source,
            source=row.source,
            state=self.standing,
            reason=row.reason or (self.trouble if self.rests_s("") else ""),
            link=row.link,
            enabled=row.state != "disabled",
            token_expires_at=row.access_until or None,
            cooling=self.cooling,
            quota=self._shown(groups=False),
            groups=self._shown(groups=True),
            uses=self.uses,
            last_used_at=(now if self._uses else row.last_used_at) or None,
            last_error=row.last_error or None,
        )

    def _shown(self, *, groups: bool) -> dict[str, tuple[float, float | None]]:
        """Give what is left of each quota, and when it is whole again: of the models', or of those they share."""
        now = self._clock.time()
        known = {name: quota for name, quota in self.row.quota.items() if quota.group is groups}
        return {name: (self.left(name), _later(quota.reset_at, now)) for name, quota in known.items()}

    @property
    def _cools(self) -> Mapping[str, float]:
        """The models that limits keep it from serving now, and for how many seconds."""
        return {model: rest_s for model in {**self._until, **self._short} if (rest_s := self.cools_s(model))}

    # what is learnt of it

    def learn(self, change: Change) -> None:
        """Take in what was learnt, and have it written soon."""
        self._apply(change)
        if self._keeper is not None:
            self._keeper.later(change)

    async def keep(self, change: Change) -> None:
        """Take in what was learnt, and return when it is written or cannot be."""
        self._apply(change)
        if self._keeper is not None:
            await self._keeper.now(change)

    def take(self, row: StoredCredential) -> None:
        """Take over what another process wrote; what is not written yet of what was learnt here holds on top."""
        unwritten = self._keeper.unwritten(self.id) if self._keeper is not None else None
        if unwritten is not None:
            row = changed(row, unwritten, self._clock.time())
        if row.state != self.row.state:
            self._failures = 0
        self._hold(self.row, row)

    def happen(self, event: Event, reason: str = "", link: str = "") -> bool:
        """Learn of an event, and tell whether it changed anything."""
        before = self.row
        happening = Happening(event, reason, link)
        after = changed(before, Change(id=self.id, events=(happening,)), self._clock.time())
        if (after.state, after.reason, after.link) == (before.state, before.reason, before.link):
            return False
        error, at = (reason, self._clock.time()) if event in _ERRORS else ("", 0.0)
        self.learn(Change(id=self.id, events=(happening,), last_error=error, last_error_at=at))
        return True

    def used(self) -> None:
        """Count a request that it is lent to."""
        self.open += 1
        self._uses += 1
        self._trial_at = self._clock.monotonic() + _TRIAL_S

    def tell_uses(self) -> None:
        """Have the uses written that were counted since the last time."""
        if self._uses:
            uses, self._uses = self._uses, 0
            self.learn(Change(id=self.id, uses=uses, last_used_at=self._clock.time()))

    def served(self) -> bool:
        """Note that a request got its answer, and tell whether that changed its state."""
        self._failures = 0
        return self.row.state != "active" and self.happen("served")

    def failed(self, reason: str) -> bool:
        """Note that a server failed with it, and tell whether that changed its state."""
        self._failures += 1
        return self._failures >= FAILING and self.happen("failing", reason)

    def pause(self, reason: str, seconds: float, *, ours: bool = False) -> None:
        """Let it rest for every model; nothing is known against it itself. `ours`: the configuration is to blame."""
        self.trouble, self.ours = reason, ours
        self._paused_until = self._clock.monotonic() + seconds

    def resume(self) -> None:
        """End a pause."""
        self.trouble, self.ours, self._paused_until = "", False, 0.0

    def _apply(self, change: Change) -> None:
        self._hold(self.row, changed(self.row, change, self._clock.time()), change.last_error)

    def _hold(self, before: StoredCredential, row: StoredCredential, error: str = "") -> None:
        """Take over a row, with what the hot path needs of it; a longer rest stays. `error`: what has just come."""
        now, wall = self._clock.monotonic(), self._clock.time()
        self.row = row
        rests = {model: until for model, until in self._until.items() if until > now}
        known = before.cooling
        news = {model: until for model, until in row.cooling.items() if until > wall and until != known.get(model)}
        for model, until in news.items():
            rests[model] = max(rests.get(model, 0.0), now + min(until - wall, self._longest_s))
        self._until = latest(rests, float)
        error = error or (row.last_error if row.last_error_at > before.last_error_at else "")
        words = {model: said for model, said in self._limits.items() if model not in news}
        # another process may tell the rest first
        self._limits = {model: words.get(model) or error for model in self._until}
        self._short = {
            model: self._short_until(quota)
            for model, quota in row.quota.items()
            if quota.remaining <= self._floor and not quota.group
        }
        self._may_serve = row.state in SERVING and not row.removed
        if row.state != before.state:
            self._trial_at = now + _TRIAL_S

    def _short_until(self, quota: Quota) -> float:
        """Say when a quota may be used again; the operator's floor holds until it is whole."""
        stale_at = quota.at + self._longest_s
        if quota.reset_at is None:
            return stale_at
        return quota.reset_at if self._floor else min(quota.reset_at, stale_at)


def credential_id(secret: Secret) -> str:
    """Name a credential by its secret without giving it away."""
    return sha256(_bytes(secret)).hexdigest()


def _later(moment: float | None, now: float) -> float | None:
    return moment if moment is not None and moment > now else None


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")

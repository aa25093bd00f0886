"""Several credentials behind one upstream: which one is next, and what is told when none is left.

    news of other processes ─► pick ─► strategy ─► Lease ─► released when the request ends

Active and suspected ones serve, the suspected ones when no other can, and now and then to prove themselves.
What is disabled, waits for its owner, rests for the model, or shall keep what is left of its quota is left out.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.adapters.credential import SERVING, Credential
from gateway.adapters.failures import Failure, Rule
from gateway.adapters.shortage import all_spent, counted, number, out_of_use, said, told
from gateway.adapters.strategies import Session, no_session, strategy_of
from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.clock import Clock
from gateway.config import OAuthConfig, PoolConfig
from gateway.errors import GatewayError, NoCredential, UpstreamCredential, UpstreamRateLimited, UpstreamUnavailable
from gateway.store.keeper import Keeper
from gateway.store.known import Change, Quota, StoredCredential
from gateway.store.states import STANDINGS, Event
from gateway.store.tally import Count, uncounted
from gateway.transport import Transport

__all__ = ["Lease", "Pool"]

_C = TypeVar("_C", bound=Credential)
_Admit = Callable[[StoredCredential], _C | None]
_Renew = Callable[[Transport, OAuthConfig, str], Awaitable[Tokens]]

_UNVERIFIED: Final = "the account must be verified"
_USES_S: Final = 5.0  # how long uses are only counted in memory
_ADDED: Final = frozenset({"import", "login"})
_OPERATOR: Final = "the operator of this gateway must act"
_SAID: Final[dict[Event, str]] = {
    "refused": "a credential is disabled",
    "revoked": "a credential is disabled",
    "stopped": "a credential is disabled",
    "unverified": "a credential must be verified by its owner",
    "failing": "a credential is suspected",
    "probe_failed": "a credential is suspected",
}


class Lease(Struct, Generic[_C], eq=False):
    """A credential in one request's hands."""

    credential: _C
    _pool: "Pool[_C] | None"

    def release(self) -> None:
        """Give it back; idempotent."""
        if self._pool is not None:
            self._pool.leases -= 1
            self.credential.open -= 1
            self._pool = None


class Pool(Generic[_C]):
    """The credentials of one upstream. `leases`: how many are lent now.

    `oauth`: the client that accounts get their tokens by, and `renew` how; None: the credentials are API keys. `admit`:
    makes the credential of a row that came while the gateway ran; None: not one of these.
    """

    def __init__(
        self,
        name: str,
        credentials: Sequence[_C],
        *,
        config: PoolConfig,
        oauth: OAuthConfig | None,
        clock: Clock,
        keeper: Keeper,
        logger: FilteringBoundLogger,
        admit: _Admit[_C] = lambda _: None,
        renew: _Renew | None = None,
    ) -> None:
        self.name = name
        self.leases = 0
        self.config = config
        self.oauth = oauth
        self._clock = clock
        self._keeper = keeper
        self._logger = logger
        self._admit = admit
        self._renew = renew
        self.count: Count = uncounted
        self._transport: Transport | None = None
        self._strategy = strategy_of(config)
        self._telling: asyncio.TimerHandle | None = None
        known = oauth is None or oauth.client_id
        self._problem = "" if known else f"no OAuth client: set upstream.{name}.oauth"
        self._by_id: dict[str, _C] = {}
        self._lacking: dict[str, str] = {}  # why one has no access token, as it was told
        self._given = frozenset(one.id for one in credentials if one.row.source not in _ADDED)
        self.credentials: Sequence[_C] = ()
        self._in_order = True
        for credential in credentials:
            self._join(credential)
        self._order()

    def start(self, transport: Transport) -> None:
        """Take the transport that refreshes go through."""
        self._transport = transport
        least = self.config.min_credentials
        if sum(one.usable for one in self.credentials) < least or self._problem:
            self._logger.warning("few credentials", upstream=self.name, state=self.state(), min_credentials=least)

    def stop(self) -> None:
        """Have written what was only counted."""
        if self._telling is not None:
            self._telling.cancel()
        self._tell_uses()

    # how it is

    @property
    def usable(self) -> bool:
        """Whether any credential could serve some model."""
        return not self._problem and any(one.usable for one in self.credentials)

    def state(self) -> str:
        """Say in a few words how it is."""
        if self._problem:
            return self._problem
        if not self.credentials:
            if self.oauth is None:
                return f"no credential: set upstream.{self.name}.api_key"
            if self._keeper.fails:
                return "no credential: the credential store fails; the gateway's log says why"
            return f"no credential: gateway login --upstream {self.name} adds an account"
        serving = sum(one.usable for one in self.credentials)
        if not serving:
            return f"no credential: {out_of_use(self.credentials)}"
        suspects = self.states()["suspected"]
        words = (
            f"usable: {serving} of {len(self.credentials)} credentials",
            counted(self.credentials, self._clock.time()),
            f"{suspects} suspected" if suspects else "",
        )
        return "; ".join(filter(None, words))

    def states(self) -> dict[str, int]:
        """Count the credentials by state; one that rests for any model is cooling."""
        found = Counter(credential.standing for credential in self.credentials)
        return {state: found[state] for state in STANDINGS}

    def find(self, id_: str) -> _C:
        """Give a credential by its id; raise KeyError."""
        return self._by_id[id_]

    def gives(self, id_: str) -> bool:
        """Tell whether gateway.toml gives a credential."""
        return id_ in self._given

    # choosing

    def pick(self, model: str, *, besides: Collection[str] = (), session: Session = no_session) -> Lease[_C] | None:
        """Lend the credential that shall serve a model now, none of `besides`."""
        self.catch_up()
        credential = self._strategy.stays(model, besides) or self._choose(model, besides, session)
        if credential is None:
            return None
        use = self._strategy.lent(credential, model)
        self._logger.debug("credential", upstream=self.name, credential=credential.label, use=use)
        return self.lend(credential)

    def foresee(self, model: str, session: Session = no_session) -> _C | None:
        """Give the credential that `pick` would lend, else the one that has rested first; changes nothing."""
        free = self._strategy.stays(model, ()) or self._choose(model, (), session)
        serving = [one for one in self.credentials if one.state in SERVING and not one.row.removed]
        return free or min(serving, key=lambda one: one.rests_s(model), default=None)

    def lend(self, credential: _C) -> Lease[_C]:
        """Lend this credential, whosever turn it is."""
        self.leases += 1
        credential.used()
        if self._telling is None and self._transport is not None:
            self._telling = asyncio.get_running_loop().call_later(_USES_S, self._tell_uses)
        return Lease(credential, self)

    def has(self, model: str, *, besides: Collection[str] = ()) -> bool:
        """Tell whether `pick` would find one."""
        return bool(self._free(model, besides))

    def lends(self, credential: _C, model: str) -> bool:
        """Tell whether a credential can serve a model now."""
        return not self._problem and credential.serves(model)

    def any_active(self, model: str = "", *, besides: Collection[str] = ()) -> _C | None:
        """Give some credential for a call beside the requests; that is no turn."""
        return next(iter(self._free(model, besides)), None)

    def rest_s(self, model: str, only: _C | None = None) -> float:
        """Give the seconds until a credential, or `only` this one, can serve a model; infinite if a person must act."""
        if self._problem:
            return math.inf
        rests = (one.rests_s(model) for one in self._among(only) if one.state in SERVING and not one.row.removed)
        return min(rests, default=math.inf)

    def shortage(self, model: str, only: _C | None = None) -> GatewayError | None:
        """Say why no credential, or not this one, can serve a model now; None when one can."""
        rest_s = self.rest_s(model, only)
        if not rest_s:
            return None
        asked = self._among(only)
        if math.isinf(rest_s):
            return self._none(asked, model)
        serving = [one for one in asked if one.state in SERVING]
        words = self._counted(asked, model)
        limits = [one.limit(model) for one in serving if one.cools_s(model)]
        if limits:
            code = UpstreamRateLimited.SPENT if all_spent(limits) else None
            return UpstreamRateLimited("; ".join([words, *told(limits)]), code=code, retry_after=rest_s)
        troubled = next((one for one in serving if one.trouble), serving[0])
        if troubled.ours:
            return NoCredential(f"{words}; {troubled.trouble}; {_OPERATOR}", retry_after=rest_s)
        lacks = "" if self.ready(troubled) else "no access token: "
        return UpstreamUnavailable(f"{lacks}{troubled.trouble}", retry_after=rest_s)

    def _none(self, asked: Sequence[_C], model: str) -> GatewayError:
        if self.oauth is None and len(self.credentials) == 1:  # one API key is no pool: its refusal is the answer
            words = f"upstream {self.name} has no usable credential: {out_of_use(asked)}; {_OPERATOR}"
            return UpstreamCredential(words)
        if self._problem or not asked:
            return NoCredential(f"upstream {self.name}: {self.state()}; {_OPERATOR}")
        return NoCredential(f"{self._counted(asked, model)}; {_OPERATOR}")

    def _counted(self, asked: Sequence[_C], model: str) -> str:
        return f"{number(len(asked))}: {counted(asked, self._clock.time(), model)}"

    def _choose(self, model: str, besides: Collection[str], session: Session) -> _C | None:
        free = self._free(model, besides)
        return self._strategy.choose(free, model, session) if free else None

    def _among(self, only: _C | None) -> Sequence[_C]:
        return self.credentials if only is None else (only,)

    def _free(self, model: str, besides: Collection[str] = ()) -> list[_C]:
        """Give those that can serve a model, without those that are under suspicion unless there are no others."""
        if self._problem:
            return []
        free = [one for one in self.credentials if one.id not in besides and one.serves(model)]
        return [one for one in free if one.trusted] or free

    # who belongs to it

    def catch_up(self) -> None:
        """Take over what other processes wrote."""
        rows = self._keeper.fresh()
        if rows:
            for row in rows:
                self._take(row)
            if not self._in_order:
                self._order()

    def take(self, row: StoredCredential) -> _C | None:
        """Take over a row: of one that is known, of a new one, or of one that is gone."""
        known = self._take(row)
        if not self._in_order:
            self._order()
        return known

    def _take(self, row: StoredCredential) -> _C | None:
        known = self._by_id.get(row.id)
        if known is None:
            known = self._admit(row) if row.source in _ADDED and not row.removed else None
            if known is not None:
                self._join(known)
        elif not row.removed:
            known.take(row)
        elif not self.gives(row.id):
            known.take(row)
            del self._by_id[row.id]
            self._in_order = False
        return known

    def _join(self, credential: _C) -> None:
        bounds = self.config.cooldown
        credential.join(self._keeper, floor=self.config.quota_floor, longest_s=bounds.max)
        self._by_id[credential.id] = credential
        self._in_order = False

    def _order(self) -> None:
        """Put those of gateway.toml first, as they stand there, and then the others as they came."""
        given = [one for one in self._by_id.values() if self.gives(one.id)]
        others = [one for one in self._by_id.values() if not self.gives(one.id)]
        self.credentials = (*given, *sorted(others, key=lambda one: one.row.added_at))
        self._in_order = True

    # learning

    async def token(self, credential: _C) -> str:
        """Give a credential's access token, refreshed in time; raise RefreshFailed."""
        happen = partial(self.happen, credential)
        try:
            token = await credential.token(self._refresh, happen, self.config.refresh_before)
        except RefreshFailed as failed:
            self._without_token(credential, failed.reason)
            raise
        self._lacking.pop(credential.id, None)
        return token

    def _without_token(self, credential: _C, reason: str) -> None:
        """Tell of it once; that one is disabled is told already."""
        if credential.state != "disabled" and self._lacking.get(credential.id) != reason:
            self._lacking[credential.id] = reason
            self._tell(credential, "no access token", reason=reason)

    def ready(self, credential: _C) -> str:
        """Give the token that a credential has, "" where `token` must be awaited for one."""
        return credential.ready(self.config.refresh_before)

    def any_ready(self, model: str, *, besides: Collection[str]) -> bool:
        """Tell whether another credential can serve a model now, and has its token."""
        return any(self.ready(one) for one in self._free(model, besides))

    def cool(
        self,
        credential: _C,
        model: str,
        wait_s: float | None,
        *,
        at_most_s: float = math.inf,
        spent: bool = False,
        error: GatewayError | None = None,
    ) -> None:
        """Let a credential rest for a model, within the configured bounds.

        `spent`: nothing is left until then. `error`: what the upstream says.
        """
        bounds, wall = self.config.cooldown, self._clock.time()
        seconds = max(bounds.min, min(bounds.unknown if wait_s is None else wait_s, bounds.max, at_most_s))
        quota = {model: Quota.of(0.0, wall + wait_s, wall)} if spent and wait_s is not None else {}
        reason = said(error) if error is not None else ""
        error_at = wall if reason else 0.0
        cooling = {model: wall + seconds}
        is_news = seconds > credential.cools_s(model) + 1  # many requests may learn it at once
        credential.learn(
            Change(id=credential.id, cooling=cooling, quota=quota, last_error=reason, last_error_at=error_at)
        )
        if is_news:
            self.count("cooldowns_begun", self.name)
            fields = {"reason": reason} if reason else {}
            self._tell(credential, "a credential cools down", model=model, seconds=round(seconds), **fields)

    def happen(self, credential: _C, event: Event, reason: str = "", link: str = "") -> None:
        """Let a credential learn of an event, and tell the operator of what they must know."""
        if credential.happen(event, reason, link):
            self._told(credential, event, reason, link)

    def disable(self, credential: _C, reason: str) -> None:
        """Use a credential no more."""
        self.happen(credential, "refused", reason)

    def refuse(self, credential: _C, rule: Rule, failure: Failure) -> None:
        """Use a credential no more that the upstream refuses."""
        self.disable(credential, f"{rule.words}: {failure.error.message}")

    def need_verification(self, credential: _C, failure: Failure) -> None:
        """Use a credential no more until its owner has acted."""
        refused = failure.status is not None  # else an answer has said it of the account
        reason = f"{_UNVERIFIED}: {failure.error.message}" if refused else _UNVERIFIED
        self.happen(credential, "unverified", reason, failure.link or "")

    def hears_when_verified(self, credential: _C) -> bool:
        """Tell whether the upstream's answers will say that the owner has acted: where they have said that one must."""
        return credential.state == "needs_verification" and credential.reason == _UNVERIFIED

    def served(self, credential: _C) -> None:
        """Note that a request got its answer."""
        if credential.served():
            self._logger.info("a credential is active again", upstream=self.name, credential=credential.label)

    def failed(self, credential: _C, reason: str) -> None:
        """Note that the server failed with it."""
        if credential.failed(reason):
            self._told(credential, "failing", reason, "")

    def refused(self, credential: _C, reason: str) -> None:
        """Note that the upstream refused a call with it, which may do others."""
        if credential.row.last_error != reason:
            credential.learn(Change(id=credential.id, last_error=reason, last_error_at=self._clock.time()))

    def _told(self, credential: _C, event: Event, reason: str, link: str) -> None:
        if event in _SAID:
            fields = {"link": link} if link else {}
            remedy = {} if credential.state in SERVING else {"hint": self._remedy(credential, event)}
            self._tell(credential, _SAID[event], reason=reason, **fields, **remedy)

    def _tell(self, credential: _C, event: str, **fields: Any) -> None:
        self._logger.warning(event, upstream=self.name, credential=credential.label, **fields)

    def _remedy(self, credential: _C, event: Event) -> str:
        if event == "unverified":
            return f"once its owner has verified it: gateway credentials enable {credential.label}"
        if self.oauth is None:
            return f"give upstream.{self.name}.api_key another key"
        if event == "revoked":
            return f"log the account in again: gateway login --upstream {self.name}"
        return f"once the cause is gone: gateway credentials enable {credential.label}"

    def _tell_uses(self) -> None:
        self._telling = None
        for credential in self.credentials:
            credential.tell_uses()

    async def _refresh(self, refresh_token: str) -> Tokens:
        assert self._transport is not None, "the pool is used before start"
        assert self.oauth is not None, "an API key is not refreshed"
        assert self._renew is not None, "an API key is not refreshed"
        return await self._renew(self._transport, self.oauth, refresh_token)

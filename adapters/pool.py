"""Several credentials behind one upstream: which one is next, and what is told when none is left.

round_robin: a credential serves `uses_per_turn` requests, then the one whose last turn is longest ago. What is
disabled, waits for its owner or rests for the model is left out. Every request holds a lease until it ends.
"""

import math
from collections import Counter
from collections.abc import Collection, Coroutine, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.adapters import google_oauth
from gateway.adapters.credential import STANDINGS, Credential
from gateway.adapters.google_oauth import Tokens
from gateway.clock import Clock
from gateway.config import OAuthConfig, PoolConfig
from gateway.errors import GatewayError, NoCredential, UpstreamCredential, UpstreamRateLimited, UpstreamUnavailable
from gateway.store.keeper import Keeper
from gateway.transport import Transport

__all__ = ["Lease", "Pool"]

_C = TypeVar("_C", bound=Credential)


class Lease(Struct, Generic[_C], eq=False):
    """A credential in one request's hands."""

    credential: _C
    _pool: "Pool[_C] | None"

    def release(self) -> None:
        """Give it back; idempotent."""
        if self._pool is not None:
            self._pool.leases -= 1
            self._pool = None


class Pool(Generic[_C]):
    """The credentials of one upstream. `leases`: how many are lent now.

    `oauth`: the client that accounts get their tokens by; None: the credentials are API keys.
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
    ) -> None:
        self.name = name
        self.credentials = credentials
        self.leases = 0
        self._config = config
        self._oauth = oauth
        self._clock = clock
        self._keeper = keeper
        self._logger = logger
        self._transport: Transport | None = None
        self._current: _C | None = None
        self._uses = 0
        self._turns = 0
        known = oauth is None or oauth.client_id
        self._problem = "" if known else f"no OAuth client: set upstream.{name}.oauth"

    def start(self, transport: Transport) -> None:
        """Take the transport that refreshes go through."""
        self._transport = transport
        active = sum(credential.state == "active" for credential in self.credentials)
        if active < self._config.min_credentials or self._problem:
            self._logger.warning("few credentials", upstream=self.name, state=self.state())

    @property
    def _remedy(self) -> str:
        if self._oauth is None:
            return f"give upstream.{self.name}.api_key another key"
        return f"log the account in again, and give upstream.{self.name}.pool its new refresh token"

    @property
    def usable(self) -> bool:
        """Whether any credential could serve some model."""
        return not self._problem and any(credential.state == "active" for credential in self.credentials)

    def state(self) -> str:
        """Say in a few words how it is."""
        if self._problem:
            return self._problem
        if not self.credentials:
            where = "api_key" if self._oauth is None else "pool.refresh_tokens or pool.import"
            return f"no credential: set upstream.{self.name}.{where}"
        active = sum(credential.state == "active" for credential in self.credentials)
        if active:
            return f"usable: {active} of {len(self.credentials)} credentials"
        return f"no credential: {_out_of_use(self.credentials)}"

    def states(self) -> dict[str, int]:
        """Count the credentials by state; one that rests for any model is cooling."""
        found = Counter(credential.standing for credential in self.credentials)
        return {state: found[state] for state in STANDINGS}

    # choosing

    def pick(self, model: str, *, besides: Collection[str] = ()) -> Lease[_C] | None:
        """Lend the next credential that can serve a model now, none of `besides`."""
        credential = self._current
        if credential is None or not self._may_stay(credential, model, besides):
            free = self._free(model, besides)
            if not free:
                return None
            if credential not in free or self._uses >= self._config.uses_per_turn:
                credential = self._turn(free)
        self._uses += 1
        self._logger.debug("credential", upstream=self.name, credential=credential.label, use=self._uses)
        return self.lend(credential)

    def _may_stay(self, credential: _C, model: str, besides: Collection[str]) -> bool:
        """Tell whether the turn goes on, without a look at the others."""
        if self._uses >= self._config.uses_per_turn or self._problem:
            return False
        return credential.id not in besides and self.lends(credential, model)

    def _turn(self, free: Sequence[_C]) -> _C:
        self._turns += 1
        self._uses = 0
        self._current = min(free, key=lambda credential: credential.turn)
        self._current.turn = self._turns
        return self._current

    def lend(self, credential: _C) -> Lease[_C]:
        """Lend this credential, outside of the turns."""
        self.leases += 1
        return Lease(credential, self)

    def has(self, model: str, *, besides: Collection[str] = ()) -> bool:
        """Tell whether `pick` would find one."""
        return bool(self._free(model, besides))

    def lends(self, credential: _C, model: str) -> bool:
        """Tell whether a credential can serve a model now."""
        return credential.state == "active" and not credential.rests_s(model)

    def any_active(self, model: str = "") -> _C | None:
        """Give some credential for a call beside the requests; that is no turn."""
        return next(iter(self._free(model)), None)

    def rest_s(self, model: str, only: _C | None = None) -> float:
        """Give the seconds until a credential, or `only` this one, can serve a model; infinite if a person must act."""
        if self._problem:
            return math.inf
        rests = (credential.rests_s(model) for credential in self._among(only) if credential.state == "active")
        return min(rests, default=math.inf)

    def shortage(self, model: str, only: _C | None = None) -> GatewayError | None:
        """Say why no credential, or not this one, can serve a model now; None when one can."""
        rest_s = self.rest_s(model, only)
        if not rest_s:
            return None
        asked = self._among(only)
        if math.isinf(rest_s):
            words = (
                f"upstream {self.name} has no usable credential: {self._why(asked)}; this gateway's operator must act"
            )
            # one API key is no pool: that it is refused is the upstream's answer
            return (
                UpstreamCredential(words) if self._oauth is None and len(self.credentials) == 1 else NoCredential(words)
            )
        active = [credential for credential in asked if credential.state == "active"]
        trouble = next((credential.trouble for credential in active if credential.trouble), "")
        if trouble and not any(credential.cools_s(model) for credential in active):
            return UpstreamUnavailable(f"no access token: {trouble}", retry_after=rest_s)
        where = f" for {model}" if model else ""
        words = f"{len(active)} of {len(asked)} credentials cool down{where}, next in {_spoken(rest_s)}"
        out = _out_of_use(asked)
        return UpstreamRateLimited(f"{words}; {out}" if out else words, retry_after=rest_s)

    def _among(self, only: _C | None) -> Sequence[_C]:
        return self.credentials if only is None else (only,)

    def _free(self, model: str, besides: Collection[str] = ()) -> list[_C]:
        if self._problem:
            return []
        return [
            credential
            for credential in self.credentials
            if credential.id not in besides and self.lends(credential, model)
        ]

    def _why(self, asked: Sequence[_C]) -> str:
        return self._problem or _out_of_use(asked) or "none is configured"

    # learning

    def token(self, credential: _C) -> Coroutine[Any, Any, str]:
        """Give a credential's access token, refreshed in time; raise RefreshFailed."""
        return credential.token(self._refresh, partial(self._saved, credential), self._config.refresh_before)

    def ready(self, credential: _C) -> str:
        """Give the token that a credential has, "" where `token` must be awaited for one."""
        return credential.ready(self._config.refresh_before)

    def cool(self, credential: _C, model: str, wait_s: float | None, *, at_most_s: float = math.inf) -> None:
        """Let a credential rest for a model, within the configured bounds."""
        bounds = self._config.cooldown
        seconds = max(bounds.min, min(bounds.unknown if wait_s is None else wait_s, bounds.max, at_most_s))
        credential.cool(model, seconds)
        self._changed(credential, "a credential cools down", model=model, seconds=round(seconds))

    def disable(self, credential: _C, reason: str, *, lasting: bool = True) -> None:
        """Use a credential no more."""
        if credential.state != "disabled":
            credential.disable(reason, lasting=lasting)
            self._changed(credential, "a credential is disabled", reason=reason, hint=self._remedy)

    def need_verification(self, credential: _C, link: str | None) -> None:
        """Use a credential no more until its owner has acted."""
        if credential.state == "active":
            credential.need_verification(link)
            self._changed(credential, "a credential must be verified by its owner", link=link)

    def keep(self, credential: _C) -> None:
        """Write down what is known of a credential, soon."""
        self._keeper.later(credential.stored)

    async def _refresh(self, refresh_token: str) -> Tokens:
        assert self._transport is not None, "the pool is used before start"
        assert self._oauth is not None, "an API key is not refreshed"
        return await google_oauth.refresh(self._transport, self._oauth, refresh_token)

    async def _saved(self, credential: _C) -> None:
        if credential.state == "disabled":
            self._tell(credential, "a credential is disabled", reason=credential.reason, hint=self._remedy)
        await self._keeper.now(credential.stored)

    def _changed(self, credential: _C, event: str, **fields: Any) -> None:
        self._tell(credential, event, **fields)
        self.keep(credential)

    def _tell(self, credential: _C, event: str, **fields: Any) -> None:
        self._logger.warning(event, upstream=self.name, credential=credential.label, **fields)


def _out_of_use(credentials: Sequence[Credential]) -> str:
    """Count the credentials that need a person, by reason; without what names an account."""
    reasons = Counter(
        f"disabled: {credential.reason.partition(':')[0]}"
        if credential.state == "disabled"
        else "must be verified by the owner"
        for credential in credentials
        if credential.state != "active"
    )
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 7200 else f"{math.ceil(seconds / 3600)} h"

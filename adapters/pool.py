"""Several credentials behind one upstream: which one is next, and what is told when none is left.

round_robin: a credential serves `uses_per_turn` requests, then the one whose last turn is longest ago. What is
disabled, waits for its owner or rests for the model is left out. Every request holds a lease until it ends.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from structlog.typing import FilteringBoundLogger

from gateway.adapters import google_oauth
from gateway.adapters.credential import Credential
from gateway.adapters.google_oauth import Tokens
from gateway.clock import Clock
from gateway.config import OAuthConfig, PoolConfig
from gateway.errors import GatewayError, NoCredential, UpstreamRateLimited, UpstreamUnavailable
from gateway.store.keeper import Keeper
from gateway.transport import Transport

__all__ = ["Lease", "Pool"]


class Lease:
    """A credential in one request's hands."""

    def __init__(self, credential: Credential, pool: "Pool") -> None:
        self.credential = credential
        self._pool: Pool | None = pool

    def release(self) -> None:
        """Give it back; idempotent."""
        if self._pool is not None:
            self._pool.leases -= 1
            self._pool = None


class Pool:
    """The credentials of one upstream. `leases`: how many are lent now."""

    def __init__(
        self,
        name: str,
        credentials: Sequence[Credential],
        *,
        config: PoolConfig,
        oauth: OAuthConfig,
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
        self._current: Credential | None = None
        self._uses = 0
        self._turns = 0

    def start(self, transport: Transport) -> None:
        """Take the transport that refreshes go through."""
        self._transport = transport
        active = sum(credential.state == "active" for credential in self.credentials)
        if active < self._config.min_credentials or self._problem:
            self._logger.warning("few credentials", upstream=self.name, state=self.state())

    @property
    def _problem(self) -> str:
        return "" if self._oauth.client_id else f"no OAuth client: set upstream.{self.name}.oauth"

    @property
    def usable(self) -> bool:
        """Whether any credential could serve some model."""
        return not self._problem and any(credential.state == "active" for credential in self.credentials)

    def state(self) -> str:
        """Say in a few words how it is."""
        if self._problem:
            return self._problem
        if not self.credentials:
            return f"no credential: set upstream.{self.name}.pool.refresh_tokens or pool.import"
        active = sum(credential.state == "active" for credential in self.credentials)
        if active:
            return f"usable: {active} of {len(self.credentials)} credentials"
        return f"no credential: {self._out_of_use()}"

    # choosing

    def pick(self, model: str, *, besides: Collection[str] = ()) -> Lease | None:
        """Lend the next credential that can serve a model now, none of `besides`."""
        free = self._free(model, besides)
        if not free:
            return None
        if self._current not in free or self._uses >= self._config.uses_per_turn:
            self._turns += 1
            self._uses = 0
            self._current = min(free, key=lambda credential: credential.turn)
            self._current.turn = self._turns
        credential = self._current
        assert credential is not None
        self._uses += 1
        self.leases += 1
        uses = f"{self._uses}/{self._config.uses_per_turn}"
        self._logger.debug("credential", upstream=self.name, credential=credential.label, use=uses)
        return Lease(credential, self)

    def has(self, model: str, *, besides: Collection[str] = ()) -> bool:
        """Tell whether `pick` would find one."""
        return bool(self._free(model, besides))

    def lends(self, credential: Credential, model: str) -> bool:
        """Tell whether a credential can serve a model now."""
        return credential.state == "active" and not credential.rests_s(model)

    def any_active(self, model: str = "") -> Credential | None:
        """Give some credential for a call beside the requests; that is no turn."""
        return next(iter(self._free(model)), None)

    def rest_s(self, model: str) -> float:
        """Give the seconds until a credential can serve a model; infinite when that needs a person."""
        if self._problem:
            return math.inf
        rests = (credential.rests_s(model) for credential in self.credentials if credential.state == "active")
        return min(rests, default=math.inf)

    def shortage(self, model: str) -> GatewayError | None:
        """Say why no credential can serve a model now; None when one can."""
        rest_s = self.rest_s(model)
        if not rest_s:
            return None
        if math.isinf(rest_s):
            return NoCredential(f"upstream {self.name} has no usable credential: {self._why()}")
        active = [credential for credential in self.credentials if credential.state == "active"]
        trouble = next((credential.trouble for credential in active if credential.trouble), "")
        if trouble and not any(credential.cools_s(model) for credential in active):
            return UpstreamUnavailable(f"no access token: {trouble}", retry_after=rest_s)
        words = f"{len(active)} of {len(self.credentials)} credentials cool down for {model}, next in {_spoken(rest_s)}"
        out = self._out_of_use()
        return UpstreamRateLimited(f"{words}; {out}" if out else words, retry_after=rest_s)

    def _free(self, model: str, besides: Collection[str] = ()) -> list[Credential]:
        if self._problem:
            return []
        return [
            credential
            for credential in self.credentials
            if credential.id not in besides and self.lends(credential, model)
        ]

    def _why(self) -> str:
        return self._problem or self._out_of_use() or "none is configured"

    def _out_of_use(self) -> str:
        """Count the credentials that need a person, by reason; without what names an account."""
        reasons = Counter(
            f"disabled: {credential.reason.partition(':')[0]}"
            if credential.state == "disabled"
            else "must be verified by the owner"
            for credential in self.credentials
            if credential.state != "active"
        )
        return ", ".join(f"{count} {reason}" for reason, count in reasons.items())

    # learning

    async def token(self, credential: Credential) -> str:
        """Give a credential's access token, refreshed in time; raise RefreshFailed."""
        return await credential.token(self._refresh, partial(self._saved, credential), self._config.refresh_before)

    def cool(self, credential: Credential, model: str, wait_s: float | None, *, at_most_s: float = math.inf) -> None:
        """Let a credential rest for a model, within the configured bounds."""
        bounds = self._config.cooldown
        seconds = max(bounds.min, min(bounds.unknown if wait_s is None else wait_s, bounds.max, at_most_s))
        credential.cool(model, seconds)
        self._changed(credential, "a credential cools down", model=model, seconds=round(seconds))

    def disable(self, credential: Credential, reason: str, *, lasting: bool = True) -> None:
        """Use a credential no more."""
        if credential.state != "disabled":
            credential.disable(reason, lasting=lasting)
            self._changed(credential, "a credential is disabled", reason=reason)

    def need_verification(self, credential: Credential, link: str | None) -> None:
        """Use a credential no more until its owner has acted."""
        if credential.state == "active":
            credential.need_verification(link)
            self._changed(credential, "a credential must be verified by its owner", link=link)

    def keep(self, credential: Credential) -> None:
        """Write down what is known of a credential, soon."""
        self._keeper.later(credential.stored)

    async def _refresh(self, refresh_token: str) -> Tokens:
        assert self._transport is not None, "the pool is used before start"
        return await google_oauth.refresh(self._transport, self._oauth, refresh_token)

    async def _saved(self, credential: Credential) -> None:
        if credential.state == "disabled":
            self._tell(credential, "a credential is disabled", reason=credential.reason)
        await self._keeper.now(credential.stored)

    def _changed(self, credential: Credential, event: str, **fields: Any) -> None:
        self._tell(credential, event, **fields)
        self.keep(credential)

    def _tell(self, credential: Credential, event: str, **fields: Any) -> None:
        self._logger.warning(event, upstream=self.name, credential=credential.label, **fields)


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 7200 else f"{math.ceil(seconds / 3600)} h"

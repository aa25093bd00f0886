"""Look after an upstream's credentials although nobody asks: tokens in time, and now and then a question.

    refreshing   every process: a token that is about to end, or that could not be had, is refreshed
    checking     one process of all, while no request is under way: a credential after the other is asked something

An answer clears a suspicion, a failure raises one, and a 429 is neither; only a refresh can find a login void.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Generic, Literal, TypeVar

from structlog.typing import FilteringBoundLogger

from gateway.adapters.account import Account
from gateway.adapters.credential import Credential
from gateway.adapters.failures import Cause, Failure
from gateway.adapters.pool import Pool
from gateway.adapters.tokens import RefreshFailed
from gateway.clock import Clock
from gateway.config import PoolConfig
from gateway.store.keeper import Keeper
from gateway.store.known import Change

__all__ = ["Probe", "ProbeName", "Tending"]

_C = TypeVar("_C", bound=Credential)

ProbeName = Literal["models", "userinfo", "project"]
Probe = Callable[[_C], Awaitable[Change]]  # gives what the answer says; raises Failure or RefreshFailed

_TICK_S: Final = 1.0  # between two questions, and two looks for a token to refresh
_REFRESH_LOOK_S: Final = 5.0  # for what has failed or come since
_CHECK_LOOK_S: Final = 30.0
_LEASE_S: Final = 90.0  # of the one process that asks
_AT_ONCE: Final = 8
_ORDER: Final[tuple[ProbeName, ...]] = ("project", "models", "userinfo")  # what the first learns the second asks with
_EARLIEST: Final = 0.9  # of the configured time: credentials and processes are to refresh at different moments
_INNOCENT: Final[frozenset[Cause]] = frozenset(
    {"rate_limit", "quota", "bare_429", "capacity", "scope", "missing", "address", "location"}
)


class Tending(Generic[_C]):
    """The two loops of one upstream. `busy`: tells whether a request is under way, here or in the whole app.

    `accounts`: its credentials are accounts, and more of them may come; a lone API key is only looked at when asked.
    """

    def __init__(
        self,
        pool: Pool[_C],
        keeper: Keeper,
        config: PoolConfig,
        probes: Mapping[ProbeName, Probe[_C]],
        clock: Clock,
        logger: FilteringBoundLogger,
        *,
        accounts: bool = False,
    ) -> None:
        self.busy: Callable[[], bool] = lambda: pool.leases > 0
        self._with_accounts = accounts
        self._pool = pool
        self._keeper = keeper
        self._lease = f"probe:{keeper.upstream}"
        self._early_s = config.refresh_before
        self._health = config.health
        self._probes = probes
        self._chosen: tuple[ProbeName, ...] = tuple(name for name in config.health.probes if name in probes)
        self._clock = clock
        self._logger = logger
        self._shares: dict[str, float] = {}  # of the time before its end, for each credential
        self._due: dict[str, float] = {}  # when a credential is to be asked next
        self._listed: set[str] = set()  # credentials that have been asked for their models

    def loops(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Give what is to run as long as the upstream does."""
        if self._with_accounts:
            yield self.refresh()
        if self._chosen and self._health.interval and (self._with_accounts or len(self._pool.credentials) > 1):
            yield self.check_all()

    # refreshing

    async def refresh(self) -> None:
        """Refresh tokens for ever."""
        while True:
            await self._clock.sleep(self._until_refresh_s())
            self._pool.catch_up()
            due = [one for one in self._pool.credentials if self._refresh_s(one) <= 0][:_AT_ONCE]
            await asyncio.gather(*map(self._refresh, due))

    def _until_refresh_s(self) -> float:
        soonest_s = min(map(self._refresh_s, self._pool.credentials), default=math.inf)
        return min(max(soonest_s, _TICK_S), _REFRESH_LOOK_S)

    def _refresh_s(self, credential: _C) -> float:
        if not isinstance(credential, Account):
            return math.inf
        share = self._shares.setdefault(credential.id, random.uniform(_EARLIEST, 1))  # noqa: S311 - spreads load only
        return credential.due_s(self._early_s * share)

    async def _refresh(self, credential: _C) -> None:
        with suppress(RefreshFailed):  # the pool tells of it
            await self._pool.token(credential)

    # checking

    async def check_all(self) -> None:
        """Ask one credential after the other, for ever, as long as no other process does."""
        try:
            while True:
                await self._clock.sleep(self._until_check_s())
                while not await self._keeper.take_lease(self._lease, _LEASE_S):
                    await self._clock.sleep(_CHECK_LOOK_S)
                self._pool.catch_up()
                await self._check_next()
        finally:
            await self._keeper.end_lease(self._lease)

    async def check(self, credential: _C) -> None:
        """Ask a credential everything now, whatever its state; until there is no answer."""
        for name in sorted(self._probes, key=_ORDER.index):
            if not await self._ask(name, credential):
                return

    def _until_check_s(self) -> float:
        now = self._clock.monotonic()
        soonest_s = min((self._due.get(one.id, now) for one in self._askable()), default=math.inf) - now
        return min(max(soonest_s, _TICK_S), _CHECK_LOOK_S)

    def _askable(self) -> list[_C]:
        """Leave out what needs a person, and what waits for a token."""
        credentials = self._pool.credentials
        return [one for one in credentials if self._questions(one) and not one.rests_s("")]

    def _questions(self, credential: _C) -> tuple[ProbeName, ...]:
        if credential.state == "disabled":
            return ()
        if credential.state == "needs_verification":
            asks = "project" in self._chosen and self._pool.hears_when_verified(credential)
            return ("project",) if asks else ()
        if "models" in self._chosen and credential.id not in self._listed:
            return ("models",)  # with what is left of each
        return self._chosen

    async def _check_next(self) -> None:
        if self._health.idle_only and self.busy():
            return
        now = self._clock.monotonic()
        credential = min(self._askable(), key=lambda one: self._due.get(one.id, 0.0), default=None)
        if credential is None or self._due.get(credential.id, now) > now:
            return
        self._due[credential.id] = now + self._health.interval * random.uniform(0.9, 1.1)  # noqa: S311 - as above
        await self._ask(random.choice(self._questions(credential)), credential)  # noqa: S311 - as above

    async def _ask(self, name: ProbeName, credential: _C) -> bool:
        """Ask one question, and tell whether there was an answer."""
        if name == "models":
            self._listed.add(credential.id)
        try:
            learnt = await self._probes[name](credential)
        except RefreshFailed:
            return False  # the account knows
        except Failure as failure:
            self._failed(name, credential, failure)
            return False
        credential.learn(learnt)
        was = credential.state
        # of all answers only this one says whether the owner must still act; it may say nothing while calls are refused
        verified = name == "project" and self._pool.hears_when_verified(credential)
        self._pool.happen(credential, "verified" if verified else "probed")
        if credential.state != was:
            fields = {"upstream": self._pool.name, "credential": credential.label, "state": credential.state}
            self._logger.info("a credential works again", **fields)
        return True

    def _failed(self, name: ProbeName, credential: _C, failure: Failure) -> None:
        reason = f"{name}: {failure}"
        if failure.cause == "verification":
            self._pool.need_verification(credential, failure)
        elif failure.cause not in _INNOCENT:
            self._pool.happen(credential, "probe_failed", reason)
        credential.learn(Change(id=credential.id, last_error=reason, last_error_at=self._clock.time()))

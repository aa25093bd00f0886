"""What every upstream with a pool of credentials is: how it stands, what it lists, and how it starts and stops."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway.adapters.credential import Credential
from gateway.adapters.journey import Backend
from gateway.adapters.keeping import Kept, reopen
from gateway.adapters.model_list import Catalogue, Described, ModelList, as_listed
from gateway.adapters.pool import Pool
from gateway.adapters.tending import Probe, ProbeName, Tending
from gateway.clock import Clock
from gateway.config import Loaded, PoolConfig
from gateway.store.known import Change, Happening
from gateway.store.tally import Count
from gateway.transport import Transport
from gateway.upstream import CredentialView, ModelInfo

__all__ = ["KeyedUpstream", "PooledUpstream", "restored"]

_C = TypeVar("_C", bound=Credential)


def restored(
    name: str,
    loaded: Loaded,
    credentials: Iterable[_C],
    config: PoolConfig,
    clock: Clock,
    logger: FilteringBoundLogger,
) -> tuple[Pool[_C], Kept]:
    """Make a pool of these, each with what an earlier run has learnt; raise ConfigError for a store that is no use."""
    by_id = {one.id: one for one in credentials}
    kept = reopen(name, loaded, logger, clock)
    for known in by_id.keys() & kept.rows.keys():
        if not kept.rows[known].removed:  # the configuration gives it again
            by_id[known].take(kept.rows[known])
    pool = Pool(name, [*by_id.values()], config=config, oauth=None, clock=clock, keeper=kept.keeper, logger=logger)
    return pool, kept


class PooledUpstream(ABC, Generic[_C]):
    """One upstream, and its background work.

    `configured`: the models that it has, () = those that it lists, where it can (`lists`). `tasks` end with it.
    `has_accounts`: its credentials are accounts, and more of them may come while it runs.
    """

    has_accounts: ClassVar[bool] = False

    def __init__(
        self,
        backend: Backend[_C],
        kept: Kept,
        tasks: set[asyncio.Task[Any]],
        *,
        configured: Sequence[str],
        shipped: Mapping[str, ModelInfo],
        described: Described = as_listed,
        lists: bool = True,
    ) -> None:
        self.name = backend.pool.name
        self._pool = backend.pool
        self._shared = backend
        backend.models = self.models
        self._keeper = kept.keeper
        self._tasks = tasks
        self._lists = lists and not configured
        self._tending = Tending(
            self._pool,
            kept.keeper,
            self._pool.config,
            self._probes(),
            backend.clock,
            backend.logger,
            accounts=self.has_accounts,
        )
        self._list = ModelList(
            self.name,
            configured=configured,
            shipped=shipped,
            described=described,
            fetched=kept.fetched,
            keeper=kept.keeper,
            clock=backend.clock,
            logger=backend.logger,
        )

    # how it is

    @property
    def usable(self) -> bool:
        """Whether any credential could serve."""
        self._pool.catch_up()
        return self._pool.usable

    @property
    def credentials(self) -> Sequence[_C]:
        """The pool's credentials, in the order in which they are configured."""
        return self._pool.credentials

    @property
    def leases(self) -> int:
        """How many credentials are in use by requests now."""
        return self._pool.leases

    def state(self) -> str:
        """Say how many credentials can serve, or why none."""
        self._pool.catch_up()
        return self._pool.state()

    def states(self) -> Mapping[str, int]:
        """Count the credentials by state."""
        self._pool.catch_up()
        return self._pool.states()

    def servers(self) -> Sequence[str]:
        """Give the addresses that calls go to, in the order in which they are tried."""
        return self._shared.bases

    def models(self) -> Mapping[str, ModelInfo]:
        """List the configured models, else those fetched last, else the shipped table."""
        return self._list.models

    @property
    def is_awaited(self) -> bool:
        """Whether the upstream has just been asked for its models for the first time."""
        return self._lists and bool(self._tasks) and self._list.is_new

    def info(self, model: str) -> ModelInfo:
        """Give what is known of a model, also of one that is not listed."""
        return self._list.info(model)

    # what operators ask

    def views(self) -> Sequence[CredentialView]:
        """Show the credentials, in the order in which they were given."""
        self._pool.catch_up()
        return [one.view(self.name) for one in self._pool.credentials]

    async def enable(self, id_: str) -> CredentialView:
        """Take a credential into use again; its cool-downs stay."""
        credential = self._found(id_)
        credential.resume()
        return await self._operated(credential, Happening("enabled"))

    async def disable(self, id_: str, reason: str) -> CredentialView:
        """Take a credential out of use until it is enabled."""
        return await self._operated(self._found(id_), Happening("stopped", reason or "by an operator"))

    async def check(self, id_: str) -> CredentialView:
        """Ask the upstream about a credential now."""
        credential = self._found(id_)
        await self._tending.check(credential)
        return credential.view(self.name)

    async def remove(self, id_: str) -> None:
        """Forget a credential; raise ValueError for one that gateway.toml gives."""
        credential = self._found(id_)
        if self._pool.gives(id_):
            raise ValueError(f"this credential is in gateway.toml: remove it from upstream.{self.name} there")
        await self._keeper.remove(id_)
        self._pool.take(replace(credential.row, removed=True))

    def _found(self, id_: str) -> _C:
        self._pool.catch_up()
        return self._pool.find(id_)

    async def _operated(self, credential: _C, happening: Happening) -> CredentialView:
        await credential.keep(Change(id=credential.id, events=(happening,)))
        self._shared.logger.info(
            "an operator has changed a credential",
            upstream=self.name,
            credential=credential.label,
            happened=happening.event,
        )
        return credential.view(self.name)

    # background work

    def watch(self, busy: Callable[[], bool]) -> None:
        """Learn how to tell whether a request is under way anywhere in the app."""
        self._tending.busy = busy

    def count_by(self, count: Count) -> None:
        """Learn how to count what the metrics tell."""
        self._pool.count = count
        self._keeper.count_by(count)

    async def start(self, transport: Transport) -> None:
        """Take the transport, and begin to tend the credentials; without configured models fetch the list."""
        self._shared.transport = transport
        await self._keeper.start()
        self._pool.start(transport)
        loops = [*self._tending.loops()]
        if self._lists:
            loops.append(self._list.keep(self._fetch))
        self._tasks.update(map(asyncio.get_running_loop().create_task, loops))

    async def stop(self) -> None:
        """End background work, and write down what is left to write."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._pool.stop()
        await self._keeper.close()

    async def listed(self) -> str:
        """Wait for the answer to the first question; say why it was no list, "" when it was or none was asked for."""
        return await self._list.asked() if self._lists else ""

    @abstractmethod
    async def _fetch(self) -> Catalogue | None:
        """Ask for the models; None when there is no credential for it now."""

    @abstractmethod
    def _probes(self) -> Mapping[ProbeName, Probe[_C]]:
        """Give what can be asked about a credential."""


class KeyedUpstream(PooledUpstream[Credential]):
    """One whose credentials are API keys: one question tells the models, and whether a key is good."""

    async def _fetch(self) -> Catalogue | None:
        key = self._pool.any_active()
        if key is None or self._shared.transport is None:
            return None
        with self._shared.learning(key):
            return await self._catalogue(key)

    def _probes(self) -> Mapping[ProbeName, Probe[Credential]]:
        return {"models": self._probe}

    async def _probe(self, key: Credential) -> Change:
        await self._try(key)
        return Change(id=key.id)

    @abstractmethod
    async def _catalogue(self, key: Credential) -> Catalogue:
        """Ask for the models with a key; raise Failure."""

    @abstractmethod
    async def _try(self, key: Credential) -> None:
        """Ask for as little as tells whether a key is good; raise Failure."""

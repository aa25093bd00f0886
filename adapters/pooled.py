"""What every upstream with a pool of credentials is: how it stands, what it lists, and how it starts and stops."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from gateway.adapters.credential import Credential
from gateway.adapters.journey import Backend
from gateway.adapters.keeping import Kept
from gateway.adapters.model_list import Catalogue, ModelList
from gateway.transport import Transport
from gateway.upstream import ModelInfo

__all__ = ["PooledUpstream"]

_C = TypeVar("_C", bound=Credential)


class PooledUpstream(ABC, Generic[_C]):
    """One upstream, and its background work.

    `configured`: the models that it has, () = those that it lists, where it can (`lists`). `tasks` end with it.
    """

    def __init__(
        self,
        backend: Backend[_C],
        kept: Kept,
        tasks: set[asyncio.Task[Any]],
        *,
        configured: Sequence[str],
        shipped: Mapping[str, ModelInfo],
        lists: bool = True,
    ) -> None:
        self.name = backend.pool.name
        self._pool = backend.pool
        self._shared = backend
        backend.models = self.models
        self._keeper = kept.keeper
        self._tasks = tasks
        self._lists = lists and not configured
        self._list = ModelList(
            self.name,
            configured=configured,
            shipped=shipped,
            fetched=kept.fetched,
            keeper=kept.keeper,
            clock=backend.clock,
            logger=backend.logger,
        )

    @property
    def usable(self) -> bool:
        """Whether any credential could serve."""
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
        return self._pool.state()

    def states(self) -> Mapping[str, int]:
        """Count the credentials by state."""
        return self._pool.states()

    def models(self) -> Mapping[str, ModelInfo]:
        """List the configured models, else those fetched last, else the shipped table."""
        return self._list.models

    async def start(self, transport: Transport) -> None:
        """Take the transport; without configured models fetch the list in the background."""
        self._shared.transport = transport
        self._pool.start(transport)
        if self._lists:
            self._tasks.add(asyncio.get_running_loop().create_task(self._list.keep(self._fetch)))

    async def stop(self) -> None:
        """End background work, and write down what is left to write."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        await self._keeper.close()

    async def listed(self) -> str:
        """Wait for the answer to the first question; say why it was no list, "" when it was or none was asked for."""
        return await self._list.asked() if self._lists else ""

    @abstractmethod
    async def _fetch(self) -> Catalogue | None:
        """Ask for the models; None when there is no credential for it now."""

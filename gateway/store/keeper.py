"""One upstream's part of the store: read at start, written behind the requests' back, one write after the other."""

import asyncio
from collections.abc import Callable
from functools import partial

from structlog.typing import FilteringBoundLogger

from gateway.store.credentials import CredentialStore, StoredAccount, StoredCredential, StoredModels, StoreFailed

__all__ = ["Keeper", "Take"]

Take = Callable[[], StoredCredential]


class Keeper:
    """Writes in worker threads. A store that fails is told of once, and the service goes on from memory.

    `Take` gives the row when its turn to be written has come, so that it holds what is known then.
    """

    def __init__(self, store: CredentialStore, upstream: str, logger: FilteringBoundLogger) -> None:
        self._store = store
        self._upstream = upstream
        self._logger = logger
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing = False

    def load(self) -> tuple[dict[str, StoredCredential], StoredModels | None]:
        """Open the store and read what is there; raise KeyProblem."""
        try:
            self._store.open()
            return self._store.load(self._upstream), self._store.load_models(self._upstream)
        except StoreFailed as error:
            self._tell(error)
            return {}, None

    def accounts(self) -> list[StoredAccount]:
        """Read the accounts that were taken in; after `load`. Raise KeyProblem."""
        try:
            return self._store.accounts(self._upstream)
        except StoreFailed as error:
            self._tell(error)
            return []

    def later(self, take: Take) -> None:
        """Write a credential soon; `close` waits for it."""
        self._begin(take)

    async def now(self, take: Take) -> None:
        """Write a credential, and return when it is on disk or has failed; also for one who leaves it is written."""
        await asyncio.shield(self._begin(take))

    def _begin(self, take: Take) -> asyncio.Task[None]:
        write = self._write(lambda: partial(self._store.save, self._upstream, take()))
        task = asyncio.get_running_loop().create_task(write)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def save_models(self, fetched: StoredModels) -> None:
        """Write the model list."""
        await self._write(lambda: partial(self._store.save_models, self._upstream, fetched))

    async def close(self) -> None:
        """Wait for what is still to be written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _write(self, prepare: Callable[[], Callable[[], None]]) -> None:
        async with self._lock:
            try:
                await asyncio.to_thread(prepare())
            except StoreFailed as error:
                self._tell(error)
            else:
                self._failing = False

    def _tell(self, error: StoreFailed) -> None:
        if not self._failing:
            self._failing = True
            self._logger.error("the credential store fails; its changes stay in memory", reason=str(error))

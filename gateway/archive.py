"""The store of responses, as one app uses it: opened once, asked in worker threads, written in batches.

It is loaded with the first response that is written or, where there may be one, asked for. That it fails breaks no
answer: the response is not kept, and the operator is told.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, cast

from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import Loaded
from gateway.errors import StoreUnavailable
from gateway.lending import in_thread
from gateway.registry import import_path
from gateway.store import FILE
from gateway.store.folder import is_there
from gateway.store.lane import Lanes
from gateway.store.stored import KeyProblem, StoredResponse, StoreFailed, reason_of
from gateway.store.tally import Count, uncounted

if TYPE_CHECKING:
    from gateway.store.responses import ResponseStore

__all__ = ["Archive"]

_T = TypeVar("_T")

_STORE: Final = "gateway.store.responses:ResponseStore"
_LATER_S: Final = 1.0  # the first requests are in more of a hurry
_AT_ONCE: Final = 2  # questions to the store
_PATIENCE_S: Final = 10.0  # then the caller gets the end of the answer, kept or not
_LARGE: Final = "a response was not stored: it is larger than responses.max, or another caller's has the same ID"


class _Waiting(NamedTuple):
    """A response that waits to be written, `anew`: in the place of what it was before."""

    response: StoredResponse
    anew: bool
    written: asyncio.Future[None]


class Archive:
    """Where the responses of one app are kept, if `[responses]` keeps any."""

    def __init__(self, loaded: Loaded, clock: Clock, logger: FilteringBoundLogger) -> None:
        self._bounds = loaded.config.responses
        self._keys = loaded.config.store.encryption_key
        self._file = loaded.resolve(loaded.config.server.data_dir) / FILE
        self._url = loaded.config.store.database.reveal()
        self._clock = clock
        self._logger = logger
        self.enabled = bool(self._bounds.keep_days and self._bounds.max)
        self._opening: asyncio.Task[ResponseStore] | None = None
        self._lanes = Lanes(_AT_ONCE, _PATIENCE_S)
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._given_up: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._failing = False
        self.count: Count = uncounted

    async def start(self) -> None:
        """Drop what is there when nothing is to be kept any more, or bring it under the newest key."""
        if not self._is_there:
            return
        if not self.enabled:
            await self._look()
        elif self._keys:
            self._renewing = asyncio.get_running_loop().create_task(self._look(_LATER_S))

    async def stop(self) -> None:
        """Close the file."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait((self._renewing,))
        if self._writing is not None:
            await asyncio.wait((self._writing,), timeout=_PATIENCE_S)
        await self._lanes.free()  # else a connection that is in use is left open
        opening, self._opening = self._opening, None
        if opening is None:
            return
        (store,) = await asyncio.gather(opening, return_exceptions=True)
        if not isinstance(store, BaseException):
            await asyncio.to_thread(store.close)

    async def ask(self, what: "Callable[[ResponseStore, float], _T]") -> _T | None:
        """Ask the store, if there is anything in it."""
        if not self.enabled or (self._opening is None and not self._is_there):
            return None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                store = await self._opened()
            return await self._lanes.ask(partial(what, store, self._clock.time()))
        except (StoreFailed, KeyProblem, TimeoutError) as error:
            self._tell(error)
            raise StoreUnavailable("the stored responses cannot be read; the gateway's log says why") from None

    async def save(self, one: StoredResponse, *, anew: bool) -> None:
        """Have a response written; `anew`: in the place of what it was before."""
        if self._given_up is not None and not self._given_up.done():  # silent still: nobody waits as long again
            return
        loop = asyncio.get_running_loop()
        waiting = _Waiting(one, anew, loop.create_future())
        self._waiting.append(waiting)
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write())
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await waiting.written
        except TimeoutError as error:
            self._given_up = self._writing
            self._tell(error)

    async def settle(self, kept: StoredResponse, response: bytes) -> bool:
        """Keep how an answer has ended; tell whether nobody had, and it is kept now. Raise StoreUnavailable."""
        settled = await self.ask(lambda store, now: store.settle(kept, response, now))
        if settled is False:
            self._logger.warning(_LARGE, id=kept.id)
        return settled is not None

    @property
    def _is_there(self) -> bool:
        """Whether something may be kept: other hosts may have written to a database."""
        return bool(self._url) or is_there(self._file)

    async def _look(self, wait_s: float = 0.0) -> None:
        """Open the store, which brings it in line with what is configured."""
        await self._clock.sleep(wait_s)
        try:
            await self._opened()
        except (StoreFailed, KeyProblem) as error:
            self._tell(error)

    async def _opened(self) -> "ResponseStore":
        """Open the store, once for all who wait; whoever leaves does not stop it."""
        opening = self._opening
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception() is not None)):
            opening = self._opening = asyncio.get_running_loop().create_task(in_thread(self._open))
        return await asyncio.shield(opening)

    def _open(self) -> "ResponseStore":
        make = cast("type[ResponseStore]", import_path(_STORE))  # what is loaded by path is not typed
        keys, bounds = [key.reveal() for key in self._keys], self._bounds
        store = make(self._file, keys, url=self._url, keep_days=bounds.keep_days, max_bytes=bounds.max)
        store.open(self._clock.time())
        return store

    async def _write(self) -> None:
        """Write what waits, in one transaction, until nothing does: it takes longer than one more response in it."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                if not await self._write_all(batch):
                    for one in batch:  # one of them may be what fails
                        await self._write_all([one])
                        _release([one])
            finally:
                _release(batch)

    async def _write_all(self, batch: list[_Waiting]) -> bool:
        """Write those for whom somebody waits still; False when each of them has to be tried alone."""
        batch = [one for one in batch if not one.written.done()]
        if not batch:
            return True
        anew = {one.response.id for one in batch if one.anew}
        try:
            store = await self._opened()
            kept = await in_thread(store.save_all, [one.response for one in batch], anew)
        except (StoreFailed, KeyProblem) as error:
            if len(batch) > 1:
                return False
            self._tell(error)
            return True
        if self._failing:
            self._failing = False
            self._logger.info("the response store works again")
        for one, is_kept in zip(batch, kept, strict=True):
            if not is_kept:
                self._logger.warning(_LARGE, id=one.response.id)
        return True

    def _tell(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            self.count("store_failures", "responses")
            reason = reason_of(error) or "it takes too long"
            self._logger.warning("the response store fails; responses are not stored", reason=reason)


def _release(batch: Sequence[_Waiting]) -> None:
    """Let those go who wait."""
    for one in batch:
        if not one.written.done():
            one.written.set_result(None)

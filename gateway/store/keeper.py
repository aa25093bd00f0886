"""One upstream's part of the store: read at start, written behind the requests' back, and what others write there.

    later, now ─► pending ─► learn, in a worker thread ─► rows ─┐
                     │  a store that fails: told of once, tried again      ├─► fresh ─► the pool
    other processes ─► a look at the files, a poll, or Redis ─────┘

A row may be older than what was learnt here and is not written yet: `unwritten` is to be put on top of it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock, System
from gateway.enduring import endure
from gateway.lending import heard, in_thread
from gateway.store.board import Board
from gateway.store.credentials import CredentialStore, StoredModels
from gateway.store.hearsay import Hearsay
from gateway.store.known import Change, StoredCredential, changed
from gateway.store.stored import KeyProblem, StoreFailed, reason_of
from gateway.store.tally import Count, uncounted
from gateway.store.troubles import is_back, is_first
from gateway.store.watch import Watch

if TYPE_CHECKING:
    from gateway.store.notices import Notices

__all__ = ["Keeper"]

_T = TypeVar("_T")

_COUNTS_S: Final = 5.0  # of what only counts uses
_AGAIN_S: Final = 0.5  # after a failure
_POLL_S: Final = 1.0
_LOOK_S: Final = 0.05  # into the database, at most; what a pool learns is said on the board, and seen at once
_PATIENCE_S: Final = 6.0  # longer than a store waits for another writer; then nobody waits for it any more
_NOTICES: Final = "gateway.store.notices"  # loads the client of Redis
_PROBLEMS: Final = (StoreFailed, KeyProblem, OSError)
_CLEAR: Final = "tokens are stored unencrypted: set store.encryption_key, `gateway generate-key` makes one"
_FAILS: Final = ("store_failures", "credentials")


class Keeper:
    """Writes in worker threads, one write after the other. `redis`: where changes are announced, "" = nowhere.

    `owner`: by which name this process holds leases. A store that fails is told of once, the service goes on from
    memory, and what was not written is written when it works again. `fails`: it did when it was used last; more may be
    in it than is known.
    """

    def __init__(
        self,
        store: CredentialStore,
        upstream: str,
        logger: FilteringBoundLogger,
        clock: Clock | None = None,
        *,
        redis: str = "",
    ) -> None:
        self.owner = uuid4().hex
        self._store = store
        self.upstream = upstream
        self._logger = logger
        self._clock = clock or System()
        self._redis = redis
        self._known: dict[str, StoredCredential] = {}
        self._pending: dict[str, Change] = {}
        self._writing: dict[str, Change] = {}
        self._arrived: dict[str, StoredCredential] = {}
        self._heard = Hearsay(self.owner)
        self._number = 0
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._polling: asyncio.Task[None] | None = None
        self._watch: Watch | None = None
        self._board: Board | None = None
        self._look_at = 0.0
        self._notices: Notices | None = None
        self._stuck: asyncio.Task[Any] | None = None
        self._renewing = store.encrypts
        self.fails = False
        self._unwritable = False  # it failed when it was to be written, and may be read all the same
        self._away = store.database.url or str(store.file)  # where other upstreams of this process keep theirs, too
        self._flushing = False  # a write is about to begin
        self._count: Count = uncounted
        self._warned = False

    def count_by(self, count: Count) -> None:
        """Learn how to count, by a metric's name and its labels, how often the store began to fail."""
        self._count = count
        if self.fails:
            count(*_FAILS)

    def load(self) -> tuple[dict[str, StoredCredential], StoredModels | None]:
        """Open the store and read what is there; raise KeyProblem. Blocks: it is for the start."""
        store = self._store
        try:
            store.open()
        except StoreFailed as error:
            self._tell(error)
            if store.database.url:
                return {}, None
            store = store.as_it_stands()
        try:
            begun = store.begin(self.upstream)
        except StoreFailed as error:
            self._tell(error)
            return {}, None
        finally:
            store.close()  # the process may fork
        self._number, self._known = begun.number, begun.rows
        self._warn(self._known.values())
        return dict(self._known), begun.models

    async def start(self) -> None:
        """Begin to see what other processes write, and to write under the newest key."""
        if self._polling is None:
            self._see()
            self._polling = self._begin(endure(self._poll, self._logger))

    async def close(self) -> None:
        """Write what is left to write."""
        polling, self._polling = self._polling, None
        if polling is not None:
            polling.cancel()
        if self._notices is not None:
            notices, self._notices = self._notices, None
            await notices.close()
        self._begin(self._flush())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE_S)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lost = {*self._pending, *self._writing}
        if lost:
            self._logger.error("what was learned about credentials is lost", credentials=len(lost))
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._board is not None:
            self._board.close()
            self._board = None
        is_back(f"{self._away} {_CLEAR}", self)
        is_back(self._away, self)
        await asyncio.to_thread(self._store.close)

    # what is learnt here

    def later(self, change: Change) -> None:
        """Write a change at once, and what only counts soon; `close` waits for it."""
        self._merge(change)
        if self.fails:
            self._write_in(_AGAIN_S)
        elif not _is_news(change):
            self._write_in(_COUNTS_S)
        elif not self._flushing:  # else it goes along
            self._flushing = True
            self._begin(self._flush())

    async def now(self, change: Change) -> None:
        """Write a change, and return when it is written or has failed; also for one who leaves it is written."""
        self._merge(change)
        if self.fails:
            self._write_in(_AGAIN_S)
            return
        writing = self._begin(self._flush())
        _, late = await asyncio.wait((writing,), timeout=_PATIENCE_S)
        if late:
            self._tell(TimeoutError())

    async def add(self, row: StoredCredential, *, instead_of: str = "") -> StoredCredential:
        """Write an account that has logged in or was taken in; raise StoreFailed or KeyProblem."""
        return await self._alone(lambda: self._store.add(self.upstream, row, instead_of=instead_of))

    async def remove(self, id_: str) -> None:
        """Forget a credential; raise StoreFailed or KeyProblem."""
        await self._alone(lambda: self._store.remove(self.upstream, id_, self._clock.time()))
        self._pending.pop(id_, None)

    async def save_models(self, fetched: StoredModels) -> None:
        """Write the model list."""
        if not self._store.read_only:
            async with self._lock:
                await self._asked(lambda: self._store.save_models(self.upstream, fetched), None, writes=True)

    # what others have learnt

    def fresh(self) -> Sequence[StoredCredential]:
        """Give the rows that this process or others have written since the last call; never waits."""
        said = self._board.look() if self._board is not None else ()
        for words in said:
            self._hear(words)
        if self._watch is not None:
            now = monotonic()
            if said or now >= self._look_at:  # what writes without a word is a command, and those are not in a hurry
                self._look_at = now + _LOOK_S
                rows = self._watch.look(self._number)
                if rows:
                    self._take(rows, all_of_them=True)
        if not self._arrived:
            return ()
        arrived, self._arrived = self._arrived, {}
        return [self._believed(row) for row in arrived.values()]

    def unwritten(self, id_: str) -> Change | None:
        """Give what was learnt here of a credential and is not in the database yet."""
        writing, pending = self._writing.get(id_), self._pending.get(id_)
        if writing is None or pending is None:
            return writing or pending
        return writing.then(pending)

    async def read(self, id_: str) -> StoredCredential | None:
        """Read a credential; None when it is not there or cannot be read."""
        row = await self._asked(lambda: self._store.read(self.upstream, id_), None)
        known = self._known.get(id_)
        if row is not None and known is not None and known.number > row.number:
            row = known  # it was written here while that was read
        return self._believed(row) if row is not None else None

    # one for all processes

    async def take_lease(self, name: str, seconds: float) -> bool:
        """Take, or keep for longer, what one process at a time has; a store that fails holds nobody up."""
        if self.fails:
            return True
        take = partial(self._store.take_lease, name, self.owner, seconds)
        return await self._asked(take, otherwise=True, writes=True)

    async def end_lease(self, name: str) -> None:
        """Give a lease back before its time."""
        if not self.fails:
            await self._asked(lambda: self._store.end_lease(name, self.owner), None, writes=True)

    # writing

    def _merge(self, change: Change) -> None:
        if self._store.read_only:
            return
        waiting = self._pending.get(change.id)
        self._pending[change.id] = waiting.then(change) if waiting is not None else change
        if (change.events or change.cooling) and self._is_heard:
            self._say(self._heard.announced(change))

    @property
    def _is_heard(self) -> bool:
        return self._board is not None or self._notices is not None

    def _say(self, words: bytes) -> None:
        for channel in (self._board, self._notices):
            if channel is not None:
                channel.say(words)

    def _write_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._begin(self._flush())

    async def _flush(self) -> None:
        async with self._lock:
            self._flushing = False
            if not self._pending:
                return
            self._writing, self._pending = self._pending, {}
            said, changes = self._heard.said, list(self._writing.values())
            try:
                rows = await in_thread(self._store.learn, self.upstream, changes, self._clock.time())
            except _PROBLEMS as error:
                self._put_back()
                self._tell(error)
                self._write_in(_AGAIN_S)
                return
            self._writing = {}
            self._works()
            self._take(rows)
            self._warn(rows)
            if self._is_heard:
                self._say(self._heard.written(said, rows))

    def _put_back(self) -> None:
        for id_, change in self._writing.items():
            later = self._pending.get(id_)
            self._pending[id_] = change.then(later) if later is not None else change
        self._writing = {}

    async def _alone(self, work: Callable[[], _T]) -> _T:
        """Write what cannot wait, and let all processes know at once."""
        await self._flush()
        async with self._lock:
            done = await in_thread(work)
        await self._poll_once()
        if self._is_heard:
            self._say(self._heard.written(0, ()))
        return done

    async def _renew(self) -> None:
        """Bring what is under an older key under the newest one, a few rows at a time, so that others can write.

        So it is seen, too, that a store can be written again.
        """
        if self._unwritable:
            await self._asked(self._store.renew_some, 0, writes=True)
        while self._renewing and not self.fails:
            self._renewing = await self._asked(lambda: bool(self._store.renew_some()), otherwise=True, writes=True)

    # reading

    def _see(self) -> None:
        store = self._store
        if store.database.url or not store.database.is_open:
            return
        try:
            self._watch = self._watch or Watch(store.file, self.upstream, store.database.cipher)
            self._board = self._board or Board(store.file, self.upstream)
        except OSError as error:
            self._logger.debug("changes by other processes are seen later", reason=str(error))

    async def _poll(self) -> None:
        while True:
            await self._poll_once()
            self._see()
            await self._renew()
            if self._redis and self._notices is None:
                await self._listen()
            await asyncio.sleep(_POLL_S)

    async def _poll_once(self) -> None:
        nothing: list[StoredCredential] = []
        rows = await self._asked(lambda: self._store.since(self.upstream, self._number), nothing)
        self._take(rows, all_of_them=True)

    async def _listen(self) -> None:
        name = await self._asked(lambda: self._store.setting("installation", lambda: uuid4().hex), "")
        if name:
            channel = f"gateway:credentials:{name}:{self.upstream}"
            make: type[Notices] = import_module(_NOTICES).Notices
            self._notices = make(self._redis, channel, self._logger, hear=self._hear)
            self._notices.start()

    def _hear(self, words: bytes) -> None:
        """Believe what another process has learnt before its row can be read; b"" = something may have been missed."""
        for id_ in self._heard.hear(words, self._clock.time()):
            self._arrived[id_] = self._known.get(id_) or StoredCredential(id=id_)
        if self._heard.has_news or not words:
            self._heard.has_news = False
            if self._watch is None:  # which sees it by itself
                self._begin(self._poll_once())

    def _take(self, rows: Sequence[StoredCredential], *, all_of_them: bool = False) -> None:
        """Note rows; `all_of_them`: there is none between the last one that was noted so and these."""
        for row in rows:
            known = self._known.get(row.id)
            if known is None or row.number >= known.number:
                self._known[row.id] = self._arrived[row.id] = row
                self._heard.confirm(row.id, row.number)
        if rows and all_of_them:
            self._number = max(self._number, rows[-1].number)

    def _believed(self, row: StoredCredential) -> StoredCredential:
        """Add what others have learnt and may not have written yet."""
        now = self._clock.time()
        for change in self._heard.of(row.id, now):
            row = changed(row, change, now)
        return row

    # failures

    async def _asked(self, work: Callable[[], _T], otherwise: _T, *, writes: bool = False) -> _T:
        if self._stuck is not None and not self._stuck.done():
            return otherwise
        # a thread goes on when its waiter has left, and `close` must see its end
        task = self._begin(in_thread(work))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await asyncio.shield(task)
        except (*_PROBLEMS, TimeoutError) as error:
            self._stuck = task
            self._unwritable = self._unwritable or writes
            self._tell(error)
            return otherwise
        self._unwritable = self._unwritable and not writes
        if not (self._unwritable or self._pending or self._writing):
            self._works()
        return answer

    def _begin(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(heard)
        return task

    def _tell(self, error: Exception) -> None:
        if not self.fails:
            self.fails = True
            self._count(*_FAILS)
            if not is_first(self._away, self):
                return
            reason = reason_of(error) or "it does not respond"
            self._logger.error(
                "the credential store fails; changes are kept in memory", store=self._store.place, reason=reason
            )

    def _works(self) -> None:
        self._unwritable = False
        if self.fails:
            self.fails = False
            if is_back(self._away, self):
                self._logger.info("the credential store works again", store=self._store.place)

    def _warn(self, rows: Iterable[StoredCredential]) -> None:
        """Say once that tokens lie in clear; who only reads them is not the one to tell."""
        if self._warned or self._store.encrypts or self._store.read_only:
            return
        if not any(row.refresh_token or row.access_token for row in rows):
            return
        self._warned = True
        if is_first(f"{self._away} {_CLEAR}", self):
            self._logger.warning(_CLEAR, store=self._store.place)


def _is_news(change: Change) -> bool:
    """Tell whether a change says more than how often a credential was used."""
    return any(
        (change.events, change.cooling, change.quota, change.tokens, change.project, change.email, change.last_error)
    )

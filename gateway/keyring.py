"""Every key of one app: those of gateway.toml, and those that are made and revoked at run time.

    find, by_id ─► the hot path, in memory, never waits
    a look, a few times a second ─► something new? ─► news, in a worker thread ─► known here
    catch_up, before a key is refused ─► one more look, for all who wait
    make, revoke ─► the store, in a worker thread ─► known here at once, elsewhere at the next look

A look at a SQLite file costs microseconds, also while there is none; PostgreSQL gets a tiny query. A store that fails
is told of once, and the keys that are known go on. As long as nothing of it could be read, there may be a key in it,
and nobody can say that one is wrong.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import ConfigError, Loaded, NewKey
from gateway.enduring import endure
from gateway.errors import StoreUnavailable
from gateway.key_rows import KeyRow, config_rows, key_of, minted, row_of
from gateway.keys import Key, Keys, id_of, keys_of
from gateway.lending import heard
from gateway.registry import import_path
from gateway.store import FILE
from gateway.store.key_file import KeyFile
from gateway.store.lane import Lanes
from gateway.store.stored import KeyProblem, StoreFailed, reason_of
from gateway.store.stored_keys import KeyExists, KeyNews, StoredKey
from gateway.store.tally import Count, uncounted

if TYPE_CHECKING:
    from gateway.store.keys import KeyStore

__all__ = ["KeyRow", "Keyring", "file_of", "store_of"]

_STORE: Final = "gateway.store.keys:KeyStore"  # loads SQLAlchemy
_LOOK_S: Final = 0.25
_ASK_S: Final = 0.5  # a database
_PAUSE_S: Final = 0.1  # from one look for a key that is not known to the next
_REFUSAL_S: Final = 1.0  # nobody waits longer for it
_MOST: Final = 256  # wait for it
_RETRY_AFTER_S: Final = 3
_UNREAD: Final = "this key cannot be checked: the key store does not respond; try again"
_USES_S: Final = 30.0
_MOMENT_S: Final = 2.0  # a file that is just being made or renewed cannot be read
_PATIENCE_S: Final = 6.0  # longer than a store waits for another writer
_FAILS: Final = ("store_failures", "keys")
_PROBLEMS: Final = (StoreFailed, KeyProblem)


class Keyring(Keys):
    """The keys of one configuration. It is true when callers need one: there is or was one, or nobody can know."""

    def __init__(self, loaded: Loaded, clock: Clock, logger: FilteringBoundLogger) -> None:
        self._config = keys_of(loaded.config)
        super().__init__(self._config)
        self._names = frozenset(principal.name for principal, _ in self._config.values())
        self._loaded = loaded
        self._clock = clock
        self._logger = logger
        self._file = file_of(loaded)
        self._store: KeyStore | None = None
        self._stored: dict[str, StoredKey] = {}
        self._number = 0
        self._uses: dict[str, float] = {}
        # a store that is slow to write holds up no look
        self._reads, self._writes = Lanes(1, _PATIENCE_S), Lanes(1, _PATIENCE_S)
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._turn = asyncio.Lock()
        self._asked_at = float("-inf")
        self._asking: set[asyncio.Task[None]] = set()
        self._next: asyncio.Task[None] | None = None  # has not begun to look
        self._waiting = 0
        self._unread = False
        self._failing_since: float | None = None
        self.problem = ""  # why the store cannot be read, as it was told; "" = it can
        self._count: Count = uncounted

    def __bool__(self) -> bool:
        """Tell whether callers need a key; that the last one was revoked lets nobody in."""
        return bool(self._by_digest) or bool(self._stored) or self._unread

    def count_by(self, count: Count) -> None:
        """Learn how to count how often the store began to fail."""
        self._count = count
        if self.problem:
            count(*_FAILS)

    def load(self, before: "Keyring | None" = None) -> None:
        """Read the keys of the store; raise ConfigError when its secrets do not fit. Blocks: it is for the start.

        Where the store fails, those of the one `before`, on the same store, are known on.
        """
        if self._loaded.read_only:
            return
        try:
            self._hear(self._news())
        except KeyProblem as problem:
            raise ConfigError([self._loaded.problem(("store", "encryption_key"), str(problem))]) from None
        except StoreFailed as error:
            news = before.known_rows() if before is not None else None
            self._unread = news is None
            self._take(news)
            self._tell(error)
        finally:
            self._close()  # the process may fork

    def known_rows(self) -> KeyNews | None:
        """Give what is known of the store; None while it was never read."""
        return None if self._unread else KeyNews([*self._stored.values()], whole=False)

    async def start(self) -> None:
        """Begin to see what others write."""
        if not self._tasks and not self._loaded.read_only:
            loop = asyncio.get_running_loop()
            self._tasks = tuple(loop.create_task(endure(work, self._logger)) for work in (self._watch, self._keep_uses))

    async def stop(self) -> None:
        """Write when keys were used, and let go of the store."""
        tasks, self._tasks = (*self._tasks, *self._asking), ()
        self._next = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(self._reads.free(), self._writes.free())  # else nothing can be closed
        try:
            await self._write_uses()
            await self._reads.ask(self._close)
        except _PROBLEMS as error:
            self._logger.warning("when keys were last used is not saved", reason=str(error))

    # what operators ask

    async def rows(self) -> list[KeyRow]:
        """Show every key, also those that are over; while the store fails, as they were known before."""
        self._note_uses()
        stored: Sequence[StoredKey] = tuple(self._stored.values())
        try:
            stored = await self._reads.ask(self._all)
        except _PROBLEMS as error:
            self._tell(error)
        shown = [row_of(row, self._uses.get(row.sha256, 0.0)) for row in stored if not row.removed]
        return [*config_rows(self._loaded), *sorted(shown, key=lambda row: (row.created_at or 0.0, row.name))]

    async def make(self, new: NewKey) -> tuple[KeyRow, str]:
        """Make a key, and give its text, once.

        Raises ValueError for a name that is in use, StoreFailed or KeyProblem.
        """
        if new.name in self._names:
            raise ValueError(f'gateway.toml has a key named "{new.name}"; choose another name')
        key, text = minted(new, self._clock.time())
        try:
            await self._writes.ask(lambda: self._opened().add(key))
        except KeyExists:
            raise ValueError(f'a key named "{new.name}" already exists; revoke it, or choose another name') from None
        await self._learn(key)
        return row_of(key), text

    async def revoke(self, name: str) -> None:
        """Revoke a key, here at once, elsewhere within a second.

        Raises KeyError when there is none, ValueError for one that gateway.toml gives, StoreFailed or KeyProblem.
        """
        try:
            await self._writes.ask(lambda: self._opened().remove(name))
        except KeyError:
            if name in self._names:
                raise ValueError(f'gateway.toml defines the key "{name}"; remove it there') from None
            raise
        known = self._stored.get(name)
        await self._learn(replace(known, removed=True) if known is not None else None)

    async def _learn(self, written: StoredKey | None) -> None:
        """Know what was written here, also when it cannot be read again now."""
        if written is not None:
            self._take(KeyNews([written], whole=False))
        try:
            self._hear(await self._reads.ask(self._news))
        except _PROBLEMS as error:
            self._tell(error)

    # what others write

    async def catch_up(self) -> None:
        """Look once more; a store that is silent keeps nobody for long, and more than many do not wait."""
        if self._tasks and self._waiting < _MOST:
            self._waiting += 1
            try:
                await self._next_look()
            finally:
                self._waiting -= 1
        if self._unread:
            raise StoreUnavailable(_UNREAD, retry_after=_RETRY_AFTER_S)

    async def _next_look(self) -> None:
        """Wait for a look that begins from now on, but not while one is overdue."""
        loop = asyncio.get_running_loop()
        began = self._asked_at if self._turn.locked() else loop.time()
        left_s = began + _REFUSAL_S - loop.time()
        if left_s <= 0:
            return
        if self._next is None:
            self._next = loop.create_task(self._ask())
            self._asking.add(self._next)
            self._next.add_done_callback(self._asked)
        await asyncio.wait((self._next,), timeout=left_s)

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._turn:
            pause_s = self._asked_at + _PAUSE_S - loop.time()
            if pause_s > 0:  # even a sleep of nothing lets others in, to whom the look before would seem overdue
                await asyncio.sleep(pause_s)
            self._asked_at, self._next = loop.time(), None
            try:
                await self._look()
            except _PROBLEMS as error:
                self._tell(error)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        heard(task)

    async def _watch(self) -> None:
        while True:
            self._note_uses()
            try:
                if not self._reads.is_busy:  # else another thread may use the file's connection
                    await self._look()
            except _PROBLEMS as error:
                self._tell(error)
            await self._clock.sleep(_ASK_S if self._file is None else _LOOK_S)

    async def _look(self) -> None:
        if self._file is None or self._reads.is_busy or self._file.changed():
            self._hear(await self._reads.ask(self._news))
        self._works()

    def _hear(self, news: KeyNews | None) -> None:
        """Know what was read."""
        self._unread = False
        self._take(news)
        if self._file is not None:
            self._file.seen()

    def _take(self, news: KeyNews | None) -> None:
        """Know the keys of these rows; a row that this version does not understand lets nobody in."""
        if news is None:
            return
        if news.whole:
            self._stored, self._number = {}, 0
        for row in news.rows:
            self._stored[row.name] = row
            self._number = max(self._number, row.number)
        self._know({**dict(self._keys()), **self._config})

    def _keys(self) -> Iterator[tuple[str, Key]]:
        for row in self._stored.values():
            if row.removed:
                continue
            try:
                yield row.sha256, key_of(row)
            except ValueError as error:
                self._logger.warning("a key is not accepted", name=row.name, reason=str(error))

    # when keys were used

    def _note_uses(self) -> None:
        if self.used:
            used, now = frozenset(self.used), self._clock.time()
            self.used.clear()
            hashes = (row.sha256 for row in self._stored.values())
            self._uses.update((hash_, now) for hash_ in hashes if id_of(hash_) in used)

    async def _keep_uses(self) -> None:
        while True:
            await self._clock.sleep(_USES_S)
            try:
                await self._write_uses()
            except _PROBLEMS as error:  # the looks tell of a store that fails for long
                self._logger.debug("when keys were last used is saved later", reason=str(error))

    async def _write_uses(self) -> None:
        self._note_uses()
        if self._uses:
            uses, self._uses = self._uses, {}
            try:
                await self._writes.ask(lambda: self._opened().note_uses(uses))
            except _PROBLEMS:
                self._uses = {**uses, **self._uses}
                raise

    # the store

    def _news(self) -> KeyNews | None:
        return (self._file or self._opened()).news(self._number)

    def _all(self) -> Sequence[StoredKey]:
        return (self._file or self._opened()).all()

    def _opened(self) -> "KeyStore":
        if self._store is None:
            self._store = store_of(self._loaded)
        return self._store

    def _close(self) -> None:
        for place in (self._file, self._store):
            if place is not None:
                place.close()

    def _tell(self, error: Exception) -> None:
        """Say it once; a file gets a moment."""
        now = self._clock.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        patience_s = 0.0 if self._file is None or self._unread else _MOMENT_S
        if not self.problem and now - self._failing_since >= patience_s:
            self.problem = reason_of(error) or type(error).__name__
            self._count(*_FAILS)
            said = "the key store fails; known keys keep working"
            if not self._by_digest:
                said = "the key store fails; it may have keys, so nobody is admitted without one"
            self._logger.error(said, reason=self.problem)

    def _works(self) -> None:
        self._unread = False
        self._failing_since = None
        if self.problem:
            self.problem = ""
            self._logger.info("the key store works again")


def file_of(loaded: Loaded) -> KeyFile | None:
    """Give the file that holds the keys; None where a database does."""
    if loaded.config.store.database:
        return None
    return KeyFile(loaded.resolve(loaded.config.server.data_dir) / FILE)


def store_of(loaded: Loaded) -> "KeyStore":
    """Give the store of a configuration, not opened yet; raise KeyProblem for a secret that is none."""
    make = cast("type[KeyStore]", import_path(_STORE))  # what is loaded by path is not typed
    store = loaded.config.store
    keys = [key.reveal() for key in store.encryption_key]
    file = loaded.resolve(loaded.config.server.data_dir) / FILE
    return make(file, keys, url=store.database.reveal(), read_only=loaded.read_only)

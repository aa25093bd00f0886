"""The ledger of one app: what each request took, who asked for it, and what it cost.

    a request ─► Book ─► the journal of this process ─┐
    a second later, and before each report            ├─► fill, in a worker thread ─► the database
    other processes of this host ─► their journals ───┘                                    └─► report, in another

One process of a host at a time fills: a lock file says when that was done last. One of all hosts says the summary line:
the database says when. It is loaded with the first fill.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

import structlog
from structlog.typing import FilteringBoundLogger

from gateway.book import Book
from gateway.clock import Clock, System
from gateway.config import Loaded
from gateway.context import RequestContext
from gateway.enduring import endure
from gateway.errors import StoreUnavailable
from gateway.prices import Prices
from gateway.registry import import_path
from gateway.routes import COUNTED
from gateway.store import FILE
from gateway.store.folder import is_there
from gateway.store.journal import Ended, Journal
from gateway.store.lane import Lanes, Silent
from gateway.store.reports import Grouping, Only, Point, Report, Sums, total
from gateway.store.stored import KeyProblem, StoreFailed, reason_of
from gateway.store.tally import Count, uncounted
from gateway.store.turns import DROP_S, FILL_S, Done, take_turn
from gateway.store.windows import Span

if TYPE_CHECKING:
    from gateway.store.usage import UsageStore

__all__ = ["DAMAGED", "Ledger", "store_of", "summary"]

_T = TypeVar("_T")

_STORE: Final = "gateway.store.usage:UsageStore"  # loads SQLAlchemy
_NO_FILTER: Final[Only] = {}
_PATIENCE_S: Final = 15.0  # with a database that does not answer, and with a report
_UNREAD: Final = "the ledger cannot be read; the gateway's log says why"
_TOO_LONG: Final = "summing up the usage takes too long; ask for a shorter time"
DAMAGED: Final = "a journal has parts that cannot be read; their requests are missing in the usage"
_JOURNALS: Final = "journal"  # below server.data_dir
_PROBLEMS: Final = (StoreFailed, KeyProblem, OSError)


class Ledger:
    """What one app writes down and reads. `data`: the folder of the journals, and of the database without a `url`.

    `keep_days`: how long rows stay, 0 = nothing is written; `log_every`: seconds between summary lines, 0 = none.
    """

    def __init__(
        self,
        data: Path,
        prices: Prices,
        clock: Clock | None = None,
        logger: FilteringBoundLogger | None = None,
        *,
        url: str = "",
        keys: Sequence[str] = (),
        keep_days: int = 400,
        log_every: float = 0.0,
    ) -> None:
        self._clock = clock or System()
        self._logger: FilteringBoundLogger = logger or structlog.get_logger("gateway.ledger")
        self._file, self._folder, self._url, self._keys = data / FILE, data / _JOURNALS, url, keys
        self._keep_days, self._log_every = keep_days, log_every
        self.journal = Journal(self._folder, self._clock.monotonic)
        self.book = Book(self.journal, prices, self._clock, self._heard)
        self._since = self._clock.time()
        self._store: UsageStore | None = None
        self._lanes, self._reports = Lanes(1, _PATIENCE_S), Lanes(1, _PATIENCE_S)
        self._news = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._unsaid = self._due = False
        self.problem = ""  # why the database cannot be written, "" = it could be when it was written last
        self._told = False
        self.count: Count = uncounted

    @classmethod
    def of(cls, loaded: Loaded, prices: Prices, clock: Clock, logger: FilteringBoundLogger) -> Self | None:
        """Read [usage]; None where there is to be no ledger."""
        config = loaded.config
        if not config.usage.enabled or "usage" not in config.pipeline.order or loaded.read_only:
            return None
        return cls(
            loaded.resolve(config.server.data_dir),
            prices,
            clock,
            logger,
            url=config.store.database.reveal(),
            keys=[key.reveal() for key in config.store.encryption_key],
            keep_days=config.usage.keep_days,
            log_every=config.usage.log_every,
        )

    @property
    def keeps(self) -> bool:
        """Whether anything is written down."""
        return self._keep_days > 0

    async def start(self) -> None:
        """Take up what another time has left; what is kept no more goes."""
        if is_there(self._folder):
            self._heard()
        if not self.keeps and self._is_there:
            with self._telling():
                if not await self._dropped():
                    self._tasks += (asyncio.get_running_loop().create_task(self._empty()),)

    async def stop(self) -> None:
        """Write down what waits; where the database is in use, take it in."""
        tasks, self._tasks = self._tasks, ()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.journal.close()
        if lost := self.journal.lost + self.journal.waiting if self.journal.problem else 0:
            said = "requests that could not be written down are lost"
            self._logger.error(said, requests=lost, reason=self.journal.problem)
        if self._store is not None:
            with self._telling():
                await self._work(lambda _: None)
            await self._reports.free()
            await asyncio.to_thread(self._store.close)

    def refuse(self, context: RequestContext) -> None:
        """Enter a request that was let in and has ended before it could begin.

        So is one that has read how an answer in the background ended: what that took is known from then on.
        """
        if context.entered:
            return
        route = context.route
        if context.admitted and (route.operation in COUNTED or context.usage is not None) and not route.foreign:
            self.book.note(context)

    # what is asked

    async def report(
        self, by: Grouping, since: float | None, until: float | None, *, key_id: str = "", only: Only = _NO_FILTER
    ) -> Report:
        """Sum up all that has ended on this host, and what others have taken in; raise StoreUnavailable."""
        if not self._is_there:
            return Report(by=by, since=since, until=until, rows=[], total=Sums())
        return await self._asked(lambda store: store.report(by, since, until, key_id, only))

    async def series(self, since: float, until: float, step_s: int, *, only: Only = _NO_FILTER) -> list[Point]:
        """Sum them up by steps of time, without those in which there was none; raise StoreUnavailable."""
        return await self._asked(lambda store: store.series(since, until, step_s, only)) if self._is_there else []

    async def rows(
        self,
        since: float | None,
        until: float | None,
        limit: int,
        *,
        only: Only = _NO_FILTER,
        after: tuple[float, str] | None = None,
    ) -> list[Ended]:
        """Give the newest requests, newest first; `after`: (started_at, id) of one; raise StoreUnavailable."""
        if not self._is_there:
            return []
        return await self._asked(lambda store: store.rows(since, until, limit, only, after))

    async def sums(self, key_id: str, spans: Sequence[Span]) -> list[Sums]:
        """Sum up the use of one key in each of these times; raise StoreUnavailable also where not all is taken in."""
        if not self._is_there:
            return [Sums()] * len(spans)
        self.journal.settle()
        try:
            return await self._work(
                lambda store: [store.report("key", since, until, key_id).total for since, until in spans]
            )
        except _PROBLEMS as error:
            self._tell(error)
            raise StoreUnavailable(_UNREAD) from None

    async def _asked(self, what: "Callable[[UsageStore], _T]") -> _T:
        """Fill, and ask apart from that; what takes nothing, such as a replica, may still be read."""
        self.journal.settle()
        try:
            await self._work(lambda _: None)
        except _PROBLEMS as error:
            self._tell(error)
            if isinstance(error, Silent) or self._store is None:
                raise StoreUnavailable(_UNREAD) from None
        self._tell_damage()
        store = self._opened()
        try:
            return await self._reports.ask(lambda: what(store))
        except Silent as error:
            self._logger.warning("a report of the usage was given up", reason=reason_of(error), after=_PATIENCE_S)
            raise StoreUnavailable(_TOO_LONG) from None
        except _PROBLEMS as error:
            self._tell(error)
            raise StoreUnavailable(_UNREAD) from None

    # filling

    @property
    def _is_there(self) -> bool:
        """Whether anything was written: other hosts write to a database, and what was there may be out of sight."""
        known = bool(self._url) or self._store is not None or self.journal.waiting > 0
        return known or is_there(self._file) or is_there(self._folder)

    def _heard(self) -> None:
        """Hear that something was written."""
        self._unsaid = True
        if not self._news.is_set():
            self._news.set()
            if not self._tasks or self._tasks[0].done():
                loop = asyncio.get_running_loop()
                lives = (self._keep, self._wake, self._say) if self._log_every else (self._keep, self._wake)
                self._tasks = tuple(loop.create_task(endure(work, self._logger)) for work in lives)
        if self._told or self.journal.problem:
            self._tell_journal()

    async def _keep(self) -> None:
        while True:
            await self._news.wait()
            await self._clock.sleep(FILL_S)
            self._news.clear()
            self.journal.settle()
            if self.journal.problem:
                self._tell_journal()
            if not await self._round() or self.journal.waiting:
                self._news.set()

    async def _wake(self) -> None:
        """Have what is old dropped, also where nothing is written."""
        while True:
            await self._clock.sleep(DROP_S)
            self._news.set()

    async def _say(self) -> None:
        """Have a summary line said when it is time."""
        while True:
            await self._clock.sleep(self._log_every)
            if self._unsaid:
                self._unsaid, self._due = False, True
                self._news.set()

    async def _round(self) -> bool:
        """Do what one process does for all; False when it has to be tried again."""
        if self._store is None and not is_there(self._folder):
            return False
        due, self._due = self._due, False
        take = partial(take_turn, folder=self._folder, every_s=self._log_every, say_since=self._since if due else 0.0)
        done: Done | None = None
        with self._telling():
            done = await self._lanes.ask(lambda: take(self._opened(), now=self._clock.time()), ends=False)
        self._tell_damage()
        if done is None or done.sums is None:
            self._due = self._due or (due and done is None)  # it may have come due meanwhile
            self._unsaid = self._unsaid or due
        elif done.sums:
            self._logger.info("usage", **summary(done.sums, done.seconds))
            self._unsaid = self._unsaid or bool(self._url)  # of the last seconds other hosts may tell still
        return done is not None and done.is_clean

    async def _empty(self) -> None:
        with self._telling():
            while not await self._dropped():
                pass

    async def _dropped(self) -> bool:
        """Drop some of what is kept no more; tell whether that was all."""
        return await self._work(lambda store: store.drop(self._clock.time()))

    # the store

    async def _work(self, what: "Callable[[UsageStore], _T]") -> _T:
        """Fill, and do something in the same worker thread; raise StoreFailed or KeyProblem, also for silence."""

        def work() -> _T:
            store = self._opened()
            store.fill()
            return what(store)

        return await self._lanes.ask(work)

    def _opened(self) -> "UsageStore":
        if self._store is None:
            make = cast("type[UsageStore]", import_path(_STORE))  # what is loaded by path is not typed
            self._store = make(
                self._file, self._folder, self._keys, url=self._url, keep_days=self._keep_days, now=self._clock.time
            )
        return self._store

    # what goes wrong

    @contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except _PROBLEMS as error:
            self._tell(error)
        else:
            if self.problem and (self._url or is_there(self._file)):  # else there was nothing to write, nor where
                self.problem = ""
                self._logger.info("the ledger can be written again")

    def _tell(self, error: Exception) -> None:
        if not self.problem:
            self.problem = reason_of(error) or type(error).__name__
            self.count("store_failures", "usage")
            said = "the ledger cannot be written; the journals are kept until it can"
            self._logger.error(said, reason=self.problem)

    def _tell_damage(self) -> None:
        for name in sorted(self._store.take_damaged()) if self._store is not None else ():
            self._logger.error(DAMAGED, journal=name)

    def _tell_journal(self) -> None:
        problem = self.journal.problem
        if problem and not self._told:
            self.count("store_failures", "usage")
            self._logger.error("the journal cannot be written; its entries are kept in memory", reason=problem)
        elif self._told and not problem:
            self._logger.info("the journal can be written again", lost=self.journal.lost)
        self._told = bool(problem)


def store_of(loaded: Loaded) -> "UsageStore | None":
    """Make what reads and fills the ledger of a configuration; None while nothing was written. It blocks."""
    data, url = loaded.resolve(loaded.config.server.data_dir), loaded.config.store.database.reveal()
    if not (url or is_there(data / FILE) or is_there(data / _JOURNALS)):
        return None
    keys = [key.reveal() for key in loaded.config.store.encryption_key]
    make = cast("type[UsageStore]", import_path(_STORE))  # what is loaded by path is not typed
    return make(data / FILE, data / _JOURNALS, keys, url=url, keep_days=loaded.config.usage.keep_days)


def summary(sums: Sequence[Sums], seconds: float) -> dict[str, object]:
    """Give the fields of a summary line."""
    whole = total(sums)
    return {
        "seconds": round(seconds),
        "requests": whole.requests,
        "errors": whole.errors,
        "input_tokens": whole.input_tokens,
        "output_tokens": whole.output_tokens,
        "usd": None if whole.usd is None else round(whole.usd, 6),
        "unpriced": whole.unpriced,
        "upstreams": {row.name or "none": row.requests for row in sums},
    }

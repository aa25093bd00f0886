"""The configurations of one app, one after the other: new requests get the newest, running ones end on their own.

SIGHUP, an edited file ─► read, check, make ─► start ─► current ─► requests
                            │ refused: it is said, and nothing changes
the one before ◄────────────┴─ stops when its last request has ended, without what its successors use on
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import EVERY_S, Again, ConfigError, Edits, Loaded, Refuses, dotted, files_of, read_again
from gateway.memory import TIDY_S
from gateway.scopes import decline, discreet, in_origin_form

__all__ = ["Generation", "Generations", "refused", "same", "warn"]

_G = TypeVar("_G", bound="Generation")


class Generation(Protocol):
    """What stands on one configuration. `open`: how many requests it has."""

    loaded: Loaded
    clock: Clock
    logger: FilteringBoundLogger
    open: int

    @property
    def refuses(self) -> Refuses:
        """What says why the process cannot work with a configuration."""
        ...

    @property
    def app(self) -> ASGIApp:
        """The app that takes them."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether any of them is more than a question of an operator's."""
        ...

    def anew(self) -> Self:
        """Make one on the same configuration that goes on with what was counted, without what works."""
        ...

    async def start(self, before: Self | None = None, *, busy: Callable[[], bool] | None = None) -> None:
        """Begin its background work; what it has from the one before works already."""
        ...

    async def stop(self, heirs: Sequence[Self] = ()) -> None:
        """End its background work, except for what others use; what fails to end is logged."""
        ...

    def drain(self) -> None:
        """Refuse new work from now on."""
        ...

    def abort(self) -> None:
        """End what is still open with the caller's own error."""
        ...


class Generations(Generic[_G]):
    """ASGI app. `make`: makes the successor of a generation, in a worker thread; raises ConfigError.

    `settle`: called when start-up, or a change of generations, is over. `tidy`: called now and then, in a worker
    thread. `told`: hears which one is the newest.
    """

    def __init__(self, first: _G, make: Callable[[Loaded, _G], _G], life: ASGIApp, told: Callable[[_G], None]) -> None:
        self.current = first
        self.watches = True  # the files; else somebody else does
        self.warns = True  # of keys that wait for a restart; else somebody else does
        self.settle: Callable[[], None] | None = None
        self.tidy: Callable[[], None] | None = None
        self._make = make
        self._life = life
        self._told = told
        self._leaving: dict[_G, asyncio.Event] = {}  # set when the last request has ended
        self._edits: Edits | None = None
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None  # of the life that began last
        self._warned = False
        self._refused = False  # the configuration as it was read last
        self._draining = False
        self._lock = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._late: asyncio.Task[None] | None = None  # a start by a request
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        kind = scope["type"]
        if kind != "http":
            if kind == "lifespan":
                await self._life(scope, receive, send)
            elif kind == "websocket":
                await decline(scope, send)
            return
        if scope.get("query_string"):
            send = discreet(scope, send)
        if not scope["path"].startswith("/"):
            scope = in_origin_form(scope)
        if not self._users or self._is_orphan():
            await self._start_late()
        generation = self.current
        generation.open += 1
        try:
            await generation.app(scope, receive, send)
        finally:
            generation.open -= 1
            if self._leaving and not generation.open and generation in self._leaving:
                self._leaving[generation].set()

    @property
    def living(self) -> Sequence[_G]:
        """List those that work, the newest last."""
        return (*self._leaving, self.current)

    def is_busy(self) -> bool:
        """Tell whether a request is under way in any of them."""
        return any(generation.is_busy for generation in self.living)

    # life

    async def start(self, *, watches: bool = True) -> None:
        """Begin the common life; the second of two starters only counts. `watches`: somebody will stop it.

        One that fails, or is cancelled, leaves nothing behind: the next one begins anew.
        """
        self._leave_orphan()
        async with self._lock:
            if not self._users:
                self._loop = asyncio.get_running_loop()
                try:
                    await self.current.start(busy=self.is_busy)
                except BaseException:
                    await self.current.stop()
                    raise
                if watches and self.watches:
                    self._watch()
                if watches and self.tidy is not None:
                    self._begin(self._tidy(self.tidy))
                if self.settle is not None:
                    self.settle()
            self._users += 1

    async def stop(self) -> None:
        """End it when the last starter ends."""
        async with self._lock:  # a change that is under way comes to its end first
            self._users -= 1
            if self._users:
                return
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            living, self._leaving = [*self.living], {}
            while living:
                await living.pop(0).stop(living)

    async def _start_late(self) -> None:
        self._leave_orphan()
        async with self._starting:
            if not self._users:
                if not self._warned:
                    self._warned = True
                    self.current.logger.warning(
                        "started by the first request", hint="enter gateway.lifespan(app) in the host's lifespan"
                    )
                if self._late is None or self._late.done():
                    self._late = asyncio.get_running_loop().create_task(self.start(watches=False))
                await asyncio.shield(self._late)  # its caller may leave

    def _is_orphan(self) -> bool:
        """Tell whether the event loop of the last life is gone, as each of a TestClient's is, and its work with it."""
        return self._loop is not None and self._loop.is_closed()

    def _leave_orphan(self) -> None:
        """Begin the next life with nothing of the last one's: connections, tasks and locks are of its event loop."""
        if self._is_orphan():
            self.current = self.current.anew()
            self._told(self.current)
            self._loop, self._users, self._edits, self._late = None, 0, None, None
            self._tasks, self._leaving = set(), {}
            self._lock, self._starting = asyncio.Lock(), asyncio.Lock()

    def drain(self) -> None:
        """Refuse new work from now on, and new configurations."""
        self._draining = True
        for generation in self.living:
            generation.drain()

    def abort(self) -> None:
        """End what is still open with the caller's own error."""
        for generation in self.living:
            generation.abort()

    # change

    async def reload(self) -> bool:
        """Let new requests have the configuration as it is now; a bad one is said, and nothing changes."""
        async with self._lock:
            if self._draining or not self._users:
                return False
            old, new = self.current, None
            try:
                if self._edits is not None:
                    self._edits.note()
                again = await asyncio.to_thread(read_again, old.loaded, old.refuses)
                if self.warns:
                    warn(again, old.logger)
                changed = again.changed(old.loaded)
                if not changed:
                    same(old.logger, again=self._refused)
                    self._refused = False
                    return True
                new = await asyncio.to_thread(self._make, again.loaded, old)
                await new.start(old, busy=self.is_busy)
            except ConfigError as error:
                self._refused = True
                refused(error, old.logger)
            except Exception:  # whatever an upstream or a middleware of somebody else's does when it begins
                old.logger.exception("defect", hint="the previous configuration stays in use")
            else:
                self._replace(old, new, changed)
                self._refused = False
                new = None
                return True
            finally:
                if new is not None:
                    await new.stop(self.living)
            return False

    def _replace(self, old: _G, new: _G, changed: Sequence[str]) -> None:
        self.current = new
        self._told(new)
        left = self._leaving[old] = asyncio.Event()
        if not old.open:
            left.set()
        new.logger.info("the configuration has changed", changed=changed, open_requests=old.open)
        self._begin(self._end(old, left))

    async def _end(self, old: _G, left: asyncio.Event) -> None:
        """Stop a generation after its last request."""
        await left.wait()
        async with self._lock:
            await old.stop([one for one in self.living if one is not old])
            del self._leaving[old]
        if self.settle is not None:
            self.settle()

    async def _tidy(self, tidy: Callable[[], None]) -> None:
        while True:
            await self.current.clock.sleep(TIDY_S)
            await asyncio.to_thread(tidy)

    # files

    def _watch(self) -> None:
        loaded = self.current.loaded
        if loaded.file is not None and loaded.again is not None:
            self._edits = Edits(files_of(loaded.file), loaded.stamp)
            self._begin(self._look_at(self._edits))

    async def _look_at(self, edits: Edits) -> None:
        while True:
            await self.current.clock.sleep(EVERY_S)
            try:
                if await asyncio.to_thread(edits.look):
                    await self.reload()
            except Exception:  # the next edit may mend it
                self.current.logger.exception("defect", hint="the files are looked at again")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def refused(error: ConfigError, logger: FilteringBoundLogger) -> None:
    """Say everything that is wrong with a configuration that is not taken."""
    logger.error("the configuration is invalid; the previous one stays in use", problems=[*map(str, error.problems)])


def same(logger: FilteringBoundLogger, *, again: bool) -> None:
    """Say that what was read is the configuration in use; `again`: what was read before was refused, as a bad edit."""
    logger.info("the configuration again matches the one in use" if again else "the configuration is the same")


def warn(again: Again, logger: FilteringBoundLogger) -> None:
    """Name the keys whose new values wait for a restart."""
    for path, source in again.waiting.items():
        logger.warning("a key needs a restart; its old value stays in use", key=dotted(path), given=str(source))

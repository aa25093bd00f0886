"""Make the app: the outermost layer, the operators' endpoints, the pipeline, and their common life.

Generations ─► the Gateway in use ─► Outermost

Outermost ─┬─ /health, /health/ready, /metrics ─► answered here
           ├─ /, /admin, /oauth2 ─► Administration
           └─ everything else ─► pipeline ─► Endpoints ─► Relay
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway.admin import Administration, Inside
from gateway.admin.lasting import Lasting, store_of
from gateway.archive import Archive
from gateway.clock import Clock, System
from gateway.config import (
    Again,
    Config,
    ConfigError,
    Loaded,
    Refuses,
    files_of,
    load,
    stamp,
)
from gateway.context import route_path
from gateway.endpoints import Endpoints
from gateway.errors import MethodNotAllowed
from gateway.fetching import Fetcher
from gateway.fit import check, problems_of, read_newest, unwritable
from gateway.generations import Generations
from gateway.keyring import Keyring
from gateway.ledger import Ledger
from gateway.limiter import Limiter, NotAlone
from gateway.lockout import Lockout
from gateway.logs import Newest, logger_for
from gateway.middleware.auth import Auth, guard_of
from gateway.middleware.request_id import RequestId
from gateway.middleware.scrape import Scrape, Standing
from gateway.outermost import Outermost
from gateway.own_usage import OwnUsage
from gateway.parts import (
    adapters_of,
    books,
    counts_in_redis,
    is_one_of,
    limiter_of,
    shared_of,
    tally_of,
    telemetry_of,
    unchanged,
)
from gateway.pipeline import build
from gateway.prices import Prices
from gateway.public import is_public
from gateway.refusal import codec
from gateway.relay import Relay
from gateway.resolution import Resolver
from gateway.routes import DIALECTS
from gateway.services import Services
from gateway.store.tally import Count, Tally
from gateway.threads import Threads
from gateway.tracing import Tracing
from gateway.transport import Transport
from gateway.upstream import Adapter, Awaited, Counting, Pooling, Watching

if TYPE_CHECKING:
    from gateway.store.signatures import SharedSignatures
    from gateway.telemetry import Telemetry

__all__ = ["Gateway", "assemble", "create_app", "lifespan"]

Source = str | PathLike[str] | Mapping[str, object] | Config | Loaded | None

_READING: Final = ("GET", "HEAD")
_LISTS_S: Final = 1.0  # until nobody waits for a list of models any more
_PATIENCE_S: Final = 10.0  # with a process that may be about to end; servers give a start 30 s


class Gateway:
    """Everything that one app holds on one configuration; the newest is at `app.state.gateway`.

    `adapters`: those of the caller's own making, in the place of the built-in ones. `before`: the one whose place it
    takes, and of which it has what must go on; `lives`: so does its background work.
    """

    open = 0
    transport: Transport | None = None
    files: Transport | None = None  # to servers that callers name
    claims = True  # what has limits stops the start, unless it can be counted; else a parent has seen to it
    started = False

    def __init__(
        self,
        loaded: Loaded,
        *,
        clock: Clock | None = None,
        adapters: Mapping[str, Adapter] | None = None,
        before: "Gateway | None" = None,
        lives: bool = True,
    ) -> None:
        check(loaded)
        config = loaded.config
        self.loaded = loaded
        self.refuses: Refuses = before.refuses if before else _refuses_nothing
        self.clock: Clock = clock or (before.clock if before else System())
        self.logger: FilteringBoundLogger = logger_for(loaded)
        self.newest: Newest = before.newest if before else Newest(self.logger)
        works = before if lives else None
        self.given: Mapping[str, Adapter] = adapters or {}
        self.adapters: Mapping[str, Adapter] = self._adapters(works)
        self.keyring = Keyring(loaded, self.clock, self.logger)
        self.keyring.load(before.keyring if before else None)
        prices = Prices.of(config.usage.price, self.clock)
        self.ledger: Ledger | None = self._ledger(works, prices)
        tally = before.services.tally if before else tally_of(loaded)
        self.limiter: Limiter = self._limiter(before, tally, lives=lives)
        self.services: Services = self._services(before, prices, tally)
        self.archive = Archive(loaded, self.clock, self.logger)
        self.threads = Threads(config, self.clock, self.logger, self.archive)
        remembers = works is not None and works.loaded.config.translate.signatures == config.translate.signatures
        self.shared: SharedSignatures | None = (
            works.shared if works and remembers else shared_of(loaded, self.clock, self.newest.bound)
        )
        self.telemetry: Telemetry | None = self._telemetry(works)
        self.tracing = Tracing(self.telemetry, {name: one.type for name, one in config.upstream.items()})
        self.relay = self._relay(before if remembers else None)
        for dialect in DIALECTS:
            codec(dialect)  # now, not while the first request waits
        self.pipeline = build(Endpoints(self.services, self.relay, self.threads), self.services)
        guard = guard_of(self.pipeline, self.services)
        self.scrape = Scrape(tally, guard, standing=self._standing)
        self.app: ASGIApp = Outermost(self._own(guard), self)
        inside = Inside(relay=self.relay, readiness=self.readiness, read_again=self.read_again, app=self.app)
        self.lasting: Lasting = (
            works.lasting if works else Lasting(partial(store_of, loaded), self.clock, self.newest.bound)
        )
        self.administration = Administration(self.services, guard, inside, self.lasting)
        self.shares: bool = before.shares if before else True  # other processes may serve the same configuration
        self._judged = loaded.stamp, False  # the last look at the file, and whether it was refused

    def _adapters(self, works: "Gateway | None") -> Mapping[str, Adapter]:
        """Go on with the upstreams that would be made as they are."""
        running = unchanged(works.adapters, self.loaded, works.loaded) if works else {}
        made = adapters_of(self.loaded, self.clock, {**running, **self.given})
        return {**made, **self.given}

    def _ledger(self, works: "Gateway | None", prices: Prices) -> Ledger | None:
        """Go on with the ledger where it is kept in the same way."""
        if works is not None and books(works.loaded.config) == books(self.loaded.config):
            return works.ledger
        return Ledger.of(self.loaded, prices, self.clock, self.newest.bound)

    def _limiter(self, before: "Gateway | None", tally: Tally, *, lives: bool) -> Limiter:
        """Go on with what was counted in the same place; what counts in Redis is at work, and goes on as that does."""
        redis = counts_in_redis(self.loaded.config)
        if before is not None and counts_in_redis(before.loaded.config) == redis and (lives or not redis):
            return before.limiter
        return limiter_of(self.loaded, self.clock, self.newest.bound, tally)

    def _services(self, before: "Gateway | None", prices: Prices, tally: Tally) -> Services:
        """Give what its middlewares and endpoints work with."""
        return Services(
            loaded=self.loaded,
            clock=self.clock,
            logger=self.logger,
            adapters=self.adapters,
            resolver=Resolver(self.loaded.config, self.adapters),
            prices=prices,
            keyring=self.keyring,
            lockout=before.services.lockout if before else Lockout(self.clock),
            started_at=before.services.started_at if before else self.clock.time(),
            tally=tally,
            ledger=self.ledger if self.ledger is not None and self.ledger.keeps else None,
            limiter=self.limiter,
        )

    def _telemetry(self, works: "Gateway | None") -> "Telemetry | None":
        """Go on with what sends to the same place."""
        config = self.loaded.config
        if works is not None and works.loaded.config.metrics.otlp == config.metrics.otlp:
            return works.telemetry
        return telemetry_of(config, self.clock, self.newest.bound)

    def _relay(self, before: "Gateway | None") -> Relay:
        """Make what answers requests, with what is remembered of signatures."""
        relay = Relay(self.loaded.config, self.clock, self.threads.keep, self.shared)
        if before is not None:
            relay.memory = before.relay.memory
        return relay

    def _own(self, guard: Auth) -> dict[str, ASGIApp]:
        """Give what is answered outside of the pipeline, by path."""
        return {
            "/health": _answering(self.health),
            "/health/ready": _answering(self.ready),
            self.loaded.config.metrics.path: self.scrape,
            "/usage": RequestId(OwnUsage(self.services, guard)),
        }

    @property
    def usable(self) -> bool:
        """Whether any upstream could serve now."""
        return any(adapter.usable for adapter in self.adapters.values())

    @property
    def is_busy(self) -> bool:
        """Whether the pipeline has a request now."""
        return self.services.under_way > 0

    def anew(self) -> "Gateway":
        """Make one on the same configuration that goes on with what was counted, without what works."""
        made = Gateway(self.loaded, adapters=self.given, before=self, lives=False)
        made.claims = self.claims
        return made

    async def start(self, before: "Gateway | None" = None, *, busy: Callable[[], bool] | None = None) -> None:
        """Begin background work, except for what goes on from before. `busy`: whether any request is under way."""
        self.started = True
        await self._look_at_folders(before)
        await self._count()
        self._have_counted(self.services.tally.count)
        self.limiter.start()
        await self.keyring.start()
        await self._connect(before)
        assert self.transport is not None
        going = before.parts if before else ()
        for adapter in self.adapters.values():
            if isinstance(adapter, Watching):
                adapter.watch(busy or (lambda: self.is_busy))
            if not is_one_of(adapter, going):
                await adapter.start(self.transport)
        await self.archive.start()
        for part in (self.ledger, self.shared, self.telemetry):
            if part is not None and not is_one_of(part, going):
                await part.start()
        problem = await self.administration.start()
        if problem:
            self.logger.warning("the page lists the requests of one process only", reason=problem)
        await self._hear_lists()
        self.newest.logger = self.logger
        self.limiter.recall.past = self.services.ledger

    async def _hear_lists(self) -> None:
        """Wait a moment for upstreams that are asked for their models for the first time: nobody else knows them.

        What nobody has goes to the default one, so its own list is not waited for.
        """
        others = [one for name, one in self.adapters.items() if name != self.services.resolver.default]
        awaited = [one for one in others if isinstance(one, Awaited) and one.is_awaited]
        with suppress(TimeoutError):
            async with asyncio.timeout(_LISTS_S):
                await asyncio.gather(*[one.listed() for one in awaited])

    async def _connect(self, before: "Gateway | None") -> None:
        """Have connections to the upstreams: those that are open, unless they were made in another way.

        Adapters that are given have been started with theirs.
        """
        config = self.loaded.config
        connect_s = config.timeouts.connect
        same = before is not None and before.loaded.config.timeouts.connect == connect_s
        old = before if same or self.given else None
        self.transport = old.transport if old and old.transport else Transport(connect_s=connect_s)
        if config.translate.fetch_urls:
            self.files = old.files if old and old.files else Transport(connect_s=connect_s, allows=is_public)
            self.relay.fetcher = Fetcher(self.files, self.logger)

    async def stop(self, heirs: Sequence["Gateway"] = ()) -> None:
        """End background work, except for what others use; what fails to end keeps nothing else from it.

        Whoever writes to a database that is silent waits for it beside the others, each with a bound of its own.
        """
        if not self.started:
            return
        self.started = False
        used = [part for heir in heirs for part in heir.parts]
        first, *others = ([end for part, end in ends if not is_one_of(part, used)] for ends in self._ends())
        await self._end(self.administration.stop)
        for ends in ([self.keyring.stop, self.archive.stop, *first], *others):
            await asyncio.gather(*map(self._end, ends))
        if not heirs:
            await asyncio.to_thread(self.services.tally.close)

    async def _end(self, end: Callable[[], Awaitable[None]]) -> None:
        try:
            await end()
        except Exception:  # whatever an upstream of somebody else's does when it ends
            self.newest.logger.exception("defect", hint="what is still running may hold connections and files")

    @property
    def parts(self) -> Sequence[object]:
        """List what its successor may use on."""
        return [part for ends in self._ends() for part, _ in ends]

    def _ends(self) -> Iterator[Sequence[tuple[object, Callable[[], Awaitable[None]]]]]:
        """Give each of them with what ends it; those that end together, in this order."""
        yield [(adapter, adapter.stop) for adapter in self.adapters.values()]
        yield [(one, one.close) for one in (self.transport, self.files) if one is not None]
        others = (self.ledger, self.shared, self.telemetry, self.limiter)
        yield [(one, one.stop) for one in others if one is not None]

    async def _look_at_folders(self, before: "Gateway | None") -> None:
        """Say it now when nothing can be kept or recorded; else those who keep something say it when it matters."""
        if self.loaded.read_only or (before is not None and before.loaded.config.record == self.loaded.config.record):
            return
        for path, effect, why in await asyncio.to_thread(list, unwritable(self.loaded)):
            if before is None or path[0] == "record":
                said = f"{'.'.join(map(str, path))} cannot be written; {effect}"
                self.logger.warning(said, reason=why)

    async def _count(self) -> None:
        """Begin to count, together with the other workers where something is counted."""
        shared = self.shares and self.services.counts
        problem = await asyncio.to_thread(self.services.tally.open, shared=shared)
        if problem:
            self.logger.warning("metrics are not shared with other workers", reason=problem)

    def _have_counted(self, count: Count) -> None:
        """Tell those who count what seldom happens how to."""
        for adapter in self.adapters.values():
            if isinstance(adapter, Counting):
                adapter.count_by(count)
        self.keyring.count_by(count)
        self.archive.count = count
        if self.ledger is not None:
            self.ledger.count = count

    async def _standing(self) -> Standing:
        """Say how the upstreams, Redis and the configuration file are, for the metrics."""
        pools = {name: adapter for name, adapter in self.adapters.items() if isinstance(adapter, Pooling)}
        return Standing(
            states={name: pool.states() for name, pool in pools.items()},
            cooldowns={name: _cooldowns(pool, self.clock.time()) for name, pool in pools.items()},
            redis=await self.shared.ask() if self.shared is not None else None,
            rejected=await self._rejected(),
        )

    async def _rejected(self) -> bool | None:
        """Tell whether no reload would take the file as it is now, read once after each edit; None without a file."""
        if self.loaded.file is None:
            return None
        now = stamp(files_of(self.loaded.file))
        if now != self._judged[0]:
            self._judged = now, await asyncio.to_thread(self._is_refused)
        return self._judged[1]

    def _is_refused(self) -> bool:
        try:
            self.read_again()
        except ConfigError:
            return True
        return False

    async def claim(self) -> None:
        """Make sure that no other process counts the same limits by itself; raise NotAlone."""
        config = self.loaded.config
        if "rate_limit" not in config.pipeline.order:
            return
        limited = self.keyring.limited
        if self.claims and (config.limits or limited):
            await self.limiter.claim(min(config.server.drain, _PATIENCE_S), limited)
        elif self.shares:
            self.limiter.join()

    def drain(self) -> None:
        """Refuse new work from now on."""
        self.services.draining = True
        self.limiter.release()

    def abort(self) -> None:
        """End what is still open with the caller's own error."""
        self.relay.abort()

    async def health(self) -> Response:
        """Say that the process lives."""
        return JSONResponse({"status": "ok"})

    async def ready(self) -> Response:
        """Say whether a request could be served."""
        said = await self.readiness()
        return JSONResponse(said, status_code=200 if said["status"] == "ready" else 503)

    def read_again(self) -> Again | None:
        """Read the configuration as it is now, which changes nothing; None for one that was given as a value.

        Raises ConfigError for all that is wrong.
        """
        return read_newest(self.loaded, self.refuses) if self.loaded.again is not None else None

    async def readiness(self) -> dict[str, str]:
        """Say how it is; that Redis is away stops no request."""
        said = {"status": "draining" if self.services.draining else "ready" if self.usable else "unusable"}
        if self.shared is not None:
            said["redis"] = "ok" if await self.shared.ask() else "away"
        if self.limiter.together is not None:
            said["limits"] = "shared" if self.limiter.is_shared else "own"
        return said


def create_app(config: Source = None) -> Starlette:
    """Make an app from a gateway.toml, a mapping, a Config, or, with None, from where `gateway run` looks.

    Raises ConfigError with all problems at once. Any number of apps live in one process.
    """
    loaded = config if isinstance(config, Loaded) else load(config, besides=problems_of)
    return assemble(Gateway(loaded))


def assemble(gateway: Gateway) -> Starlette:
    """Make an app of a gateway, and of those that take its place."""

    @asynccontextmanager
    async def own_lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with lifespan(app):
            yield

    def tell(newest: Gateway) -> None:
        app.state.gateway = newest

    app = Starlette(lifespan=own_lifespan)
    generations = Generations(gateway, _after, _plain(app.router.lifespan), tell)
    app.state.gateway = gateway
    app.state.generations = generations
    # Starlette's own outer layers would answer errors in text/plain, so the stack is set by hand
    app.middleware_stack = generations
    return app


def _after(loaded: Loaded, before: Gateway) -> Gateway:
    return Gateway(loaded, adapters=before.given, before=before)


def _plain(life: ASGIApp) -> ASGIApp:
    """Tell the server in one line why the start is refused."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            refusal = sys.exception()
            if isinstance(refusal, NotAlone):
                message = {**message, "message": str(refusal)}
            await send(message)

        with suppress(NotAlone):
            await life(scope, receive, told)

    return app


def _answering(answer: Callable[[], Awaitable[Response]]) -> ASGIApp:
    """Make an app that only reads."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in _READING:
            message = f"{route_path(scope)} takes GET, not {scope['method']}"
            raise MethodNotAllowed(message, headers={"allow": ", ".join(_READING)})
        await (await answer())(scope, receive, send)

    return app


def _cooldowns(pool: Pooling, now: float) -> int:
    """Count the models that credentials rest for."""
    return sum(until > now for view in pool.views() for until in view.cooling.values())


def _refuses_nothing(_: Config) -> None:
    return None


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    """Run a mounted gateway's background work inside the host's own lifespan; TypeError for what is no gateway."""
    generations: Generations[Gateway] | None = getattr(getattr(app, "state", None), "generations", None)
    if generations is None:
        raise TypeError(
            "gateway.lifespan takes the app that gateway.create_app returned, not the one that it is mounted in"
        )
    await generations.start()
    try:
        await generations.current.claim()
        yield
    finally:
        await generations.stop()

"""Make the app: the outermost layer, the operators' endpoints, the pipeline, and their common life.

Outermost ─┬─ /health, /health/ready, /metrics ─► Router
           └─ everything else ─► pipeline ─► Endpoints ─► Relay
"""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from os import PathLike
from typing import TYPE_CHECKING, Final, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway import __version__
from gateway.clock import Clock, System
from gateway.config import Config, ConfigError, KeyPath, Loaded, Problem, load, missing_extras
from gateway.context import attach, route_path
from gateway.endpoints import Endpoints
from gateway.errors import Draining, GatewayError, InternalError
from gateway.fetching import Fetcher
from gateway.logs import logger_for
from gateway.middleware.auth import guard_of
from gateway.middleware.scrape import Scrape
from gateway.pipeline import build, misordered
from gateway.public import is_public
from gateway.refusal import refuse
from gateway.registry import import_path, names
from gateway.registry import load as load_plugin
from gateway.relay import Relay
from gateway.resolution import Resolver
from gateway.services import Services
from gateway.signatures import LIMIT_BYTES, SIZE, TTL_S
from gateway.store.tally import Tally
from gateway.threads import Threads
from gateway.transport import Transport
from gateway.upstream import Adapter, Pooling

if TYPE_CHECKING:
    from gateway.store.signatures import SharedSignatures

__all__ = ["Gateway", "adapters_of", "assemble", "check", "create_app", "lifespan"]

Source = str | PathLike[str] | Mapping[str, object] | Config | Loaded | None

_RETRY_AFTER_DRAIN_S = 5
_HEALTH = ("/health", "/health/ready")
_SHARED: Final = "gateway.store.signatures:SharedSignatures"

# a request leaves no cycles, so looking for them after every 700 objects costs 20 µs a request for nothing
_THRESHOLDS = (5_000, 20, 100)


class Gateway:
    """Everything that one app holds, at `app.state.gateway`."""

    def __init__(
        self, loaded: Loaded, *, clock: Clock | None = None, adapters: Mapping[str, Adapter] | None = None
    ) -> None:
        check(loaded)
        config = loaded.config
        self.loaded = loaded
        self.clock = clock or System()
        self.transport: Transport | None = None
        self.files: Transport | None = None  # to servers that callers name
        self.logger: FilteringBoundLogger = logger_for(loaded)
        self.adapters = adapters or adapters_of(loaded, self.clock)
        self.services = Services(
            loaded=loaded,
            clock=self.clock,
            logger=self.logger,
            adapters=self.adapters,
            resolver=Resolver(config, self.adapters),
            tally=Tally(loaded.resolve(config.server.data_dir) / "metrics", _group(config)),
        )
        self.threads = Threads(loaded, self.clock, self.logger)
        self.shared = shared_of(loaded, self.clock, self.logger)
        self.relay = Relay(config, self.clock, self.threads.keep, self.shared)
        for dialect in names("gateway.dialects"):
            load_plugin("gateway.dialects", dialect)  # now, not while the first request waits
        self.pipeline = build(Endpoints(self.services, self.relay, self.threads), self.services)
        self.scrape = Scrape(self.services.tally, guard_of(self.pipeline, config), pools=self._pools)
        self.settles = False  # set where the process is the gateway's own
        self.shares = True  # other processes may serve the same configuration
        self.late = asyncio.Lock()
        self._lock = asyncio.Lock()
        self._users = 0

    @property
    def started(self) -> bool:
        """Whether the background work of the upstreams runs."""
        return self._users > 0

    @property
    def usable(self) -> bool:
        """Whether any upstream could serve now."""
        return any(adapter.usable for adapter in self.adapters.values())

    async def start(self) -> None:
        """Begin the common life; the second of two starters only counts."""
        async with self._lock:
            self._users += 1
            if self._users == 1:
                await self._count()
                self.transport = Transport(connect_s=self.loaded.config.timeouts.connect)
                for adapter in self.adapters.values():
                    await adapter.start(self.transport)
                if self.loaded.config.translate.fetch_urls:
                    self.files = Transport(connect_s=self.loaded.config.timeouts.connect, allows=is_public)
                    self.relay.fetcher = Fetcher(self.files)
                await self.threads.start()
                if self.shared is not None:
                    await self.shared.start()

    async def stop(self) -> None:
        """End it when the last starter ends."""
        async with self._lock:
            self._users -= 1
            if self._users == 0 and self.transport is not None:
                for adapter in self.adapters.values():
                    await adapter.stop()
                await self.transport.close()
                if self.files is not None:
                    await self.files.close()
                await self.threads.stop()
                if self.shared is not None:
                    await self.shared.stop()
                await asyncio.to_thread(self.services.tally.close)

    async def _count(self) -> None:
        """Begin to count, together with the other workers where something is counted."""
        shared = self.shares and self.services.counts
        problem = await asyncio.to_thread(self.services.tally.open, shared=shared)
        if problem:
            self.logger.warning("metrics are not shared with other workers", reason=problem)

    def _pools(self) -> dict[str, Mapping[str, int]]:
        return {name: adapter.states() for name, adapter in self.adapters.items() if isinstance(adapter, Pooling)}

    def drain(self) -> None:
        """Refuse new work from now on."""
        self.services.draining = True

    async def health(self, _: Request) -> Response:
        """Say that the process lives."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """Say whether a request could be served; that Redis is away stops none."""
        status = "draining" if self.services.draining else "ready" if self.usable else "unusable"
        said = {"status": status}
        if self.shared is not None:
            said["redis"] = "ok" if await self.shared.ask() else "away"
        return JSONResponse(said, status_code=200 if status == "ready" else 503)


def create_app(config: Source = None) -> Starlette:
    """Make an app from a gateway.toml, a mapping, a Config, or, with None, from where `gateway run` looks.

    Raises ConfigError with all problems at once. Any number of apps live in one process.
    """
    loaded = config if isinstance(config, Loaded) else load(config)
    return assemble(Gateway(loaded))


def assemble(gateway: Gateway) -> Starlette:
    """Put a gateway's parts together as one app."""

    @asynccontextmanager
    async def own_lifespan(_: Starlette) -> AsyncGenerator[None]:
        await gateway.start()
        if gateway.settles:
            settle()
        try:
            yield
        finally:
            await gateway.stop()

    app, metrics = Starlette(lifespan=own_lifespan), gateway.loaded.config.metrics.path
    app.state.gateway = gateway
    operators = [
        Route("/health", gateway.health, methods=["GET"]),
        Route("/health/ready", gateway.ready, methods=["GET"]),
        Route(metrics, gateway.scrape),
    ]
    own = Router(operators, default=gateway.pipeline, redirect_slashes=False)
    # Starlette's own outer layers would answer errors in text/plain, so the stack is set by hand
    app.middleware_stack = Outermost(own, (*_HEALTH, metrics), gateway, app.router)
    return app


def settle() -> None:
    """Take what start-up made out of the collector's sight; it lives as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def adapters_of(loaded: Loaded, clock: Clock) -> dict[str, Adapter]:
    """Make every upstream; raise ConfigError for what one cannot work with."""
    made: dict[str, Adapter] = {}
    for name, upstream in loaded.config.upstream.items():
        make = cast(Callable[..., Adapter], load_plugin("gateway.adapters", upstream.type))  # no entry point is typed
        made[name] = make(name, loaded, clock)
    return made


def shared_of(loaded: Loaded, clock: Clock, logger: FilteringBoundLogger) -> "SharedSignatures | None":
    """Make what all workers and hosts remember of signatures, where store.redis is set."""
    store = loaded.config.store
    url = store.redis.reveal()
    if not url or loaded.config.translate.signatures == "off":
        return None
    make = cast("type[SharedSignatures]", import_path(_SHARED))  # what is loaded by path is not typed
    keys = [key.reveal() for key in store.encryption_key]
    return make(url, keys, clock, logger, size=SIZE, limit_bytes=LIMIT_BYTES, ttl_s=TTL_S)


def _group(config: Config) -> str:
    """Name what counts together: the processes of one configuration and version, which may differ in its secrets."""
    return sha256(f"{__version__} {config!r}".encode()).hexdigest()[:16]


def check(loaded: Loaded) -> None:
    """Refuse an upstream without an adapter, a key without its extra, an order of the pipeline that cannot work."""
    problems = [*_unserved(loaded), *missing_extras(loaded), *misordered(loaded)]
    if problems:
        raise ConfigError(problems)


def _unserved(loaded: Loaded) -> Iterator[Problem]:
    served = names("gateway.adapters")
    for name, upstream in loaded.config.upstream.items():
        if upstream.type not in served:
            said: KeyPath = ("upstream", name, "type")
            path = said if said in loaded.sources else said[:2]
            yield loaded.problem(path, f"this version has no adapter of type {upstream.type!r}")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    """Run a mounted gateway's background work inside the host's own lifespan."""
    gateway: Gateway = app.state.gateway
    await gateway.start()
    try:
        yield
    finally:
        await gateway.stop()


class Outermost:
    """The layer that every request passes first: the context, the lazy start, and errors nobody else wrote."""

    def __init__(self, own: ASGIApp, paths: tuple[str, ...], gateway: Gateway, life: Router) -> None:
        self._own = own
        self._paths = paths
        self._gateway = gateway
        self._life = life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._life.lifespan(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        if not self._gateway.started:
            await self._start_late()
        context, send = attach(scope, send, self._gateway.clock)
        own = scope["path"].endswith(self._paths) and route_path(scope) in self._paths
        try:
            if self._gateway.services.draining and not own:
                raise Draining("the gateway is shutting down; try again", retry_after=_RETRY_AFTER_DRAIN_S)
            if own:  # the router has an eye of its own for mount points
                await self._own({**scope, "path": route_path(scope), "root_path": ""}, receive, send)
            else:
                await self._gateway.pipeline(scope, receive, send)
        except GatewayError as error:
            if context.status is not None:
                raise
            await refuse(context, send, error)
        except Exception:  # the outermost layer: a defect becomes a 500 in the caller's dialect
            self._gateway.logger.exception("defect", request_id=context.request_id)
            if context.status is not None:
                raise
            await refuse(context, send, InternalError("the gateway failed; its log says more"))

    async def _start_late(self) -> None:
        async with self._gateway.late:
            if not self._gateway.started:
                self._gateway.logger.warning(
                    "started by the first request", hint="enter gateway.lifespan(app) in the host's lifespan"
                )
                await self._gateway.start()

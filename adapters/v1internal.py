"""The upstream of `type = "v1internal"`: Google Cloud Code Assist, with a pool of accounts.

    call ─► inner request (Gemini's dialect) ─► envelope ─► base URL, credential ─► events

The gateway says its own name everywhere; whether the service answers it is the service's decision.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from gateway import ir
from gateway.adapters.credential import Credential
from gateway.adapters.google_oauth import RefreshFailed
from gateway.adapters.v1internal_control import Control, countable
from gateway.adapters.v1internal_envelope import Envelope, headers_of
from gateway.adapters.v1internal_errors import Failure
from gateway.adapters.v1internal_journey import Backend, V1InternalJourney
from gateway.adapters.v1internal_models import SHIPPED, Catalogue, decode, encode, known, read_models
from gateway.adapters.v1internal_projects import Projects
from gateway.adapters.v1internal_setup import set_up
from gateway.clock import Clock
from gateway.config import Loaded, V1InternalConfig
from gateway.dialects.gemini.request import GeminiTarget, Written, write_request
from gateway.dialects.gemini.schema import SchemaCache
from gateway.errors import GatewayError
from gateway.ir.estimate import estimate
from gateway.logs import logger_of
from gateway.store.credentials import StoredModels
from gateway.transport import Transport
from gateway.upstream import Call, Journey, ModelInfo

__all__ = ["V1Internal"]

# Generating is asked of the daily host first, which refuses less often for want of capacity; accounts are kept at prod.
_DAILY: Final = "https://daily-cloudcode-pa.googleapis.com"
_PROD: Final = "https://cloudcode-pa.googleapis.com"
_COUNT_S: Final = 5.0
_FETCH_EVERY_S: Final = 3600.0
_FETCH_AGAIN_S: Final = 60.0


class V1Internal:
    """One upstream; raises ConfigError for credentials that cannot be read."""

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        config = loaded.config.upstream[name]
        assert isinstance(config, V1InternalConfig)
        self.name = name
        self._configured = config.models
        self._lists = not config.models and config.envelope == "antigravity"  # the other one has no such call
        self._translate = loaded.config.translate
        self._clock = clock
        self._logger = logger_of(loaded.config.log)
        self._schemas = SchemaCache()
        self._tasks: set[asyncio.Task[Any]] = set()
        setup = set_up(name, config, loaded, clock, self._logger, self._tasks)
        self._pool, self._keeper = setup.pool, setup.keeper
        headers = headers_of(config)
        self._control = Control(config.base_urls or (_PROD, _DAILY), headers, clock, config.oauth.userinfo_url)
        self._backend = Backend(
            pool=self._pool,
            projects=Projects(config.pool, self._pool, self._control),
            bases=config.base_urls or (_DAILY, _PROD),
            headers=headers,
            envelope=Envelope(config),
            retry=loaded.config.retry,
            clock=clock,
            logger=self._logger,
        )
        self._catalogue = Catalogue(dict(SHIPPED))
        self._models: Mapping[str, ModelInfo] = {}
        self._take(_stored(setup.fetched) or self._catalogue)

    # serving

    @property
    def usable(self) -> bool:
        """Whether any credential could serve."""
        return self._pool.usable

    @property
    def credentials(self) -> Sequence[Credential]:
        """The pool's credentials, in the order in which they are configured."""
        return self._pool.credentials

    @property
    def leases(self) -> int:
        """How many credentials are in use by requests now."""
        return self._pool.leases

    def state(self) -> str:
        """Say how many credentials can serve, or why none."""
        return self._pool.state()

    def models(self) -> Mapping[str, ModelInfo]:
        """List the configured models, else those fetched last, else the shipped table."""
        return self._models

    def open(self, call: Call) -> Journey:
        """Translate a call."""
        call = self._renamed(call)
        return V1InternalJourney(call, self._write(call.request), self._backend)

    async def count(self, call: Call) -> int | None:
        """Count the conversation upstream, and estimate what it does not count: instructions and tools."""
        try:
            async with asyncio.timeout(_COUNT_S):
                counted = await self._count(self._renamed(call).request)
        except (Failure, GatewayError, RefreshFailed, TimeoutError):
            return None
        if counted is None:
            return None
        beside = replace(call.request, turns=())
        return counted + (estimate(beside) if beside.system or beside.tools else 0)

    def _renamed(self, call: Call) -> Call:
        """Ask for the new id of a retired model."""
        model = call.request.model
        new = self._catalogue.renamed.get(model)
        if new is None or model in self._models:
            return call
        return replace(call, request=replace(call.request, model=new))

    def _write(self, request: ir.Request) -> Written:
        info = self._models.get(request.model) or SHIPPED.get(request.model)
        target = GeminiTarget(
            model=request.model,
            family=ir.family_of(request.model),
            max_output=info.max_output if info is not None else None,
            thinking_conflict=self._translate.thinking_conflict,
            signatures=self._translate.signatures != "off",
            schemas=self._schemas,
        )
        return write_request(request, target)

    async def _count(self, request: ir.Request) -> int | None:
        credential = self._pool.any_active(request.model)
        transport = self._backend.transport
        if credential is None or transport is None:
            return None
        contents = countable(self._write(request).body["contents"])
        token = await self._pool.token(credential)
        return await self._control.count(transport, token, request.model, contents)

    # the model list

    async def start(self, transport: Transport) -> None:
        """Take the transport; without configured models fetch the list in the background."""
        self._backend.transport = transport
        self._pool.start(transport)
        if self._lists:
            self._tasks.add(asyncio.get_running_loop().create_task(self._fetch_always(transport)))

    async def stop(self) -> None:
        """End background work, and write down what is left to write."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        await self._keeper.close()

    async def _fetch_always(self, transport: Transport) -> None:
        pause_s = _FETCH_AGAIN_S
        while True:
            fetched = await self._fetch(transport)
            await self._clock.sleep(_FETCH_EVERY_S if fetched else pause_s)
            pause_s = _FETCH_AGAIN_S if fetched else min(2 * pause_s, _FETCH_EVERY_S)

    async def _fetch(self, transport: Transport) -> bool:
        credential = self._pool.any_active()
        if credential is None:
            return False
        try:
            token = await self._pool.token(credential)
            catalogue = read_models(await self._control.models(transport, token, credential.project))
        except (Failure, RefreshFailed, ValueError) as error:
            self._logger.info("no model list", upstream=self.name, reason=str(error))
            return False
        self._take(catalogue)
        await self._keeper.save_models(StoredModels(encode(catalogue), self._clock.time()))
        return True

    def _take(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._models = known(self._configured, catalogue.models) if self._configured else catalogue.models


def _stored(fetched: StoredModels | None) -> Catalogue | None:
    if fetched is None:
        return None
    try:
        return decode(fetched.json)
    except ValueError:
        return None

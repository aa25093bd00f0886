"""The upstream of `type = "v1internal"`: Google Cloud Code Assist, with a pool of accounts.

    call ─► inner request (Gemini's dialect) ─► envelope ─► base URL, credential ─► events

The gateway says its own name everywhere; whether the service answers it is the service's decision.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from gateway import ir
from gateway.adapters.account import Account
from gateway.adapters.failures import Failure
from gateway.adapters.google_oauth import RefreshFailed
from gateway.adapters.model_list import Catalogue, ModelList
from gateway.adapters.v1internal_control import Control, countable
from gateway.adapters.v1internal_envelope import Envelope, headers_of
from gateway.adapters.v1internal_errors import RULES, read_failure
from gateway.adapters.v1internal_journey import V1InternalBackend, V1InternalJourney
from gateway.adapters.v1internal_models import SHIPPED, read_models
from gateway.adapters.v1internal_native import pass_through
from gateway.adapters.v1internal_projects import Projects
from gateway.adapters.v1internal_setup import set_up
from gateway.clock import Clock
from gateway.config import Loaded, V1InternalConfig
from gateway.dialects.gemini.request import GeminiTarget, Written, write_request
from gateway.dialects.gemini.schema import SchemaCache
from gateway.errors import GatewayError
from gateway.ir.estimate import estimate
from gateway.logs import logger_of
from gateway.transport import Transport
from gateway.upstream import Call, Journey, ModelInfo

__all__ = ["V1Internal"]

# Generating is asked of the daily host first, which refuses less often for want of capacity; accounts are kept at prod.
_DAILY: Final = "https://daily-cloudcode-pa.googleapis.com"
_PROD: Final = "https://cloudcode-pa.googleapis.com"
_COUNT_S: Final = 5.0


class V1Internal:
    """One upstream; raises ConfigError for credentials that cannot be read."""

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        config = loaded.config.upstream[name]
        assert isinstance(config, V1InternalConfig)
        self.name = name
        self._lists = not config.models and config.envelope == "antigravity"  # the other one has no such call
        self._translate = loaded.config.translate
        self._clock = clock
        self._logger = logger_of(loaded.config.log)
        self._schemas = SchemaCache()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pool, kept = set_up(name, config, loaded, clock, self._logger, self._tasks)
        self._keeper = kept.keeper
        headers = headers_of(config)
        self._control = Control(config.base_urls or (_PROD, _DAILY), headers, clock, config.oauth.userinfo_url)
        self._backend = V1InternalBackend(
            pool=self._pool,
            projects=Projects(config.pool, self._pool, self._control),
            bases=config.base_urls or (_DAILY, _PROD),
            headers=headers,
            envelope=Envelope(config),
            rules=RULES,
            read_failure=read_failure,
            retry=loaded.config.retry,
            clock=clock,
            logger=self._logger,
        )
        self._list = ModelList(
            name,
            configured=config.models,
            shipped=SHIPPED,
            fetched=kept.fetched,
            keeper=kept.keeper,
            clock=clock,
            logger=self._logger,
        )

    # serving

    @property
    def usable(self) -> bool:
        """Whether any credential could serve."""
        return self._pool.usable

    @property
    def credentials(self) -> Sequence[Account]:
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
        return self._list.models

    def renamed(self) -> Mapping[str, str]:
        """Give the new ids of retired models."""
        return self._list.renamed

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
        model = self._list.current(call.request.model)
        return call if model == call.request.model else replace(call, request=replace(call.request, model=model))

    def _write(self, request: ir.Request) -> Written:
        if request.native is not None:
            return pass_through(request, request.native)
        info = self._list.info(request.model)
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
        contents = countable(self._write(replace(request, native=None)).body["contents"])
        token = await self._pool.token(credential)
        return await self._control.count(transport, token, request.model, contents)

    # the model list

    async def start(self, transport: Transport) -> None:
        """Take the transport; without configured models fetch the list in the background."""
        self._backend.transport = transport
        self._pool.start(transport)
        if self._lists:
            fetching = self._list.keep(partial(self._fetch, transport))
            self._tasks.add(asyncio.get_running_loop().create_task(fetching))

    async def stop(self) -> None:
        """End background work, and write down what is left to write."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        await self._keeper.close()

    async def _fetch(self, transport: Transport) -> Catalogue | None:
        account = self._pool.any_active()
        if account is None:
            return None
        token = await self._pool.token(account)
        return read_models(await self._control.models(transport, token, account.project))

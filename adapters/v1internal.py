"""The upstream of `type = "v1internal"`: Google Cloud Code Assist, with a pool of accounts.

    call ─► inner request (Gemini's dialect) ─► envelope ─► base URL, credential ─► events

The gateway says its own name everywhere; whether the service answers it is the service's decision.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from gateway import ir
from gateway.adapters.account import Account
from gateway.adapters.amendments import without
from gateway.adapters.failures import Cause, Failure, nameless
from gateway.adapters.model_list import Catalogue
from gateway.adapters.pooled import PooledUpstream
from gateway.adapters.tending import Probe, ProbeName
from gateway.adapters.tokens import RefreshFailed
from gateway.adapters.v1internal_control import Control, Tell, countable
from gateway.adapters.v1internal_envelope import Envelope, headers_of
from gateway.adapters.v1internal_errors import RULES, read_failure
from gateway.adapters.v1internal_joining import Joining
from gateway.adapters.v1internal_journey import V1InternalBackend, V1InternalJourney
from gateway.adapters.v1internal_making import V1InternalMaking
from gateway.adapters.v1internal_models import SHIPPED
from gateway.adapters.v1internal_native import pass_through
from gateway.adapters.v1internal_probes import Probes
from gateway.adapters.v1internal_projects import Projects
from gateway.adapters.v1internal_setup import set_up
from gateway.clock import Clock
from gateway.config import Loaded, V1InternalConfig
from gateway.dialects.gemini.request import GeminiTarget, Written, write_request
from gateway.dialects.gemini.schema import SchemaCache
from gateway.errors import GatewayError
from gateway.ir.estimate import estimate
from gateway.lending import apart
from gateway.logs import logger_for
from gateway.upstream import Call, Consent, CredentialView, Journey, Making

__all__ = ["V1Internal"]

# Generating is asked of the daily host first, which refuses less often for want of capacity; accounts are kept at prod.
_DAILY: Final = "https://daily-cloudcode-pa.googleapis.com"
_PROD: Final = "https://cloudcode-pa.googleapis.com"
_COUNT_S: Final = 5.0


class V1Internal(PooledUpstream[Account]):
    """One upstream; raises ConfigError for credentials that cannot be read."""

    has_accounts: ClassVar[bool] = True

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        config = loaded.config.upstream[name]
        assert isinstance(config, V1InternalConfig)
        logger = logger_for(loaded)
        tasks: set[asyncio.Task[Any]] = set()
        pool, kept = set_up(name, config, loaded, clock, logger, tasks)
        headers = headers_of(config)
        serving = config.base_urls or (_DAILY, _PROD)
        asked = config.base_urls or (_PROD, _DAILY)
        self._control = Control(asked, headers, clock, config.oauth.userinfo_url, serving=serving)
        self._backend = V1InternalBackend(
            pool=pool,
            projects=Projects(config.pool, kept.keeper, self._control, clock, logger),
            bases=serving,
            headers=headers,
            envelope=Envelope(config),
            rules=RULES,
            read_failure=nameless(read_failure, lambda: (one.project for one in pool.credentials)),
            retry=loaded.config.retry,
            clock=clock,
            logger=logger,
            strict=loaded.config.translate.lossy == "strict",
        )
        self._questions = Probes(config, self._backend, self._control)
        super().__init__(self._backend, kept, tasks, configured=config.models, shipped=SHIPPED)
        self._joining = Joining(pool, kept.keeper, self._control, self._backend.projects, self._survey, clock, logger)
        self._translate = loaded.config.translate
        self._schemas = SchemaCache()
        self._target = lru_cache(maxsize=256)(self._describe)

    # what operators ask

    def views(self) -> Sequence[CredentialView]:
        """Show the credentials; what gateway.toml says of their projects holds before they are used."""
        self._pool.catch_up()
        for credential in self._pool.credentials:
            self._backend.projects.known(credential)
        return super().views()

    # serving

    def renamed(self) -> Mapping[str, str]:
        """Give the new ids of retired models."""
        return self._list.renamed

    def open(self, call: Call) -> Journey:
        """Translate a call."""
        call = self._renamed(call)
        return V1InternalJourney(call, self._write, self._backend)

    def draw(self, call: Call) -> Making:
        """Take a call for pictures."""
        return V1InternalMaking(self._renamed(call), self._backend)

    def fetches(self, media: ir.Media, model: str) -> bool:
        """Tell whether it takes the address of a file: never."""
        return False

    async def count(self, call: Call) -> int | None:
        """Count the conversation upstream, and estimate what it does not count: instructions and tools."""
        try:
            async with asyncio.timeout(_COUNT_S):
                counted = await self._count(self._renamed(call).request)
        except (Failure, GatewayError, RefreshFailed, TimeoutError):
            return None
        if counted is None:
            return None
        beside = replace(call.request, turns=(), counted=0)
        return counted + (estimate(beside) if beside.system or beside.tools else 0)

    def _renamed(self, call: Call) -> Call:
        """Ask for the new id of a retired model."""
        model = self._list.current(call.request.model)
        return call if model == call.request.model else replace(call, request=replace(call.request, model=model))

    def _write(self, request: ir.Request, causes: frozenset[Cause]) -> Written:
        limit = request.within(self.info(request.model).max_output)
        if request.native is not None:
            return pass_through(request, request.native, causes, limit)
        target = self._target(request.model, limit)
        return write_request(request, without(target, causes))

    def _describe(self, model: str, max_output: int | None) -> GeminiTarget:
        return GeminiTarget(
            model=model,
            family=ir.family_of(model),
            max_output=max_output,
            thinking_conflict=self._translate.thinking_conflict,
            signatures=self._translate.signatures != "off",
            schemas=self._schemas,
        )

    async def _count(self, request: ir.Request) -> int | None:
        credential = self._pool.any_active(request.model)
        transport = self._backend.transport
        if credential is None or transport is None:
            return None
        lacks = self._backend.lacks.of(request)
        written = await apart(request.counted, self._write, replace(request, native=None), lacks)
        contents = countable(written.body["contents"])
        token = await self._pool.token(credential)
        return await self._control.count(transport, token, request.model, contents)

    # logging accounts in

    def consent(self, redirect_uri: str) -> Consent:
        """Begin a login."""
        return self._joining.consent(redirect_uri)

    async def log_in(self, consent: Consent, code: str, tell: Tell) -> CredentialView:
        """Trade the code for an account, and set it up."""
        transport = self._backend.transport
        assert transport is not None, "the upstream is used before start"
        account = await self._joining.log_in(transport, consent, code, tell)
        return account.view(self.name)

    # the model list

    async def _fetch(self) -> Catalogue | None:
        account = self._pool.any_active()
        return await self._listed_for(account) if account is not None else None

    async def _listed_for(self, account: Account) -> Catalogue:
        body = await self._questions.list(account)
        account.learn(self._questions.left(account, body))
        return self._questions.read_models(body)

    async def _survey(self, account: Account) -> int:
        """Ask which models there are, and what is left of each; give how many there are."""
        if self._lists:
            await self._list.renew(await self._listed_for(account))
        else:
            account.learn(await self._questions.models(account))
        return len(self._list.models)

    def _probes(self) -> Mapping[ProbeName, Probe[Account]]:
        return self._questions.table

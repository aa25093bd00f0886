"""The upstream of `type = "vertex"`: Gemini and Claude on Vertex AI, by Application Default Credentials.

call ─► GenerateContentRequest ─► bearer ─► publishers/google/…:streamGenerateContent ─► events
        Anthropic Messages ─────► bearer ─► publishers/anthropic/…:streamRawPredict ──► events
native call on a model ─► the same bytes ─► the same method of that model ─► the same bytes back
embeddings, pictures ─► the model's own methods ─► the caller's words
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, TypedDict

import msgspec
from msgspec import Struct, field
from structlog.typing import FilteringBoundLogger

from gateway import ir
from gateway.adapters import vertex_claude as claude
from gateway.adapters.amendments import Write, without
from gateway.adapters.anthropic import counted
from gateway.adapters.anthropic_journey import AnthropicBackend
from gateway.adapters.anthropic_models import described
from gateway.adapters.anthropic_writing import Writer
from gateway.adapters.exchange import HEADERS
from gateway.adapters.failures import Cause, Failure, ReadFailure, nameless
from gateway.adapters.gemini_native import pass_through
from gateway.adapters.google_login import adopt
from gateway.adapters.model_list import Catalogue
from gateway.adapters.pool import Pool
from gateway.adapters.pooled import PooledUpstream, restored
from gateway.adapters.tending import Probe, ProbeName
from gateway.adapters.vertex_credential import DefaultCredential
from gateway.adapters.vertex_errors import RULES, read_failure
from gateway.adapters.vertex_forward import VertexForward
from gateway.adapters.vertex_journey import VertexBackend, VertexJourney, tell_operator, token_of
from gateway.adapters.vertex_making import EMBEDS, VertexMaking, embed_native, plan_embedding, plan_picture
from gateway.adapters.vertex_models import COUNT, SHIPPED, publisher_of
from gateway.adapters.vertex_place import Place, base_of
from gateway.clock import Clock
from gateway.config import Loaded, PoolConfig, RetryConfig, VertexConfig
from gateway.dialects.anthropic.outbound_request import AnthropicWritten
from gateway.dialects.gemini.addresses import fetched
from gateway.dialects.gemini.edits_vertex import pass_on
from gateway.dialects.gemini.request import GeminiTarget, Written, write_request
from gateway.dialects.gemini.schema import SchemaCache
from gateway.dialects.raw import FIELDS
from gateway.errors import GatewayError
from gateway.forwarding import NativeAnswer, NativeCall
from gateway.lending import apart
from gateway.logs import logger_for
from gateway.store.known import Change
from gateway.transport import Transport
from gateway.upstream import Call, Journey, Making, ModelInfo

__all__ = ["Vertex"]

_COUNT_S: Final = 5.0
_COUNTED: Final = ("contents", "systemInstruction", "tools", "generationConfig")


class _Count(Struct):
    total_tokens: int | None = field(default=None, name="totalTokens")
    input_tokens: int | None = None  # as Anthropic says it


_COUNT: Final = msgspec.json.Decoder(_Count, strict=False)
_encode: Final = msgspec.json.Encoder().encode


class _Shared(TypedDict):
    """What the ways to both publishers have in common."""

    pool: Pool[DefaultCredential]
    bases: tuple[str, ...]
    headers: dict[str, str]
    retry: RetryConfig
    clock: Clock
    logger: FilteringBoundLogger
    strict: bool


class Vertex(PooledUpstream[DefaultCredential]):
    """One upstream; raises ConfigError for a credential store that cannot be opened."""

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        config = loaded.config.upstream[name]
        assert isinstance(config, VertexConfig)
        logger = logger_for(loaded)
        tasks: set[asyncio.Task[Any]] = set()
        for variable in adopt(loaded.dotenv):
            logger.warning(
                "the environment has a different value, which takes precedence over .env",
                variable=variable,
                upstream=name,
            )
        self._credential = credential = DefaultCredential(name, config.project, clock, tasks)
        pool, kept = restored(name, loaded, (credential,), PoolConfig(), clock, logger)
        base = config.base_url or base_of(config.location)
        place = Place(base, config.location, credential)
        shared = _Shared(
            pool=pool,
            bases=(base,),
            headers=dict(HEADERS),
            retry=loaded.config.retry,
            clock=clock,
            logger=logger,
            strict=loaded.config.translate.lossy == "strict",
        )

        def names() -> tuple[str, str]:
            return credential.project, credential.quota_project

        self._backend = VertexBackend(**shared, rules=RULES, read_failure=nameless(read_failure, names), place=place)
        self._claude: AnthropicBackend[DefaultCredential] = AnthropicBackend(
            **shared, rules=claude.RULES, read_failure=nameless(claude.read_failure, names), door=claude.door_of(place)
        )
        super().__init__(
            self._backend, kept, tasks, configured=config.models, shipped=SHIPPED, described=described, lists=False
        )
        self._claude.models = self.models
        self._first_login: asyncio.Task[None] | None = None
        self._translate = loaded.config.translate
        self._schemas = SchemaCache()
        self._write_claude: Write[AnthropicWritten] = claude.fetches_nothing(
            Writer(self.info, loaded.config.translate, self._claude.learnt, services=claude.SERVICES)
        )

    # how it is

    @property
    def usable(self) -> bool:
        """Whether the credentials can give a token, as far as is known."""
        return self._credential.usable

    def state(self) -> str:
        """Say which credentials there are, or why none."""
        return self._credential.said()

    async def start(self, transport: Transport) -> None:
        """Take the transport, and log in in the background."""
        self._credential.start(transport)
        self._claude.transport = transport
        await super().start(transport)
        self._first_login = asyncio.get_running_loop().create_task(self._log_in())
        self._tasks.add(self._first_login)

    async def stop(self) -> None:
        """End background work."""
        self._credential.stop()
        await super().stop()

    async def listed(self) -> str:
        """Wait until it is known what the credentials are worth; no list is asked for."""
        if self._first_login is not None:
            await asyncio.wait((self._first_login,))
        return ""

    async def _log_in(self) -> None:
        try:
            await token_of(self._backend, self._credential)
        except Failure as failure:
            tell_operator(self._backend, failure)

    # serving

    def open(self, call: Call) -> Journey:
        """Translate a call."""
        if publisher_of(call.request.model) == "anthropic":
            return claude.ClaudeJourney(call, self._write_claude, self._claude, self._backend.place)
        return VertexJourney(call, self._write, self._backend)

    def embed(self, call: Call) -> Making:
        """Take a call for embeddings."""
        return VertexMaking(call, plan_embedding(call), self._backend)

    def draw(self, call: Call) -> Making:
        """Take a call for pictures."""
        return VertexMaking(call, plan_picture(call), self._backend)

    def fetches(self, media: ir.Media, model: str) -> bool:
        """Tell whether it takes the address of a file: Gemini does, where the address tells the type."""
        return ir.family_of(model) == "gemini" and fetched(media, "vertex")

    async def count(self, call: Call) -> int | None:
        """Count the whole prompt upstream: instructions, tools and conversation."""
        if self._pool.any_active(call.request.model) is None:
            return None
        try:
            async with asyncio.timeout(_COUNT_S):
                claude_s = publisher_of(call.request.model) == "anthropic"
                return await (self._count_claude if claude_s else self._count)(call.request)
        except (Failure, GatewayError, TimeoutError, ValueError):
            return None

    def info(self, model: str) -> ModelInfo:
        """Give what is known of a model: of each version of it the same."""
        return self._list.info(model if model in self._list.models else model.partition("@")[0])

    async def forward(self, call: NativeCall) -> NativeAnswer:
        """Pass a native call on a model on; embeddings are asked for as the model knows it."""
        if call.method == "POST" and call.model and call.path.rpartition(":")[2] in EMBEDS:
            return await embed_native(call, self._backend)
        return await VertexForward(call, self._backend).go()

    def _write(self, request: ir.Request, causes: frozenset[Cause]) -> Written:
        if request.native is not None:
            return pass_through(request, pass_on(request, request.native.body, causes))
        target = GeminiTarget(
            model=request.model,
            family="gemini",
            surface="vertex",
            max_output=self.info(request.model).max_output,
            thinking_conflict=self._translate.thinking_conflict,
            signatures=self._translate.signatures != "off",
            schemas=self._schemas,
        )
        return write_request(request, without(target, causes))

    async def _count(self, request: ir.Request) -> int | None:
        written = await apart(request.counted, self._write, request, self._backend.lacks.of(request))
        prompt = FIELDS.decode(written.native) if written.native is not None else written.body
        body = _encode({name: value for name, value in prompt.items() if name in _COUNTED})
        answer = await self._ask(request.model, "countTokens", body)
        return None if answer is None else _COUNT.decode(answer).total_tokens or None

    async def _count_claude(self, request: ir.Request) -> int | None:
        written = await apart(request.counted, self._write_claude, request, self._claude.lacks.of(request))
        fields = counted(written) | {"model": request.model}
        answer = await self._ask(COUNT, "rawPredict", _encode(fields), claude.read_failure)
        return None if answer is None else _COUNT.decode(answer).input_tokens or None

    async def _ask(self, model: str, verb: str, body: bytes, read: ReadFailure = read_failure) -> bytes | None:
        """Make a small call."""
        backend = self._backend
        if backend.transport is None:
            return None
        token = await token_of(backend, self._credential)  # from now on the project is known
        headers = {**backend.headers, **backend.place.headers(token)}
        url = backend.place.model_url(model, verb)
        return await backend.fetch("POST", url, headers, body, read)

    def _probes(self) -> Mapping[ProbeName, Probe[DefaultCredential]]:
        return {"project": self._probe}

    async def _probe(self, credential: DefaultCredential) -> Change:
        await token_of(self._backend, credential)
        return Change(id=credential.id)

    async def _fetch(self) -> Catalogue | None:
        """Its list says nothing of what a location has, so it is not asked for."""
        return None

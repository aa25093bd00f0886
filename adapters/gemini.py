"""The upstream of `type = "gemini"`: the public Gemini API, with one API key or a pool of them.

call ─► GenerateContentRequest ─► key ─► :streamGenerateContent ─► events
native call ─► the same bytes, its key replaced by one of ours ─► the same bytes back
embeddings, pictures in OpenAI's words ─► the model's own methods ─► OpenAI's words
"""

import asyncio
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway import ir
from gateway.adapters.amendments import without
from gateway.adapters.credential import Credential
from gateway.adapters.exchange import HEADERS
from gateway.adapters.failures import Cause, Failure
from gateway.adapters.gemini_errors import RULES, read_failure
from gateway.adapters.gemini_forward import Forward
from gateway.adapters.gemini_journey import GeminiBackend, GeminiJourney, model_path
from gateway.adapters.gemini_making import GeminiMaking, plan_embedding
from gateway.adapters.gemini_models import SHIPPED, read_page
from gateway.adapters.gemini_native import pass_through
from gateway.adapters.gemini_owners import Owners, named_in
from gateway.adapters.gemini_uploads import Uploads
from gateway.adapters.google_making import plan_drawing
from gateway.adapters.model_list import Catalogue
from gateway.adapters.pooled import KeyedUpstream, restored
from gateway.clock import Clock
from gateway.config import GeminiConfig, Loaded
from gateway.dialects.gemini.addresses import fetched
from gateway.dialects.gemini.edits import pass_on
from gateway.dialects.gemini.edits_sketch import is_usual
from gateway.dialects.gemini.request import GeminiTarget, Written, write_request
from gateway.dialects.gemini.schema import SchemaCache
from gateway.dialects.raw import FIELDS
from gateway.errors import GatewayError
from gateway.forwarding import NativeAnswer, NativeCall
from gateway.lending import apart
from gateway.logs import logger_for
from gateway.upstream import Call, Journey, Making, ModelInfo

__all__ = ["GeminiAPI"]

_GOOGLE: Final = "https://generativelanguage.googleapis.com"
_COUNT_S: Final = 5.0
_PAGES: Final = 20
_PAGE_SIZE: Final = 1000
_UPLOADS: Final = "/upload/"


class _Count(Struct, rename="camel"):
    total_tokens: int | None = None


_COUNT: Final = msgspec.json.Decoder(_Count, strict=False)
_encode: Final = msgspec.json.Encoder().encode


class GeminiAPI(KeyedUpstream):
    """One upstream; raises ConfigError for a credential store that cannot be opened."""

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        config = loaded.config.upstream[name]
        assert isinstance(config, GeminiConfig)
        logger = logger_for(loaded)
        keys = (Credential(secret, clock) for secret in config.api_key)
        pool, kept = restored(name, loaded, keys, config.pool, clock, logger)
        self._backend = GeminiBackend(
            pool=pool,
            bases=(config.base_url or _GOOGLE,),
            headers=dict(HEADERS),
            rules=RULES,
            read_failure=read_failure,
            retry=loaded.config.retry,
            clock=clock,
            logger=logger,
            owners=Owners(),
            strict=loaded.config.translate.lossy == "strict",
        )
        super().__init__(self._backend, kept, set(), configured=config.models, shipped=SHIPPED)
        self._translate = loaded.config.translate
        self._schemas = SchemaCache()
        self._uploads = Uploads(pool.credentials, clock)

    # serving

    def open(self, call: Call) -> Journey:
        """Translate a call."""
        return GeminiJourney(call, self._write, self._backend)

    def embed(self, call: Call) -> Making:
        """Take a call for embeddings."""
        return GeminiMaking(call, plan_embedding, self._backend)

    def draw(self, call: Call) -> Making:
        """Take a call for pictures."""
        return GeminiMaking(call, plan_drawing, self._backend)

    def fetches(self, media: ir.Media, model: str) -> bool:
        """Tell whether it takes the address of a file: of a film at YouTube only."""
        return fetched(media, "gemini")

    async def count(self, call: Call) -> int | None:
        """Count the whole prompt upstream: instructions, tools and conversation."""
        try:
            async with asyncio.timeout(_COUNT_S):
                return await self._count(call.request)
        except (Failure, GatewayError, TimeoutError, ValueError):
            return None

    async def forward(self, call: NativeCall) -> NativeAnswer:
        """Pass a native call on."""
        return await Forward(call, self._backend, self._uploads).go()

    def vouched(self, path: str, query: bytes) -> str:
        """Give the principal whose upload goes on at this address."""
        found = self._uploads.check(path, query.decode("latin-1")) if path.startswith(_UPLOADS) else None
        return found.principal if found is not None else ""

    def remembers(self, names: Iterable[str]) -> bool:
        """Tell whether one of these was made here, by one of its keys."""
        return self._backend.owners.of(names) is not None

    def _write(self, request: ir.Request, causes: frozenset[Cause]) -> Written:
        if request.native is not None:
            body = request.native.body
            return pass_through(request, pass_on(request, body, causes, usual=is_usual(body, causes)))
        target = GeminiTarget(
            model=request.model,
            family="gemini",
            surface="gemini",
            max_output=self.info(request.model).max_output,
            thinking_conflict=self._translate.thinking_conflict,
            signatures=self._translate.signatures != "off",
            schemas=self._schemas,
        )
        return write_request(request, without(target, causes))

    async def _count(self, request: ir.Request) -> int | None:
        native = request.native if request.native is not None and request.native.dialect == "gemini" else None
        lacks = self._backend.lacks.of(request)
        plain = request if native is not None else replace(request, native=None)
        written = await apart(request.counted, self._write, plain, lacks)
        prompt = written.body if written.native is None else FIELDS.decode(written.native)
        body = {"generateContentRequest": {**prompt, "model": f"models/{request.model}"}}
        key = self._backend.owners.of(named_in(bytes(native.body))) if native is not None else None
        path = f"{model_path(request.model)}:countTokens"
        key = key or self._pool.any_active(request.model)
        if key is None or self._backend.transport is None:
            return None
        with self._backend.learning(key):
            answer = await self._ask("POST", path, key, _encode(body))
        return _COUNT.decode(answer).total_tokens or None

    # the model list

    async def _try(self, key: Credential) -> None:
        await self._ask("GET", "models?pageSize=1", key)

    async def _catalogue(self, key: Credential) -> Catalogue:
        models: dict[str, ModelInfo] = {}
        token = ""
        for _ in range(_PAGES):
            query = urlencode({"pageSize": _PAGE_SIZE} | ({"pageToken": token} if token else {}))
            page = read_page(await self._ask("GET", f"models?{query}", key))
            models |= page.models
            token = page.next
            if not token:
                break
        return Catalogue(models)

    async def _ask(self, method: str, path: str, key: Credential, body: bytes | None = None) -> bytes:
        """Make a small call."""
        backend = self._backend
        url = f"{backend.bases[0]}/v1beta/{path}"
        headers = {**backend.headers, "x-goog-api-key": await self._pool.token(key)}
        return await backend.fetch(method, url, headers, body)

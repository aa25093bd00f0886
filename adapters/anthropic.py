"""The upstream of `type = "anthropic"`: Anthropic's API, or a server that speaks it, with one API key or a pool.

call ─► Messages ─► key ─► events

A server other than Anthropic's may ask for no key: then `base_url` is enough.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterable, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from gateway import ir
from gateway.adapters.amendments import Write
from gateway.adapters.anthropic_errors import RULES, read_failure
from gateway.adapters.anthropic_journey import BEARER, AnthropicBackend, AnthropicJourney, betas_header
from gateway.adapters.anthropic_models import SHIPPED, described
from gateway.adapters.anthropic_writing import Writer
from gateway.adapters.credential import Credential
from gateway.adapters.exchange import HEADERS
from gateway.adapters.failures import Failure
from gateway.adapters.model_list import Catalogue
from gateway.adapters.pooled import KeyedUpstream, restored
from gateway.clock import Clock
from gateway.config import AnthropicConfig, Loaded
from gateway.dialects.anthropic.outbound_models import Abilities, read_page
from gateway.dialects.anthropic.outbound_parts import fetched
from gateway.dialects.anthropic.outbound_request import AnthropicWritten
from gateway.dialects.raw import FIELDS
from gateway.errors import GatewayError
from gateway.lending import apart
from gateway.logs import logger_for
from gateway.redact import Secret
from gateway.upstream import Call, Journey, ModelInfo

__all__ = ["Anthropic", "counted"]

_ANTHROPIC: Final = "https://api.anthropic.com"
_HOST: Final = "api.anthropic.com"
_NO_KEY: Final = Secret("")
_COUNT_S: Final = 2.0
_PAGES: Final = 20
_PAGE_SIZE: Final = 1000
# What can be counted: of the rest of a request the service wants to hear nothing.
_COUNTED: Final = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")


class _Count(Struct):
    input_tokens: int | None = None


_COUNT: Final = msgspec.json.Decoder(_Count)
_DATED: Final = re.compile(r"(claude-[a-z]+-\d+-\d+)-20\d{6}")  # listed so, and served without the date, too
_encode: Final = msgspec.json.Encoder().encode


class Anthropic(KeyedUpstream):
    """One upstream; raises ConfigError for a credential store that cannot be opened."""

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        config = loaded.config.upstream[name]
        assert isinstance(config, AnthropicConfig)
        logger = logger_for(loaded)
        secrets = config.api_key or ((_NO_KEY,) if config.base_url else ())
        keys = (Credential(secret, clock) for secret in secrets)
        pool, kept = restored(name, loaded, keys, config.pool, clock, logger)
        self._backend = AnthropicBackend(
            pool=pool,
            bases=(config.base_url.rstrip("/") or _ANTHROPIC,),
            headers=dict(HEADERS),
            rules=RULES,
            read_failure=read_failure,
            retry=loaded.config.retry,
            clock=clock,
            logger=logger,
            strict=loaded.config.translate.lossy == "strict",
        )
        official = urlsplit(self._backend.bases[0]).hostname == _HOST
        self._backend.other = None if official else BEARER
        shipped: Mapping[str, ModelInfo] = SHIPPED if official else {}
        super().__init__(self._backend, kept, set(), configured=config.models, shipped=shipped, described=described)
        self._write = Writer(self.info, loaded.config.translate, self._backend.learnt)

    # serving

    def open(self, call: Call) -> Journey:
        """Translate a call."""
        write: Write[AnthropicWritten] = self._write
        return AnthropicJourney(call, write, self._backend)

    def fetches(self, media: ir.Media, model: str) -> bool:
        """Tell whether it takes the address of a file: pictures and PDF by https."""
        return fetched(media)

    async def count(self, call: Call) -> int | None:
        """Count the whole prompt upstream: instructions, tools and conversation."""
        try:
            async with asyncio.timeout(_COUNT_S):
                return await self._count(call)
        except (Failure, GatewayError, TimeoutError, ValueError):
            return None

    async def _count(self, call: Call) -> int | None:
        request = call.request
        written = await apart(request.counted, self._write, request, self._backend.lacks.of(request))
        body = _encode(counted(written))
        betas = self._backend.betas(written, request)
        try:
            return await self._counted(request.model, body, betas)
        except Failure as failure:
            if failure.cause != "betas":
                raise
            return await self._counted(request.model, body, written.betas)  # counting knows fewer of them

    async def _counted(self, model: str, body: bytes, betas: tuple[str, ...]) -> int | None:
        key = self._pool.any_active(model)
        if key is None or self._backend.transport is None:
            return None
        with self._backend.learning(key):
            answer = await self._ask("POST", "messages/count_tokens", key, body, betas=betas)
        return _COUNT.decode(answer).input_tokens or None

    # the model list

    def renamed(self) -> Mapping[str, str]:
        """Give the aliases that the service knows of models which it lists with a date: they go up as they are."""
        return self._list.renamed

    async def _try(self, key: Credential) -> None:
        await self._ask("GET", "models?limit=1", key)

    async def _catalogue(self, key: Credential) -> Catalogue:
        models: dict[str, ModelInfo] = {}
        abilities: dict[str, Abilities] = {}
        after: str | None = ""
        for _ in range(_PAGES):
            query = urlencode({"limit": _PAGE_SIZE} | ({"after_id": after} if after else {}))
            page = read_page(await self._ask("GET", f"models?{query}", key))
            models |= {name: described(info) for name, info in page.models.items()}
            abilities |= page.abilities
            after = page.next
            if not after:
                break
        self._backend.learnt.abilities = abilities
        return Catalogue(models, _aliases(models))

    async def _ask(
        self, method: str, path: str, key: Credential, body: bytes | None = None, betas: tuple[str, ...] = ()
    ) -> bytes:
        """Make a small call."""
        backend = self._backend
        secret, door = await self._pool.token(key), backend.door
        url = f"{backend.bases[0]}/v1/{path}"

        def fetch() -> Awaitable[bytes]:
            headers = {**backend.headers, **backend.door.headers(secret), **betas_header(betas)}
            return backend.fetch(method, url, headers, body)

        try:
            return await fetch()
        except Failure as failure:
            return await backend.otherwise(failure, door, secret, fetch)


def _aliases(names: Iterable[str]) -> dict[str, str]:
    return {dated[1]: dated[1] for name in names if (dated := _DATED.fullmatch(name)) is not None}


def counted(written: AnthropicWritten) -> dict[str, object]:
    """Give what is to be counted of a request."""
    fields: Mapping[str, object] = FIELDS.decode(written.native) if written.native is not None else written.body
    return {name: value for name, value in fields.items() if name in _COUNTED}

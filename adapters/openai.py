"""The upstream of `type = "openai"`: OpenAI, or any server that speaks its API, with one API key or a pool of them.

call ─► Chat Completions or Responses ─► key ─► events

A server other than OpenAI's may ask for no key: then `base_url` is enough.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from gateway import ir
from gateway.adapters.amendments import Write
from gateway.adapters.credential import Credential
from gateway.adapters.exchange import USER_AGENT, fetch
from gateway.adapters.failures import Cause, Failure
from gateway.adapters.keeping import restore
from gateway.adapters.model_list import Catalogue
from gateway.adapters.openai_apis import APIS
from gateway.adapters.openai_errors import RULES, read_failure, without_key
from gateway.adapters.openai_journey import OpenAIBackend, OpenAIJourney, bearer
from gateway.adapters.openai_models import SHIPPED, limit_field, read_list
from gateway.adapters.pool import Pool
from gateway.adapters.pooled import PooledUpstream
from gateway.clock import Clock
from gateway.config import Loaded, OpenAIConfig
from gateway.dialects.outbound import MaxTokensField, OpenAITarget, OpenAIWritten
from gateway.logs import logger_of
from gateway.redact import Secret
from gateway.upstream import Call, Journey, ModelInfo

__all__ = ["OpenAI"]

_OPENAI: Final = "https://api.openai.com/v1"
_HOST: Final = "api.openai.com"
_NO_KEY: Final = Secret("")
_OTHER: Final[Mapping[MaxTokensField, MaxTokensField]] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
_DRAWING: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_COUNTING: Final = "stream_options"
_EFFORT: Final[frozenset[Cause]] = frozenset({"effort", "effort_value"})


class OpenAI(PooledUpstream[Credential]):
    """One upstream; raises ConfigError for a credential store that cannot be opened."""

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        config = loaded.config.upstream[name]
        assert isinstance(config, OpenAIConfig)
        logger = logger_of(loaded.config.log)
        base = config.base_url.rstrip("/") or _OPENAI
        secrets = config.api_key or ((_NO_KEY,) if config.base_url else ())
        keys = {key.id: key for key in (Credential(secret, clock) for secret in secrets)}
        kept = restore(name, loaded, keys, logger)
        pool = Pool(
            name, list(keys.values()), config=config.pool, oauth=None, clock=clock, keeper=kept.keeper, logger=logger
        )
        self._backend = OpenAIBackend(
            pool=pool,
            bases=(base,),
            headers={
                "user-agent": USER_AGENT,
                "content-type": "application/json",
                "accept": "*/*",
                "accept-encoding": "identity",
            },
            rules=RULES,
            read_failure=read_failure,
            retry=loaded.config.retry,
            clock=clock,
            logger=logger,
            strict=loaded.config.translate.lossy == "strict",
            api=APIS[config.api],
        )
        self._official = _is_official(base)
        shipped: Mapping[str, ModelInfo] = SHIPPED if self._official else {}
        super().__init__(self._backend, kept, set(), configured=config.models, shipped=shipped)
        self._config = config
        self._signatures = loaded.config.translate.signatures != "off"

    def open(self, call: Call) -> Journey:
        """Translate a call."""
        write: Write[OpenAIWritten] = self._write
        return OpenAIJourney(call, write, self._backend)

    async def count(self, call: Call) -> int | None:
        """Servers of this kind do not count without answering."""
        return None

    def _write(self, request: ir.Request, causes: frozenset[Cause]) -> OpenAIWritten:
        info = self._list.info(request.model)
        target = OpenAITarget(
            model=request.model,
            reasoning=not causes & _EFFORT,
            max_tokens_field=self._limit_field(request.model, causes),
            max_output=info.max_output if info is not None else None,
            signatures=self._signatures and "signatures" not in causes,
        )
        return _without(self._backend.api.write(request, target), request, causes)

    def _limit_field(self, model: str, causes: frozenset[Cause]) -> MaxTokensField:
        wanted = self._config.max_tokens_field
        field = limit_field(model, official=self._official) if wanted == "auto" else wanted
        return _OTHER[field] if "limit" in causes else field

    async def _fetch(self) -> Catalogue | None:
        backend, key = self._backend, self._pool.any_active()
        if key is None or backend.transport is None:
            return None
        secret = await self._pool.token(key)
        headers = {**backend.headers, **bearer(secret)}
        try:
            answer = await fetch(
                backend.transport, "GET", f"{backend.bases[0]}/models", headers, None, read_failure, backend.clock
            )
        except Failure as failure:
            without_key(failure, secret)
            if RULES[failure.cause].mark == "disable":
                backend.disable(key, failure)
            raise
        return Catalogue(read_list(answer.body, official=self._official))


def _is_official(base: str) -> bool:
    host = urlsplit(base).hostname or ""
    return host == _HOST or host.endswith(f".{_HOST}")


def _without(written: OpenAIWritten, request: ir.Request, causes: frozenset[Cause]) -> OpenAIWritten:
    """Leave out fields that a server does not know, or a model does not take."""
    dropped: tuple[str, ...] = (_COUNTING,) if "counting" in causes else ()
    losses = written.losses
    if "drawing" in causes:
        drawn = tuple(name for name in _DRAWING if name in written.body)
        dropped += drawn
        reason = "this model takes no other than its own"
        losses += tuple(ir.Loss(request.paths.get(name, name), reason, "change") for name in drawn)
    if not dropped:
        return written
    body = {name: value for name, value in written.body.items() if name not in dropped}
    return replace(written, body=body, losses=losses)

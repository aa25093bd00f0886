"""The upstream of `type = "openai"`: OpenAI, or any server that speaks its API, with one API key or a pool of them.

call ─► Chat Completions or Responses ─► key ─► events
embeddings, pictures ─► the same bytes ─► key ─► the same bytes back

A server other than OpenAI's may ask for no key: then `base_url` is enough.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from gateway import ir
from gateway.adapters.amendments import Write, without_force
from gateway.adapters.credential import Credential
from gateway.adapters.exchange import HEADERS
from gateway.adapters.failures import Cause, Failure
from gateway.adapters.model_list import Catalogue, as_listed
from gateway.adapters.openai_apis import API, APIS, RESPONSES
from gateway.adapters.openai_counting import InputTokens
from gateway.adapters.openai_errors import RULES, read_failure, read_made, without_key
from gateway.adapters.openai_journey import OpenAIBackend, OpenAIJourney
from gateway.adapters.openai_making import OpenAIMaking
from gateway.adapters.openai_models import SHIPPED, described, limit_field, read_list
from gateway.adapters.openai_recall import recall
from gateway.adapters.openai_server import Settings
from gateway.adapters.pooled import KeyedUpstream, restored
from gateway.clock import Clock
from gateway.config import Loaded, OpenAIConfig, UpstreamConfig
from gateway.dialects.openai_chat.call_ids import NUMBERED
from gateway.dialects.openai_chat.request import read_request
from gateway.dialects.openai_responses.items import DIALECT
from gateway.dialects.openai_responses.plain import is_plain
from gateway.dialects.openai_responses.request import read_request as read_response_request
from gateway.dialects.outbound import (
    ADDED_TOOLS,
    ARGUMENTS,
    ASIDES,
    ATTACHED,
    DRAWING,
    IDENTITY,
    ITEM_METADATA,
    NOT_SUPPORTED,
    REMNANTS,
    RESTING,
    RESULTS,
    RETENTION,
    ROOM,
    SPELLED,
    STORING,
    SYSTEM_ITEMS,
    TIES,
    UNDESCRIBED,
    UPDATES,
    WHOLE_ITEMS,
    Carriers,
    Demand,
    Marking,
    MaxTokensField,
    OpenAITarget,
    OpenAIWritten,
    lost_with,
)
from gateway.dialects.renaming import counts_calls
from gateway.errors import GatewayError, InvalidRequest, NotFound, PreviousNotFound
from gateway.forwarding import NativeAnswer
from gateway.lending import apart
from gateway.logs import logger_for
from gateway.redact import Secret
from gateway.upstream import Call, Journey, Making

__all__ = ["OpenAI"]

_OPENAI: Final = "https://api.openai.com/v1"
_HOST: Final = "api.openai.com"
# Where what a model has signed comes and goes; anywhere else it is tried once its lack was refused.
_CARRIERS: Final[Mapping[str, Carriers]] = {
    "googleapis.com": ("extra_content",),
    "openrouter.ai": ("reasoning_details",),
    "ai-gateway.vercel.sh": ("reasoning_details",),
}
_DISABLED: Final[Mapping[str, object]] = {"thinking": {"type": "disabled"}}
_UNTHINKING: Final[Mapping[str, object]] = {"enable_thinking": False}
# How a model is kept from thinking there; anywhere else by its effort, where its name says that it can be.
_QUIET: Final[Mapping[str, Mapping[str, object]]] = {
    "deepseek.com": _DISABLED,
    "z.ai": _DISABLED,
    "bigmodel.cn": _DISABLED,  # Zhipu
    "volces.com": _DISABLED,  # Volcengine Ark
    "xiaomimimo.com": _DISABLED,
    "moonshot.ai": _DISABLED,
    "moonshot.cn": _DISABLED,
    "aliyuncs.com": _UNTHINKING,  # DashScope
    "siliconflow.com": _UNTHINKING,
    "siliconflow.cn": _UNTHINKING,
    "openrouter.ai": {"reasoning": {"enabled": False}},
}
# How a server wants to be told what of a prompt is to be cached; others refuse what they do not know.
_MARKS: Final[Mapping[str, Marking]] = {
    _HOST: "breakpoint",
    "openrouter.ai": "control",
    "aliyuncs.com": "control",  # DashScope
}
_COMMON: Final[Carriers] = ("extra_content",)
_ANY: Final[Carriers] = ("extra_content", "reasoning_details")
_NO_KEY: Final = Secret("")
_OTHER: Final[Mapping[MaxTokensField, MaxTokensField]] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
_OLD: Final = "max_tokens"
_LIMITS: Final[Mapping[MaxTokensField, Cause]] = {"max_tokens": "old_limit", "max_completion_tokens": "new_limit"}
_LIMITED: Final = frozenset(_LIMITS.values())
_COUNTING: Final = "stream_options"
_NOT_TAKEN: Final[Mapping[Cause, str]] = {
    "drawing": "this model accepts only its default",
    "stops": "this model does not support stop sequences",
    "parallel": "this model does not support this option",
    "verbosity": "this model accepts only its default",
    "identity": "this upstream does not support it",
    "asides": "this upstream does not support it",
    "retention": NOT_SUPPORTED,
}
_SEALED: Final[frozenset[Cause]] = frozenset({"signatures", "kept", "sealing"})
_NO_EFFORT: Final[frozenset[Cause]] = frozenset({"effort"})
_VALUE: Final[frozenset[Cause]] = frozenset({"effort_value"})
_NO_VALUE: Final = _NO_EFFORT | _VALUE  # where none has been named that it takes
_NOT_QUIET: Final[frozenset[Cause]] = frozenset({"spelling", "resting"})
_KINDS: Final[frozenset[Cause]] = frozenset({"kinds", "services"})
_OF_KIMI: Final[tuple[Demand, ...]] = (NUMBERED,)
_DEMANDS: Final[Mapping[Cause, Demand]] = {
    "developers": "system roles",
    "system_turns": "leading system",
    "answers": "answers",
    "plain_ids": "plain ids",
    "short_ids": "short ids",
    "echoes": "thoughts",
    "emptiness": "words",
    "texts": "plain texts",
    "nulls": "no null",
    "bounds": "unbounded tools",
    "strictness": "loose tools",
    "plain_schemas": "plain tools",
    "arguments": "arguments",
    "asker": "asker",
    "begun": "last word",
    "parameters": "parameters",
    "one_thought": "one thought",
}
# what is left out of a caller's own words once it is refused
_LEFT_OUT: Final[Mapping[Cause, tuple[str, ...]]] = {
    "spelling": (SPELLED,),  # first: then comes what takes its place
    "resting": (RESTING,),
    "unanswered": (RESULTS,),
    "untied": (TIES,),
    "short_ids": (TIES,),  # in Responses
    "arguments": (ARGUMENTS,),
    "system_items": (SYSTEM_ITEMS,),
    "remnants": (REMNANTS,),
    "attached": (ATTACHED,),
    "room": (ROOM,),
    "limit": (ROOM,),
    "funds": (ROOM,),
    "effort": ("reasoning_effort",),
    "effort_value": ("reasoning_effort",),
    "drawing": tuple(DRAWING),
    "stops": ("stop",),
    "parallel": ("parallel_tool_calls",),
    "verbosity": ("verbosity",),
    "counting": (_COUNTING,),
    "options": (f"{_COUNTING}.*",),
    "identity": IDENTITY,
    "storing": (STORING,),
    "asides": ASIDES,
    "retention": (RETENTION,),
    "added_tools": (ADDED_TOOLS,),
    "updates": (UPDATES,),
    "item_metadata": (ITEM_METADATA,),
    "descriptions": (UNDESCRIBED,),
    "incomplete": (WHOLE_ITEMS,),
    "summaries": ("reasoning_summary",),
    "sealing": ("reasoning.encrypted_content",),
}


class OpenAI(KeyedUpstream):
    """One upstream; raises ConfigError for a credential store that cannot be opened."""

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        self._settings = settings = self.settings(loaded.config.upstream[name])
        logger = logger_for(loaded)
        keys = (Credential(secret, clock) for secret in settings.secrets)
        pool, kept = restored(name, loaded, keys, settings.pool, clock, logger)
        self._backend = OpenAIBackend(
            pool=pool,
            bases=(settings.base,),
            headers=dict(HEADERS),
            rules=settings.rules,
            read_failure=settings.read_failure,
            read_made=settings.read_made,
            retry=loaded.config.retry,
            clock=clock,
            logger=logger,
            strict=loaded.config.translate.lossy == "strict",
            api=APIS[settings.api],
            server=settings.server,
        )
        super().__init__(
            self._backend,
            kept,
            set(),
            configured=settings.models,
            shipped=settings.shipped,
            described=settings.described,
            lists=settings.lists,
        )
        self._carriers = settings.carriers or _COMMON
        self._sentinels = settings.carriers is not None
        self._signatures = loaded.config.translate.signatures != "off"
        self._tokens = InputTokens(self._backend)

    @staticmethod
    def settings(config: UpstreamConfig) -> Settings:
        """Read the upstream's table."""
        assert isinstance(config, OpenAIConfig)
        base = config.base_url.rstrip("/") or _OPENAI
        official = _is_at(base, _HOST)
        return Settings(
            base=base,
            secrets=config.api_key or ((_NO_KEY,) if config.base_url else ()),
            pool=config.pool,
            models=config.models,
            rules=RULES,
            read_failure=read_failure,
            read_made=read_made,
            api=config.api,
            max_tokens_field=None if config.max_tokens_field == "auto" else config.max_tokens_field,
            official=official,
            draws=not official,
            shipped=SHIPPED if official else {},
            described=described if official else as_listed,
            carriers=next((carriers for host, carriers in _CARRIERS.items() if _is_at(base, host)), None),
            marks=next((marks for host, marks in _MARKS.items() if _is_at(base, host)), ""),
            quiet=next((fields for host, fields in _QUIET.items() if _is_at(base, host)), {}),
        )

    def open(self, call: Call) -> Journey:
        """Translate a call."""
        write: Write[OpenAIWritten] = self._write
        return OpenAIJourney(call, write, self._backend)

    def embed(self, call: Call) -> Making:
        """Pass a call for embeddings on."""
        return OpenAIMaking(call, self._backend, "embeddings")

    def draw(self, call: Call) -> Making:
        """Pass a call for pictures on."""
        return OpenAIMaking(call, self._backend, "images/generations")

    async def recall(self, method: str, response: str, query: str = "") -> NativeAnswer:
        """Make a call about a response that it keeps."""
        if self._settings.api != RESPONSES:
            raise NotFound("this upstream is not used by the Responses API (`api`), and stores no responses")
        return await recall(self._backend, method, response, query)

    def fetches(self, media: ir.Media, model: str) -> bool:
        """Tell whether it takes the address of a file."""
        return self._backend.api.fetches(media)

    async def count(self, call: Call) -> int | None:
        """Ask for the prompt's tokens, where the API has a call for that: Chat Completions has none."""
        if self._settings.api != RESPONSES:
            return None
        request = replace(call.request, native=None)
        try:
            written = await apart(request.counted, self._write, request, self._backend.lacks.of(request))
            return await self._tokens.count(request.model, replace(written, body=written.body | _before(call.request)))
        except (Failure, GatewayError, ValueError):
            return None

    def _moved(self, request: ir.Request, causes: frozenset[Cause]) -> OpenAIWritten | None:
        """Write for Responses what a model takes there alone; None for a chat, and for what cannot be carried there."""
        wanted = "responses" in causes or ("calling" in causes and request.tools)
        native = request.native
        if not wanted or self._settings.api == RESPONSES or (native is not None and (native.only or native.refusal)):
            return None
        lost: tuple[ir.Loss, ...] = ()
        if native is not None:
            lost = _lost_in(native, request.model)
            request = replace(request, native=None)
        try:
            written = self._write(request, causes, APIS[RESPONSES])
        except InvalidRequest:
            return None
        return replace(written, responses=True, losses=(*lost, *written.losses))

    def _write(self, request: ir.Request, causes: frozenset[Cause], api: API | None = None) -> OpenAIWritten:
        """Write a request for an API: None for the one that is configured, if the model takes it there."""
        if api is None:
            if causes and (moved := self._moved(request, causes)) is not None:
                return moved
            api = self._backend.api
        target = self._target(request, causes)
        name = self._settings.server.name(request.model)
        lost: tuple[ir.Loss, ...] = ()
        if request.native is not None:
            if not _is_refused(request.native, causes, target):
                return api.take(request, request.native.body, replace(target, model=name))
            lost = _lost_in(request.native, request.model)
            request = replace(request, native=None)
        asked, unforced = without_force(request) if "choice" in causes else (request, ())
        written = _without(api.write(asked, target), request, causes)
        if lost or unforced:
            written = replace(written, losses=(*lost, *written.losses, *unforced))
        return written if name == request.model else replace(written, body=written.body | {"model": name})

    def _target(self, request: ir.Request, causes: frozenset[Cause]) -> OpenAITarget:
        model = request.model
        settings = self._settings
        target = OpenAITarget(
            model=model,
            max_tokens_field=self._limit_field(model, causes),
            max_output=request.within(self._backend.longest.get(model) or self.info(model).max_output),
            efforts=self._backend.efforts.get(model, ()),
            quiet=settings.quiet,
            marks=settings.marks,
            signatures=self._signatures,
            carriers=self._carriers,
            sentinels=self._sentinels,
            draws=settings.draws,
            upstream=self.name,
            renames_limit=settings.max_tokens_field is not None or limit_field(model, official=False) != _OLD,
            thoughtless=settings.official,
            demands=_OF_KIMI if counts_calls(model) else (),
        )
        return replace(target, **self._changes(target, causes)) if causes else target

    def _changes(self, target: OpenAITarget, causes: frozenset[Cause]) -> dict[str, Any]:
        """Say what is different for what has refused this."""
        changes: dict[str, Any] = {
            "reasoning": not causes & (_NO_EFFORT if target.efforts else _NO_VALUE),
            "rests": "resting" not in causes,
            "quiet": {} if causes & _NOT_QUIET else target.quiet,
            "signatures": target.signatures and not causes & _SEALED,
            "summaries": "summaries" not in causes,
            "objects": "objects" in causes,
            "schemas": "schemaless" not in causes,
            "forms": "formless" not in causes,
            "logprobs": "logprobs" not in causes,
            "renames_limit": target.renames_limit or bool(causes & _LIMITED),
            "refused": _left_out(causes - _VALUE if target.efforts else causes),
            "thoughtless": target.thoughtless or "thoughts" in causes,
            "keeps": "kept" not in causes,
            "only_functions": "kinds" in causes,
            "services": "services" not in causes,
            "marks": "" if "marks" in causes else target.marks,
            "demands": (*target.demands, *(demand for cause, demand in _DEMANDS.items() if cause in causes)),
        }
        if "unsigned" in causes:
            changes |= {"carriers": self._settings.carriers or _ANY, "sentinels": True}
        return changes

    def _limit_field(self, model: str, causes: frozenset[Cause]) -> MaxTokensField:
        field = self._settings.max_tokens_field or limit_field(model, official=self._settings.official)
        return _OTHER[field] if _LIMITS[field] in causes else field

    async def _catalogue(self, key: Credential) -> Catalogue:
        return Catalogue(read_list(await self._ask_models(key), official=self._settings.official))

    async def _try(self, key: Credential) -> None:
        await self._ask_models(key)

    async def _ask_models(self, key: Credential) -> bytes:
        backend = self._backend
        secret = await self._pool.token(key)
        headers = {**backend.headers, **backend.server.shown(secret)}
        url = f"{backend.bases[0]}/models{backend.server.query}"
        try:
            return await backend.fetch("GET", url, headers)
        except Failure as failure:
            without_key(failure, secret)
            raise


def _is_refused(native: ir.Native, causes: frozenset[Cause], target: OpenAITarget) -> bool:
    """Tell whether the server does not take a caller's own words as they are, and they can be translated.

    A chat may lack what signs its calls, because its caller drops that, or another model has made them; Responses may
    hold what only OpenAI knows.
    """
    if native.only is not None or native.refusal is not None:
        return False
    if native.dialect == DIALECT:
        return bool(causes & _KINDS) and not is_plain(native.body, target)
    return "unsigned" in causes


def _lost_in(native: ir.Native, model: str) -> tuple[ir.Loss, ...]:
    """Give what is lost of a caller's own words where they are translated: nothing was told while they passed."""
    body = bytes(native.body)
    return (read_response_request(body) if native.dialect == DIALECT else read_request(body, model)).losses


def _left_out(causes: frozenset[Cause]) -> tuple[str, ...]:
    """Name what is left out of a caller's own words."""
    return tuple(name for cause, names in _LEFT_OUT.items() if cause in causes for name in names)


def _is_at(base: str, host: str) -> bool:
    found = urlsplit(base).hostname or ""
    return found == host or found.endswith(f".{host}")


def _without(written: OpenAIWritten, request: ir.Request, causes: frozenset[Cause]) -> OpenAIWritten:
    """Leave out fields that a server does not know, or a model does not take, and null for no words."""
    if not causes:
        return written
    dropped: tuple[str, ...] = (_COUNTING,) if "counting" in causes else ()
    losses = written.losses
    for cause, reason in _NOT_TAKEN.items():
        refused = tuple(name for name in _LEFT_OUT[cause] if cause in causes and name in written.body)
        dropped += refused
        lost = ((name, lost_with(name, written.body[name])) for name in refused)
        losses += tuple(ir.Loss(request.paths.get(name, name), reason, how) for name, how in lost if how is not None)
    if not dropped and "silence" not in causes:
        return written
    body = {name: value for name, value in written.body.items() if name not in dropped}
    if "silence" in causes and isinstance(messages := body.get("messages"), list):
        body["messages"] = [{**one, "content": ""} if one.get("content", "") is None else one for one in messages]
    return replace(written, body=body, losses=losses)


def _before(request: ir.Request) -> dict[str, object]:
    """Name what a request goes on from that only the upstream may know."""
    unknown = request.native is not None and isinstance(request.native.refusal, PreviousNotFound)
    return {"previous_response_id": request.thread.previous} if unknown and request.thread is not None else {}

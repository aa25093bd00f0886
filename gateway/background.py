"""Responses that an upstream makes in the background: what callers ask about them goes there until they are complete.

POST {"background": true}          the upstream queues it; whose it is, and where, is kept here
GET /v1/responses/{id}             asked of the upstream, until the answer has ended; then it is kept here
GET …?stream=true&starting_after=  the events of the upstream, from where the caller has lost them; also afterwards
POST …/cancel                      told to the upstream
DELETE …                           told to the upstream that made it, also when it is complete
"""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw, Struct
from starlette.types import Receive, Send

from gateway import ir
from gateway.context import RequestContext
from gateway.dialects import Answering, WholePassage
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.dialects.openai_responses.outbound_wire import MAKING, read_response
from gateway.dialects.raw import read
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    PermissionDenied,
    UpstreamMalformed,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.forwarding import NativeAnswer, Recalling
from gateway.grace import Watchdog
from gateway.losses import tell_upstream
from gateway.middleware.model_map import may_reach
from gateway.relay import Relay
from gateway.services import Services
from gateway.store.stored import StoredResponse
from gateway.streaming import Client, ClientGone
from gateway.threads import Threads, is_background, is_making
from gateway.upstream import credential_of

__all__ = ["BACKGROUND", "Background"]

BACKGROUND: Final = frozenset({"response", "response_cancel", "response_delete"})

_DIALECT: Final = OpenAIResponses()
_PASSED_ON: Final = ("include", "include[]", "stream", "starting_after", "include_obfuscation")
_MAX_BYTES: Final = 64 * 1024 * 1024
_NOT_ONE: Final = "only background responses can be cancelled"

_Query = Mapping[str, Sequence[str]]


class _Named(Struct):
    model: str = ""


_NAMED: Final = msgspec.json.Decoder(_Named)


class Background:
    """Answers calls about responses that are being made; one for each app."""

    def __init__(self, services: Services, relay: Relay, threads: Threads) -> None:
        self._services = services
        self._relay = relay
        self._threads = threads

    async def answer(self, context: RequestContext, query: _Query, receive: Receive, send: Send) -> bool:
        """Answer a call about a response if it is being made, or to be cancelled; tell whether. Raise GatewayError."""
        kept, operation = await self._threads.find(context), context.route.operation
        replays = operation == "response" and is_background(kept) and _is_on(query.get("stream", ("",)))
        keepalive_s = self._services.loaded.config.timeouts.keepalive if replays else 0
        client = Client(receive, send, self._relay.grace, keepalive=_DIALECT.keepalive, keepalive_s=keepalive_s)
        if operation == "response_delete" and kept.upstream:
            await self._forget(context, kept)
            return False
        if not kept.upstream or not (replays or is_making(kept)):
            return await _ended(kept, client) if operation == "response_cancel" else False
        adapter = self._adapter(context, kept)
        path = _path(kept)
        if operation == "response_cancel":
            asking = self._recalled(adapter, "POST", f"{path}/cancel")
        else:
            asked = [(name, value) for name in _PASSED_ON for value in query.get(name, ())]
            asking = self._recalled(adapter, "GET", path, urlencode(asked))
        passage = _DIALECT.passage(_answering(kept))
        try:
            with self._relay.held(client, context):
                async with client:
                    await client.run(
                        self._tell(context, kept, asking, client, passage), partial(_fail, context, client, passage)
                    )
            context.end = context.end or "done"
        except ClientGone:
            context.end = "client_closed"
            await self._settle_passed(context, kept, passage)
        return True

    def _adapter(self, context: RequestContext, kept: StoredResponse) -> Recalling:
        adapter = self._services.adapters.get(kept.upstream)
        if not isinstance(adapter, Recalling):
            raise NotFound(f"{kept.id[:100]!r} comes from upstream {kept.upstream!r}, which is no longer configured")
        if not may_reach(context.principal, adapter.name):
            raise PermissionDenied(
                f"this API key may not use upstream {adapter.name!r}, from which {kept.id[:100]!r} comes"
            )
        context.upstream = adapter.name
        tell_upstream(context, adapter.name)
        return adapter

    async def _recalled(self, adapter: Recalling, method: str, path: str, query: str = "") -> NativeAnswer:
        """Make a call about a response; return when its answer begins."""
        limit_s = self._services.loaded.config.timeouts.first_byte
        try:
            with Watchdog(limit_s, self._relay.grace):
                return await adapter.recall(method, path, query)
        except TimeoutError:
            raise UpstreamTimeout(f"{adapter.name} sent nothing for {limit_s:g} s (timeouts.first_byte)") from None

    async def _forget(self, context: RequestContext, kept: StoredResponse) -> None:
        """Have its upstream forget a response; that it knows it no more is well, too.

        What is complete can be forgotten here also where the upstream cannot be asked, or knows no such call.
        """
        with suppress(NotFound) if is_making(kept) else suppress(NotFound, PermissionDenied, UpstreamRejected):
            adapter = self._adapter(context, kept)
            (await self._recalled(adapter, "DELETE", _path(kept))).close()

    async def _tell(
        self,
        context: RequestContext,
        kept: StoredResponse,
        asking: Awaitable[NativeAnswer],
        client: Client,
        passage: WholePassage,
    ) -> None:
        """Pass the answer on, events as they come; who has read these to the end finds the response kept."""
        given = await asking
        context.credential = credential_of(given)
        try:
            if not any(name == b"content-type" and b"event-stream" in value for name, value in given.headers):
                body = passage.whole([await self._whole(context, given)])
                await self._settle(context, kept, body)
                await client.respond(body)
                return
            end = await self._relay.pass_events(context, given, client, passage)
            await self._settle_passed(context, kept, passage)
            await client.finish(end)
        finally:
            given.close()

    async def _whole(self, context: RequestContext, given: NativeAnswer) -> bytes:
        pieces, size = list[bytes](), 0
        with self._relay.waiting(context) as watchdog:
            while data := await given.read():
                watchdog.feed()
                size += len(data)
                if size > _MAX_BYTES:
                    raise UpstreamMalformed(f"the upstream's response is larger than {_MAX_BYTES} bytes")
                pieces.append(data)
        return b"".join(pieces)

    async def _settle_passed(self, context: RequestContext, kept: StoredResponse, passage: WholePassage) -> None:
        response: bytes | None = getattr(passage, "response", None)
        if response is not None:
            await self._settle(context, kept, response)

    async def _settle(self, context: RequestContext, kept: StoredResponse, body: bytes) -> None:
        """Keep the answer once it has ended, and count what it took: nobody knew it when it was asked for."""
        try:
            response = read_response(body)
        except ValueError:
            raise UpstreamMalformed("what the upstream sent is not a response object") from None
        if response.status is None or response.status in MAKING or not is_making(kept):
            return
        if await self._threads.settle(kept, body):  # else it was counted before, or deleted meanwhile
            context.requested_model = name = _model_of(kept)
            context.upstream = f"{kept.upstream}/{self._model(name, kept.upstream)}"
            context.usage = response.counted()

    def _model(self, name: str, upstream: str) -> str:
        """Give an upstream's own name of a model, as far as the caller's leads there still."""
        try:
            targets = self._services.resolver.resolve(name, (upstream,)).targets
        except ModelNotFound:
            return name
        return next((target.model for target in targets if target.adapter.name == upstream), name)


_NOBODY: Final = Answering(
    request=ir.Request(model="", turns=()), model="", id="", created=0, request_id="", estimate=lambda: 0
)


def _model_of(kept: StoredResponse) -> str:
    """Give the name by which the caller knows the model, "" where the upstream gave none."""
    return (read(Raw(kept.response), _NAMED) or _Named()).model


def _path(kept: StoredResponse) -> str:
    return quote(kept.id, safe="")


def _is_on(given: Sequence[str]) -> bool:
    return given[-1].lower() in ("true", "1")


def _answering(kept: StoredResponse) -> Answering:
    """Tell the writer by which name the caller knows the model."""
    return msgspec.structs.replace(_NOBODY, model=_model_of(kept))


async def _fail(context: RequestContext, client: Client, passage: WholePassage, error: GatewayError) -> None:
    """End a stream; the answer that it tells of goes on."""
    if not client.started:
        raise error
    context.ends_with(error)
    await client.finish(passage.close(error))


async def _ended(kept: StoredResponse, client: Client) -> bool:
    """Answer one who cancels what has ended before."""
    if not is_background(kept):
        raise InvalidRequest(f"{kept.id[:100]!r}: {_NOT_ONE}", param="response_id")
    await client.respond(kept.response)
    return True

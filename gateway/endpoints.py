"""What stands inside the pipeline: answers, token counts, what is kept or listed, and calls that go on as they came."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from gateway import ir
from gateway.background import BACKGROUND, Background
from gateway.config import FOLDER
from gateway.context import Principal, RequestContext, attach
from gateway.errors import GatewayError, PreviousNotFound
from gateway.ir.estimate import estimate
from gateway.lending import apart
from gateway.making import Makings
from gateway.middleware.model_map import held, may_ask
from gateway.native import NativeCalls
from gateway.refusal import dialect_of, refuse
from gateway.relay import Relay
from gateway.resolution import NotServed
from gateway.routes import MAKING
from gateway.services import Services
from gateway.streaming import Client, ClientGone
from gateway.threads import Threads
from gateway.transport import TransportError
from gateway.upstream import Call, ModelInfo

__all__ = ["Endpoints"]

_Kept = Callable[[RequestContext, Mapping[str, Sequence[str]]], Awaitable[bytes]]

_COUNT_S: Final = 2.0  # then the local estimate is better than waiting


class Endpoints:
    """ASGI app; the operation of the path decides."""

    def __init__(self, services: Services, relay: Relay, threads: Threads) -> None:
        self._services = services
        self._relay = relay
        self._threads = threads
        self._background = Background(services, relay, threads)
        self._native = NativeCalls(services, relay)
        self._makings = Makings(services, relay)
        self._kept: Mapping[str, _Kept] = {
            "response": threads.read,
            "response_delete": threads.delete,
            "response_items": threads.items,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        context, send = attach(scope, send)
        try:
            if context.route.operation == "chat":
                dialect = dialect_of(context)
                await self._threads.resume(context, dialect)
                await self._relay.answer(context, dialect, receive, send)
            elif context.route.operation == "count_tokens":
                await self._answer_count(context, Client(receive, send, self._relay.grace))
            elif context.route.operation in MAKING:
                await self._makings.answer(context, receive, send)
            elif context.route.operation == "native":
                await self._native.answer(context, scope, receive, send)
            elif context.route.error is not None:
                raise context.route.error
            else:
                query: str = scope.get("query_string", b"").decode("latin-1")
                about = context.route.operation in BACKGROUND
                if not about or not await self._background.answer(context, parse_qs(query), receive, send):
                    await Client(receive, send, self._relay.grace).respond(await self._read(context, query))
        except GatewayError as error:
            if context.status is not None:
                raise
            await refuse(context, send, error)
        except asyncio.CancelledError:
            context.end = "cancelled"
            raise

    async def _read(self, context: RequestContext, query: str) -> bytes:
        asked = parse_qs(query)
        if (kept := self._kept.get(context.route.operation)) is not None:
            return await kept(context, asked)
        return self._models(context, {name: ",".join(values) for name, values in asked.items()})

    async def _answer_count(self, context: RequestContext, client: Client) -> None:
        try:
            async with client:
                await client.respond(await self._count(context))
        except ClientGone:
            context.end = "client_closed"

    async def _count(self, context: RequestContext) -> bytes:
        await self._threads.resume(context, dialect_of(context))
        request = context.request
        assert request is not None, "the pipeline has no protocol middleware"
        tokens = await self._upstream_count(context, request)
        if tokens is None:
            if request.native is not None and isinstance(request.native.refusal, PreviousNotFound):
                raise request.native.refusal  # what was said before is most of the prompt
            tokens = estimate(request)
            context.reply_headers.append((b"x-gateway-token-count", b"estimate"))
        return dialect_of(context).write_count(tokens)

    async def _upstream_count(self, context: RequestContext, request: ir.Request) -> int | None:
        """Ask the first target; None when it cannot tell, or says what no prompt can have."""
        if not context.targets:
            return None
        target = context.targets[0]
        try:
            call = Call(
                request=await apart(request.counted, self._relay.prepared, context, target),
                request_id=context.request_id,
                principal=context.principal.id,
            )
            async with asyncio.timeout(_COUNT_S):
                counted = await target.adapter.count(call)
        except (GatewayError, TransportError, TimeoutError):
            return None
        return counted if counted is not None and counted > 0 else None

    def _models(self, context: RequestContext, query: Mapping[str, str]) -> bytes:
        dialect = dialect_of(context)
        if context.route.operation == "model":
            return dialect.write_model(*self._model(context))
        return dialect.write_models(self._listed(context.principal), query)

    def _listed(self, principal: Principal) -> list[tuple[str, ModelInfo]]:
        resolver = self._services.resolver
        return [(name, info) for name, info in resolver.listing().items() if may_ask(principal, name, resolver)]

    def _model(self, context: RequestContext) -> tuple[str, ModelInfo]:
        name = context.route.model.removeprefix(FOLDER)
        resolver = self._services.resolver
        info = resolver.describe(name)
        if info is None or not may_ask(context.principal, name, resolver):
            raise held(context.principal, NotServed(name, resolver))
        return name, info

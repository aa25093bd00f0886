"""Embeddings and pictures: `/v1/embeddings` and `/v1/images/generations`, for the upstreams that have them.

context.targets ─► those that can ─► attempts.walk ─► Made ─► the caller, by the model's name that it asked for

A chain skips the members that cannot; where none can, that is a 404 that says who was asked.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from starlette.types import Receive, Send

from gateway.attempts import Policy, walk
from gateway.context import RequestContext
from gateway.dialects.openai_making import broken, renamed
from gateway.dialects.passage import Passage
from gateway.errors import GatewayError, UpstreamMalformed
from gateway.grace import Watchdog
from gateway.losses import of_variants, refuse_losses, tell
from gateway.middleware.model_map import misled
from gateway.refusal import dialect_of
from gateway.relay import Relay
from gateway.routes import Operation
from gateway.services import Services
from gateway.streaming import Client, ClientGone
from gateway.upstream import Adapter, Call, Drawing, Embedding, Made, Making, Target, credential_of

__all__ = ["Makings"]


class _Begun(Struct, frozen=True):
    """An answer, and whose it is."""

    target: Target
    making: Making
    made: Made


def _embedder(adapter: Adapter) -> Callable[[Call], Making] | None:
    return adapter.embed if isinstance(adapter, Embedding) else None


def _painter(adapter: Adapter) -> Callable[[Call], Making] | None:
    return adapter.draw if isinstance(adapter, Drawing) else None


# what is asked for, in words, and who can make it
_KINDS: Final[Mapping[Operation, tuple[str, Callable[[Adapter], Callable[[Call], Making] | None]]]] = {
    "embeddings": ("embeddings", _embedder),
    "images": ("image generation", _painter),
}


class Makings:
    """Answers these calls; one for each app."""

    def __init__(self, services: Services, relay: Relay) -> None:
        self._services = services
        self._config = services.loaded.config
        self._relay = relay
        self._policy = Policy.of(self._config)

    async def answer(self, context: RequestContext, receive: Receive, send: Send) -> None:
        """Answer one call; raise GatewayError for what can still become a status."""
        assert context.request is not None, "the pipeline has no protocol middleware"
        targets, keepalive = self._able(context), dialect_of(context).keepalive
        keepalive_s = self._config.timeouts.keepalive if context.request.stream else 0
        client = Client(receive, send, self._relay.grace, keepalive=keepalive, keepalive_s=keepalive_s)
        try:
            with self._relay.held(client, context):
                async with client:
                    await client.run(self._make(context, targets, client), partial(_fail, context, client))
            context.end = context.end or "done"
        except ClientGone:
            context.end = "client_closed"

    def _able(self, context: RequestContext) -> tuple[Target, ...]:
        what, maker = _KINDS[context.route.operation]
        able = tuple(target for target in context.targets if maker(target.adapter) is not None)
        if able:
            return able
        makers = [name for name, adapter in self._services.adapters.items() if maker(adapter) is not None]
        raise misled(context, self._services, context.targets, what, makers)

    async def _begin(self, context: RequestContext, targets: Sequence[Target]) -> _Begun:
        if context.reserve is not None:
            await context.reserve(context)
        begun = await walk(
            targets,
            partial(self._embark, context),
            _reach,
            self._policy,
            self._services.clock,
            grace=self._relay.grace,
            tried=context.tries,
            failed=context.fails,
        )
        context.first_byte = None  # until here there were only signs of life
        context.credential = credential_of(begun.making)
        tell(context, begun.target, begun.making.losses + of_variants(begun.target))
        return begun

    def _embark(self, context: RequestContext, target: Target) -> Making:
        make = _KINDS[context.route.operation][1](target.adapter)
        assert make is not None, "only those that can are asked"
        assert context.request is not None, "the pipeline has no protocol middleware"
        request = replace(context.request, model=target.model)
        making = make(Call(request=request, request_id=context.request_id, principal=context.principal.id))
        if self._config.translate.lossy == "strict":
            refuse_losses(making.losses + of_variants(target))
        return making

    async def _make(self, context: RequestContext, targets: Sequence[Target], client: Client) -> None:
        begun = await self._begin(context, targets)
        made = begun.made

        def count() -> None:
            context.usage = made.usage

        try:
            if made.whole is None:
                passage = Passage(self._relay.answering(context, None), (), broken)
                end = await self._relay.pass_events(context, made, client, passage)
                count()
                await client.finish(end)
                return
            if client.started:
                raise UpstreamMalformed("the upstream responded with a document instead of a stream")
            count()  # who hears of the end has to know it
            if made.usage is not None and made.usage.estimated:
                context.reply_headers.append((b"x-gateway-token-count", b"estimate"))
            is_renamed = self._config.models.echo == "requested" and context.requested_model != begun.target.model
            await client.respond(renamed(made.whole, context.requested_model) if is_renamed else made.whole)
        finally:
            made.close()
            count()
            begun.making.done(made.usage)


async def _fail(context: RequestContext, client: Client, error: GatewayError) -> None:
    """End a stream with an error; raise it where it can still become a status."""
    if not client.started:
        raise error
    context.ends_with(error)
    await client.finish(broken(error))


async def _reach(target: Target, making: Making, _: Watchdog) -> _Begun:
    return _Begun(target, making, await making.go())

"""Carry one request upstream and its answer back: the innermost app of the pipeline.

targets → attempts.begin → upstream events → the caller's codec → send, one send for each upstream read
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Final

from starlette.types import Receive, Send

from gateway import ir
from gateway.attempts import ENDS, Begun, Policy, begin
from gateway.clock import Clock
from gateway.config import Config, Decision
from gateway.context import RequestContext, new_id
from gateway.dialects import Answering, Dialect, StreamWriter, Threaded
from gateway.errors import Draining, GatewayError, InvalidRequest, UpstreamTimeout
from gateway.grace import Grace, Watchdog
from gateway.ir.estimate import estimate
from gateway.policy import prepare
from gateway.signatures import SignatureMemory
from gateway.streaming import EVENT_STREAM, JSON, Client, ClientGone
from gateway.upstream import Call, Journey, Target

__all__ = ["Keep", "Relay"]

Keep = Callable[[RequestContext, bytes], Awaitable[None]]  # takes a complete answer before its end is sent
_Take = Callable[[list[ir.Event]], bytes | None]  # what is to be sent for these events

_HIDDEN: Final = re.compile(rb"[^!-~]")


class Relay:
    """Answers chat requests; one for each app. `keep`: for conversations that the server keeps."""

    def __init__(self, config: Config, clock: Clock, keep: Keep | None = None) -> None:
        self._config = config
        self._clock = clock
        self.keep = keep
        self.memory = SignatureMemory(clock)
        self.grace = Grace()
        self._open: set[Client] = set()
        self._policy = Policy(
            attempts=config.retry.attempts,
            max_wait=config.retry.max_wait,
            first_byte=config.timeouts.first_byte,
        )

    @property
    def open_requests(self) -> int:
        """How many callers wait for an answer or read one."""
        return len(self._open)

    @contextmanager
    def held(self, client: Client) -> Generator[None]:
        """Count somebody else's caller among those that wait."""
        self._open.add(client)
        try:
            yield
        finally:
            self._open.discard(client)

    def abort(self) -> None:
        """End what is still open with the caller's own error."""
        for client in tuple(self._open):
            client.abort(Draining("the gateway is shutting down; try again", retry_after=5))

    async def answer(self, context: RequestContext, dialect: Dialect, receive: Receive, send: Send) -> None:
        """Answer one chat request; raise GatewayError for what can still become a status."""
        request = context.request
        assert request is not None, "the pipeline has no protocol middleware"
        stream = bool(request.stream)
        keepalive_s = self._config.timeouts.keepalive if stream else 0
        media_type = JSON if context.route.streams == "array" else EVENT_STREAM
        client = Client(
            receive,
            send,
            self.grace,
            keepalive=dialect.keepalive,
            keepalive_s=keepalive_s,
            media_type=media_type,
        )
        exchange = _Exchange(self, context, dialect, client)
        self._open.add(client)
        try:
            async with client:
                await (exchange.stream() if stream else exchange.whole())
            context.end = context.end or "done"
        except ClientGone:
            context.end = "client_closed"
        except asyncio.CancelledError:
            context.end = "cancelled"
            raise
        finally:
            self._open.discard(client)

    def embark(self, context: RequestContext, target: Target, notes: list[Decision] | None = None) -> Journey:
        """Translate the request for one target, without network; strict mode refuses losses here.

        `notes` takes a decision for each thing that is filled in.
        """
        request = self.prepared(context, target, notes)
        call = Call(request=request, request_id=context.request_id, principal=context.principal.id)
        journey = target.adapter.open(call)
        if self._config.translate.lossy == "strict":
            _refuse_losses((*journey.request.losses, *journey.losses))
        return journey

    def prepared(self, context: RequestContext, target: Target, notes: list[Decision] | None = None) -> ir.Request:
        """Give the request as one target shall get it, with every policy of gateway.toml applied."""
        assert context.request is not None
        return prepare(
            self.memory.recall(context.principal.id, context.request),
            upstream=target.adapter.name,
            model=target.model,
            info=target.adapter.models().get(target.model),
            dialect=context.route.dialect,
            config=self._config,
            variants=target.variants,
            notes=notes,
        )

    async def begin(self, context: RequestContext) -> Begun:
        """Reach the first content of an answer and note where it comes from."""

        def tried(_: Target) -> None:
            context.attempts += 1

        begun = await begin(
            context.targets,
            partial(self.embark, context),
            self._policy,
            self._clock,
            grace=self.grace,
            tried=tried,
        )
        context.upstream = label = begun.target.label
        context.reply_headers.append((b"x-gateway-upstream", _header(label)))
        context.losses = losses = begun.journey.request.losses + begun.journey.losses
        lost = sum(loss.severity != "hint" for loss in losses) if losses else 0
        if lost:
            context.reply_headers.append((b"x-gateway-lossy", str(lost).encode()))
        return begun

    def answering(self, context: RequestContext, begun: Begun | None) -> Answering:
        """Tell the codec what it needs to know besides the events."""
        request = begun.journey.request if begun is not None else context.request
        assert request is not None
        echo_upstream = self._config.models.echo == "upstream"
        return Answering(
            request=request,
            model=begun.target.model if begun is not None and echo_upstream else context.requested_model,
            id=new_id(),
            created=int(self._clock.time()),
            request_id=context.request_id,
            estimate=lambda: estimate(request),
            sealed=self._config.translate.signatures == "sealed",
            images=self._config.translate.images_out,
            array=context.route.streams == "array",
        )

    @property
    def idle(self) -> float:
        """Seconds of silence that an upstream may keep between two events."""
        return self._config.timeouts.idle


class _Exchange:
    """One answer on its way to one caller."""

    def __init__(self, relay: Relay, context: RequestContext, dialect: Dialect, client: Client) -> None:
        self._relay = relay
        self._context = context
        self._dialect = dialect
        self._client = client
        self._writer: StreamWriter | None = None
        thread = context.request.thread if context.request is not None else None
        self._keep = relay.keep if thread is not None and thread.store else None

    async def stream(self) -> None:
        """Send the answer as it comes."""
        try:
            await self._stream()
        except GatewayError as error:
            await self._fail(error)
        except asyncio.CancelledError as error:
            try:
                self._client.check(type(error))
            except GatewayError as cause:
                await self._fail(cause)
            else:
                raise

    async def whole(self) -> None:
        """Send the answer when it is complete."""
        fold = ir.Fold()
        begun = await self._relay.begin(self._context)
        await self._pass(begun, fold.feed)
        reply, answering = fold.reply(), self._relay.answering(self._context, begun)
        if self._keep is not None and isinstance(self._dialect, Threaded):
            await self._keep(self._context, self._dialect.write_kept(reply, answering))
        await self._client.respond(self._dialect.write_whole(reply, answering))

    async def _stream(self) -> None:
        begun = await self._relay.begin(self._context)
        writer = self._dialect.stream_writer(self._relay.answering(self._context, begun))
        self._writer = writer
        await self._pass(begun, writer.feed)
        end = writer.close()
        if self._keep is not None:
            await self._kept(self._keep)
        await self._client.finish(end)

    async def _pass(self, begun: Begun, take: _Take) -> None:
        try:
            await self._take(begun.events, take)
            if not begun.ended:
                await self._follow(begun, take)
        except TimeoutError:
            raise UpstreamTimeout(
                f"{begun.target.label} fell silent for {self._relay.idle:g} s (timeouts.idle)"
            ) from None
        finally:
            begun.answer.close()
            self._context.usage = usage = begun.answer.usage
            begun.journey.done(usage)

    async def _follow(self, begun: Begun, take: _Take) -> None:
        with Watchdog(self._relay.idle, self._relay.grace) as watchdog:
            while (events := await begun.answer.read()) is not None:
                if events:
                    watchdog.held = True
                    await self._take(events, take)
                    if isinstance(events[-1], ENDS):
                        return
                    watchdog.held = False
                    watchdog.feed()

    async def _take(self, events: list[ir.Event], take: _Take) -> None:
        self._relay.memory.notice(self._context.principal.id, events)
        if isinstance(events[-1], ir.Failed):
            self._note(events[-1].error)
        data = take(events)
        if self._keep is not None:
            await self._kept(self._keep)
        if data:
            await self._client.write(data)

    async def _kept(self, keep: Keep) -> None:
        """Hand over what was streamed, once its end is written."""
        response: bytes | None = getattr(self._writer, "response", None)
        if response is not None:
            self._keep = None
            await keep(self._context, response)

    async def _fail(self, error: GatewayError) -> None:
        if not self._client.started:
            raise error
        self._note(error)
        if self._writer is None:
            self._writer = self._dialect.stream_writer(self._relay.answering(self._context, None))
        await self._client.finish(self._writer.close(error))

    def _note(self, error: GatewayError) -> None:
        self._context.error = error
        self._context.end = "error"


def _refuse_losses(losses: tuple[ir.Loss, ...]) -> None:
    """Refuse in strict mode what would change or lose something (translate.lossy)."""
    lost = [loss for loss in losses if loss.severity != "hint"]
    if lost:
        listed = "; ".join(f"{loss.path}: {loss.reason}" for loss in lost[:10])
        raise InvalidRequest(f"translate.lossy is strict and this upstream cannot carry: {listed}", param=lost[0].path)


@lru_cache(maxsize=256)
def _header(text: str) -> bytes:
    """Make a header value of a model name: visible ASCII only."""
    return _HIDDEN.sub(b"?", text.encode("ascii", "replace"))

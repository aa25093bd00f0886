"""Carry one request upstream and its answer back: the innermost app of the pipeline.

targets → attempts.begin → upstream events → the caller's codec → send, one send for each upstream read
"""

import asyncio
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from operator import attrgetter
from typing import Final, Protocol

from msgspec.structs import replace
from starlette.types import Receive, Send

from gateway import ir
from gateway.attempts import ENDS, Begun, Policy, begin
from gateway.clock import Clock
from gateway.config import Config, Decision
from gateway.context import RequestContext, new_id
from gateway.dialects import Answering, Dialect, Passing, StreamWriter, Threaded
from gateway.errors import Draining, GatewayError, StreamBroken, UpstreamTimeout
from gateway.fetching import Fetcher, addresses, placed
from gateway.forwarding import NativeAnswer
from gateway.grace import Grace, Watchdog
from gateway.ir.estimate import estimate
from gateway.ir.said import Said
from gateway.losses import refuse_losses, tell
from gateway.policy import prepare, refusal, takes
from gateway.sessions import named
from gateway.signatures import Shared, SignatureMemory, Watch
from gateway.streaming import EVENT_STREAM, JSON, Client, ClientGone
from gateway.transport import TransportError, told
from gateway.upstream import TRAIL_S, Call, Describing, Fetching, Journey, ModelInfo, Target, credential_of

__all__ = ["Keep", "Relay"]


class Keep(Protocol):
    """Keeps a complete answer before its end is sent, and tells whether what it took is still to be counted.

    `begun`: it has been given that answer before, when it began.
    """

    async def __call__(self, context: RequestContext, response: bytes, *, begun: bool) -> bool:
        """Keep it."""
        ...


_Take = Callable[[list[ir.Event]], bytes | None]  # what is to be sent for these events

_UNPLAIN: Final = re.compile(rb"[^ -~]")
_KEY: Final = b"idempotency-key"
_GOOGLE: Final = b"x-goog-api-client"  # of Google's own SDKs, and of Genkit
_PYTHON: Final = b"gl-python"  # which finds an error among the events, and takes nothing else there
# What steers an upstream's own API. Its keys, and those that name another account, are not among them.
_HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "anthropic": ("anthropic-beta",),  # the version is that of the adapter
    "openai-chat": ("openai-beta",),
    "openai-responses": ("openai-beta",),
}
_NO_HEADERS: Final[Mapping[str, str]] = {}
_SET_HERE: Final = ("betas", "model", "native", "thread")
_said: Final = attrgetter(*(name for name in ir.Request.__struct_fields__ if name not in _SET_HERE))


class Relay:
    """Answers chat requests; one for each app. `keep`: for conversations that the server keeps.

    `shared`: where other workers find what callers drop of signatures.
    """

    def __init__(self, config: Config, clock: Clock, keep: Keep | None = None, shared: Shared | None = None) -> None:
        self._config = config
        self._clock = clock
        self.keep = keep
        self.memory = SignatureMemory(clock, shared, enabled=config.translate.signatures != "off")
        self.fetcher: Fetcher | None = None
        self.grace = Grace()
        self.open: dict[Client, RequestContext] = {}  # the callers that wait for an answer or read one
        self._policy = Policy.of(config)

    @property
    def open_requests(self) -> int:
        """How many callers wait for an answer or read one."""
        return len(self.open)

    @contextmanager
    def held(self, client: Client, context: RequestContext) -> Generator[None]:
        """Count somebody else's caller among those that wait."""
        self.open[client] = context
        try:
            yield
        finally:
            self.open.pop(client, None)

    def abort(self) -> None:
        """End what is still open with the caller's own error."""
        for client in tuple(self.open):
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
        self.open[client] = context
        try:
            async with client:
                await (client.run(exchange.stream(), exchange.fail) if stream else exchange.whole())
            context.end = context.end or "done"
        except ClientGone:
            context.end = (context.end or "done") if exchange.told else "client_closed"
        finally:
            self.open.pop(client, None)

    def embark(self, context: RequestContext, target: Target, notes: list[Decision] | None = None) -> Journey:
        """Translate the request for one target, without network; strict mode refuses losses here.

        `notes` takes a decision for each thing that is filled in.
        """
        request = self.prepared(context, target, notes)
        call = Call(
            request=request,
            request_id=context.request_id,
            principal=context.principal.id,
            session=named(context.headers),
            headers=_NO_HEADERS if request.native is None else _kept(context.headers, request.native.dialect),
            # it stands for one body, and what has been called already may have had another
            idempotency_key=_idempotency_key(context.headers) if context.tried is None else "",
        )
        journey = target.adapter.open(call)
        if self._config.translate.lossy == "strict":
            refuse_losses(journey.request.lost(journey.losses))
        return journey

    def prepared(self, context: RequestContext, target: Target, notes: list[Decision] | None = None) -> ir.Request:
        """Give the request as one target shall get it, with every policy of gateway.toml applied."""
        request = context.request
        assert request is not None
        if request.native is not None and _is_changed(request, context.own):
            request = _read(request)
        if context.fetched:
            request = placed(request, context.fetched, partial(_needs, target))
        return prepare(
            self.memory.recall(context.principal.id, request, target.model),
            upstream=target.adapter.name,
            model=target.model,
            info=target.adapter.models().get(target.model) or _unlisted(target),
            dialect=context.route.dialect,
            config=self._config,
            variants=target.variants,
            notes=notes,
        )

    async def begin(self, context: RequestContext) -> Begun:
        """Reach the first content of an answer and note where it comes from."""
        if context.reserve is not None:
            await context.reserve(context)
        request = context.request
        assert request is not None
        if self.memory.asks:
            await self.memory.fetch(context.principal.id, request)
        if self.fetcher is not None and (wanted := self.unfetched(request, context.targets)):
            context.fetched = await self.fetcher.fetch(wanted)
        begun = await begin(
            self.able(request, context.targets),
            partial(self.embark, context),
            self._policy,
            self._clock,
            grace=self.grace,
            long=request.counted,
            tried=context.tries,
            failed=context.fails,
        )
        context.first_byte = None  # until here there were only signs of life
        if context.trace is not None:
            context.trace.answers(begun.events)
        journey = begun.journey
        context.passed = type(begun.events[0]) is ir.Passed  # the upstream's own words go on
        context.credential = credential_of(journey)
        tell(context, begun.target, journey.request.lost(journey.losses))
        return begun

    def unfetched(self, request: ir.Request, targets: Sequence[Target]) -> list[ir.Media]:
        """List the files that some member of a chain needs the bytes of, and the caller gives the address of."""
        translating = [one for one in targets if not self._passes(one, request)]
        return [media for media in addresses(request) if any(_needs(one, media) for one in translating)]

    def _passes(self, target: Target, request: ir.Request) -> bool:
        return request.native is not None and takes(self._config, target, request.native)

    def able(self, request: ir.Request | None, targets: Sequence[Target]) -> Sequence[Target]:
        """Leave out the members of a chain that need a translation where none is possible, unless all of them do."""
        native = request.native if request is not None else None
        if native is None or (native.refusal is None and native.only is None):
            return targets
        return [one for one in targets if takes(self._config, one, native)] or targets

    def answering(self, context: RequestContext, begun: Begun | None) -> Answering:
        """Tell the codec what it needs to know besides the events."""
        request = begun.journey.request if begun is not None else context.request
        assert request is not None
        id_, created = context.stamp = context.stamp or (new_id(), int(self._clock.time()))
        echo_upstream = self._config.models.echo == "upstream"
        return Answering(
            request=request,
            model=begun.target.model if begun is not None and echo_upstream else context.requested_model,
            id=id_,
            created=created,
            request_id=context.request_id,
            estimate=lambda: estimate(request),
            sealed=self._config.translate.signatures == "sealed",
            images=self._config.translate.images_out,
            array=context.route.streams == "array",
            apart=context.route.streams == "sse" and _PYTHON not in context.headers.get(_GOOGLE, _PYTHON),
        )

    async def pass_on(
        self, context: RequestContext, answer: NativeAnswer, client: Client, read: Callable[[], None] | None = None
    ) -> None:
        """Send an upstream's own answer as it comes; `read` hears that all of it is here, before its end goes out."""
        context.credential = context.credential or credential_of(answer)
        context.begins()
        try:
            await client.open(answer.status, answer.headers)
            with self.waiting(context) as watchdog:
                while data := await answer.read():
                    watchdog.hold()
                    await client.write(data)
                    watchdog.feed()
            if read is not None:
                read()
            await client.finish()
        finally:
            answer.close()

    async def pass_events(
        self, context: RequestContext, answer: NativeAnswer, client: Client, passage: StreamWriter
    ) -> bytes:
        """Send an upstream's own events, each when it is whole, until there are no more; give what is left of them."""
        with self.waiting(context) as watchdog:
            while data := await answer.read():
                if whole := passage.feed([ir.Passed(data)]):
                    watchdog.hold()
                    await client.write(whole)
                    watchdog.feed()
        return passage.feed([ir.Finished(reason="stop")]) + passage.close()

    @contextmanager
    def waiting(self, context: RequestContext) -> Generator[Watchdog]:
        """Wait for an answer that has begun as long as it does not fall silent."""
        try:
            with Watchdog(self.idle, self.grace, context.silences) as watchdog:
                yield watchdog
        except TimeoutError:
            context.fell_silent = True
            raise UpstreamTimeout(f"the upstream fell silent for {self.idle:g} s (timeouts.idle)") from None

    @property
    def idle(self) -> float:
        """Seconds of silence that an upstream may keep between two events."""
        return self._config.timeouts.idle


class _Exchange:
    """One answer on its way to one caller. `told`: all of a stream has been sent, and it only has to be closed."""

    told = False
    _writer: StreamWriter | None = None
    _watch: Watch | None = None
    _handed: bytes | None = None
    _is_counted = False  # by another request, which has read the end of this answer
    _begun: Begun | None = None

    def __init__(self, relay: Relay, context: RequestContext, dialect: Dialect, client: Client) -> None:
        self._relay = relay
        self._context = context
        self._dialect = dialect
        self._client = client
        self._said = Said()
        thread = context.request.thread if context.request is not None else None
        self._keep = relay.keep if thread is not None and thread.store else None

    async def stream(self) -> None:
        """Send the answer as it comes."""
        begun = await self._relay.begin(self._context)
        answering = self._relay.answering(self._context, begun)
        writer: StreamWriter
        if self._context.passed and isinstance(self._dialect, Passing):
            writer = self._dialect.passage(answering)
        else:
            writer = self._dialect.stream_writer(answering)
        self._writer = writer
        await self._pass(begun, writer.feed)
        end = writer.close()
        if self._keep is not None:
            await self._kept(self._keep)
        await self._client.finish(end)

    async def fail(self, error: GatewayError) -> None:
        """End the stream with an error; raise it where it can still become a status."""
        if not self._client.started:
            raise error
        self._context.ends_with(error)
        if self._writer is None:
            self._writer = self._dialect.stream_writer(self._relay.answering(self._context, None))
        await self._client.finish(self._writer.close(error))

    async def whole(self) -> None:
        """Send the answer when it is complete."""
        fold = ir.Fold()
        begun = await self._relay.begin(self._context)
        await self._pass(begun, fold.feed)
        reply, answering = fold.reply(), self._relay.answering(self._context, begun)
        if self._context.passed and isinstance(self._dialect, Passing):
            self._writer = passage = self._dialect.passage(answering)
            body = passage.whole(reply.passed)
            if self._keep is not None:
                await self._kept(self._keep)
            await self._client.respond(body)
            return
        if self._keep is not None and isinstance(self._dialect, Threaded):
            body, kept = self._dialect.write_both(reply, answering)
            await self._keep(self._context, kept, begun=False)
        else:
            body = self._dialect.write_whole(reply, answering)
        await self._client.respond(body)

    async def _pass(self, begun: Begun, take: _Take) -> None:
        self._begun, asked = begun, self._context.request
        self._watch = self._relay.memory.watch(self._context.principal.id, begun.target.model, asked)
        try:
            await self._take(begun.events, take)
            if not begun.ended:
                await self._follow(begun, take)
            self.told = self._writer is not None
            if self._context.passed:
                await self._trail(begun, take)
        except TimeoutError:
            self._context.fell_silent = True
            idle_s = f"{self._relay.idle:g} s (timeouts.idle)"
            silence = UpstreamTimeout(f"{begun.target.label} fell silent for {idle_s}")
            begun.journey.after(silence)
            raise silence from None
        except TransportError as error:
            raise told(error) from error
        finally:
            begun.answer.close()
            usage, request = begun.answer.usage, begun.journey.request
            if not self._is_counted:
                self._context.usage = self._said.usage(usage, request, whole=bool(self._context.finish))
            begun.journey.done(usage)

    async def _follow(self, begun: Begun, take: _Take) -> None:
        read, passed = begun.answer.read, self._context.passed
        with Watchdog(self._relay.idle, self._relay.grace, self._context.silences) as watchdog:
            while (events := await read()) is not None:
                if not events:  # a ping, or a comment
                    watchdog.feed()
                    continue
                if passed and _is_quiet(events):  # an upstream that drips is as silent as one that says nothing
                    await self._take(events, take)
                    continue
                watchdog.hold()
                if await self._take(events, take):
                    return
                watchdog.feed()
        raise StreamBroken(StreamBroken.CUT)  # ours say so themselves

    async def _trail(self, begun: Begun, take: _Take) -> None:
        """Pass on what still comes after the end of an answer; that nothing does is well, too."""
        with suppress(TimeoutError, GatewayError, TransportError):
            async with asyncio.timeout(TRAIL_S):
                while (events := await begun.answer.read()) is not None:
                    if events:
                        await self._take(events, take)

    async def _take(self, events: list[ir.Event], take: _Take) -> bool:
        """Send what these events make; tell whether nothing follows them."""
        if self._watch is not None and (shared := self._watch.take(events)) is not None:
            await shared
        self._said.hear(events)
        end = events[-1]
        ends = isinstance(end, ENDS)
        if ends:
            self._end(end)
            events = self._counted(events)
        data = take(events)
        if self._keep is not None:
            await self._kept(self._keep)
        if data:
            await self._client.write(data)
        return ends

    def _end(self, end: ir.Event) -> None:
        if isinstance(end, ir.Failed):
            self._context.ends_with(end.error)
        elif isinstance(end, ir.Finished):
            self._context.finish = end.reason

    def _counted(self, events: list[ir.Event]) -> list[ir.Event]:
        """Let an answer that the upstream has not counted end with the estimate that stands in the ledger.

        Zeros that it has told are passed on as they are (fixtures/v1internal, 33_outdated_client_notice).
        """
        begun, end = self._begun, events[-1]
        if begun is None or self._context.passed or not isinstance(end, ir.Finished):
            return events
        told = begun.answer.usage
        if told is not None and not (told.input or told.output):
            return events
        usage = self._said.usage(told, begun.journey.request, whole=True)
        if usage is None or not usage.estimated:
            return events
        self._context.reply_headers.append((b"x-gateway-token-count", b"estimate"))  # of a stream it comes too late
        return [*events[:-1], ir.UsageReported(usage), end]

    async def _kept(self, keep: Keep) -> None:
        """Hand over what was streamed, once its end is written."""
        response: bytes | None = getattr(self._writer, "response", None)
        if response is not None and response is not self._handed:
            begun, self._handed = self._handed is not None, response
            self._is_counted = not await keep(self._context, response, begun=begun)


def _is_quiet(events: Sequence[ir.Event]) -> bool:
    """Tell whether what passes is no whole event yet."""
    return len(events) == 1 and type(events[0]) is ir.Passed and events[0].quiet


def _is_changed(request: ir.Request, own: ir.Request | None) -> bool:
    """Tell whether a middleware has changed what the caller's own words say."""
    return own is not None and request is not own and _words(request) != _words(own)


def _words(request: ir.Request) -> tuple[int, ...]:
    return tuple(map(id, _said(request)))


def _read(request: ir.Request) -> ir.Request:
    """Take a request as it was read, without the caller's own words; raise the refusal if it could not be."""
    error = refusal(request, "a middleware")
    if error is not None:
        raise error
    return replace(request, native=None)


def _kept(headers: Mapping[bytes, bytes], dialect: str) -> dict[str, str]:
    """Give those headers of the caller that go along with its own words."""
    found = {name: headers[name.encode()] for name in _HEADERS.get(dialect, ()) if name.encode() in headers}
    return {name: _plain(value) for name, value in found.items()}


def _idempotency_key(headers: Mapping[bytes, bytes]) -> str:
    return _plain(headers[_KEY]) if _KEY in headers else ""


def _plain(value: bytes) -> str:
    return _UNPLAIN.sub(b"", value).decode()


def _unlisted(target: Target) -> ModelInfo | None:
    return target.adapter.info(target.model) if isinstance(target.adapter, Describing) else None


def _needs(target: Target, media: ir.Media) -> bool:
    return isinstance(target.adapter, Fetching) and not target.adapter.fetches(media, target.model)

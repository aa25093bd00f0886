"""Read the request in the dialect of its path into the neutral form."""

from collections.abc import Collection, Iterable
from typing import ClassVar, Self

from msgspec import Raw
from msgspec.structs import replace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import ir
from gateway.arrival import SILENCE_S, Pace
from gateway.config import Config, PipelineConfig
from gateway.context import RequestContext, attach
from gateway.dialects import Dialect, Passing
from gateway.dialects.content import HALVES, without_halves
from gateway.dialects.counting import read_uncertain
from gateway.dialects.openai_making import read_making
from gateway.errors import GatewayError, InvalidRequest, RequestTimeout, UndeclaredTool, UnsupportedMediaType
from gateway.grace import Grace, Watchdog
from gateway.ir.estimate import estimate
from gateway.lending import LONG_BYTES, apart, is_long
from gateway.policy import speaks
from gateway.refusal import dialect_of, refuse
from gateway.routes import MAKING, Route
from gateway.services import Services
from gateway.streaming import ClientGone

__all__ = ["Protocol"]

_READ = frozenset({"chat", "count_tokens"}) | MAKING
_BETAS = b"anthropic-beta"
_OURS = frozenset(PipelineConfig().order)


class Protocol:
    """ASGI middleware; gives `context.request` to those inside. A path that no dialect has is left to them.

    `passed`: the dialects that some upstream speaks, so that the caller's own words go along; `unread`: those of them
    whose requests go on, too, when they cannot be read. `stream`: whether OpenAI Chat streams when the caller does not
    say (defaults.stream). `replay`: those inside may read the body once more, as the endpoints of other apps do.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"request"})
    requires: ClassVar[frozenset[str]] = frozenset({"bounded_body?"})

    def __init__(
        self,
        app: ASGIApp,
        *,
        stream: bool = False,
        replay: bool = True,
        passed: Collection[str] = (),
        unread: Collection[str] = (),
    ) -> None:
        self.app = app
        self._passed = passed
        self._unread = unread
        self.stream = stream
        self.replay = replay
        self._grace = Grace()

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read defaults.stream."""
        config = services.loaded.config
        passed = speaks(config)
        unread = speaks(config, unread=True) if _is_alone(config) else ()
        return cls(app, stream=bool(config.defaults.stream), replay=False, passed=passed, unread=unread)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        if context.route.operation in _READ:
            try:
                body = await self._read(context, receive)
                _take_betas(context, scope)
                context.own = context.request
            except GatewayError as error:
                await refuse(context, send, error)
                return
            except ClientGone:
                context.end = "client_closed"
                return
            receive = _replaying(body, receive) if self.replay else receive
        await self.app(scope, receive, send)

    async def _read(self, context: RequestContext, receive: Receive) -> bytes:
        route = context.route
        if b"content-encoding" in context.headers:
            raise UnsupportedMediaType("compressed bodies need body_limit in pipeline.order")
        body = await _body(receive, self._grace)
        if len(body) > LONG_BYTES and is_long(body):
            request = await apart(True, self._long, context, body, route)
        elif route.operation in MAKING:
            request = read_making(body, route.model)
        else:
            request = self._request(dialect_of(context), body, route)
        if request.stream is None and route.dialect == "openai-chat":
            request = replace(request, stream=self.stream)
        context.request = request
        context.requested_model = request.model
        return body

    def _long(self, context: RequestContext, body: bytes, route: Route) -> ir.Request:
        if route.operation in MAKING:
            return read_making(body, route.model)
        request = self._request(dialect_of(context), body, route)
        return replace(request, counted=estimate(request))

    def _request(self, dialect: Dialect, body: bytes, route: Route) -> ir.Request:
        """Read a request; what cannot be read may still be counted, or be for an upstream of its own dialect."""
        counting = route.operation == "count_tokens"
        try:
            request = dialect.read_request(body, counting=counting, route=route)
        except InvalidRequest as error:
            if (mended := without_halves(body)) != body:
                read = self._request(dialect, mended, route)
                return replace(read, losses=(*read.losses, HALVES))
            if counting:
                return read_uncertain(body, route, error)
            if route.dialect in self._unread and isinstance(dialect, Passing) and not isinstance(error, UndeclaredTool):
                return dialect.read_unread(body, error, route)
            raise
        if request.native is not None or request.mixed:
            return request
        if route.dialect in self._passed and isinstance(dialect, Passing):
            return replace(request, native=ir.Native(dialect=route.dialect, body=Raw(body)))
        return request


def _take_betas(context: RequestContext, scope: Scope) -> None:
    """Take what an Anthropic caller opts into: a list, in a header that may be repeated."""
    if _BETAS not in context.headers or context.route.dialect != "anthropic" or context.request is None:
        return
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    given = b",".join(value for name, value in headers if name == _BETAS).decode("ascii", "ignore")
    named = (beta.strip() for beta in given.split(","))
    betas = dict.fromkeys(beta for beta in named if beta and beta.isprintable())  # of a name that can be written
    context.request = replace(context.request, betas=tuple(betas))


def _replaying(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying() -> Message:
        return waiting.pop() if waiting else await receive()

    return replaying


async def _body(receive: Receive, grace: Grace) -> bytes:
    pieces: list[bytes] = []
    pace: Pace | None = None
    try:
        with Watchdog(SILENCE_S, grace) as watchdog:
            while (message := await receive())["type"] == "http.request":
                piece: bytes = message.get("body", b"")
                if not message.get("more_body", False):
                    return b"".join((*pieces, piece)) if pieces else piece
                watchdog.feed()
                pieces.append(piece)
                pace = pace or Pace()
                pace.take(piece)
    except TimeoutError:
        raise RequestTimeout(f"the body fell silent for {SILENCE_S:g} s") from None
    raise ClientGone


def _is_alone(config: Config) -> bool:
    """Tell whether no middleware of somebody else's stands inside, which may want to see what was said."""
    order = config.pipeline.order
    inside = order[order.index("protocol") + 1 :] if "protocol" in order else order
    return _OURS.issuperset(inside)

"""Read the request in the dialect of its path into the neutral form."""

from typing import ClassVar, Self

from msgspec.structs import replace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.context import RequestContext, attach
from gateway.errors import GatewayError, RequestTimeout, UnsupportedMediaType
from gateway.grace import Grace, Watchdog
from gateway.refusal import dialect_of, refuse
from gateway.services import Services
from gateway.streaming import ClientGone

__all__ = ["BODY_SILENCE_S", "Protocol"]

BODY_SILENCE_S = 60.0  # between two pieces of a body


class Protocol:
    """ASGI middleware; gives `context.request` to those inside. A path that no dialect has is left to them.

    `stream`: whether OpenAI Chat streams when the caller does not say (defaults.stream). `replay`: those inside may
    read the body once more, as the endpoints of other apps do.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"request"})
    requires: ClassVar[frozenset[str]] = frozenset({"bounded_body?"})

    def __init__(self, app: ASGIApp, *, stream: bool = False, replay: bool = True) -> None:
        self.app = app
        self.stream = stream
        self.replay = replay
        self._grace = Grace()

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read defaults.stream."""
        return cls(app, stream=bool(services.loaded.config.defaults.stream), replay=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        if context.route.operation in ("chat", "count_tokens"):
            try:
                body = await self._read(context, receive)
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
        request = dialect_of(context).read_request(body, counting=route.operation == "count_tokens", route=route)
        if request.stream is None and route.dialect == "openai-chat":
            request = replace(request, stream=self.stream)
        context.request = request
        context.requested_model = request.model
        return body


def _replaying(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying() -> Message:
        return waiting.pop() if waiting else await receive()

    return replaying


async def _body(receive: Receive, grace: Grace) -> bytes:
    pieces: list[bytes] = []
    try:
        with Watchdog(BODY_SILENCE_S, grace) as watchdog:
            while (message := await receive())["type"] == "http.request":
                piece: bytes = message.get("body", b"")
                if not message.get("more_body", False):
                    return b"".join((*pieces, piece)) if pieces else piece
                watchdog.feed()
                pieces.append(piece)
    except TimeoutError:
        raise RequestTimeout(f"the body fell silent for {BODY_SILENCE_S:g} s") from None
    raise ClientGone

"""[log] bodies: what callers and upstreams said, as a second line of the log beside that of the request.

It is written when the answer is over, off the loop; nothing waits for it. What people and models said stands in it as
it was, e-mail addresses too; what is secret does not: the caller's key wherever it stands, the secrets of the
configuration, the credentials that upstream calls showed, and all that looks like one.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, Self

from starlette.types import Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import secrets_of
from gateway.context import RequestContext
from gateway.excerpt import Excerpt, excerpt, inflated
from gateway.lending import at_once
from gateway.middleware.auth import shown_in
from gateway.redact import Hider, credentials_in
from gateway.services import Services
from gateway.tap import TAP, Heard, Tap, tap_of

__all__ = ["Bodies", "Ear"]

_LEFT: Final = ("client_closed", "cancelled")
_KEPT_BYTES: Final = 1024 * 1024  # of each side, so that what follows a picture is seen, too


class Bodies:
    """Logs bodies; `mode`: of which requests, `secrets`: what is hidden besides keys."""

    def __init__(
        self, mode: Literal["errors", "all"], logger: FilteringBoundLogger, secrets: tuple[str, ...] = ()
    ) -> None:
        self._mode = mode
        self._logger = logger
        self._secrets = secrets

    @classmethod
    def configured(cls, services: Services) -> Self | None:
        """Read log.bodies; None = never."""
        config = services.loaded.config
        if config.log.bodies == "never":
            return None
        return cls(config.log.bodies, services.logger, tuple(secrets_of(config)))

    async def log(self, ear: "Ear", context: RequestContext) -> None:
        """Write what was heard, if it is to be written; the ear hears no more."""
        ear.close()
        failed = context.error is not None or ((context.status or 500) >= 400 and context.end not in _LEFT)
        if failed or self._mode == "all":
            fields = await at_once(self._fields, ear, failed)
            self._logger.info("body", request_id=context.request_id, **fields)

    def _fields(self, ear: "Ear", failed: bool) -> dict[str, Any]:
        hide = Hider((*self._secrets, *ear.keys))
        asked = inflated(ear.asked.whole, ear.encoding, _KEPT_BYTES) if ear.encoding else ear.asked.whole
        size = len(asked) if ear.encoding else ear.asked.size
        fields = _said("request", excerpt(asked, size, hide))
        fields |= _said("answer", excerpt(ear.answered.whole, ear.answered.size, hide))
        calls = [call for call in ear.calls if failed or (call.status or 0) >= 400]
        if calls:
            fields["upstream"] = [self._call(call, ear.keys) for call in calls]
        return fields

    def _call(self, call: Heard, keys: tuple[str, ...]) -> dict[str, Any]:
        hide = Hider((*self._secrets, *keys, *credentials_in(call.headers)))
        body = b"".join(data for _, data in call.pieces)[:_KEPT_BYTES]
        fields: dict[str, Any] = {"to": call.upstream, "url": hide(call.url), "status": call.status}
        if call.error is not None:
            fields["error"] = hide(call.error[1])
        return fields | _said("answer", excerpt(body, call.size, hide))


class _Side:
    """What one side has said: the beginning of it, and how long all of it is."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    @property
    def whole(self) -> bytes:
        """Give what was kept."""
        return b"".join(self._pieces)

    def take(self, data: bytes) -> None:
        """Take a piece."""
        if self.size < _KEPT_BYTES:
            self._pieces.append(data[: _KEPT_BYTES - self.size])
        self.size += len(data)


class Ear:
    """Listens to one request: its `receive` and `send` are for those inside. `keys`: what the caller showed."""

    def __init__(self, scope: Scope, context: RequestContext, receive: Receive, send: Send, clock: Clock) -> None:
        headers = context.headers
        self.keys = shown_in(headers, scope.get("query_string", b""))
        self.encoding = headers.get(b"content-encoding", b"")
        self.asked, self.answered = _Side(), _Side()
        self.tap = tap_of(context) or Tap(clock.monotonic, context, _KEPT_BYTES)
        self.calls: Sequence[Heard] = ()
        self._before = TAP.set(self.tap)
        self._receive = receive
        self._send = send

    def close(self) -> None:
        """End it."""
        TAP.reset(self._before)
        self.calls = self.tap.calls
        if TAP.get() is not self.tap:  # a recorder's goes on
            self.tap.close()

    async def receive(self) -> Message:
        """Receive for those inside."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.asked.take(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Send what those inside send."""
        if message["type"] == "http.response.body":
            self.answered.take(message.get("body", b""))
        await self._send(message)


def _said(name: str, found: Excerpt) -> dict[str, Any]:
    return {name: found.text} | ({f"{name}_cut": found.cut} if found.cut else {})

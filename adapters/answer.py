"""One answer of an upstream while it is read: network reads in, neutral events out."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway import ir
from gateway.adapters.failures import Failure, ReadFailure, unreachable
from gateway.errors import GatewayError, UpstreamMalformed
from gateway.sse import Decoder, EventTooLarge
from gateway.transport import Response, TransportError

__all__ = ["Reader", "UpstreamAnswer"]

_MAX_WHOLE_BYTES: Final = 64 * 1024 * 1024


class Reader(Protocol):
    """What a codec makes of the payloads of one answer."""

    @property
    def usage(self) -> ir.Usage | None:
        """Give what the upstream has counted so far."""
        ...

    def feed(self, payloads: Sequence[str]) -> list[ir.Event]:
        """Take events of the stream."""
        ...

    def feed_whole(self, body: bytes) -> list[ir.Event]:
        """Take an answer that does not stream."""
        ...

    def close(self) -> list[ir.Event]:
        """End the stream."""
        ...


class UpstreamAnswer:
    """Reads an answer under status 200. `failed` hears of an error, and what it means, before it is raised or told.

    `is_error`: whether a payload is one of the upstream's own errors. `done`: the reader wants to see `[DONE]`.
    """

    def __init__(
        self,
        response: Response,
        reader: Reader,
        is_error: Callable[[bytes], bool],
        failed: Callable[[GatewayError, Failure], None],
        read_failure: ReadFailure,
        now: float,
        *,
        done: bool = False,
    ) -> None:
        self._response = response
        self._reader = reader
        self._is_error = is_error
        self._failed = failed
        self._read_failure = read_failure
        self._now = now
        self._decoder = Decoder(done=done)
        self._ended = False
        kind = response.headers.get("content-type", "").lower()
        self._whole = "json" in kind or "html" in kind

    @property
    def usage(self) -> ir.Usage | None:
        """What the upstream has counted so far."""
        return self._reader.usage

    async def read(self) -> list[ir.Event] | None:
        """Give the events of the next network read."""
        if self._ended:
            return None
        try:
            if self._whole:
                return self._closed(await self._response.read_all(_MAX_WHOLE_BYTES))
            data = await self._response.read()
            payloads = self._decoder.feed(data) if data else self._decoder.close()
        except TransportError as error:
            raise self._told(unreachable(error)) from None
        except EventTooLarge as error:
            raise self._told(Failure(UpstreamMalformed(str(error)), "final")) from None
        events = self._reader.feed(payloads)
        if not data:
            self._ended = True
            events += self._reader.close()
        if events and type(events[-1]) is ir.Failed:
            self._explain(events[-1], payloads)
        return events

    def close(self) -> None:
        """Drop the connection unless the whole answer came; idempotent."""
        self._ended = True
        self._response.close()

    def _closed(self, body: bytes) -> list[ir.Event]:
        self._ended = True
        events = self._reader.feed_whole(body)
        if isinstance(events[-1], ir.Failed):
            self._explain(events[-1], [body])
        return events

    def _explain(self, failed: ir.Failed, payloads: Sequence[str | bytes]) -> None:
        """Find out what an error within the answer means, if it is the upstream's own."""
        self.close()
        for payload in payloads:
            body = payload if isinstance(payload, bytes) else payload.encode()
            if self._is_error(body):
                failure = self._read_failure(200, body, {}, self._now)
                failed.error.retry_after = failure.wait_s
                self._failed(failed.error, failure)
                return

    def _told(self, failure: Failure) -> GatewayError:
        self._failed(failure.error, failure)
        return failure.error

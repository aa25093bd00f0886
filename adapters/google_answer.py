"""One answer of a Google upstream while it is read: network reads in, neutral events out."""

from collections.abc import Callable, Sequence
from typing import Final

from gateway import ir
from gateway.adapters.failures import Failure, ReadFailure, unreachable
from gateway.dialects.gemini.errors import read_details
from gateway.dialects.gemini.request import Written
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.errors import GatewayError, UpstreamMalformed
from gateway.sse import Decoder, EventTooLarge
from gateway.transport import Response, TransportError

__all__ = ["GoogleAnswer", "reader_of"]

_MAX_WHOLE_BYTES: Final = 64 * 1024 * 1024


class GoogleAnswer:
    """Reads an answer under status 200. `failed` hears of an error, and what it means, before it is raised or told."""

    def __init__(
        self,
        response: Response,
        reader: StreamReader,
        failed: Callable[[GatewayError, Failure], None],
        read_failure: ReadFailure,
        now: float,
    ) -> None:
        self._response = response
        self._reader = reader
        self._failed = failed
        self._read_failure = read_failure
        self._now = now
        self._decoder = Decoder()
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
        """Find out what an error within the answer means, if it is one of Google's."""
        self.close()
        for payload in payloads:
            body = payload if isinstance(payload, bytes) else payload.encode()
            if read_details(body).code is not None:
                failure = self._read_failure(200, body, {}, self._now)
                failed.error.retry_after = failure.wait_s
                self._failed(failed.error, failure)
                return

    def _told(self, failure: Failure) -> GatewayError:
        self._failed(failure.error, failure)
        return failure.error


def reader_of(written: Written, family: ir.Family, salt: str) -> StreamReader:
    """Make the reader of the answer to a request."""
    options = ReadOptions(
        names=written.names,
        family=family,
        salt=salt,
        placeholders=written.placeholders,
        parallel=written.parallel,
        answer=written.answer,
        native=written.native is not None,
    )
    return StreamReader(options)

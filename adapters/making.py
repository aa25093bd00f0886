"""The answers to calls for embeddings and pictures: one document, or a stream that is passed on as it comes."""

from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from gateway import ir
from gateway.adapters.amendments import Write, Written
from gateway.adapters.failures import Cause, Failure, unreachable
from gateway.dialects.outbound import latest
from gateway.dialects.raw import read
from gateway.errors import UpstreamMalformed
from gateway.sse import Decoder, EventTooLarge
from gateway.transport import Response, TransportError

__all__ = ["MAX_BYTES", "Streamed", "Whole", "always", "read_usage", "whole_of"]

MAX_BYTES: Final = 256 * 1024 * 1024  # 2048 vectors of 3072 numbers, as text
_JSON: Final = b"application/json"
_EVENTS: Final = b"text/event-stream; charset=utf-8"


_W = TypeVar("_W", bound=Written)


class _Counted(Struct):
    prompt_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Counting(Struct):
    usage: _Counted | None = None


_COUNTING: Final = msgspec.json.Decoder(_Counting)


def read_usage(document: bytes | str) -> ir.Usage | None:
    """Read what an answer, or an event of it, says of tokens; None when it says nothing."""
    counting = read(document, _COUNTING)
    counted = counting.usage if counting is not None else None
    if counted is None:
        return None
    given = latest(counted.prompt_tokens, latest(counted.input_tokens, 0))
    return ir.Usage(input=given, output=latest(counted.output_tokens, 0))


def always(written: _W) -> Write[_W]:
    """Write a request the same way whatever an upstream has refused of it."""

    def write(_request: ir.Request, _causes: frozenset[Cause]) -> _W:
        return written

    return write


async def whole_of(response: Response) -> bytes:
    """Read an answer to its end; raise Failure."""
    try:
        return await response.read_all(MAX_BYTES)
    except TransportError as error:
        raise unreachable(error) from None
    finally:
        response.close()


class Whole:
    """An answer that is complete; `events`: it is a stream nevertheless. `credential`: see Lending."""

    status: int = 200

    def __init__(self, body: bytes, usage: ir.Usage | None, *, events: bool = False, credential: str = "") -> None:
        self.credential = credential
        self.whole = None if events else body
        self.headers = ((b"content-type", _EVENTS if events else _JSON),)
        self.usage = usage
        self._rest = body

    async def read(self) -> bytes:
        """Give all of it, once."""
        rest, self._rest = self._rest, b""
        return rest

    def close(self) -> None:
        """Nothing is open."""


class Streamed:
    """A stream on its way, byte for byte; tokens are read off a copy."""

    status: int = 200
    whole: bytes | None = None
    headers = ((b"content-type", _EVENTS), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))

    def __init__(self, response: Response, *, max_event: int = MAX_BYTES) -> None:
        self.usage: ir.Usage | None = None
        self._response = response
        self._decoder = Decoder(max_event=max_event)
        self._kept: list[bytes] = []  # until the first event

    async def first(self) -> bytes:
        """Read on to the first event, and give its data, or all that came where there is none; raise Failure."""
        events: list[str] = []
        while not events:
            data, events = await self._next()
            self._kept.append(data)
            if not data:
                break
        return events[0].encode() if events else b"".join(self._kept)

    async def read(self) -> bytes:
        """Give the next piece."""
        kept, self._kept = b"".join(self._kept), []
        if kept:
            return kept
        try:
            return (await self._next())[0]
        except Failure as failure:
            raise failure.error from None

    async def _next(self) -> tuple[bytes, list[str]]:
        """Give the next piece, and the events that it completes; raise Failure."""
        try:
            data = self._response.concealed(await self._response.read())
            events = self._decoder.feed(data) if data else self._decoder.close()
        except TransportError as error:
            raise unreachable(error) from None
        except EventTooLarge as error:
            raise Failure(UpstreamMalformed(str(error)), "final") from None
        for event in events:
            self.usage = read_usage(event) or self.usage
        return data, events

    def close(self) -> None:
        """Drop the connection."""
        self._response.close()

"""The answers to calls for embeddings and pictures: one document, or a stream that is passed on as it comes."""

from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from gateway import ir
from gateway.adapters.amendments import Write, Written
from gateway.adapters.failures import Cause, unreachable
from gateway.dialects.outbound import latest
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
    try:
        counted = _COUNTING.decode(document).usage
    except (ValueError, RecursionError):
        return None
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
    """An answer that is complete; `events`: it is a stream nevertheless."""

    status: int = 200

    def __init__(self, body: bytes, usage: ir.Usage | None, *, events: bool = False) -> None:
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

    def __init__(self, response: Response) -> None:
        self.usage: ir.Usage | None = None
        self._response = response
        self._decoder: Decoder | None = Decoder()

    async def read(self) -> bytes:
        """Give the next piece."""
        try:
            data = self._response.concealed(await self._response.read())
        except TransportError as error:
            raise unreachable(error).error from None
        self._meter(data)
        return data

    def _meter(self, data: bytes) -> None:
        if self._decoder is None:
            return
        try:
            told = self._decoder.feed(data) if data else self._decoder.close()
        except EventTooLarge:  # a picture of that size passes, uncounted
            self._decoder = None
            return
        for event in told:
            self.usage = read_usage(event) or self.usage

    def close(self) -> None:
        """Drop the connection."""
        self._response.close()

"""The upstream side of a recording: answers as they came, in their order, at their times, without a network."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import Final

from gateway.clock import Clock
from gateway.recording import Call, unpack
from gateway.transport import (
    Broken,
    ConnectFailed,
    FirstByteTimeout,
    Forbidden,
    Response,
    TooLarge,
    Transport,
    TransportError,
    Whole,
)

__all__ = ["RecordedTime", "RecordedTransport", "UnconnectedResponse"]

_ERRORS: Final[Mapping[str, type[TransportError]]] = {
    error.__name__: error for error in (ConnectFailed, Forbidden, FirstByteTimeout, Broken, TooLarge)
}


class RecordedTime(Clock):
    """The time of a recording, which passes as its pieces are read and as the request itself waits.

    Whoever else sleeps, such as the background work of an upstream, is never woken.
    """

    __slots__ = ("_began", "_now", "_task")

    def __init__(self, began: float) -> None:
        self._began = began
        self._now = 0.0
        self._task = asyncio.current_task()

    def monotonic(self) -> float:
        """Return the seconds since the request began."""
        return self._now

    def time(self) -> float:
        """Return what the wall clock said."""
        return self._began + self._now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        if asyncio.current_task() is not self._task:
            await asyncio.get_running_loop().create_future()
        self.reach(self._now + seconds)
        await asyncio.sleep(0)

    def reach(self, moment: float) -> None:
        """Go on to a moment, unless it is over."""
        self._now = max(self._now, moment)


class RecordedTransport(Transport):
    """Gives the recorded calls one after the other, whatever is asked for. `waits`: what happens while one is made."""

    def __init__(self, calls: Sequence[Call], time: RecordedTime) -> None:
        self.waits: Callable[[], Awaitable[None]] | None = None
        self._calls = list(calls)
        self._time = time
        self._open = set()

    @property
    def left(self) -> int:
        """Count the calls that nobody has asked for."""
        return len(self._calls)

    def goes_on(self, upstream: str) -> bool:
        """Tell whether the next call is one of an upstream."""
        return bool(self._calls) and self._calls[0].upstream.partition("/")[0] == upstream

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterable[bytes] | None,
    ) -> Response:
        if not self._calls:
            raise ConnectFailed("the recording has no further call")
        call = self._calls.pop(0)
        if self.waits is not None:
            await self.waits()
        if call.status is None:
            raise _failure(call)
        self._time.reach(call.answered_at)
        return _RecordedResponse(call, call.status, self._open, self._time)

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
        max_bytes: int = 0,
    ) -> Whole:
        """Refuse what the gateway asks for itself: it is not recorded."""
        raise ConnectFailed("a replay calls nobody")

    async def close(self) -> None:
        """Nothing is open."""


class UnconnectedResponse(Response):
    """An answer without a connection; who reads it says where its pieces come from."""

    __slots__ = ()

    def __init__(self, status: int, headers: Mapping[str, str], open_responses: "set[Response]") -> None:
        self.status = status
        self.headers = headers
        self.form = b""
        self.heard = None
        self.ended = False
        self._sent = {}
        self._inflater = None
        self._shown = ()
        self._open = open_responses
        open_responses.add(self)

    def close(self) -> None:
        """Forget the rest."""
        self._open.discard(self)

    leave = close


class _RecordedResponse(UnconnectedResponse):
    """A recorded answer."""

    __slots__ = ("_call", "_pieces", "_time")

    def __init__(self, call: Call, status: int, open_responses: "set[Response]", time: RecordedTime) -> None:
        super().__init__(status, call.headers, open_responses)
        self._call = call
        self._pieces = list(call.pieces)
        self._time = time

    async def _read(self) -> bytes:
        if not self._pieces and not self._call.ended:
            self.close()
            raise _failure(self._call)
        moment, piece = self._pieces.pop(0) if self._pieces else (0.0, "")
        self._time.reach(moment)
        if not self._pieces and self._call.ended:
            self.ended = True
            self._open.discard(self)
        return unpack(piece)


def _failure(call: Call) -> TransportError | TimeoutError:
    """Give what broke a call; the wait for one that was given up is over at once."""
    if call.error is None:
        return TimeoutError()
    kind, words, before = call.error
    if kind == Broken.__name__:
        return Broken(words, before_response=before)
    return _ERRORS.get(kind, ConnectFailed)(words)

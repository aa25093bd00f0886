"""What a request says to upstream servers, and what they say: heard by who logs bodies, and by who records.

Whoever wants to hear it sets `TAP` around the rest of the request; `gateway.transport` tells it of each call that
carries the request on. What the gateway asks for itself, such as tokens and model lists, is not told. `tap_of` gives
what is set for a request: the context that it began in may have been copied from that of another.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Final, Protocol

from msgspec import Struct, field

__all__ = ["TAP", "Heard", "Requested", "Tap", "tap_of"]


class Heard(Struct):
    """One call. Times in seconds since the request began.

    `upstream`: NAME/model. `body`: None for one that was sent in pieces. `status` None: no answer came. `pieces`: of
    the answer's body, inflated, as far as they were kept; `size`: in bytes, of all. `error`: (class, words, whether
    before the answer) of what broke it.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    upstream: str
    at: float
    now: Callable[[], float]
    limit_bytes: int
    status: int | None = None
    reply_headers: Mapping[str, str] = {}
    reply_at: float = 0.0
    pieces: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    size: int = 0
    ended: bool = False
    error: tuple[str, str, bool] | None = None
    besides: "Heard | None" = None

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head of the answer."""
        self.status, self.reply_headers, self.reply_at = status, headers, self.now()
        if self.besides is not None:
            self.besides.answered(status, headers)

    def read(self, data: bytes, *, ended: bool) -> None:
        """Take a piece of its body."""
        if data and self.size < self.limit_bytes:
            self.pieces.append((self.now(), data[: self.limit_bytes - self.size]))
        self.size += len(data)
        self.ended = ended
        if self.besides is not None:
            self.besides.read(data, ended=ended)

    def broke(self, error: Exception) -> None:
        """Note what ended it too early."""
        self.error = (type(error).__name__, str(error), getattr(error, "before_response", False))
        if self.besides is not None:
            self.besides.broke(error)


class Requested(Protocol):
    """A request."""

    def called(self) -> str:
        """Name the target that is called now."""
        ...


class Tap:
    """The calls of one request.

    `limit_bytes`: how much of each answer is kept; `now`: the clock of `Heard`. A tap that was set around it for the
    same request hears the same.
    """

    def __init__(self, now: Callable[[], float], request: Requested, limit_bytes: int) -> None:
        self.calls: list[Heard] = []
        self.request: Requested | None = request
        self._now = now
        self._limit_bytes = limit_bytes
        self._besides = tap_of(request)

    def sends(self, method: str, url: str, headers: Mapping[str, str], body: object) -> Heard:
        """Take a call that begins."""
        whole = body if isinstance(body, bytes) else b"" if body is None else None
        upstream = self.request.called() if self.request is not None else ""
        heard = Heard(method, url, headers, whole, upstream, self._now(), self._now, self._limit_bytes)
        if self._besides is not None:
            heard.besides = self._besides.sends(method, url, headers, body)
        self.calls.append(heard)
        return heard

    def close(self) -> None:
        """Forget them, for the request is over; copies of its context live on, in connections and timers."""
        self.calls, self.request, self._now, self._besides = [], None, float, None


TAP: Final[ContextVar[Tap | None]] = ContextVar("TAP", default=None)


def tap_of(request: object) -> Tap | None:
    """Give the tap that is set around a request; None: there is none, or it is of another one."""
    tap = TAP.get()
    return tap if tap is not None and tap.request is request is not None else None

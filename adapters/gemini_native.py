"""What a Gemini caller wrote and Google answered, as the two get it: the same but for keys, names and addresses."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from gateway import ir
from gateway.adapters.failures import unreachable
from gateway.adapters.pool import Lease
from gateway.dialects.edits import Edited
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.request import Written
from gateway.transport import Response, TransportError

__all__ = ["Headers", "Passed", "pass_through", "sent", "shown"]

Headers = Sequence[tuple[bytes, bytes]]

_UPLOAD: Final = "x-goog-upload-"
# A caller's key, cookies and name are not Google's business.
_SENT: Final = frozenset(
    {
        "accept",
        "content-length",
        "content-type",
        "if-match",
        "if-none-match",
        "range",
        "x-goog-fieldmask",
        "x-server-timeout",
    }
)
_SHOWN: Final = frozenset(
    {
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-range",
        "content-type",
        "etag",
        "last-modified",
        "retry-after",
    }
)


def pass_through(request: ir.Request, taken: Edited) -> Written:
    """Take a caller's request for an answer as it is, but for the edits of its dialect."""
    return Written(
        body={},
        names=NameMap([]),
        native=taken.body,
        edits=taken.edits,
        losses=taken.losses,
        image_model="image" in request.model,
    )


def sent(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Give the headers of a caller that go along."""
    named = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.items())
    return {name: value for name, value in named if name in _SENT or name.startswith(_UPLOAD)}


def shown(response: Response) -> list[tuple[str, str]]:
    """Give the headers of an answer that a caller may see."""
    named = [(name.lower(), value) for name, value in response.headers.items()]
    length = () if "content-encoding" in response.headers or _is_stream(response) else ("content-length",)
    return [(name, value) for name, value in named if name in _SHOWN or name in length or name.startswith(_UPLOAD)]


class Passed:
    """An answer on its way; the key is lent until it has ended."""

    def __init__(self, response: Response, headers: Iterable[tuple[str, str]], lease: Lease[Any]) -> None:
        self.status = response.status
        self.headers: Headers = [(name.encode(), value.encode(errors="surrogateescape")) for name, value in headers]
        self.credential: str = lease.credential.id
        self._response = response
        self._lease = lease
        self._kept = b""
        self._conceals = _is_stream(response)

    async def whole(self, limit: int) -> bytes:
        """Read the whole body, and keep it to be passed on."""
        try:
            self._kept = await self._response.read_all(limit)
        except TransportError as error:
            raise unreachable(error).error from None
        return self._kept

    async def read(self) -> bytes:
        """Give the next piece."""
        kept, self._kept = self._kept, b""
        if kept:
            return kept
        try:
            data = await self._response.read()
            return self._response.concealed(data) if self._conceals else data
        except TransportError as error:
            raise unreachable(error).error from None

    def close(self) -> None:
        """Drop the connection, and give back the key."""
        self._response.close()
        self._lease.release()


def _is_stream(response: Response) -> bool:
    """Tell whether an answer is a stream of events, among which an error may repeat the key."""
    return response.headers.get("content-type", "").lower().startswith("text/event-stream")

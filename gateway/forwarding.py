"""Calls that pass an upstream in its own dialect, as they came."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence

from msgspec import Struct
from typing_extensions import Protocol, runtime_checkable

from gateway.upstream import Adapter

__all__ = [
    "Forwarding",
    "ModelForwarding",
    "NativeAnswer",
    "NativeCall",
    "Recalling",
    "Refused",
    "Remembering",
]


@runtime_checkable
class Recalling(Adapter, Protocol):
    """An upstream that keeps responses of OpenAI's and works on some of them in the background."""

    async def recall(self, method: str, response: str, query: str = "") -> "NativeAnswer":
        """Make a call about a response, such as `resp_1` or `resp_1/cancel`; raise GatewayError for a refusal."""
        ...


class NativeCall(Struct, frozen=True, kw_only=True):
    """A call in the upstream's own dialect, which goes on as it came.

    `path` and `query` as they stood on the wire, without a key; `model`: the upstream's own name of the model in the
    path, `about`: of one that stands in the body alone, "" = there is none. `body`: pieces can be sent once only.
    `origin`: where callers reach this gateway. `sought`: another upstream has not what it names.
    """

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes | AsyncIterable[bytes]
    model: str = ""
    about: str = ""
    principal: str = ""
    origin: str = ""
    sought: bool = False


class NativeAnswer(Protocol):
    """What the upstream said to it, passed on as it comes."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The headers that a caller may see."""
        ...

    async def read(self) -> bytes:
        """Give the next piece of the body, b"" at the end; raise GatewayError."""
        ...

    def close(self) -> None:
        """Drop the connection and give back what was lent; idempotent."""
        ...


class Refused:
    """A NativeAnswer that has been read: a refusal, as it came but for the key. `credential`: who was refused."""

    def __init__(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, credential: str = "") -> None:
        self.status = status
        # a key that it repeats is masked, which makes it shorter
        length = str(len(body)).encode()
        self.headers = [(name, length if name == b"content-length" else value) for name, value in headers]
        self.body = body
        self.credential = credential
        self._rest = body

    async def read(self) -> bytes:
        """Give the body."""
        rest, self._rest = self._rest, b""
        return rest

    def close(self) -> None:
        """Nothing is open."""


@runtime_checkable
class ModelForwarding(Adapter, Protocol):
    """An upstream that passes on what callers ask of its models in their own dialect, also what is not known here."""

    async def forward(self, call: NativeCall) -> NativeAnswer:
        """Pass a call on, and return when its answer begins; raise GatewayError."""
        ...


@runtime_checkable
class Forwarding(ModelForwarding, Protocol):
    """An upstream that passes on all that is its own dialect, also what is about no model."""

    def vouched(self, path: str, query: bytes) -> str:
        """Give the id of the principal for whom an address was made that this call names; "" for none."""
        ...


@runtime_checkable
class Remembering(Forwarding, Protocol):
    """An upstream that knows what was made through it."""

    def remembers(self, names: Iterable[str]) -> bool:
        """Tell whether one of these resources was."""
        ...

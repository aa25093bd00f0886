"""The seam between the relay and the upstream adapters.

An adapter turns a `Call` into a `Journey`: all the upstream calls that this one request may need, on one upstream.
`gateway.attempts` walks it: `go()`, and after a failure `after(error)`, until an answer begins or nothing is left.
"""

from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Raw, Struct

from gateway import ir
from gateway.errors import GatewayError
from gateway.transport import Transport

__all__ = [
    "Adapter",
    "Answer",
    "Call",
    "Drawing",
    "Edit",
    "Embedding",
    "Fetching",
    "Forwarding",
    "Journey",
    "Listing",
    "Made",
    "Making",
    "ModelForwarding",
    "ModelInfo",
    "NativeAnswer",
    "NativeCall",
    "Outgoing",
    "Passing",
    "Pooling",
    "Renaming",
    "Step",
    "Target",
    "Telling",
]


class ModelInfo(Struct, frozen=True, kw_only=True):
    """A model that an upstream lists. Limits in tokens; None = unknown.

    `methods`: what it can be asked for, in the words of the Gemini API; () = answers and counts.
    """

    id: str
    display_name: str | None = None
    max_input: int | None = None
    max_output: int | None = None
    thinking: bool | None = None
    methods: tuple[str, ...] = ()


class Call(Struct, frozen=True, kw_only=True):
    """One request for one upstream. `request.model` is already the upstream's own name.

    `request_id` seeds ids that the upstream leaves out; `principal` and `session` keep conversations apart. `headers`:
    those of the caller that an upstream of its own dialect gets with its own words.
    """

    request: ir.Request
    request_id: str
    principal: str = ""
    headers: Mapping[str, str] = {}


class Step(Struct, frozen=True):
    """Try again: after `wait_s` seconds; `counted` against retry.attempts or not."""

    wait_s: float = 0.0
    counted: bool = True


class Answer(Protocol):
    """An answer that has begun."""

    @property
    def usage(self) -> ir.Usage | None:
        """What the upstream has counted so far."""
        ...

    async def read(self) -> list[ir.Event] | None:
        """Give the events of the next network read (often none), None at the end; raise GatewayError."""
        ...

    def close(self) -> None:
        """Drop the upstream connection; idempotent, never blocks."""
        ...


class Journey(Protocol):
    """One call's way through one upstream: its credentials, base URLs and what was learnt on the way."""

    @property
    def request(self) -> ir.Request:
        """The request as this upstream gets it, with every policy applied."""
        ...

    @property
    def losses(self) -> tuple[ir.Loss, ...]:
        """What this upstream cannot carry of the request."""
        ...

    def body(self) -> Raw:
        """Give the exact upstream body of the next call, without network."""
        ...

    async def go(self) -> Answer:
        """Make one upstream call; return when its headers say 200. Raise GatewayError."""
        ...

    def after(self, error: GatewayError) -> Step | GatewayError:
        """Learn from a failure and choose the next route; the error to answer with when none is left."""
        ...

    def done(self, usage: ir.Usage | None) -> None:
        """Report success or the caller's leaving (None), and give back what was lent; idempotent."""
        ...


class Outgoing(Struct, frozen=True, kw_only=True):
    """Where and how a call goes out. The credential in its headers is masked.

    `varies`: the fields of the body that the next call may have otherwise, and why.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    varies: Mapping[str, str] = {}


class Edit(Struct, frozen=True, kw_only=True):
    """One way in which a caller's own words, or an upstream's, are written otherwise before they pass."""

    name: str
    why: str
    on: Literal["request", "reply"]


@runtime_checkable
class Passing(Journey, Protocol):
    """A journey that can take a caller's own words."""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What has been written otherwise in them."""
        ...


@runtime_checkable
class Telling(Journey, Protocol):
    """A journey that can say where its next call goes."""

    def outgoing(self) -> Outgoing:
        """Describe the next call besides its body, without network."""
        ...


class Adapter(Protocol):
    """One configured upstream."""

    name: str

    def models(self) -> Mapping[str, ModelInfo]:
        """List what is known to be served, by id, in order; never asks the network."""
        ...

    def open(self, call: Call) -> Journey:
        """Translate a call; raise InvalidRequest for what cannot be carried."""
        ...

    async def count(self, call: Call) -> int | None:
        """Ask the upstream for the prompt's tokens; None = it cannot tell now."""
        ...

    async def start(self, transport: Transport) -> None:
        """Begin background work; never waits for the network."""
        ...

    async def stop(self) -> None:
        """End background work."""
        ...

    def state(self) -> str:
        """Say in a few words how it is, for the banner and readiness; `usable` first when it can serve."""
        ...

    @property
    def usable(self) -> bool:
        """Whether a request could be served now."""
        ...


@runtime_checkable
class Pooling(Adapter, Protocol):
    """An upstream with credentials of its own."""

    def states(self) -> Mapping[str, int]:
        """Count them by state: active, cooling, needs_verification, disabled."""
        ...


@runtime_checkable
class Listing(Adapter, Protocol):
    """An upstream that asks for its models once it has started."""

    async def listed(self) -> str:
        """Wait for the answer to the first question; say why it was no list, "" when it was or none was asked for."""
        ...


@runtime_checkable
class Fetching(Adapter, Protocol):
    """An upstream that says which files it fetches by their addresses; one that does not say it fetches all."""

    def fetches(self, media: ir.Media, model: str) -> bool:
        """Tell whether it takes the address of a file for this model."""
        ...


@runtime_checkable
class Renaming(Adapter, Protocol):
    """An upstream that knows what its retired models are called now."""

    def renamed(self) -> Mapping[str, str]:
        """Give the new names by the old ones, which `models` does not list any more."""
        ...


class NativeCall(Struct, frozen=True, kw_only=True):
    """A call in the upstream's own dialect, which goes on as it came.

    `path` and `query` as they stood on the wire, without a key; `model`: the upstream's own name of the model in the
    path, "" = there is none. `body`: pieces can be sent once only. `origin`: where callers reach this gateway.
    """

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes | AsyncIterable[bytes]
    model: str = ""
    principal: str = ""
    origin: str = ""


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


class Made(Protocol):
    """Embeddings or pictures, in the words of OpenAI's API: `whole`, or a stream to be read."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The headers that a caller may see."""
        ...

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def whole(self) -> bytes | None:
        """The answer, where it is one JSON document."""
        ...

    @property
    def usage(self) -> ir.Usage | None:
        """What was counted so far."""
        ...

    async def read(self) -> bytes:
        """Give the next piece of a stream, b"" at the end; raise GatewayError."""
        ...

    def close(self) -> None:
        """Drop the connection; idempotent."""
        ...


class Making(Protocol):
    """The way of a call for embeddings or pictures through one upstream, as a Journey is that of a call for words."""

    @property
    def losses(self) -> tuple[ir.Loss, ...]:
        """What this upstream cannot carry of the request."""
        ...

    async def go(self) -> Made:
        """Make one upstream call; return when its answer has begun. Raise GatewayError."""
        ...

    def after(self, error: GatewayError) -> Step | GatewayError:
        """Learn from a failure and choose the next route; the error to answer with when none is left."""
        ...

    def done(self, usage: ir.Usage | None) -> None:
        """Report success or the caller's leaving (None), and give back what was lent; idempotent."""
        ...


@runtime_checkable
class Embedding(Adapter, Protocol):
    """An upstream that makes vectors of texts."""

    def embed(self, call: Call) -> Making:
        """Take a call whose request holds `native` words of OpenAI's; raise InvalidRequest for what is impossible."""
        ...


@runtime_checkable
class Drawing(Adapter, Protocol):
    """An upstream that draws pictures."""

    def draw(self, call: Call) -> Making:
        """Take a call whose request holds `native` words of OpenAI's; raise InvalidRequest for what is impossible."""
        ...


class Target(Struct, frozen=True):
    """One member of a chain: an upstream and its model name.

    `variants`: the suffixes of [models.variant] that were cut off the caller's name, the last one first.
    """

    adapter: Adapter
    model: str
    variants: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """NAME/model, as `x-gateway-upstream` says it."""
        return f"{self.adapter.name}/{self.model}"

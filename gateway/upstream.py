"""The seam between the relay and the upstream adapters.

An adapter turns a `Call` into a `Journey`: all the upstream calls that this one request may need, on one upstream.
`gateway.attempts` walks it: `go()`, and after a failure `after(error)`, until an answer begins or nothing is left.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Raw, Struct

from gateway import ir
from gateway.errors import GatewayError
from gateway.transport import Transport

__all__ = ["Adapter", "Answer", "Call", "Journey", "ModelInfo", "Step", "Target"]


class ModelInfo(Struct, frozen=True, kw_only=True):
    """A model that an upstream lists. Limits in tokens; None = unknown."""

    id: str
    display_name: str | None = None
    max_input: int | None = None
    max_output: int | None = None
    thinking: bool | None = None


class Call(Struct, frozen=True, kw_only=True):
    """One request for one upstream. `request.model` is already the upstream's own name.

    `request_id` seeds ids that the upstream leaves out; `principal` and `session` keep conversations apart.
    """

    request: ir.Request
    request_id: str
    principal: str = ""


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


class Target(Struct, frozen=True):
    """One member of a chain: an upstream and its model name."""

    adapter: Adapter
    model: str

    @property
    def label(self) -> str:
        """NAME/model, as `x-gateway-upstream` says it."""
        return f"{self.adapter.name}/{self.model}"

"""The seam between the relay and the upstream adapters.

An adapter turns a `Call` into a `Journey`: all the upstream calls that this one request may need, on one upstream.
`gateway.attempts` walks it: `go()`, and after a failure `after(error)`, until an answer begins or nothing is left.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal, cast

from msgspec import Raw, Struct
from typing_extensions import Protocol, runtime_checkable

from gateway import ir
from gateway.errors import GatewayError
from gateway.store.tally import Count
from gateway.transport import Transport

__all__ = [
    "BY_HAND",
    "TRAIL_S",
    "Adapter",
    "Answer",
    "Call",
    "Consent",
    "Counting",
    "CredentialView",
    "Describing",
    "Drawing",
    "Edit",
    "Embedding",
    "Fetching",
    "Journey",
    "Lending",
    "Listing",
    "LoggingIn",
    "LoginFailed",
    "Made",
    "Making",
    "ModelInfo",
    "Outgoing",
    "Passing",
    "Pooling",
    "Reaching",
    "Renaming",
    "Step",
    "Target",
    "Telling",
    "Watching",
    "credential_of",
]

TRAIL_S: Final = 1.0  # after the end of an answer, for what the upstream still says and for its closing
_ANSWERS: Final = "generateContent"
BY_HAND: Final = "an operator disabled it"  # why a credential is disabled, then


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

    @property
    def answers(self) -> bool:
        """Whether it answers; what only embeds or draws does not."""
        return not self.methods or _ANSWERS in self.methods


class Call(Struct, frozen=True, kw_only=True):
    """One request for one upstream. `request.model` is already the upstream's own name.

    `request_id` seeds ids that the upstream leaves out; `principal` and `session`, what the caller's headers name the
    conversation, keep conversations apart. `headers`: those of the caller that an upstream of its own dialect gets with
    its own words. `idempotency_key`: the caller's own, for the first call of its request alone.
    """

    request: ir.Request
    request_id: str
    principal: str = ""
    session: str = ""
    headers: Mapping[str, str] = {}
    idempotency_key: str = ""


class Step(Struct, frozen=True):
    """Try again: after `wait_s` seconds; `counted` against retry.attempts or not.

    `verdict`: the error to answer with where nothing is tried again after all; None: the one that was raised.
    """

    wait_s: float = 0.0
    counted: bool = True
    verdict: GatewayError | None = None


class Answer(Protocol):
    """An answer that has begun."""

    @property
    def usage(self) -> ir.Usage | None:
        """What the upstream has counted so far."""
        ...

    async def read(self) -> list[ir.Event] | None:
        """Give the events of what comes next, none for a mere sign of life, None at the end; raise GatewayError."""
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

    def body(self) -> bytes | Raw:
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


class Lending(Protocol):
    """A journey, another way, or an answer that has a credential of a pool."""

    @property
    def credential(self) -> str:
        """The id of the one that was lent last, "" = none."""
        ...


def credential_of(way: object) -> str:
    """Give the credential of a way that has one."""
    return cast(Lending, way).credential if hasattr(way, "credential") else ""  # isinstance takes microseconds here


class Outgoing(Struct, frozen=True, kw_only=True):
    """Where and how a call goes out. The credential in its headers is masked.

    `varies`: the fields of the body that the next call may have otherwise, and why. `shortage`: what a caller is told
    now in its place, as no credential can make it.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    varies: Mapping[str, str] = {}
    shortage: GatewayError | None = None


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


class CredentialView(Struct, frozen=True, kw_only=True):
    """A credential as operators see it; no secret. Times are Unix seconds, None = unknown or never.

    `account`: its e-mail, None for an API key; `state`: active, suspected, cooling, needs_verification or disabled;
    `reason`: why, and where the owner acts; `quota`: model → (what is left, 0 to 1; when it is whole again), `groups`:
    the same of what several models share, by its name.
    `source`: config, import or login; `project_source`: where the project came from.
    """

    id: str
    upstream: str
    account: str | None
    project: str | None
    project_source: str
    source: str
    state: str
    reason: str
    link: str
    enabled: bool
    token_expires_at: float | None
    cooling: Mapping[str, float]
    quota: Mapping[str, tuple[float, float | None]]
    uses: int
    last_used_at: float | None
    last_error: str | None
    groups: Mapping[str, tuple[float, float | None]] = {}


@runtime_checkable
class Pooling(Adapter, Protocol):
    """An upstream with credentials of its own. What is asked of an id that it has not raises KeyError."""

    def states(self) -> Mapping[str, int]:
        """Count them by state: active, suspected, cooling, needs_verification, disabled."""
        ...

    def views(self) -> Sequence[CredentialView]:
        """Show them, in the order in which they were given."""
        ...

    async def enable(self, id_: str) -> CredentialView:
        """Take one into use again; the cool-downs that the upstream stated stay."""
        ...

    async def disable(self, id_: str, reason: str) -> CredentialView:
        """Take one out of use until it is enabled."""
        ...

    async def check(self, id_: str) -> CredentialView:
        """Ask the upstream about one now, whatever its state; needs `start`."""
        ...

    async def remove(self, id_: str) -> None:
        """Forget one for good; raise ValueError with the reason for one that gateway.toml gives."""
        ...


class LoginFailed(Exception):
    """No account came of a login; says why, in words that the person who logs in can act on, without a secret."""


class Consent(Struct, frozen=True, kw_only=True):
    """Where a person agrees, and what the answer to it must fit. `state` and `verifier` are secrets."""

    url: str
    state: str
    verifier: str
    redirect_uri: str

    def __repr__(self) -> str:
        return f"Consent(redirect_uri={self.redirect_uri!r})"


@runtime_checkable
class LoggingIn(Pooling, Protocol):
    """An upstream that people can log an account in to."""

    def consent(self, redirect_uri: str) -> Consent:
        """Begin a login; raise ValueError with what to configure when there is no OAuth client."""
        ...

    async def log_in(self, consent: Consent, code: str, tell: Callable[[str], Awaitable[None]]) -> CredentialView:
        """Trade the code for an account, and set it up: e-mail, project, models, quota, state; needs `start`.

        `tell`: hears in a few words of each step, also of those that fail after the account is there. Raise
        LoginFailed with what went wrong when there is none.
        """
        ...


@runtime_checkable
class Reaching(Adapter, Protocol):
    """An upstream that says which servers it calls."""

    def servers(self) -> Sequence[str]:
        """Give their addresses, in the order in which they are tried."""
        ...


@runtime_checkable
class Watching(Adapter, Protocol):
    """An upstream that does work of its own while nobody asks for anything."""

    def watch(self, busy: Callable[[], bool]) -> None:
        """Learn how to tell whether a request is under way anywhere in the app."""
        ...


@runtime_checkable
class Counting(Adapter, Protocol):
    """An upstream that counts, for the metrics, what happens to its credentials and to what it keeps of them."""

    def count_by(self, count: Count) -> None:
        """Learn how to count one more: by a metric's name and its labels."""
        ...


@runtime_checkable
class Listing(Adapter, Protocol):
    """An upstream that asks for its models once it has started."""

    async def listed(self) -> str:
        """Wait for the answer to the first question; say why it was no list, "" when it was or none was asked for."""
        ...


@runtime_checkable
class Awaited(Listing, Protocol):
    """An upstream that may not have told yet which models it has."""

    @property
    def is_awaited(self) -> bool:
        """Whether it has just been asked for the first time."""
        ...


@runtime_checkable
class Fetching(Adapter, Protocol):
    """An upstream that says which files it fetches by their addresses; one that does not say it fetches all."""

    def fetches(self, media: ir.Media, model: str) -> bool:
        """Tell whether it takes the address of a file for this model."""
        ...


@runtime_checkable
class Describing(Adapter, Protocol):
    """An upstream that knows something of models which it does not list."""

    def info(self, model: str) -> ModelInfo:
        """Give what is known of a model, listed or not."""
        ...


@runtime_checkable
class Renaming(Adapter, Protocol):
    """An upstream that knows models by more names than it lists: retired ones, aliases."""

    def renamed(self) -> Mapping[str, str]:
        """Give by these what the models are asked for as."""
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

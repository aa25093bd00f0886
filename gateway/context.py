"""What the gateway knows of one request, at `scope["state"]["gateway"]`.

The outermost layer makes it; a middleware that stands alone in somebody else's app makes its own. One `send` wrapper
per request notes the status and adds the reply headers that any layer has asked for.
"""

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from random import getrandbits
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from starlette.types import Message, Receive, Scope, Send

from gateway import ir
from gateway.clock import Clock, System
from gateway.errors import Cancelled, Draining, GatewayError
from gateway.frames import bare
from gateway.routes import Route, match
from gateway.trace_context import Carrier
from gateway.upstream import Target

if TYPE_CHECKING:
    from gateway.config import Limit

__all__ = [
    "ANONYMOUS",
    "Principal",
    "RequestContext",
    "Trace",
    "attach",
    "has_body",
    "new_id",
    "new_id_at",
    "new_uuid",
    "reason_of",
    "route_path",
]

_SYSTEM = System()

_RANDOM = ~(0xF000_C000 << 48)
_VERSION_4 = 0x4000_8000 << 48


class Principal(Struct, frozen=True, kw_only=True):
    """Who asks. `models`: globs of names as the client writes them, () = all; `id` keeps callers apart.

    `upstreams`: names of those that may answer, () = all.
    """

    name: str
    id: str
    scopes: frozenset[str] = frozenset({"chat"})
    models: tuple[str, ...] = ()
    upstreams: tuple[str, ...] = ()
    limits: "tuple[Limit, ...]" = ()


ANONYMOUS = Principal(name="anonymous", id="anonymous")


class Trace(Protocol):
    """Who follows a request. `carrier`: what its upstream calls take along."""

    carrier: Carrier

    def tries(self, target: Target) -> None:
        """Note that a call begins."""
        ...

    def answers(self, events: Sequence[ir.Event]) -> None:
        """Note the first events of its answer."""
        ...

    def fails(self, error: GatewayError) -> None:
        """Note that it has failed."""
        ...

    def ends(self) -> None:
        """Note that the request has ended."""
        ...


class RequestContext(Struct):
    """All that the layers tell each other. Times are of the monotonic clock, in seconds.

    `root`: the mount point below which the path led to `route`. `own`: the request as the caller's own words have it;
    where a middleware has changed `request`, these words do not go on. `passed`: the upstream's come
    back. `tried`: the target of the last upstream call; `failed`: how many calls there had been when the last one
    failed; `retries`: the upstreams that were called in vain before it, and why. `streams`: the answer comes in pieces,
    of which `on_stream` heard. `on_answer` hear when an upstream has said its first word, `on_last` before the last
    byte goes out: all that is known of the request then is known.
    `credential`: the id of the one that answers, failed last or was given up, "" = none.
    `usd`: what it has cost, once it was reckoned; see `gateway.costs.cost_of`.
    `reserve`: to be called once what is asked for and who is to answer are known, before an upstream is called; raises
    RateLimited. `by_operator`: one asks through the page, who is let in already, as `principal`;
    `admitted`: Auth has let the caller in; `entered`: the ledger has a row of it, or will.
    `silences`: a histogram of the times that an upstream was waited for in its answer, None = nobody wants it;
    `fell_silent`: it was given up. `expected`: what it may use, where `request` does not tell. `finish`:
    why the answer ended, in the words of `ir.Finished`. `rest`: where a body comes from that was not read to its end,
    None = nobody waits for it. `stamp`: what the ids of the answer are made of, and the time
    (Unix seconds) that it bears.
    """

    request_id: str
    route: Route
    headers: dict[bytes, bytes]
    started: float
    root: str = ""
    principal: Principal = ANONYMOUS
    request: ir.Request | None = None
    own: ir.Request | None = None
    passed: bool = False
    requested_model: str = ""
    targets: tuple[Target, ...] = ()
    fetched: Mapping[str, ir.Media] = {}
    reply_headers: list[tuple[bytes, bytes]] = []  # of each context its own
    status: int | None = None
    first_byte: float | None = None
    upstream: str = ""
    attempts: int = 0
    tried: Target | None = None
    failed: int = 0
    retries: tuple[tuple[str, str], ...] = ()
    losses: tuple[ir.Loss, ...] = ()
    usage: ir.Usage | None = None
    end: str = ""
    error: GatewayError | None = None
    streams: bool = False
    on_stream: tuple[Callable[[], None], ...] = ()
    on_last: tuple[Callable[[], object], ...] = ()
    credential: str = ""
    usd: float | None = None
    reserve: "Callable[[RequestContext], Awaitable[None]] | None" = None
    on_answer: tuple[Callable[[], None], ...] = ()
    silences: list[float] | None = None
    fell_silent: bool = False
    finish: str = ""
    trace: Trace | None = None
    stamp: tuple[str, int] | None = None
    admitted: bool = False
    by_operator: bool = False
    entered: bool = False
    expected: ir.Usage | None = None
    rest: Receive | None = None

    def ends_with(self, error: GatewayError) -> None:
        """Note with which error the answer ends, and whether it was this gateway that ended it."""
        self.error = bare(error)
        self.end = "cancelled" if self.admitted and isinstance(error, Cancelled | Draining) else "error"

    @property
    def in_vain(self) -> bool:
        """Whether no upstream answers or may do so: all that were called have failed."""
        return self.failed == self.attempts and not self.upstream

    @property
    def answerer(self) -> tuple[str, str]:
        """The upstream that has answered, and its model; else those that were asked last; empty where nobody was."""
        tried = self.tried
        if tried is not None:
            return tried.adapter.name, tried.model
        upstream, _, model = self.upstream.partition("/")
        return upstream, model

    def called(self) -> str:
        """Name the target that has answered, else that of the last upstream call; "" when there was none."""
        return self.upstream or (self.tried.label if self.tried is not None else "")

    def tries(self, target: Target, failure: GatewayError | None) -> None:
        """Note an upstream call, and the failure of the one before it, if there was one."""
        if failure is not None and self.tried is not None and failure.cause != failure.UNCALLED:
            self.retries += ((self.tried.adapter.name, reason_of(failure)),)
        self.attempts += 1
        self.tried = target
        if self.trace is not None:
            self.trace.tries(target)

    def fails(self, error: GatewayError | None, credential: str = "") -> None:
        """Note the failure of the upstream call that was noted last, and the credential that it was made with.

        None: it is given up before there is an answer.
        """
        self.credential = credential
        if error is None:
            return
        if error.cause == error.UNCALLED:
            self.attempts -= 1
        self.failed = self.attempts
        if self.trace is not None:
            self.trace.fails(error)

    def begins(self) -> None:
        """Let those hear who wait for the first word of the answer."""
        heard, self.on_answer = self.on_answer, ()
        for hear in heard:
            hear()


def reason_of(error: GatewayError) -> str:
    """Name what went wrong, in one of a few words."""
    return error.cause or type(error).code or type(error).__name__


def new_id() -> str:
    """Make an id that keeps no secret; the generator is seeded by the system, anew after a fork."""
    return getrandbits(96).to_bytes(12).hex()


def new_id_at(time: float) -> str:
    """Make an id of the same length that sorts by time (Unix seconds): a database puts it at the end of its index."""
    return f"{int(time * 1e6):013x}{getrandbits(44):011x}"


def new_uuid() -> str:
    """Make an id of the form of a random UUID (RFC 9562, version 4), a quarter of what `uuid` takes for it."""
    digits = (getrandbits(128) & _RANDOM | _VERSION_4).to_bytes(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def route_path(scope: Scope) -> str:
    """Give the path below the mount point."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if not root:
        return path
    # what stands before the app that we are mounted in may not be in the path: a proxy has cut it
    for prefix in (root, root.removeprefix(scope.get("app_root_path", ""))):
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
            return path[len(prefix) :]
    return path


def attach(scope: Scope, send: Send, clock: Clock = _SYSTEM) -> tuple[RequestContext, Send]:
    """Find the request's context, or make one and wrap `send` so that it notes what goes out."""
    try:
        context = scope["state"]["gateway"]
        if context.root == scope["root_path"]:
            return context, send
    except (KeyError, AttributeError):  # there is none, something of a host's, or no mount point
        context = scope.get("state", {}).get("gateway")
    if isinstance(context, RequestContext):
        root = scope.get("root_path", "")
        if context.root != root:  # made outside of a mount, where the path meant something else
            context.root, context.route = root, _route(scope, context.headers)
        return context, send
    context = _begun(scope, clock)
    return context, _noting(context, send, clock)


def has_body(headers: Container[bytes]) -> bool:
    """Tell whether a body comes with these headers of a request, whether or not it is asked for."""
    return (b"content-length" in headers or b"transfer-encoding" in headers) and b"expect" not in headers


def _begun(scope: Scope, clock: Clock) -> RequestContext:
    headers = dict(scope["headers"])
    route = _route(scope, headers)
    context = RequestContext(f"req_{new_id()}", route, headers, clock.monotonic(), scope.get("root_path", ""))
    scope.setdefault("state", {})["gateway"] = context
    return context


def _route(scope: Scope, headers: dict[bytes, bytes]) -> Route:
    return match(scope["method"], route_path(scope), headers, scope.get("query_string", b""))


def _noting(context: RequestContext, send: Send, clock: Clock) -> Send:
    def noting(message: Message) -> Awaitable[None]:
        if context.streams and context.first_byte is not None and message.get("more_body"):
            return send(message)  # all there is to note has been
        if message["type"] == "http.response.start":
            context.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *context.reply_headers]
            return send(message)
        if context.first_byte is None and message.get("body"):
            context.first_byte = clock.monotonic()
        if not context.streams and message.get("more_body"):
            context.streams = True
            for hear in context.on_stream:
                hear()
        if not message.get("more_body"):
            for end in context.on_last:
                end()
        return send(message)

    return noting

"""Explain a request: every decision with the line of gateway.toml that made it, what is lost, and the upstream body.

    Asking ─► the app's own pipeline ─► Walk, in the relay's place: each way, each member of its chain ─► Explanation
                                         └─ Relay.embark ─► Journey.body

Nothing is decided here. The middlewares, the model rules, the policies and the upstreams are those of the app; only the
transport never begins. Of the app's own middlewares those are left out that guard, or that keep accounts.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from msgspec.structs import replace
from starlette.types import ASGIApp, Message

from gateway.clock import System
from gateway.config import Config, Decision, Loaded
from gateway.context import RequestContext, attach
from gateway.errors import ModelNotFound
from gateway.explain.answer import Explanation, Member, Refusal, Step, Way, step_of
from gateway.explain.asking import Asking, read_dialect, recorded, smallest
from gateway.explain.changes import Change
from gateway.explain.text import written
from gateway.explain.walk import Walk
from gateway.explain.ways import Ways
from gateway.fit import check
from gateway.legible import legible
from gateway.logs import logger_for
from gateway.middleware.body_limit import BodyLimit
from gateway.middleware.model_map import ModelMap
from gateway.middleware.protocol import Protocol
from gateway.middleware.request_id import RequestId
from gateway.parts import adapters_of
from gateway.pipeline import build, resolve
from gateway.services import Services
from gateway.upstream import Edit

__all__ = [
    "Asking",
    "Change",
    "Edit",
    "Explanation",
    "Member",
    "Refusal",
    "Step",
    "Way",
    "explain",
    "read_dialect",
    "recorded",
    "smallest",
    "written",
]

_OURS: Final = "gateway.middleware."
_KEPT: Final = frozenset({BodyLimit, ModelMap, Protocol, RequestId})
_NOT_LOOKED_UP: Final = (
    "previous_response_id: not looked up; a running gateway adds the stored conversation, or leaves the ID to the "
    "upstream that has it"
)
_NOT_FILLED: Final = "items referenced by ID are not looked up; a running gateway adds those that it has stored"
_JSON: Final = (b"content-type", b"application/json")


async def explain(loaded: Loaded, asking: Asking) -> Explanation:
    """Say what would become of a request; raise ConfigError for what `gateway run` would refuse."""
    check(loaded)
    loaded = replace(loaded, read_only=True)
    config, clock = loaded.config, System()
    order = _unguarded(config)
    adapters = adapters_of(loaded, clock)
    ways = Ways(config, adapters)
    services = Services(loaded=loaded, clock=clock, logger=logger_for(loaded), adapters=adapters, resolver=ways)
    walk = Walk(loaded, ways, clock, asking.body)
    context = await _passed(build(walk, services, order), asking)
    return Explanation(
        configuration=legible(str(loaded.file)) if loaded.file else None,
        dialect=asking.dialect,
        why=asking.why,
        path=asking.path,
        model=context.requested_model or asking.model,
        stream=context.request.stream if context.request is not None else None,
        ran=tuple(order),
        decisions=tuple(step_of(decision, loaded) for decision in _decisions(asking, context, config)),
        ways=walk.ways,
        error=_refusal(context, reached=walk.reached),
        notes=tuple(_notes(context)),
    )


def _unguarded(config: Config) -> dict[str, type]:
    """Leave out of our own middlewares what a look at one request does not need; all others may change it."""
    order = resolve(config).items()
    return {name: cls for name, cls in order if cls in _KEPT or not cls.__module__.startswith(_OURS)}


async def _passed(app: ASGIApp, asking: Asking) -> RequestContext:
    """Send a request through the pipeline, and give what the gateway knows of it then."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": unquote(asking.path),
        "raw_path": asking.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), _JSON, (b"content-length", str(len(asking.body)).encode())],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
    }
    messages: list[Message] = [{"type": "http.request", "body": asking.body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        """Nobody reads the answer."""

    context, noting = attach(scope, send)
    await app(scope, receive, noting)
    return context


def _decisions(asking: Asking, context: RequestContext, config: Config) -> Iterator[Decision]:
    """Give those that stand beside the way of the model's name."""
    if context.request is not None and asking.dialect == "openai-chat" and not asking.streams:
        yield Decision("stream", str(context.request.stream).lower(), ("defaults", "stream"))
    if isinstance(context.error, ModelNotFound):
        yield Decision("unknown models", config.models.unknown, ("models", "unknown"))
        yield Decision("default upstream", config.models.default_upstream or "none", ("models", "default_upstream"))


def _notes(context: RequestContext) -> Iterator[str]:
    """Say what is not known of a request here."""
    thread = context.request.thread if context.request is not None else None
    if thread is not None and thread.previous is not None:
        yield _NOT_LOOKED_UP
    if thread is not None and thread.references:
        yield f"{', '.join(thread.references)}: {_NOT_FILLED}"


def _refusal(context: RequestContext, *, reached: bool) -> Refusal | None:
    if context.error is not None:
        return Refusal.of(context.error)
    if reached:
        return None
    message = f"a middleware of [pipeline] order responds itself, with status {context.status}"
    return Refusal(status=context.status or 500, code=None, message=message, param=None)

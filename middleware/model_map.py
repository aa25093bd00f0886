"""Find out where the request goes: the name the caller wrote → upstreams and their own names, in order."""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Self

from msgspec.structs import replace
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import ir
from gateway.config import FOLDER
from gateway.context import Principal, RequestContext, attach
from gateway.dialects.others import others
from gateway.errors import GatewayError, ModelNotFound, NotFound, PermissionDenied
from gateway.lending import apart
from gateway.refusal import refuse
from gateway.resolution import NotServed, Resolution, Resolver
from gateway.routes import Operation
from gateway.services import Services
from gateway.upstream import Target

__all__ = ["ModelMap", "held", "hold", "may_ask", "may_reach", "misled"]


class ModelMap:
    """ASGI middleware; holds a key to its models and upstreams, and renames what the caller asked for.

    `resolve`: gives `context.targets` to those inside, or raises ModelNotFound; for a key that is held to upstreams it
    gets their names, too. `models`: names and globs → the model
    that `context.request` names inside, the first one that matches; any other name stays as it is.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"targets"})
    requires: ClassVar[frozenset[str]] = frozenset({"principal", "request"})

    def __init__(
        self,
        app: ASGIApp,
        models: Mapping[str, str] | None = None,
        resolve: Callable[..., Resolution] | None = None,
    ) -> None:
        self.app = app
        self._models = models or {}
        self._resolve = resolve

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Take the app's rules."""
        return cls(app, resolve=services.resolver.resolve)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        if context.request is not None:
            try:
                if context.principal.models:
                    await _hold(context.principal, context.request, context.route.operation)
                self._map(context, context.request)
            except GatewayError as error:
                await refuse(context, send, held(context.principal, error))
                return
        await self.app(scope, receive, send)

    def _map(self, context: RequestContext, request: ir.Request) -> None:
        name = request.model.removeprefix(FOLDER)
        if self._models:
            name = next((model for glob, model in self._models.items() if fnmatchcase(name, glob)), name)
            context.request = replace(request, model=name)
        if self._resolve is not None:
            try:
                context.targets = self._targets(context.principal, name)
            except ModelNotFound:
                if context.route.operation != "count_tokens":  # which can do without an upstream
                    raise

    def _targets(self, principal: Principal, name: str) -> tuple[Target, ...]:
        """Find the upstreams that may answer; raise ModelNotFound, PermissionDenied."""
        assert self._resolve is not None, "only then there are any"
        if not principal.upstreams:
            targets: tuple[Target, ...] = self._resolve(name).targets
            return targets
        found = self._resolve(name, principal.upstreams).targets
        targets = tuple(target for target in found if may_reach(principal, target.adapter.name))
        if not targets:
            names = ", ".join(dict.fromkeys(repr(target.adapter.name) for target in found))
            message = f"this API key may not use upstream {names}, which serves the model {name[:100]!r}"
            raise PermissionDenied(message, param="model")
        return targets


def may_reach(principal: Principal, upstream: str) -> bool:
    """Tell whether an upstream may answer this key."""
    return not principal.upstreams or upstream in principal.upstreams


def may_ask(principal: Principal, name: str, resolver: Resolver) -> bool:
    """Tell whether a key may use a model, and an upstream that it leads to."""
    upstreams = principal.upstreams
    return may_use(principal, name) and (not upstreams or resolver.leads_to(name, upstreams))


def held(principal: Principal, error: GatewayError) -> GatewayError:
    """Suggest to a key what it may use, and nothing else."""
    if not isinstance(error, NotServed) or not (principal.models or principal.upstreams):
        return error
    return error.of(name for name in error.resolver.listing() if may_ask(principal, name, error.resolver))


def misled(
    context: RequestContext, services: Services, asked: Iterable[Target], what: str, able: Iterable[str]
) -> NotFound:
    """Say that a model leads to upstreams that have not what is asked for, and which ones have."""
    names = dict.fromkeys(target.adapter.name for target in asked)
    named = ", ".join(f"{name!r} (type {services.loaded.config.upstream[name].type})" for name in names)
    others = ", ".join(repr(name) for name in able if may_reach(context.principal, name))
    hint = f"; {others} may serve it: write UPSTREAM/model" if others else ""
    way = f"{context.requested_model[:100]!r} is served by upstream {named}"
    return NotFound(f"{way}, which has no {what}{hint}", param="model")


async def _hold(principal: Principal, request: ir.Request, operation: Operation) -> None:
    """Hold a key to its models; a count asks no other one."""
    body = request.native.body if request.native is not None and operation != "count_tokens" else b""
    await apart(request.counted, hold, principal, request.model.removeprefix(FOLDER), others(body))


def hold(principal: Principal, name: str, beside: Iterable[tuple[str, str]]) -> None:
    """Raise PermissionDenied for a model that is not on a key's list, also for one that is named `beside` it."""
    for path, model in (("model", name), *beside):
        if not may_use(principal, model.removeprefix(FOLDER)):
            raise PermissionDenied(f"this API key may not use the model {model[:100]!r}", param=path[:100])


def may_use(principal: Principal, name: str) -> bool:
    """Tell whether a key's list of models, as the caller writes them, has this one."""
    globs = principal.models  # Gemini's callers may write theirs in the folder, too
    return not globs or any(fnmatchcase(name, glob.removeprefix(FOLDER)) for glob in globs)

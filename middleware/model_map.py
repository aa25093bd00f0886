"""Find out where the request goes: the name the caller wrote → upstreams and their own names, in order."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import ClassVar, Self

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.context import Principal, attach
from gateway.errors import GatewayError, PermissionDenied
from gateway.refusal import refuse
from gateway.resolution import Resolution
from gateway.services import Services

__all__ = ["ModelMap", "may_use"]


class ModelMap:
    """ASGI middleware; gives `context.targets` to those inside. `resolve` raises ModelNotFound."""

    provides: ClassVar[frozenset[str]] = frozenset({"targets"})
    requires: ClassVar[frozenset[str]] = frozenset({"principal", "request"})

    def __init__(self, app: ASGIApp, resolve: Callable[[str], Resolution]) -> None:
        self.app = app
        self._resolve = resolve

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Take the app's rules."""
        return cls(app, services.resolver.resolve)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        if context.request is not None:
            try:
                name = context.request.model.removeprefix("models/")
                if not may_use(context.principal, name):
                    raise PermissionDenied(f"this API key may not use the model {name[:100]!r}", param="model")
                context.targets = self._resolve(name).targets
            except GatewayError as error:
                await refuse(context, send, error)
                return
        await self.app(scope, receive, send)


def may_use(principal: Principal, name: str) -> bool:
    """Tell whether a key's list of models, as the caller writes them, has this one."""
    return not principal.models or any(fnmatchcase(name, glob) for glob in principal.models)
